//! `#!` lines.

use bstr::{BString, ByteSlice};
use plim_oci::EntryHead;

use super::{Collector, Want};
use crate::LayerIndex;
use crate::facts::ScriptFact;

/// What Linux reads of a `#!` line (`BINPRM_BUF_SIZE`).
const LINE: usize = 256;

/// Reads the first line of scripts, executable or not: `sh file` needs no x bit.
pub(super) struct Script;

impl Collector for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    fn wants(&self, _head: &EntryHead) -> Want {
        Want::Head(LINE)
    }

    fn take(&self, _head: &EntryHead, content: &[u8], index: &mut LayerIndex) {
        let entry = index.current();
        index.scripts.extend(line(content).map(|(interpreter, argument)| ScriptFact { entry, interpreter, argument }));
    }
}

/// Splits a `#!` line as execve(2) does: an interpreter, and the rest of the line as one argument.
fn line(content: &[u8]) -> Option<(BString, Option<BString>)> {
    let line = content.strip_prefix(b"#!")?;
    let line = line.lines().next()?;
    let line = line.trim_with(|c| c == ' ' || c == '\t');
    // a NUL means that this is no text
    if line.is_empty() || line.contains(&0) {
        return None;
    }
    let end = line.find_byteset(b" \t").unwrap_or(line.len());
    let argument = line[end..].trim_with(|c| c == ' ' || c == '\t');
    Some((line[..end].into(), (!argument.is_empty()).then(|| argument.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_line_is_one_argument() {
        assert_eq!(
            line(b"#! /usr/bin/env -S node --x\nrest").unwrap(),
            ("/usr/bin/env".into(), Some("-S node --x".into()))
        );
        assert_eq!(line(b"#!/bin/sh\r\n").unwrap(), ("/bin/sh".into(), None));
        assert_eq!(line(b"#!/bin/sh").unwrap(), ("/bin/sh".into(), None));
    }

    #[test]
    fn other_files_are_no_scripts() {
        for other in [&b"#!"[..], b"#!\n/bin/sh", b"", b"#", b"# !/bin/sh", b"#!\0\0\0"] {
            assert_eq!(line(other), None, "{:?}", other.as_bstr());
        }
    }
}
