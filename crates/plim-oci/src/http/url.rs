//! The few things that must be known about an address.

use std::borrow::Cow;
use std::path::PathBuf;

use ureq::http::Uri;

/// Returns an address without the user name and password that may be in it.
pub(super) fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// Returns the path of a `file://` address.
pub(super) fn file_path(url: &str) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let rest = url.strip_prefix("file://")?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    Some(std::ffi::OsString::from_vec(decode(path)).into())
}

/// Undoes percent encoding; what is none stays.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if let (b'%', Some(byte)) = (*first, after.get(..2).and_then(hex)) {
            out.push(byte);
            rest = &after[2..];
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

fn hex(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8)
}

/// Says whether two addresses have the same scheme, host and port.
pub(crate) fn same_origin(one: &str, other: &str) -> bool {
    match (one.parse::<Uri>(), other.parse::<Uri>()) {
        (Ok(one), Ok(other)) => origin(&one).is_some() && origin(&one) == origin(&other),
        _ => false,
    }
}

fn origin(uri: &Uri) -> Option<(Cow<'_, str>, String, u16)> {
    let scheme = uri.scheme_str()?;
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Some((Cow::Borrowed(scheme), uri.host()?.to_ascii_lowercase(), port))
}

/// Resolves a redirect's target (RFC 3986, 5.2, as far as servers use it); only to `http` and `https`.
pub(crate) fn join(base: &str, target: &str) -> Option<String> {
    let base: Uri = base.parse().ok()?;
    let scheme = base.scheme_str()?;
    // a fragment is for people
    let target = target.split('#').next().unwrap_or_default();
    let joined = if target.starts_with("http://") || target.starts_with("https://") {
        target.to_owned()
    } else if target.starts_with("//") {
        format!("{scheme}:{target}")
    } else if target.split(['/', '?']).next().is_some_and(|first| first.contains(':')) {
        return None;
    } else {
        let authority = base.authority()?;
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let full = match path {
            "" => base.path().to_owned(),
            path if path.starts_with('/') => path.to_owned(),
            path => {
                let dir = base.path().rsplit_once('/').map_or("", |(dir, _)| dir);
                format!("{dir}/{path}")
            }
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in full.split('/').skip(1) {
            match part {
                "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{scheme}://{authority}/{}{query}", parts.join("/"))
    };
    joined.parse::<Uri>().ok().filter(|uri| uri.host().is_some()).map(|_| joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(shown("https://user:pass@host/a@b"), "https://host/a@b");
        assert_eq!(shown("https://host/a?b"), "https://host/a?b");
    }

    #[test]
    fn redirects_are_resolved() {
        let base = "https://host/a/b/c?x=1";
        assert_eq!(join(base, "http://other/y#z").unwrap(), "http://other/y");
        assert_eq!(join(base, "//other/y").unwrap(), "https://other/y");
        assert_eq!(join(base, "/y?q=/.").unwrap(), "https://host/y?q=/.");
        assert_eq!(join(base, "d").unwrap(), "https://host/a/b/d");
        assert_eq!(join(base, "../d").unwrap(), "https://host/a/d");
        assert_eq!(join(base, "?q").unwrap(), "https://host/a/b/c?q");
        assert_eq!(join(base, "file:///etc/passwd"), None);
    }

    #[test]
    fn origins_differ_by_scheme_host_and_port() {
        assert!(same_origin("https://host/a", "https://HOST:443/b"));
        assert!(!same_origin("https://host/a", "http://host/a"));
        assert!(!same_origin("https://host/a", "https://host:8443/a"));
    }

    #[test]
    fn file_addresses_are_decoded() {
        assert_eq!(file_path("file:///a%20b/c%2"), Some("/a b/c%2".into()));
        assert_eq!(file_path("http://x"), None);
    }
}
