//! The key of a selection: equal keys mean that the step would copy the same.

use std::path::Path;

use bstr::ByteSlice;
use plim_oci::{Digest, Hasher};
use rayon::prelude::*;

use super::content::Content;
use super::select::{Entry, What};
use super::{FileDigests, FilesError, Selection};
use crate::snapshot::Stamp;

impl Selection {
    /// Returns a digest of all that is taken: names, types, modes, owners, link targets, attributes and
    /// contents; not times, which say nothing about what is built. Contents are read in parallel, and only
    /// where `digests` does not know them.
    pub fn digest(&self, digests: &FileDigests) -> Result<Digest, FilesError> {
        let files: Vec<(&Path, &Stamp, bool)> = self
            .entries()
            .filter_map(|entry| match &entry.content {
                Content::Host { path, stamp } => Some((path.as_path(), stamp, entry.head.xattrs.is_empty())),
                _ => None,
            })
            .collect();
        let contents: Vec<[u8; 32]> = files
            .par_iter()
            .with_min_len(64)
            .map(|(path, stamp, plain)| {
                digests.digest(path, stamp, *plain).map_err(|e| FilesError::io("read", path, e))
            })
            .collect::<Result<_, _>>()?;
        let mut contents = contents.into_iter();
        let mut key = Key::default();
        key.text(b"plim selection 1");
        let mut inodes = std::collections::HashMap::new();
        for chosen in &self.chosen {
            match &chosen.what {
                What::File(_) => {
                    key.text(b"file");
                    key.text(&chosen.name);
                    key.number(u64::from(chosen.inline));
                }
                What::Tree(entries) => {
                    key.text(b"tree");
                    key.number(entries.len() as u64);
                }
            }
            for entry in chosen.entries() {
                // which names share a file matters, the numbers of the file do not
                let next = inodes.len() as u64;
                let group = entry.inode.map_or(u64::MAX, |inode| *inodes.entry(inode).or_insert(next));
                key.entry(entry, group);
                match &entry.content {
                    Content::Host { .. } => key.text(&contents.next().unwrap_or_default()),
                    Content::Bytes(bytes) => key.text(&hash(bytes)),
                    Content::None | Content::Slice { .. } => key.text(b""),
                }
            }
        }
        Ok(key.finish())
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.chosen.iter().flat_map(super::select::Chosen::entries)
    }
}

impl super::select::Chosen {
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.what {
            What::File(entry) => std::slice::from_ref(entry),
            What::Tree(entries) => entries,
        }
    }
}

/// Hashes fields so that no two lists of fields look the same.
#[derive(Default)]
struct Key {
    hasher: Hasher,
    /// What is not hashed yet: a dozen small fields for each file cost more in calls than in hashing.
    pending: Vec<u8>,
}

/// Bytes of fields that are hashed at a time.
const PENDING: usize = 16 * 1024;

impl Key {
    fn number(&mut self, number: u64) {
        self.pending.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.pending.extend_from_slice(text);
        if self.pending.len() >= PENDING {
            self.hasher.update(&self.pending);
            self.pending.clear();
        }
    }

    fn finish(mut self) -> Digest {
        self.hasher.update(&self.pending);
        self.hasher.finish()
    }

    fn entry(&mut self, entry: &Entry, group: u64) {
        let head = &entry.head;
        self.text(&head.path);
        for number in [head.kind as u32, head.mode, head.uid, head.gid, head.device.0, head.device.1] {
            self.number(u64::from(number));
        }
        self.number(head.size);
        self.number(u64::from(entry.passing));
        self.number(group);
        self.text(&head.link);
        self.number(head.xattrs.len() as u64);
        for (name, value) in &head.xattrs {
            self.text(name.as_bytes());
            self.text(value.as_bytes());
        }
    }
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finish_raw()
}
