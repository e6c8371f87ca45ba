//! What a registry holds, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use plim_oci::Digest;
use ring::digest::{SHA512, digest};
use serde_json::Value;

use super::Request;
use super::auth::Tokens;

/// A manifest as it was put.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) media_type: String,
    pub(super) bytes: Arc<Vec<u8>>,
}

impl Manifest {
    /// Returns its JSON, null if it has none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
pub(super) struct Repository {
    pub(super) blobs: BTreeMap<Digest, Arc<Vec<u8>>>,
    pub(super) manifests: BTreeMap<Digest, Manifest>,
    pub(super) tags: BTreeMap<String, Digest>,
}

impl Repository {
    /// Returns the digest that a tag or a digest stands for, if there is such a manifest.
    pub(super) fn resolve(&self, reference: &str) -> Option<&Digest> {
        let (digest, _) = match reference.parse::<Digest>() {
            Ok(digest) => self.manifests.get_key_value(&digest)?,
            Err(_) => self.manifests.get_key_value(self.tags.get(reference)?)?,
        };
        Some(digest)
    }
}

/// An upload that has begun.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) repository: String,
    pub(super) data: Vec<u8>,
    /// What the query of its current Location says.
    pub(super) state: String,
    /// A chunk was smaller than the minimum, so that it must have been the last.
    pub(super) ended: bool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) repositories: BTreeMap<String, Repository>,
    pub(super) uploads: BTreeMap<String, Upload>,
    pub(super) tokens: Tokens,
    pub(super) requests: Vec<Request>,
    counter: u64,
}

impl State {
    /// Returns a number that was not returned before.
    pub(super) fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub(super) fn blob(&self, repository: &str, digest: &Digest) -> Option<Arc<Vec<u8>>> {
        self.repositories.get(repository)?.blobs.get(digest).cloned()
    }

    pub(super) fn put_blob(&mut self, repository: &str, digest: Digest, bytes: Arc<Vec<u8>>) {
        self.repositories.entry(repository.to_owned()).or_default().blobs.insert(digest, bytes);
    }

    pub(super) fn manifest(&self, repository: &str, reference: &str) -> Option<(Digest, Manifest)> {
        let repository = self.repositories.get(repository)?;
        let digest = repository.resolve(reference)?;
        Some((digest.clone(), repository.manifests[digest].clone()))
    }

    /// Keeps a manifest, and its tag if it has one.
    pub(super) fn put_manifest(&mut self, repository: &str, tag: Option<&str>, digest: &Digest, manifest: Manifest) {
        let repository = self.repositories.entry(repository.to_owned()).or_default();
        repository.manifests.insert(digest.clone(), manifest);
        if let Some(tag) = tag {
            repository.tags.insert(tag.to_owned(), digest.clone());
        }
    }
}

/// Returns the digest of bytes, by the algorithm of another digest.
pub(super) fn digest_like(model: &Digest, bytes: &[u8]) -> Digest {
    if model.algorithm() == "sha256" {
        return Digest::of(bytes);
    }
    let mut text = "sha512:".to_owned();
    for byte in digest(&SHA512, bytes).as_ref() {
        text.push_str(&format!("{byte:02x}"));
    }
    text.parse().expect("128 digits are a digest")
}
