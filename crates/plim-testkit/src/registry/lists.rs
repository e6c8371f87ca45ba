//! Tags, the catalog and referrers, whole or in pages.

use plim_oci::Digest;
use plim_oci::media_type::OCI_INDEX;
use serde_json::{Value, json};

use super::Shared;
use super::reply::Reply;
use super::state::Manifest;
use super::wire::{Head, encode};

/// Answers `tags/list`.
pub(super) fn tags(shared: &Shared, head: &Head, name: &str) -> Reply {
    let tags: Vec<String> = match shared.state().repositories.get(name) {
        Some(repository) => repository.tags.keys().cloned().collect(),
        None => return Reply::error(404, "NAME_UNKNOWN", "repository name not known to registry"),
    };
    let (tags, link) = page(shared, head, tags, |tag| tag);
    linked(Reply::new(200).json(&json!({"name": name, "tags": tags})), link)
}

/// Answers `_catalog`, which the specification leaves out and everybody has.
pub(super) fn catalog(shared: &Shared, head: &Head) -> Reply {
    let names: Vec<String> = shared.state().repositories.keys().cloned().collect();
    let (names, link) = page(shared, head, names, |name| name);
    linked(Reply::new(200).json(&json!({"repositories": names})), link)
}

/// Answers `referrers` ("Listing Referrers").
pub(super) fn referrers(shared: &Shared, head: &Head, name: &str, digest: &str) -> Reply {
    let switches = shared.switches().clone();
    if !switches.referrers {
        return Reply::error(404, "UNSUPPORTED", "there are no referrers here");
    }
    if digest.parse::<Digest>().is_err() {
        return Reply::error(400, "DIGEST_INVALID", "this is no digest");
    }
    let filter = head.parameter("artifactType").filter(|_| switches.referrers_filter);
    let found: Vec<(String, Value)> = {
        let state = shared.state();
        let manifests = state.repositories.get(name).into_iter().flat_map(|repository| &repository.manifests);
        manifests
            .filter_map(|(own, manifest)| Some((own.to_string(), descriptor(own, manifest, digest)?)))
            .filter(|(_, entry)| filter.is_none_or(|wanted| entry["artifactType"] == wanted))
            .collect()
    };
    let (found, link) = page(shared, head, found, |(digest, _)| digest);
    let manifests: Vec<Value> = found.into_iter().map(|(_, entry)| entry).collect();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
    let reply = Reply::new(200).json(&index).header("Content-Type", OCI_INDEX);
    let reply = if filter.is_some() { reply.header("OCI-Filters-Applied", "artifactType") } else { reply };
    linked(reply, link)
}

/// Returns the descriptor of a manifest whose subject that is.
fn descriptor(digest: &Digest, manifest: &Manifest, subject: &str) -> Option<Value> {
    let json = manifest.json();
    if json["subject"]["digest"] != subject {
        return None;
    }
    let mut entry = json!({"mediaType": manifest.media_type, "digest": digest.as_str(), "size": manifest.bytes.len()});
    let own = json["artifactType"].as_str().filter(|text| !text.is_empty());
    if let Some(artifact_type) = own.or_else(|| json["config"]["mediaType"].as_str()) {
        entry["artifactType"] = json!(artifact_type);
    }
    if json["annotations"].is_object() {
        entry["annotations"] = json["annotations"].clone();
    }
    Some(entry)
}

/// Returns the entries that are wanted now, and the address of the rest.
fn page<T>(shared: &Shared, head: &Head, all: Vec<T>, key: impl Fn(&T) -> &str) -> (Vec<T>, Option<String>) {
    let asked = head.parameter("n").and_then(|text| text.parse::<usize>().ok());
    let size = [asked, shared.switches().page].into_iter().flatten().min().unwrap_or(usize::MAX);
    let last = head.parameter("last").unwrap_or_default();
    let mut rest: Vec<T> = all.into_iter().skip_while(|entry| !last.is_empty() && key(entry) <= last).collect();
    let more = rest.len() > size;
    rest.truncate(size);
    let Some(end) = rest.last().filter(|_| more) else { return (rest, None) };
    // whatever else was asked is asked again
    let kept = head.query.iter().filter(|(name, _)| name != "last");
    let mut query: Vec<_> = kept.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    query.push(format!("last={}", encode(key(end))));
    let link = format!("<{}?{}>; rel=\"next\"", head.path, query.join("&"));
    (rest, Some(link))
}

fn linked(reply: Reply, link: Option<String>) -> Reply {
    match link {
        Some(link) => reply.header("Link", link),
        None => reply,
    }
}
