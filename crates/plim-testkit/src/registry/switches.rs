//! What a registry can be told to do, and to do wrong.

use std::collections::VecDeque;
use std::time::Duration;

/// Whom a registry lets in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// Everybody.
    #[default]
    None,
    /// One user, by `Authorization: Basic`, for everything.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// Bearers of a token of `/token`, which is good for the scopes that it was asked for.
    Token {
        /// The user that may ask for any scope.
        user: String,
        /// The password.
        password: String,
        /// Whether anybody may ask for tokens to pull. They are needed then as well.
        anonymous_pull: bool,
        /// Seconds that a token lives. 0: the answer does not say, which means a minute.
        expires_seconds: u64,
    },
}

/// The behaviour of a registry. What is not said is as the OCI distribution specification 1.1 has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switches {
    /// Whom it lets in.
    pub auth: Auth,
    /// Has the referrers API: `OCI-Subject` answers manifests with a subject, lists can be filtered by type.
    /// Off: 404, and no `OCI-Subject`.
    pub referrers: bool,
    /// Filters referrers by type and says so in `OCI-Filters-Applied`. Off: the parameter is ignored.
    pub referrers_filter: bool,
    /// So many of the next requests, of whatever kind, answer 429 with `Retry-After: 0`.
    pub throttle: u32,
    /// So many of the next requests, of whatever kind, answer 503 (after those that are throttled).
    pub failing: u32,
    /// The next GETs of blobs end after so many bytes of the body, one entry for each.
    pub cut_downloads: VecDeque<u64>,
    /// The next PATCHes and PUTs of uploads with a body lose their connection after so many of its bytes (or at
    /// its end, if it is shorter) and get no answer, one entry for each. The bytes stay in the upload, which can be
    /// resumed.
    pub cut_uploads: VecDeque<u64>,
    /// Blobs are sent with the byte in their middle flipped.
    pub corrupt: bool,
    /// Blobs are sent as if they ended after half of their bytes, with a `Content-Length` to match.
    pub truncate: bool,
    /// `Docker-Content-Digest` of manifests lies.
    pub wrong_manifest_digest: bool,
    /// `OCI-Chunk-Min-Length`. After a chunk that was smaller, any other is answered with 416.
    pub chunk_minimum: Option<u64>,
    /// Takes a PUT that ends an upload with a body. Off: [`monolithic_refusal`](Self::monolithic_refusal).
    pub monolithic: bool,
    /// Status and code by which such a PUT is refused.
    pub monolithic_refusal: (u16, &'static str),
    /// Takes PATCHes. Off: 405.
    pub chunked: bool,
    /// Mounts blobs of other repositories. Off: 202 and an ordinary upload.
    pub mount: bool,
    /// GETs of blobs are redirected (307) to another port, where requests with `Authorization` are refused (400).
    pub redirect_blobs: bool,
    /// Honours `Range`. Off: 200 and everything.
    pub ranges: bool,
    /// Manifests come with `Docker-Content-Digest`.
    pub head_digest: bool,
    /// Tags, the catalog and referrers come in pages of that size, with a relative `Link`.
    pub page: Option<usize>,
    /// A pause before every 64 KiB of a body, of either side.
    pub slow: Option<Duration>,
    /// Deletes manifests, tags and blobs. Off: 405.
    pub delete: bool,
    /// Deletes tags. Off: 400, as older registries do.
    pub delete_tags: bool,
    /// Locations of uploads have no host. Either way they have a query, which changes with every answer that has a
    /// Location; the one before is answered with 404.
    pub relative_location: bool,
    /// Takes indexes some of whose manifests are missing.
    pub sparse_indexes: bool,
    /// Is a mirror of that registry: what has no `?ns=THAT` is answered with 404. The ping of `/v2/` needs none.
    pub ns_required: Option<String>,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            auth: Auth::None,
            referrers: true,
            referrers_filter: true,
            throttle: 0,
            failing: 0,
            cut_downloads: VecDeque::new(),
            cut_uploads: VecDeque::new(),
            corrupt: false,
            truncate: false,
            wrong_manifest_digest: false,
            chunk_minimum: None,
            monolithic: true,
            monolithic_refusal: (413, "SIZE_INVALID"),
            chunked: true,
            mount: true,
            redirect_blobs: false,
            ranges: true,
            head_digest: true,
            page: None,
            slow: None,
            delete: true,
            delete_tags: true,
            relative_location: false,
            sparse_indexes: false,
            ns_required: None,
        }
    }
}
