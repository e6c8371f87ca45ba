//! A container registry on a loopback port, for tests: the OCI distribution specification 1.1, in memory, with
//! [`Switches`] for what real ones do differently or wrong.
//!
//! ```
//! use plim_testkit::registry::{Registry, Switches};
//!
//! let registry = Registry::with(Switches { failing: 1, ..Switches::default() });
//! let digest = registry.put_blob("team/app", "content");
//! registry.set(|switches| switches.corrupt = true);
//! assert_eq!(registry.blob("team/app", &digest), Some(b"content".to_vec()));
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use plim_oci::Digest;

mod auth;
mod blobs;
mod lists;
mod manifests;
mod reply;
mod route;
mod serve;
mod state;
mod switches;
mod uploads;
mod wire;

pub use switches::{Auth, Switches};

use serve::Listener;
use state::{Manifest, State};

/// One request as it came in, on either port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`, …
    pub method: String,
    /// Path with query, as it came.
    pub path: String,
    /// Header fields, names in lower case; values of a repeated field are joined with commas.
    pub headers: BTreeMap<String, String>,
    /// Bytes of the body that were read.
    pub body_length: u64,
}

/// A registry on a free port of 127.0.0.1; ends when dropped.
#[derive(Debug)]
pub struct Registry {
    shared: Arc<Shared>,
    /// The registry, and the place to which blobs are redirected; they end when dropped.
    _listeners: [Listener; 2],
}

/// What the threads share.
#[derive(Debug)]
struct Shared {
    /// Host and port of the registry.
    address: String,
    /// Host and port to which blobs are redirected.
    storage: String,
    switches: Mutex<Switches>,
    state: Mutex<State>,
}

impl Shared {
    /// Returns the switches. Whoever wants both locks takes this one first.
    fn switches(&self) -> MutexGuard<'_, Switches> {
        self.switches.lock().expect("no test panics while it changes switches")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics with the state")
    }
}

impl Registry {
    /// Starts an empty registry that does everything right.
    pub fn start() -> Self {
        Self::with(Switches::default())
    }

    /// Starts an empty registry.
    pub fn with(switches: Switches) -> Self {
        let (registry, address) = serve::bind();
        let (storage, storage_address) = serve::bind();
        let shared = Arc::new(Shared {
            address,
            storage: storage_address,
            switches: Mutex::new(switches),
            state: Mutex::new(State::default()),
        });
        let listeners = [
            Listener::start(registry, Arc::clone(&shared), serve::registry),
            Listener::start(storage, Arc::clone(&shared), serve::storage),
        ];
        Self { shared, _listeners: listeners }
    }

    /// Returns host and port, `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.shared.address.clone()
    }

    /// Returns host and port to which [`Switches::redirect_blobs`] leads.
    pub fn storage_address(&self) -> String {
        self.shared.storage.clone()
    }

    /// Returns the identity token that is as good as the password with [`Auth::Token`].
    pub fn identity_token() -> &'static str {
        auth::IDENTITY
    }

    /// Changes switches.
    pub fn set(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.shared.switches());
    }

    /// Returns the switches as they are now: what was used up is gone.
    pub fn switches(&self) -> Switches {
        self.shared.switches().clone()
    }

    /// Makes all tokens that were given out so far invalid, as if their time had passed.
    pub fn expire_tokens(&self) {
        self.shared.state().tokens.expire();
    }

    /// Returns all requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.state().requests.clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.state().requests.clear();
    }

    /// Returns a blob.
    pub fn blob(&self, repository: &str, digest: &Digest) -> Option<Vec<u8>> {
        self.shared.state().blob(repository, digest).map(|bytes| bytes.to_vec())
    }

    /// Returns media type and bytes of the manifest with a tag or digest.
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<(String, Vec<u8>)> {
        let (_, manifest) = self.shared.state().manifest(repository, reference)?;
        Some((manifest.media_type, manifest.bytes.to_vec()))
    }

    /// Puts a blob into the state.
    pub fn put_blob(&self, repository: &str, bytes: impl Into<Vec<u8>>) -> Digest {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        self.shared.state().put_blob(repository, digest.clone(), Arc::new(bytes));
        digest
    }

    /// Puts a manifest into the state, whatever it refers to. No tag is set where `tag` is a digest or empty.
    pub fn put_manifest(&self, repository: &str, tag: &str, media_type: &str, bytes: impl Into<Vec<u8>>) -> Digest {
        let bytes = bytes.into();
        let digest = tag.parse::<Digest>().unwrap_or_else(|_| Digest::of(&bytes));
        let manifest = Manifest { media_type: media_type.to_owned(), bytes: Arc::new(bytes) };
        let tag = Some(tag).filter(|tag| route::is_tag(tag));
        self.shared.state().put_manifest(repository, tag, &digest, manifest);
        digest
    }

    /// Returns the tags of a repository, sorted.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let state = self.shared.state();
        state.repositories.get(repository).map(|found| found.tags.keys().cloned().collect()).unwrap_or_default()
    }

    /// Returns the names of all repositories, sorted.
    pub fn repositories(&self) -> Vec<String> {
        self.shared.state().repositories.keys().cloned().collect()
    }

    /// Returns how many uploads have begun and not ended.
    pub fn open_uploads(&self) -> usize {
        self.shared.state().uploads.len()
    }
}
