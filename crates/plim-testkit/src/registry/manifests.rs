//! Manifests: got, put with what they refer to, deleted.

use std::io::Read;
use std::sync::Arc;

use plim_oci::Digest;
use plim_oci::media_type::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use serde_json::Value;

use super::Shared;
use super::reply::Reply;
use super::route::{is_reference, is_tag};
use super::state::{Manifest, Repository, digest_like};
use super::switches::Switches;
use super::wire::{Body, Head};

/// Bytes of a manifest ("Pushing Manifests").
const MAX_MANIFEST: u64 = 4 << 20;

/// Answers GET, HEAD, PUT and DELETE of a manifest.
pub(super) fn answer(
    shared: &Shared,
    head: &Head,
    body: &mut Body<'_>,
    name: &str,
    reference: &str,
) -> std::io::Result<Reply> {
    if !is_reference(reference) {
        return Ok(Reply::error(400, "MANIFEST_INVALID", "this is neither a tag nor a digest"));
    }
    let switches = shared.switches().clone();
    match head.method.as_str() {
        "GET" | "HEAD" => Ok(get(shared, head, &switches, name, reference)),
        "PUT" => {
            let mut bytes = Vec::new();
            body.take(MAX_MANIFEST + 1).read_to_end(&mut bytes)?;
            Ok(put(shared, head, &switches, name, reference, bytes))
        }
        "DELETE" => Ok(delete(shared, &switches, name, reference)),
        _ => Ok(Reply::error(405, "UNSUPPORTED", "GET, HEAD, PUT or DELETE")),
    }
}

fn get(shared: &Shared, head: &Head, switches: &Switches, name: &str, reference: &str) -> Reply {
    let Some((digest, manifest)) = shared.state().manifest(name, reference) else {
        return Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown");
    };
    let accepted = head.header("accept").is_none_or(|accept| {
        let mut types = accept.split(',').map(|entry| entry.split(';').next().unwrap_or_default().trim());
        types.any(|entry| entry == manifest.media_type || entry == "*/*" || entry == "application/*")
    });
    if !accepted {
        return Reply::error(404, "MANIFEST_UNKNOWN", &format!("{} is not accepted", manifest.media_type));
    }
    let etag = format!("\"{digest}\"");
    if head.header("if-none-match").is_some_and(|text| matches_etag(text, &etag)) {
        return Reply::new(304).header("ETag", etag);
    }
    let reply = Reply::new(200).header("Content-Type", manifest.media_type).header("ETag", etag);
    let reply = if switches.head_digest { with_digest(reply, switches, &digest) } else { reply };
    reply.content(manifest.bytes)
}

fn with_digest(reply: Reply, switches: &Switches, digest: &Digest) -> Reply {
    let said = if switches.wrong_manifest_digest { Digest::of(b"another manifest") } else { digest.clone() };
    reply.header("Docker-Content-Digest", said.as_str())
}

fn matches_etag(text: &str, etag: &str) -> bool {
    text.trim() == "*" || text.split(',').any(|entry| entry.trim().trim_start_matches("W/") == etag)
}

fn put(shared: &Shared, head: &Head, switches: &Switches, name: &str, reference: &str, bytes: Vec<u8>) -> Reply {
    if bytes.len() as u64 > MAX_MANIFEST {
        return Reply::error(413, "SIZE_INVALID", "manifests have 4 MiB at most");
    }
    let invalid = |message: &str| Reply::error(400, "MANIFEST_INVALID", message);
    let Ok(json @ Value::Object(_)) = serde_json::from_slice::<Value>(&bytes) else {
        return invalid("this is no JSON object");
    };
    let said = head.header("content-type").map(|text| text.split(';').next().unwrap_or_default().trim());
    let media_type = match (said, json["mediaType"].as_str()) {
        (Some(said), Some(own)) if said != own => return invalid("Content-Type and mediaType differ"),
        (Some(media_type), _) | (None, Some(media_type)) => media_type.to_owned(),
        (None, None) => return invalid("the media type is not said"),
    };
    let digest = match reference.parse::<Digest>() {
        Ok(wanted) if digest_like(&wanted, &bytes) != wanted => {
            return Reply::error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
        }
        Ok(wanted) => wanted,
        Err(_) => Digest::of(&bytes),
    };
    let mut state = shared.state();
    let empty = Repository::default();
    let repository = state.repositories.get(name).unwrap_or(&empty);
    let current = repository.resolve(reference).map(|digest| format!("\"{digest}\""));
    let stale = |text: &str| current.as_ref().is_none_or(|etag| !matches_etag(text, etag));
    let present = |text: &str| current.as_ref().is_some_and(|etag| matches_etag(text, etag));
    if head.header("if-match").is_some_and(stale) || head.header("if-none-match").is_some_and(present) {
        return Reply::error(412, "DENIED", "the manifest has changed");
    }
    if let Some(missing) = missing(repository, &media_type, &json, switches.sparse_indexes) {
        return Reply::error(400, "MANIFEST_BLOB_UNKNOWN", &format!("blob unknown to registry: {missing}"));
    }
    let subject = json["subject"]["digest"].as_str().map(str::to_owned);
    let tag = is_tag(reference).then_some(reference);
    state.put_manifest(name, tag, &digest, Manifest { media_type, bytes: Arc::new(bytes) });
    drop(state);
    let reply = Reply::new(201).header("Location", format!("/v2/{name}/manifests/{digest}"));
    let reply = with_digest(reply, switches, &digest).header("ETag", format!("\"{digest}\""));
    match subject {
        Some(subject) if switches.referrers => reply.header("OCI-Subject", subject),
        _ => reply,
    }
}

/// Returns what a manifest refers to that is not there. Layers that are elsewhere, and subjects, need not be there.
fn missing(repository: &Repository, media_type: &str, json: &Value, sparse: bool) -> Option<String> {
    let list = |field: &str| json[field].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_missing = |descriptor: &Value, manifest: bool| {
        let text = descriptor["digest"].as_str().unwrap_or("nothing");
        let elsewhere = descriptor["urls"].as_array().is_some_and(|urls| !urls.is_empty());
        let there = text.parse::<Digest>().is_ok_and(|digest| {
            if manifest { repository.manifests.contains_key(&digest) } else { repository.blobs.contains_key(&digest) }
        });
        (!there && !elsewhere).then(|| text.to_owned())
    };
    match media_type {
        OCI_MANIFEST | DOCKER_MANIFEST => {
            let config = std::iter::once(&json["config"]);
            config.chain(list("layers")).find_map(|descriptor| is_missing(descriptor, false))
        }
        OCI_INDEX | DOCKER_LIST if !sparse => list("manifests").iter().find_map(|child| is_missing(child, true)),
        _ => None,
    }
}

fn delete(shared: &Shared, switches: &Switches, name: &str, reference: &str) -> Reply {
    if !switches.delete {
        return Reply::error(405, "UNSUPPORTED", "nothing is deleted here");
    }
    let mut state = shared.state();
    let unknown = || Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown");
    let Some(repository) = state.repositories.get_mut(name) else { return unknown() };
    match reference.parse::<Digest>() {
        Ok(digest) => {
            if repository.manifests.remove(&digest).is_none() {
                return unknown();
            }
            repository.tags.retain(|_, other| *other != digest);
        }
        Err(_) if !switches.delete_tags => {
            return Reply::error(400, "UNSUPPORTED", "manifests are deleted by digest");
        }
        Err(_) => {
            if repository.tags.remove(reference).is_none() {
                return unknown();
            }
        }
    }
    Reply::new(202)
}
