//! The key of a selection: equal keys mean that the step would copy the same.

use bstr::{BStr, BString, ByteSlice};
use plim_oci::{Digest, Hasher};
use rayon::prelude::*;

use super::content::{Content, OnHost};
use super::select::{Chosen, Entry, What};
use super::{FileDigests, FilesError, Selection, glob};
use crate::snapshot::tree;

impl Selection {
    /// Returns a digest of all that is taken: names, types, modes, owners, link targets, attributes and
    /// contents; not times, which say nothing about what is built. Contents are read in parallel, and only
    /// where `digests` does not know them; the selection remembers what they were.
    pub fn digest(&mut self, digests: &FileDigests) -> Result<Digest, FilesError> {
        let mut files: Vec<(&mut OnHost, bool)> = self
            .chosen
            .iter_mut()
            .flat_map(Chosen::entries_mut)
            .filter_map(|entry| match &mut entry.content {
                Content::Host(host) if host.known.is_none() => Some((&mut **host, entry.head.xattrs.is_empty())),
                _ => None,
            })
            .collect();
        files.par_iter_mut().with_min_len(64).try_for_each(|(host, plain)| {
            let known = digests.digest(host, *plain);
            host.known = Some(known.map_err(|error| FilesError::io("read", &host.path, error))?);
            Ok::<(), FilesError>(())
        })?;
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
                key.content(&entry.content);
            }
        }
        Ok(key.finish())
    }

    /// Returns what tells one version of each file from another, by the path in the source, once the contents were
    /// looked at; `parents` as the step has it.
    pub(crate) fn prints(&self, parents: bool) -> Vec<(String, u64)> {
        let mut prints = Vec::new();
        for chosen in &self.chosen {
            let base = chosen.base(parents);
            for entry in chosen.entries() {
                let mut key = Key::default();
                key.entry(entry, 0);
                if let Content::Host(_) | Content::Bytes(_) = entry.content {
                    key.content(&entry.content);
                }
                let raw = key.finish_raw();
                let print = raw.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
                let path = tree::join(base.as_bstr(), entry.head.path.as_bstr());
                if !entry.passing && !path.is_empty() {
                    prints.push((path.to_string(), print));
                }
            }
        }
        prints
    }
}

impl Chosen {
    /// Where in the source its entries are, for people.
    fn base(&self, parents: bool) -> BString {
        let word = self.word.as_bstr();
        if parents {
            return word.split_once_str("/./").map_or(BString::default(), |(base, _)| tree::clean(base.as_bstr()));
        }
        let path = if self.inline { self.name.clone() } else { tree::clean(word) };
        if !glob::has_wildcard(path.as_bstr()) {
            return path;
        }
        // the pattern's last name is this one's
        tree::join(tree::parent(path.as_bstr()).unwrap_or(BStr::new("")), self.name.as_bstr())
    }

    pub(super) fn entries(&self) -> &[Entry] {
        match &self.what {
            What::File(entry) => std::slice::from_ref(entry),
            What::Tree(entries) => entries,
        }
    }

    fn entries_mut(&mut self) -> &mut [Entry] {
        match &mut self.what {
            What::File(entry) => std::slice::from_mut(entry),
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

    fn content(&mut self, content: &Content) {
        match content {
            Content::Host(_) => self.text(content.sha256().unwrap_or(&[0; 32])),
            Content::Bytes(bytes) => self.text(&hash(bytes)),
            Content::None | Content::Slice { .. } => self.text(b""),
        }
    }

    fn finish(self) -> Digest {
        Digest::from_sha256(self.finish_raw())
    }

    fn finish_raw(mut self) -> [u8; 32] {
        self.hasher.update(&self.pending);
        self.hasher.finish_raw()
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
