//! Compiled Python modules, whose headers hold the time of their sources.
//!
//! The interpreter takes a compiled module only when that time is the one that the source has on disk
//! (<https://peps.python.org/pep-0552/>). A layer clamps the times of its files, so it has to clamp this copy
//! of a time with them: else every module would be compiled anew at each start of the program.

use std::io::{self, Cursor, Read};

use plim_oci::{EntryHead, EntryKind};

use super::fill;

/// Magic number, flags, time of the source, size of the source: four bytes each, little-endian.
const HEADER: usize = 16;
/// The flags of a header that holds a time and not a digest of the source.
const BY_TIME: [u8; 4] = [0; 4];

/// Says whether an entry is a compiled module by its name.
pub(super) fn is_bytecode(head: &EntryHead) -> bool {
    head.kind == EntryKind::File && head.size >= HEADER as u64 && head.path.ends_with(b".pyc")
}

/// Returns the content of a compiled module with the time of its source clamped to the epoch.
///
/// Sources in the layers of a base are not clamped, but neither are they newer than the epoch, which is the
/// time the base was made.
pub(super) fn with_clamped_source(content: &mut dyn Read, epoch: i64) -> io::Result<impl Read> {
    let mut header = vec![0; HEADER];
    let count = fill(&mut &mut *content, &mut header)?;
    header.truncate(count);
    if let Some((time, epoch)) = time_of_source(&header).zip(u32::try_from(epoch).ok()) {
        header[8..12].copy_from_slice(&time.min(epoch).to_le_bytes());
    }
    Ok(Cursor::new(header).chain(content))
}

/// Returns the time in a header; none where it holds a digest.
fn time_of_source(header: &[u8]) -> Option<u32> {
    if header.len() < HEADER || header[4..8] != BY_TIME {
        return None;
    }
    Some(u32::from_le_bytes([header[8], header[9], header[10], header[11]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(flags: u8, time: u32) -> Vec<u8> {
        let mut bytes = vec![0xcb, 0x0d, 0x0d, 0x0a, flags, 0, 0, 0];
        bytes.extend_from_slice(&time.to_le_bytes());
        bytes.extend_from_slice(&[9, 0, 0, 0]);
        bytes.extend_from_slice(b"code");
        bytes
    }

    fn clamped(bytes: &[u8]) -> Vec<u8> {
        let mut content = bytes;
        let mut out = Vec::new();
        with_clamped_source(&mut content, 1_000).unwrap().read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn the_time_of_a_source_is_clamped_with_the_source() {
        assert_eq!(clamped(&module(0, 5_000)), module(0, 1_000));
        assert_eq!(clamped(&module(0, 500)), module(0, 500));
        assert_eq!(clamped(&module(1, 5_000)), module(1, 5_000), "a digest, not a time");
        assert_eq!(clamped(b"too short to be"), b"too short to be");
    }

    #[test]
    fn modules_are_known_by_name() {
        let head = |path: &str, size| EntryHead { size, ..EntryHead::new(path, EntryKind::File, 0o644) };
        assert!(is_bytecode(&head("a/__pycache__/b.cpython-313.pyc", 16)));
        assert!(!is_bytecode(&head("a/b.pyc", 15)));
        assert!(!is_bytecode(&head("a/b.py", 100)));
    }
}
