//! Blobs: whole, in parts, cut, broken, from elsewhere.

use std::ops::Range;
use std::sync::Arc;

use plim_oci::Digest;

use super::Shared;
use super::reply::Reply;
use super::wire::Head;

/// Where redirects go on the other port.
const STORAGE: &str = "/storage/";

/// Answers GET, HEAD and DELETE of a blob.
pub(super) fn answer(shared: &Shared, head: &Head, name: &str, digest: &str) -> Reply {
    let Ok(digest) = digest.parse::<Digest>() else {
        return Reply::error(400, "DIGEST_INVALID", "this is no digest");
    };
    let unknown = || Reply::error(404, "BLOB_UNKNOWN", "blob unknown to registry");
    match head.method.as_str() {
        "GET" | "HEAD" => {
            let Some(bytes) = shared.state().blob(name, &digest) else { return unknown() };
            if shared.switches().redirect_blobs && head.method == "GET" {
                let location =
                    format!("http://{}{STORAGE}{name}/{digest}?signature={}%3D", shared.storage, digest.short());
                return Reply::new(307).header("Location", location);
            }
            send(shared, head, &digest, bytes)
        }
        "DELETE" if !shared.switches().delete => Reply::error(405, "UNSUPPORTED", "nothing is deleted here"),
        "DELETE" => {
            let mut state = shared.state();
            let blobs = state.repositories.get_mut(name).map(|repository| &mut repository.blobs);
            match blobs.and_then(|blobs| blobs.remove(&digest)) {
                Some(_) => Reply::new(202),
                None => unknown(),
            }
        }
        _ => Reply::error(405, "UNSUPPORTED", "GET, HEAD or DELETE"),
    }
}

/// Answers on the other port, to which blobs are redirected.
pub(super) fn answer_storage(shared: &Shared, head: &Head) -> Reply {
    if head.headers.contains_key("authorization") {
        return Reply::error(400, "UNSUPPORTED", "only one auth mechanism allowed");
    }
    let place = head.path.strip_prefix(STORAGE).and_then(|rest| rest.rsplit_once('/'));
    let place = place.and_then(|(name, digest)| Some((name, digest.parse::<Digest>().ok()?)));
    let Some((name, digest)) = place.filter(|_| matches!(head.method.as_str(), "GET" | "HEAD")) else {
        return Reply::error(404, "UNSUPPORTED", "nothing is here");
    };
    if head.parameter("signature") != Some(&format!("{}=", digest.short())) {
        return Reply::error(403, "DENIED", "the signature is wrong");
    }
    let bytes = shared.state().blob(name, &digest);
    match bytes {
        Some(bytes) => send(shared, head, &digest, bytes),
        None => Reply::error(404, "BLOB_UNKNOWN", "blob unknown to registry"),
    }
}

fn send(shared: &Shared, head: &Head, digest: &Digest, mut bytes: Arc<Vec<u8>>) -> Reply {
    let mut switches = shared.switches();
    let reply = |status| {
        Reply::new(status)
            .header("Content-Type", "application/octet-stream")
            .header("Docker-Content-Digest", digest.as_str())
            .header("ETag", format!("\"{digest}\""))
    };
    if head.method == "HEAD" {
        let reply = if switches.ranges { reply(200).header("Accept-Ranges", "bytes") } else { reply(200) };
        return reply.content(bytes);
    }
    if switches.truncate {
        bytes = Arc::new(bytes[..bytes.len() / 2].to_vec());
    }
    if switches.corrupt && !bytes.is_empty() {
        let mut broken = bytes.to_vec();
        broken[bytes.len() / 2] ^= 0xff;
        bytes = Arc::new(broken);
    }
    let length = bytes.len();
    let cut = switches.cut_downloads.pop_front();
    if !switches.ranges {
        return reply(200).content(bytes).cut(cut);
    }
    match head.header("range").and_then(|text| range(text, length)) {
        Some(Ok(range)) => reply(206)
            .header("Content-Range", format!("bytes {}-{}/{length}", range.start, range.end - 1))
            .content(bytes)
            .part(range)
            .cut(cut),
        Some(Err(())) => Reply::error(416, "RANGE_INVALID", "the blob is shorter")
            .header("Content-Range", format!("bytes */{length}")),
        None => reply(200).header("Accept-Ranges", "bytes").content(bytes).cut(cut),
    }
}

/// Reads a Range of one part; none if it is to be ignored, an error if it cannot be satisfied (RFC 9110, 14.1.2).
fn range(text: &str, length: usize) -> Option<Result<Range<usize>, ()>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let count: usize = last.parse().ok()?;
        return Some(if count == 0 || length == 0 { Err(()) } else { Ok(length.saturating_sub(count)..length) });
    }
    let first: usize = first.parse().ok()?;
    let last = if last.is_empty() { usize::MAX } else { last.parse().ok()? };
    if last < first {
        return None;
    }
    Some(if first >= length { Err(()) } else { Ok(first..last.saturating_add(1).min(length)) })
}
