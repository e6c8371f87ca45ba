//! The members of an archive: read from the tar's headers, content left where it lies.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::sync::Arc;

use bstr::{BString, ByteSlice};
use serde::de::DeserializeOwned;

use crate::read::MAX_MANIFEST;
use crate::tar::{Limits, TarReader};
use crate::{Digest, EntryKind};

use super::{Slice, Source, invalid};

/// Members above this are not those of an image archive, whose blobs are few.
const MAX_ENTRIES: u64 = 1_000_000;
/// Bytes of all their names.
const MAX_NAMES: u64 = 128 << 20;
/// Links to links are not followed further than this.
const MAX_LINKS: usize = 8;

/// The members of an archive by path.
pub(super) struct Contents {
    file: Arc<File>,
    members: HashMap<BString, Member>,
}

enum Member {
    File(u64, u64),
    Link(BString),
}

impl Contents {
    pub(super) fn read(file: &Arc<File>) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let mut handle = file.as_ref();
        handle.rewind()?;
        let limits = Limits { entries: MAX_ENTRIES, metadata: MAX_NAMES, ..Limits::default() };
        let mut tar = TarReader::new(BufReader::new(handle), limits);
        let mut members = HashMap::new();
        while let Some(head) = tar.next_entry()? {
            let member = match head.kind {
                EntryKind::File => {
                    let offset = tar.offset();
                    if head.size > length.saturating_sub(offset) {
                        return Err(invalid(format!("the archive ends within `{}`", head.path)));
                    }
                    tar.seek_past()?;
                    Member::File(offset, head.size)
                }
                // old versions of docker save link to layers that several images share
                EntryKind::Symlink => Member::Link(beside(&head.path, &head.link)),
                EntryKind::Hardlink => Member::Link(head.link),
                _ => continue,
            };
            members.insert(head.path, member);
        }
        Ok(Self { file: Arc::clone(file), members })
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.members.contains_key(path.as_bytes().as_bstr())
    }

    /// Returns offset and size of a member, through links.
    pub(super) fn find(&self, path: &str) -> io::Result<(u64, u64)> {
        let mut path: &[u8] = path.trim_start_matches("./").as_bytes();
        for _ in 0..MAX_LINKS {
            match self.members.get(path.as_bstr()) {
                Some(Member::File(offset, size)) => return Ok((*offset, *size)),
                Some(Member::Link(target)) => path = target,
                None => break,
            }
        }
        Err(invalid(format!("the archive has no `{}`", path.as_bstr())))
    }

    /// Reads a small member whole.
    pub(super) fn bytes(&self, path: &str) -> io::Result<Vec<u8>> {
        let (offset, size) = self.find(path)?;
        if size > MAX_MANIFEST {
            return Err(invalid(format!("`{path}` has {size} bytes, which are too many")));
        }
        let mut bytes = Vec::with_capacity(size as usize);
        Slice::new(&self.file, offset, size).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn json<T: DeserializeOwned>(&self, path: &str) -> io::Result<T> {
        serde_json::from_slice(&self.bytes(path)?).map_err(|error| invalid(format!("`{path}` is malformed: {error}")))
    }

    /// Returns a reader of a member.
    pub(super) fn open(&self, path: &str) -> io::Result<impl Read + use<>> {
        let (offset, size) = self.find(path)?;
        Ok(Slice::new(&self.file, offset, size))
    }

    /// Returns the blobs of an OCI layout.
    pub(super) fn blobs(&self) -> impl Iterator<Item = (Digest, Source)> {
        self.members.iter().filter_map(|(path, member)| {
            let name = path.to_str().ok()?.strip_prefix("blobs/")?.replacen('/', ":", 1);
            match member {
                Member::File(offset, size) => Some((name.parse().ok()?, Source::At(*offset, *size))),
                Member::Link(_) => None,
            }
        })
    }
}

/// Resolves a relative target against the directory of a member. A target above the root stays at the root, and
/// is then simply not there.
fn beside(path: &[u8], target: &[u8]) -> BString {
    let dir = path.rfind_byte(b'/').map_or(&b""[..], |slash| &path[..slash]);
    let mut parts: Vec<&[u8]> = Vec::new();
    let start = if target.starts_with(b"/") { &b""[..] } else { dir };
    for part in start.split_str("/").chain(target.split_str("/")) {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join(&b'/').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_resolved_beside_their_member() {
        assert_eq!(beside(b"a/layer.tar", b"../b/layer.tar"), "b/layer.tar");
        assert_eq!(beside(b"layer.tar", b"../../x"), "x");
        assert_eq!(beside(b"a/b", b"/c"), "c");
    }
}
