//! What is about an image: the referrers API, and the list under a tag where a registry lacks it (distribution
//! specification, "Listing Referrers" and "Referrers Tag Schema").

use crate::http::Body;
use crate::layout::referrers::described;
use crate::{BlobError, Descriptor, Digest, Index, media_type, read};

use super::error::reason;
use super::host::Ask;
use super::list::pages;
use super::pull::is_manifest;
use super::{RegistryError, Repository};

/// Times that a list is read, changed and written when others change it, too.
const ATTEMPTS: usize = 5;
/// More entries than these are read one by one no more.
const MAX_RESOLVED: usize = 1000;

/// The tag under which a registry without the API keeps the list.
pub fn fallback_tag(subject: &Digest) -> String {
    let cut = |text: &str, length: usize| text.get(..length).unwrap_or(text).to_owned();
    format!("{}-{}", cut(subject.algorithm(), 32), cut(subject.hex(), 64))
}

impl Repository {
    pub(super) fn list_referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        let scopes = [self.scope("pull")];
        let mut found = Vec::new();
        let first = self.path(&format!("referrers/{subject}"));
        let place = self.full_name();
        let listed = pages(&self.shared.upstream, first, &scopes, "read", &place, &mut |page: Index| {
            found.extend(page.manifests);
        });
        match listed {
            Ok(()) => Ok(found),
            // it does not know the API
            Err(RegistryError::Missing { .. } | RegistryError::Refused { status: 400 | 405 | 501, .. }) => {
                let entries = self.fallback_list(subject)?.map(|list| list.index.manifests).unwrap_or_default();
                entries.into_iter().take(MAX_RESOLVED).map(|entry| self.resolved(entry)).collect()
            }
            // pages of something else, on registries that answer everything
            Err(RegistryError::Malformed { .. }) if found.is_empty() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// What tools wrote into the list is often wrong about types: the manifest itself knows.
    fn resolved(&self, entry: Descriptor) -> Result<Descriptor, RegistryError> {
        if !is_manifest(&entry) {
            return Ok(entry);
        }
        match read::document(self, &entry) {
            Ok(document) => Ok(described(entry, &document)),
            Err(BlobError::Registry(error)) if !error.is_missing() => Err(*error),
            // an entry for what is gone or damaged
            Err(_) => Ok(entry),
        }
    }

    fn fallback_list(&self, subject: &Digest) -> Result<Option<Listed>, RegistryError> {
        let path = self.path(&format!("manifests/{}", fallback_tag(subject)));
        let scopes = [self.scope("pull")];
        let mut ask = Ask::new("GET", &path, &scopes);
        ask.headers.push(("Accept", media_type::OCI_INDEX.to_owned()));
        let response = self.shared.upstream.send(&ask, "read", &self.full_name())?;
        match response.status {
            200 => {
                let etag = response.header("etag").map(str::to_owned);
                Ok(Some(Listed { index: super::list::json(response, &self.full_name())?, etag }))
            }
            404 => Ok(None),
            _ => Err(self.refused("list what is about an image", response)),
        }
    }

    /// Adds a manifest to the list of those about a subject.
    pub(super) fn list_as_referrer(&self, subject: &Digest, referrer: &Descriptor) -> Result<(), RegistryError> {
        self.change_list(subject, |manifests| {
            if manifests.iter().all(|other| other.digest != referrer.digest) {
                manifests.push(referrer.clone());
            }
        })
    }

    /// Takes a manifest that goes away out of the list that it may be in.
    pub(super) fn unlist(&self, descriptor: &Descriptor) -> Result<(), RegistryError> {
        let Ok(document) = read::document(self, descriptor) else { return Ok(()) };
        let Some(subject) = document.subject() else { return Ok(()) };
        if self.fallback_list(&subject.digest)?.is_none() {
            return Ok(());
        }
        self.change_list(&subject.digest, |manifests| manifests.retain(|other| other.digest != descriptor.digest))
    }

    /// Reads the list, changes it and writes it, again when somebody else did so at the same time.
    fn change_list(&self, subject: &Digest, change: impl Fn(&mut Vec<Descriptor>)) -> Result<(), RegistryError> {
        let tag = fallback_tag(subject);
        let mut refusal = None;
        for attempt in 0..ATTEMPTS {
            let before = self.fallback_list(subject)?;
            let (mut index, etag) = before.map_or_else(|| (Index::default(), None), |list| (list.index, list.etag));
            let unchanged = index.manifests.clone();
            change(&mut index.manifests);
            if index.manifests == unchanged {
                // so it is there by now; whoever wrote after us kept it
                return Ok(());
            }
            if index.manifests.is_empty() {
                // not all registries take tags away: an empty list is as good
                if self.delete_at(&tag).is_ok() {
                    return Ok(());
                }
            }
            let bytes = serde_json::to_vec(&index).expect("an index has only string keys");
            let path = self.path(&format!("manifests/{tag}"));
            let scopes = self.push_scopes();
            let mut ask = Ask::new("PUT", &path, &scopes);
            ask.headers.push(("Content-Type", media_type::OCI_INDEX.to_owned()));
            ask.headers.extend(etag.map(|etag| ("If-Match", etag)));
            ask.body = Body::Bytes(&bytes);
            let response = self.shared.upstream.send(&ask, "write to", &self.full_name())?;
            match response.status {
                // read again: without conditions two writers overwrite one another
                200..=202 => {}
                409 | 412 => {
                    refusal = Some((response.status, reason(response)));
                    std::thread::sleep(self.shared.upstream.retry().pause(1 + attempt as u32, None));
                }
                _ => return Err(self.refused("list a referrer", response)),
            }
        }
        match refusal {
            Some((status, reason)) => {
                let action = "list a referrer while others do".to_owned();
                Err(RegistryError::Refused { action, place: self.full_name(), status, reason })
            }
            None => Ok(()),
        }
    }
}

/// The list under the tag.
struct Listed {
    index: Index,
    etag: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_the_list_is_the_digest_with_a_dash() {
        let digest = Digest::of(b"");
        assert_eq!(fallback_tag(&digest), format!("sha256-{}", digest.hex()));
        let long: Digest = format!("sha512:{}", "ab".repeat(64)).parse().unwrap();
        assert_eq!(fallback_tag(&long), format!("sha512-{}", "ab".repeat(32)));
    }
}
