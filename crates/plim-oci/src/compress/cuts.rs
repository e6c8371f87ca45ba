//! Where the frames of a layer end, so that one file that changes moves few of them.
//!
//! A frame that ends after so many bytes moves with every byte in front of it. So frames end before entries, and which
//! entries these are is told by their paths and sizes alone: behind a file that grew the old ends come again within a
//! frame or two. The more bytes an entry has the likelier a frame ends before it, which gives frames of about one
//! size whatever the sizes of the files are.

use bstr::ByteSlice as _;

use crate::{EntryHead, EntryKind};

/// Bytes that a header takes.
const HEADER: u64 = 512;

/// Says whether a frame ends before an entry, in a layer whose frames are to have about `mean` bytes.
pub(super) fn before(head: &EntryHead, mean: usize) -> bool {
    let bytes = HEADER + if head.kind == EntryKind::File { head.size } else { 0 };
    let mean = mean as u64;
    // of all hashes the share that `bytes` is of `mean`
    bytes >= mean || hash(&head.path) < (u64::MAX / mean) * bytes
}

/// FNV-1a with the finish of MurmurHash3: the layers that are written depend on it, so it never changes.
fn hash(path: &bstr::BString) -> u64 {
    let mut hash = path
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: String, size: u64) -> EntryHead {
        let mut head = EntryHead::new(path, EntryKind::File, 0o644);
        head.size = size;
        head
    }

    #[test]
    fn frames_have_about_the_same_size_whatever_the_files_have() {
        let mean = 512 << 10;
        for size in [0_u64, 100, 3_000, 70_000, 400_000] {
            let total = 200 * mean as u64;
            let count = total / (size + HEADER);
            let cuts = (0..count).filter(|n| before(&file(format!("src/some/file-{n}.js"), size), mean)).count();
            assert!((120..300).contains(&cuts), "{cuts} frames of files with {size} bytes");
        }
        assert!(before(&file("large".to_owned(), mean as u64), mean));
        assert!(before(&file("huge".to_owned(), u64::MAX / 2), mean));
    }

    #[test]
    fn the_hash_is_the_same_for_ever() {
        assert_eq!(hash(&"".into()), 0xefd0_1f60_ba99_2926);
        assert_ne!(hash(&"usr/bin/a".into()), hash(&"usr/bin/b".into()));
    }
}
