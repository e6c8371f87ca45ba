//! Which endpoint a request is for, and what it needs.

use plim_oci::Digest;

use super::auth::Need;
use super::wire::{Head, decode};

/// What a path stands for. A name is a repository's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Ping,
    Token,
    Catalog,
    Tags { name: String },
    Referrers { name: String, digest: String },
    Manifest { name: String, reference: String },
    Blob { name: String, digest: String },
    Uploads { name: String },
    Upload { name: String, id: String },
    Unknown,
}

impl Endpoint {
    pub(super) fn of(path: &str) -> Self {
        match path {
            "/v2" | "/v2/" => return Self::Ping,
            "/v2/_catalog" => return Self::Catalog,
            "/token" => return Self::Token,
            _ => {}
        }
        let Some(rest) = path.strip_prefix("/v2/") else { return Self::Unknown };
        let words: Vec<String> = rest.split('/').map(decode).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let name = |words: &[&str]| words.join("/");
        match &words[..] {
            [first @ .., "blobs", "uploads", ""] | [first @ .., "blobs", "uploads"] => {
                Self::Uploads { name: name(first) }
            }
            [first @ .., "blobs", "uploads", id] => Self::Upload { name: name(first), id: (*id).to_owned() },
            [first @ .., "blobs", digest] => Self::Blob { name: name(first), digest: (*digest).to_owned() },
            [first @ .., "manifests", reference] => {
                Self::Manifest { name: name(first), reference: (*reference).to_owned() }
            }
            [first @ .., "referrers", digest] => Self::Referrers { name: name(first), digest: (*digest).to_owned() },
            [first @ .., "tags", "list"] => Self::Tags { name: name(first) },
            _ => Self::Unknown,
        }
    }

    pub(super) fn repository(&self) -> Option<&str> {
        match self {
            Self::Ping | Self::Token | Self::Catalog | Self::Unknown => None,
            Self::Tags { name }
            | Self::Referrers { name, .. }
            | Self::Manifest { name, .. }
            | Self::Blob { name, .. }
            | Self::Uploads { name }
            | Self::Upload { name, .. } => Some(name),
        }
    }

    /// Returns what a token must allow.
    pub(super) fn needs(&self, head: &Head) -> Vec<Need> {
        let on = |name: &str, any, challenge| Need { resource: format!("repository:{name}"), any, challenge };
        let mut needs = Vec::new();
        if *self == Self::Catalog {
            needs.push(Need { resource: "registry:catalog".to_owned(), any: &["*"], challenge: "*" });
        }
        let Some(name) = self.repository() else { return needs };
        needs.push(match (head.method.as_str(), self) {
            ("DELETE", Self::Upload { .. }) => on(name, &["push", "delete"], "pull,push"),
            ("DELETE", _) => on(name, &["delete"], "delete"),
            ("GET", Self::Upload { .. }) | ("POST" | "PUT" | "PATCH", _) => on(name, &["push"], "pull,push"),
            _ => on(name, &["pull"], "pull"),
        });
        let source = head.parameter("from").filter(|_| head.parameter("mount").is_some());
        if let (Self::Uploads { .. }, Some(source)) = (self, source) {
            needs.push(on(source, &["pull"], "pull"));
        }
        needs
    }
}

/// Says whether a text may name a repository ("Pulling manifests").
pub(super) fn is_name(text: &str) -> bool {
    let good = |part: &str| {
        let alone = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let bytes = part.as_bytes();
        alone(bytes.first())
            && alone(bytes.last())
            && bytes.iter().all(|byte| alone(Some(byte)) || matches!(byte, b'.' | b'_' | b'-'))
    };
    text.len() <= 255 && text.split('/').all(good)
}

/// Says whether a text is a tag.
pub(super) fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = text.as_bytes();
    bytes.len() <= 128
        && bytes.first().is_some_and(|byte| word(*byte))
        && bytes.iter().all(|byte| word(*byte) || matches!(byte, b'.' | b'-'))
}

/// Says whether a text is a tag or a digest.
pub(super) fn is_reference(text: &str) -> bool {
    is_tag(text) || text.parse::<Digest>().is_ok()
}
