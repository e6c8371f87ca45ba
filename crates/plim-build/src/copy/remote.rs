//! Sources of ADD that are addresses of files.

use std::fs;

use bstr::{BString, ByteSlice};
use plim_oci::Digest;
use plim_oci::http::{Client, ClientOptions, Proxies};

use crate::cache::Op;
use crate::error::BuildError;
use crate::files::{Inline, InlineContent};
use crate::graph::Step;
use crate::stage::Building;

/// The name of a download whose address ends without one.
const UNNAMED: &str = "__unnamed__";
/// Downloads are for root only, as BuildKit has it.
const MODE: u32 = 0o600;

/// Says whether a source is an address, of a file or of a repository.
pub(super) fn is_remote(source: &BString) -> bool {
    ["http://", "https://", "git://", "ssh://", "git@"].iter().any(|scheme| source.starts_with(scheme.as_bytes()))
}

/// Downloads a source. With a checksum it is downloaded once; without one, every time.
pub(super) fn fetch(
    building: &Building<'_>,
    step: &Step,
    address: &str,
    checksum: Option<&str>,
) -> Result<Inline, BuildError> {
    let checksum = checksum
        .map(|text| text.parse::<Digest>().map_err(|error| building.fail(step, format!("--checksum: {error}"), None)))
        .transpose()?;
    let shared = building.shared;
    let dir = shared.state.cache.join("downloads");
    fs::create_dir_all(&dir).map_err(|error| BuildError::io(format!("create {}", dir.display()), error))?;
    let mut name = Op::new("download");
    name.field("address", address).option("checksum", checksum.as_ref().map(Digest::as_str));
    let path = dir.join(name.finish().hex());
    let offline = shared.request.offline;
    let known = path.exists() && (checksum.is_some() || offline);
    if !known && offline {
        let hint = "build once without --offline".to_owned();
        return Err(building.fail(
            step,
            format!("{address} was not downloaded before, and this build is offline"),
            Some(hint),
        ));
    }
    if !known {
        let refused = |error: plim_oci::http::HttpError| building.fail(step, error_text(&error), error.hint());
        let client = Client::new(&options(building)).map_err(refused)?;
        let task = shared.events.start(&format!("download {address}"), None);
        let result = client.download(address, &path, None, shared.events, task);
        shared.events.finish(task, if result.is_ok() { "done" } else { "failed" }, result.is_err());
        result.map_err(refused)?;
        if let Some(checksum) = &checksum {
            let actual = super::digest_of_file(&path)?;
            if actual != *checksum {
                let _ = fs::remove_file(&path);
                return Err(building.fail(step, format!("{address} has digest {actual}, not {checksum}"), None));
            }
        }
    }
    Ok(Inline { name: file_name(address), content: InlineContent::File(path), mode: MODE, mtime: None })
}

fn options(building: &Building<'_>) -> ClientOptions {
    let request = building.shared.request;
    let proxy = |name: &str| {
        request.proxies.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    ClientOptions {
        ca_bundle: request.ca_bundle.clone(),
        proxies: Proxies {
            http: proxy("HTTP_PROXY"),
            https: proxy("HTTPS_PROXY"),
            no_proxy: proxy("NO_PROXY").unwrap_or_default(),
        },
        ..ClientOptions::default()
    }
}

/// Returns the last part of an address's path, as the file system is to have it.
fn file_name(address: &str) -> BString {
    let path = address.split(['#', '?']).next().unwrap_or(address);
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let path = decoded(path.split_once('/').map_or("", |(_, path)| path));
    let name = path.trim_end_with(|character| character == '/').rsplit_str("/").next().unwrap_or_default();
    // no directory, and nothing outside of the destination
    if matches!(name, b"" | b"." | b"..") || name.contains(&0) { UNNAMED.into() } else { name.into() }
}

/// Decodes `%20` and its like (RFC 3986, section 2.1); a `%` that begins nothing is one.
fn decoded(path: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.first_chunk::<2>().filter(|digits| first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()) {
            out.push(byte);
            rest = &tail[2..];
        } else {
            out.push(first);
            rest = tail;
        }
    }
    out
}

/// Returns an error with its causes on one line.
fn error_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_the_path_of_the_address() {
        assert_eq!(file_name("https://example.org/a/b.tar.gz?x=/y#z"), "b.tar.gz");
        assert_eq!(file_name("https://example.org/"), UNNAMED);
        assert_eq!(file_name("https://example.org"), UNNAMED);
        assert_eq!(file_name("https://example.org/a/"), "a");
        assert_eq!(file_name("https://example.org/a%20b%2"), "a b%2");
        assert_eq!(file_name("https://example.org/a%2Fb%ff"), BString::from(b"b\xff"));
        for outside in ["https://example.org/..", "https://example.org/a/%2e%2E/", "https://example.org/%00"] {
            assert_eq!(file_name(outside), UNNAMED, "{outside}");
        }
    }

    #[test]
    fn addresses_are_told_from_paths() {
        assert!(is_remote(&"git://example.org/x".into()));
        assert!(!is_remote(&"src/http".into()));
    }
}
