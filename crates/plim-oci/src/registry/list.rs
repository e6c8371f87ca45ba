//! Lists that come in pages, and taking things away.

use std::io::Read as _;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::{self, Response};
use crate::{Descriptor, Digest};

use super::error::reason;
use super::host::{Ask, Host};
use super::{RegistryError, Repository};

/// A page of more is not one that a registry writes; bytes.
const MAX_PAGE: u64 = 16 << 20;
/// Pages of one list; a list without end is a fault.
const MAX_PAGES: usize = 10_000;
/// Names asked for at once.
const PAGE: usize = 1000;

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Catalog {
    #[serde(default)]
    repositories: Option<Vec<String>>,
}

impl Repository {
    /// Lists the tags, in the registry's order.
    pub fn tags(&self) -> Result<Vec<String>, RegistryError> {
        let scopes = [self.scope("pull")];
        let mut tags = Vec::new();
        let first = self.path(&format!("tags/list?n={PAGE}"));
        pages(&self.shared.upstream, first, &scopes, "list the tags of", &self.full_name(), &mut |page: Tags| {
            tags.extend(page.tags.unwrap_or_default());
        })?;
        Ok(tags)
    }

    /// Takes a manifest away, by its digest; tags that name it go, too. An artifact is taken from the list of
    /// those about its subject.
    pub fn delete(&self, descriptor: &Descriptor) -> Result<(), RegistryError> {
        self.unlist(descriptor)?;
        self.delete_at(&descriptor.digest.to_string())
    }

    /// Takes a tag away, where the registry can do that without taking the manifest.
    pub fn delete_tag(&self, tag: &str) -> Result<(), RegistryError> {
        self.delete_at(tag)
    }

    pub(super) fn delete_at(&self, reference: &str) -> Result<(), RegistryError> {
        let scopes = [self.scope("delete,pull,push")];
        let path = self.path(&format!("manifests/{reference}"));
        let place = self.full_name();
        let response = self.shared.upstream.send(&Ask::new("DELETE", &path, &scopes), "delete from", &place)?;
        match response.status {
            200 | 202 | 204 => Ok(()),
            404 => Err(RegistryError::Missing { what: what(reference), place }),
            status => {
                let action = format!("delete {}", what(reference));
                Err(RegistryError::Refused { action, place, status, reason: reason(response) })
            }
        }
    }
}

/// Lists the repositories of a registry.
pub(super) fn catalog(host: &Host) -> Result<Vec<String>, RegistryError> {
    let mut repositories = Vec::new();
    let scopes = ["registry:catalog:*".to_owned()];
    let first = format!("/v2/_catalog?n={PAGE}");
    pages(host, first, &scopes, "list the repositories of", &host.name, &mut |page: Catalog| {
        repositories.extend(page.repositories.unwrap_or_default());
    })?;
    Ok(repositories)
}

/// Reads a list page by page; each page names the next in `Link` (RFC 8288).
pub(super) fn pages<T: DeserializeOwned>(
    host: &Host,
    first: String,
    scopes: &[String],
    action: &'static str,
    place: &str,
    each: &mut dyn FnMut(T),
) -> Result<(), RegistryError> {
    let mut next = Some(first);
    for _ in 0..MAX_PAGES {
        let Some(target) = next else { return Ok(()) };
        let response = host.send(&Ask::new("GET", &target, scopes), action, place)?;
        match response.status {
            200 => {}
            404 => return Err(RegistryError::Missing { what: "the list".to_owned(), place: place.to_owned() }),
            status => {
                let (action, place) = (action.to_owned(), place.to_owned());
                return Err(RegistryError::Refused { action, place, status, reason: reason(response) });
            }
        }
        next = response.header("link").and_then(|link| following(&response.url, link));
        // a page on another machine would be asked with our credentials
        if next.as_ref().is_some_and(|next| !http::same_origin(next, &response.url)) {
            return Err(malformed(place, "its list goes on at another registry"));
        }
        each(json(response, place)?);
    }
    Err(malformed(place, "its list has no end"))
}

/// Reads a body as JSON.
pub(super) fn json<T: DeserializeOwned>(response: Response, place: &str) -> Result<T, RegistryError> {
    let mut body = Vec::new();
    let read = response.body.take(MAX_PAGE).read_to_end(&mut body);
    read.map_err(|error| malformed(place, &error.to_string()))?;
    serde_json::from_slice(&body).map_err(|error| malformed(place, &error.to_string()))
}

pub(super) fn malformed(place: &str, reason: &str) -> RegistryError {
    RegistryError::Malformed { place: place.to_owned(), reason: reason.to_owned() }
}

/// Names a tag or a digest for messages.
pub(super) fn what(reference: &str) -> String {
    match reference.parse::<Digest>() {
        Ok(digest) => digest.to_string(),
        Err(_) => format!("tag `{reference}`"),
    }
}

/// Finds the address of the next page.
fn following(base: &str, link: &str) -> Option<String> {
    link.split(',').find_map(|link| {
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
        });
        is_next.then(|| http::join(base, address))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found() {
        let base = "https://r.example/v2/a/tags/list?n=2";
        let next = |link: &str| following(base, link);
        let expected = Some("https://r.example/v2/a/tags/list?last=b&n=2".to_owned());
        assert_eq!(next("</v2/a/tags/list?last=b&n=2>; rel=\"next\""), expected);
        assert_eq!(next("<https://r.example/x>; rel=prev, </v2/a/tags/list?last=b&n=2>;rel=next"), expected);
        assert_eq!(next("</v2/a>; rel=\"last\""), None);
        assert_eq!(next("nonsense"), None);
    }
}
