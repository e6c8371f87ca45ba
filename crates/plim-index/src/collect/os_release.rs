//! os-release(5).

use std::collections::BTreeMap;

use bstr::ByteSlice;
use plim_oci::EntryHead;

use super::{Collector, Want};
use crate::LayerIndex;
use crate::facts::OsReleaseFact;

/// Reads the identification of the operating system.
pub(super) struct OsRelease;

impl Collector for OsRelease {
    fn name(&self) -> &'static str {
        "os-release"
    }

    fn wants(&self, head: &EntryHead) -> Want {
        match head.path.as_bytes() {
            b"etc/os-release" | b"usr/lib/os-release" => Want::Head(64 * 1024),
            _ => Want::Nothing,
        }
    }

    fn take(&self, _head: &EntryHead, content: &[u8], index: &mut LayerIndex) {
        let entry = index.current();
        index.os_releases.push(OsReleaseFact { entry, fields: fields(content) });
    }
}

/// Reads shell-like assignments; what is none is passed over.
fn fields(content: &[u8]) -> BTreeMap<String, String> {
    let lines = content.lines().map(|line| line.to_str_lossy());
    lines
        .filter_map(|line| {
            let (key, value) = line.trim().split_once('=')?;
            let good = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            good.then(|| (key.to_owned(), unquote(value.trim())))
        })
        .collect()
}

/// Takes off quotes and, unless they are single ones, backslashes.
fn unquote(value: &str) -> String {
    if let Some(inner) = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return inner.to_owned();
    }
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        text.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lose_their_quotes() {
        let fields = fields(
            b"# comment\nID=debian\nPRETTY_NAME=\"Debian \\\"x\\\" 13\"\nNAME='a\\b'\n=bad\nodd key=1\nEMPTY=\n",
        );
        assert_eq!(fields["ID"], "debian");
        assert_eq!(fields["PRETTY_NAME"], "Debian \"x\" 13");
        assert_eq!(fields["NAME"], "a\\b");
        assert_eq!(fields["EMPTY"], "");
        assert_eq!(fields.len(), 4);
    }
}
