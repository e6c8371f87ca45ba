//! Uploads: begun, mounted, in chunks, at once, resumed, given up.

use std::io::Read;
use std::sync::Arc;

use plim_oci::Digest;

use super::Shared;
use super::reply::{Outcome, PIECE, Reply};
use super::state::{Upload, digest_like};
use super::wire::{Body, Head};

/// Answers a POST, which begins an upload or mounts a blob.
pub(super) fn begin(shared: &Shared, head: &Head, name: &str) -> Reply {
    if head.method != "POST" {
        return Reply::error(405, "UNSUPPORTED", "POST");
    }
    let switches = shared.switches().clone();
    let mut state = shared.state();
    let mount = head.parameter("mount").and_then(|text| text.parse::<Digest>().ok());
    if let (true, Some(digest), Some(source)) = (switches.mount, mount, head.parameter("from"))
        && let Some(bytes) = state.blob(source, &digest)
    {
        state.put_blob(name, digest.clone(), bytes);
        drop(state);
        return created(shared, head, name, &digest);
    }
    // a POST with a digest and a body is not finished either: its body is ignored, as most registries do
    let id = format!("upload-{}", state.number());
    let upload = Upload { repository: name.to_owned(), data: Vec::new(), state: String::new(), ended: false };
    state.uploads.insert(id.clone(), upload);
    drop(state);
    let reply = progress(shared, head, 202, &id);
    match switches.chunk_minimum {
        Some(minimum) => reply.header("OCI-Chunk-Min-Length", minimum.to_string()),
        None => reply,
    }
}

/// Answers what is asked of an upload.
pub(super) fn answer(shared: &Shared, head: &Head, body: &mut Body<'_>, name: &str, id: &str) -> Outcome {
    let Some(received) = shared.state().uploads.get(id).and_then(|upload| {
        let current = upload.repository == name && head.parameter("_state") == Some(upload.state.as_str());
        current.then_some(upload.data.len() as u64)
    }) else {
        return Reply::error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload, or not its last Location").into();
    };
    match head.method.as_str() {
        "GET" => progress(shared, head, 204, id).into(),
        "DELETE" => {
            shared.state().uploads.remove(id);
            Reply::new(204).into()
        }
        "PATCH" if !shared.switches().chunked => Reply::error(405, "UNSUPPORTED", "no chunks are taken here").into(),
        "PATCH" => match receive(shared, head, body, id, received) {
            Received::All => progress(shared, head, 202, id).into(),
            Received::Not(outcome) => outcome,
        },
        "PUT" => {
            let Some(digest) = head.parameter("digest").and_then(|text| text.parse::<Digest>().ok()) else {
                return Reply::error(400, "DIGEST_INVALID", "an upload ends with a digest").into();
            };
            if body.is_pending() {
                let switches = shared.switches().clone();
                if !switches.monolithic {
                    let (status, code) = switches.monolithic_refusal;
                    return Reply::error(status, code, "blobs are taken in chunks only").into();
                }
                if let Received::Not(outcome) = receive(shared, head, body, id, received) {
                    return outcome;
                }
            }
            finish(shared, head, name, id, &digest).into()
        }
        _ => Reply::error(405, "UNSUPPORTED", "GET, PATCH, PUT or DELETE").into(),
    }
}

enum Received {
    All,
    Not(Outcome),
}

/// Adds a body to an upload.
fn receive(shared: &Shared, head: &Head, body: &mut Body<'_>, id: &str, received: u64) -> Received {
    let not_so = |code, message: &str| {
        // the Location stays as it is: the client asks it where to go on
        let reply = Reply::error(416, code, message);
        Received::Not(reply.header("Range", range(received)).into())
    };
    if let Some(text) = head.header("content-range") {
        let bounds = text.split_once('-').and_then(|(a, b)| Some((a.parse::<u64>().ok()?, b.parse::<u64>().ok()?)));
        let Some((first, last)) = bounds.filter(|(first, last)| first <= last) else {
            return Received::Not(Reply::error(400, "BLOB_UPLOAD_INVALID", "Content-Range is a-b").into());
        };
        if first != received {
            return not_so("BLOB_UPLOAD_INVALID", "this is not the next chunk");
        }
        if body.length.is_some_and(|length| length != last - first + 1) {
            return Received::Not(Reply::error(400, "SIZE_INVALID", "Content-Range is not as long as the body").into());
        }
    }
    let (cut, slow, minimum) = {
        let mut switches = shared.switches();
        if shared.state().uploads.get(id).is_none_or(|upload| upload.ended) {
            return not_so("SIZE_INVALID", "the chunk before was smaller than OCI-Chunk-Min-Length");
        }
        let cut = if body.is_pending() { switches.cut_uploads.pop_front() } else { None };
        (cut, switches.slow, switches.chunk_minimum)
    };
    let mut left = cut.unwrap_or(u64::MAX);
    let mut piece = vec![0; PIECE];
    let broken = loop {
        let wanted = PIECE.min(usize::try_from(left).unwrap_or(usize::MAX));
        if let Some(pause) = slow.filter(|_| body.is_pending()) {
            std::thread::sleep(pause);
        }
        match body.read(&mut piece[..wanted]) {
            Ok(0) => break false,
            Ok(count) => {
                left -= count as u64;
                let mut state = shared.state();
                let Some(upload) = state.uploads.get_mut(id) else { break true };
                upload.data.extend_from_slice(&piece[..count]);
            }
            Err(_) => break true,
        }
    };
    if broken || cut.is_some() {
        return Received::Not(Outcome::Reset);
    }
    if let Some(upload) = shared.state().uploads.get_mut(id) {
        upload.ended = minimum.is_some_and(|minimum| body.read < minimum) && body.read > 0;
    }
    Received::All
}

fn finish(shared: &Shared, head: &Head, name: &str, id: &str, digest: &Digest) -> Reply {
    let Some(upload) = shared.state().uploads.remove(id) else {
        return Reply::error(404, "BLOB_UPLOAD_UNKNOWN", "the upload has ended");
    };
    if digest_like(digest, &upload.data) != *digest {
        return Reply::error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    shared.state().put_blob(name, digest.clone(), Arc::new(upload.data));
    created(shared, head, name, digest)
}

fn created(shared: &Shared, head: &Head, name: &str, digest: &Digest) -> Reply {
    let location = location(shared, head, &format!("/v2/{name}/blobs/{digest}"));
    Reply::new(201).header("Location", location).header("Docker-Content-Digest", digest.as_str())
}

/// Says how far an upload is, and gives it a new Location.
fn progress(shared: &Shared, head: &Head, status: u16, id: &str) -> Reply {
    let mut state = shared.state();
    let number = state.number();
    let Some(upload) = state.uploads.get_mut(id) else {
        return Reply::error(404, "BLOB_UPLOAD_UNKNOWN", "the upload has ended");
    };
    // the sign makes trouble for those who encode again
    upload.state = format!("{number}=");
    let path = format!("/v2/{}/blobs/uploads/{id}?_state={number}%3D", upload.repository);
    let range = range(upload.data.len() as u64);
    drop(state);
    Reply::new(status)
        .header("Location", location(shared, head, &path))
        .header("Range", range)
        .header("Docker-Upload-UUID", id)
}

/// Nothing is `0-0` too, as everybody has it.
fn range(received: u64) -> String {
    format!("0-{}", received.saturating_sub(1))
}

fn location(shared: &Shared, head: &Head, path: &str) -> String {
    if shared.switches().relative_location {
        return path.to_owned();
    }
    let host = head.header("host").unwrap_or(&shared.address);
    format!("http://{host}{path}")
}
