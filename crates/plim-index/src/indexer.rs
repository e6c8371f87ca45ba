//! Watches one layer go by and writes its index.

mod earlier;

use std::fs::File;
use std::io::{Seek, Write};

use bstr::{BStr, ByteSlice};
use plim_oci::compress::estargz;
use plim_oci::{Digest, EntryHead, EntryKind, Events, Hasher, LayerObserver};

use self::earlier::Earlier;
use crate::collect::{self, Collector, Want};
use crate::layer::Mark;
use crate::{ContentDigest, Entry, Indexes, LayerIndex, Skipped, Whiteout, paths};

/// The largest file that is handed to a collector in memory, in bytes. One layer holds at most one such file.
pub const MAX_WHOLE: usize = 64 * 1024 * 1024;

/// The largest file that is handed to a collector as a temporary file, in bytes.
pub const MAX_SPOOL: u64 = 4 * 1024 * 1024 * 1024;

/// What the facts of one layer may take, in bytes. Real layers need some thousandths of their size.
const MAX_FACTS: usize = 256 * 1024 * 1024;

/// Landmarks of one layer that are set aside; one is what a layer has.
const MAX_LANDMARKS: usize = 8;

/// How many bytes tell whether a file has a collector's magic.
const SNIFF: usize = 16;

/// What the buffer keeps between files; the rest of a large one is given back.
const KEPT_CAPACITY: usize = 1024 * 1024;

/// How many entries an index may have. It holds some hundred bytes of each.
pub(crate) const MAX_ENTRIES: u64 = 3_000_000;

/// How many bytes the paths, link targets and extended attributes of a layer may have. Three million real paths have about
/// half of it; the index and the inventory hold each some times.
pub(crate) const MAX_METADATA: u64 = 512 << 20;

/// Makes the [`LayerIndex`] of one layer while the layer is read or written: feed it by [`entry`](Self::entry),
/// [`data`](Self::data) and [`end`](Self::end) for each entry, then [`into_index`](Self::into_index).
pub struct Indexer {
    collectors: Vec<Box<dyn Collector>>,
    index: LayerIndex,
    current: Option<Current>,
    buffer: Vec<u8>,
    /// What facts may still take.
    facts_left: usize,
    /// What the metadata of further entries may take.
    metadata_left: u64,
    /// The layer has more than an index may hold: nothing more is taken in, and nothing is stored.
    overfull: bool,
    store: Option<Indexes>,
    /// The layer that this one takes the place of, by its diffID until somebody asks for it.
    earlier: Earlier,
    /// Entries that are no files of the image if the layer is one of eStargz, with their content.
    landmarks: Vec<(EntryHead, Vec<u8>)>,
    /// A landmark is going by.
    in_landmark: bool,
    /// What was known before the last entry, if that looks like the table of an eStargz layer.
    before_table: Option<Mark>,
}

/// The regular file that is going by.
struct Current {
    /// None where the digest is known.
    hasher: Option<Hasher>,
    wants: Vec<Want>,
    /// How many bytes of it the buffer is to hold.
    limit: usize,
    /// Magic bytes have been compared; until then the buffer takes at least [`SNIFF`] bytes.
    sniffed: bool,
    /// Holds the whole file when it is too large for the buffer.
    spool: Option<File>,
}

impl Indexer {
    /// Returns an indexer that has seen nothing.
    pub fn new() -> Self {
        Self {
            collectors: collect::all(),
            index: LayerIndex::empty(),
            current: None,
            buffer: Vec::new(),
            facts_left: MAX_FACTS,
            metadata_left: MAX_METADATA,
            overfull: false,
            store: None,
            earlier: Earlier::None,
            landmarks: Vec::new(),
            in_landmark: false,
            before_table: None,
        }
    }

    /// Returns an indexer that stores the index when the layer is complete.
    pub(crate) fn storing(store: Indexes) -> Self {
        Self { store: Some(store), ..Self::new() }
    }

    /// Begins an entry.
    pub fn entry(&mut self, head: &EntryHead) {
        self.finish_file();
        if !self.has_room(head) {
            return;
        }
        self.before_table = None;
        self.in_landmark = estargz::is_landmark(head) && self.landmarks.len() < MAX_LANDMARKS;
        if self.in_landmark {
            self.landmarks.push((head.clone(), Vec::new()));
            return;
        }
        if estargz::is_table(head) {
            self.before_table = Some(self.index.mark());
        }
        match whiteout(head.path.as_bstr()) {
            Name::Ordinary => {}
            Name::Metadata => return,
            Name::Whiteout { path, opaque } => {
                let at = u32::try_from(self.index.entries.len()).unwrap_or(u32::MAX);
                self.index.whiteouts.push(Whiteout { path, opaque, at });
                return;
            }
        }
        let mut head = head.clone();
        if head.kind != EntryKind::File {
            head.size = 0;
        }
        if head.kind == EntryKind::File {
            self.current = Some(Current::new(&self.collectors, &head));
        }
        self.index.entries.push(Entry { head, digest: None });
    }

    /// Says whether another entry may be taken in. Who reads a layer for its index refuses one that has too many, see
    /// [`index_blob`](crate::index_blob); a layer that is pulled or built goes by here all the same.
    fn has_room(&mut self, head: &EntryHead) -> bool {
        let xattrs = head.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        let left = self.metadata_left.checked_sub((head.path.len() + head.link.len() + xattrs) as u64);
        let count = self.index.entries.len() + self.index.whiteouts.len();
        if self.overfull || left.is_none() || count as u64 >= MAX_ENTRIES {
            self.overfull = true;
            // what there is will not be asked for
            self.index = LayerIndex::empty();
            return false;
        }
        self.metadata_left = left.unwrap_or(0);
        true
    }

    /// Takes the digest of the current file's content from whoever knows it. Says whether the content is needed all the
    /// same: not where the layer that this one takes the place of has the same file, or where no collector wants it.
    pub fn content(&mut self, sha256: &[u8; 32]) -> bool {
        let (Some(current), Some(entry)) = (&mut self.current, self.index.entries.last_mut()) else { return true };
        entry.digest = Some(ContentDigest(*sha256));
        current.hasher = None;
        let same = self.earlier.same(entry, self.store.as_ref());
        let needed = match same {
            Some((index, at)) => !self.take_over(&index, at),
            None => current.wants.iter().any(|want| *want != Want::Nothing),
        };
        if !needed {
            self.current = None;
        }
        needed
    }

    /// Takes over what another index says of a file, as what the current one holds; says whether there was room.
    fn take_over(&mut self, other: &LayerIndex, at: u32) -> bool {
        let mark = self.index.mark();
        self.index.take_over(other, at);
        let left = self.facts_left.checked_sub(self.index.weight_since(&mark));
        if let Some(left) = left {
            self.facts_left = left;
        } else {
            self.index.roll_back(&mark);
        }
        left.is_some()
    }

    /// Takes the next bytes of the current file.
    pub fn data(&mut self, bytes: &[u8]) {
        if let (true, Some((head, content))) = (self.in_landmark, self.landmarks.last_mut()) {
            let room = (head.size as usize).saturating_sub(content.len());
            content.extend_from_slice(&bytes[..bytes.len().min(room)]);
            return;
        }
        let (Some(current), Some(entry)) = (&mut self.current, self.index.entries.last()) else { return };
        if let Some(hasher) = &mut current.hasher {
            hasher.update(bytes);
        }
        current.keep(bytes, &mut self.buffer, entry.head.size);
    }

    /// Ends the current entry.
    pub fn end(&mut self) {
        self.finish_file();
    }

    /// Returns the index of the complete layer; `size` is that of its uncompressed tar in bytes.
    pub fn into_index(mut self, diff_id: &Digest, size: u64) -> LayerIndex {
        self.finish_file();
        self.settle_landmarks();
        self.index.diff_id = diff_id.clone();
        self.index.size = size;
        self.index
    }

    /// Forgets what makes an eStargz layer one; in any other layer these are files like others.
    fn settle_landmarks(&mut self) {
        let landmarks = std::mem::take(&mut self.landmarks);
        let marked = landmarks.iter().any(|(_, content)| estargz::is_landmark_content(content));
        match self.before_table.take() {
            Some(before) if marked => {
                self.index.roll_back(&before);
                let table = self.index.current();
                self.index.skipped.retain(|skipped| skipped.entry != table);
                self.index.entries.pop();
            }
            _ => {
                for (head, content) in landmarks {
                    let mut hasher = Hasher::new();
                    hasher.update(&content);
                    self.index.entries.push(Entry { head, digest: Some(ContentDigest(hasher.finish_raw())) });
                }
            }
        }
    }

    /// Hands the current file, if there is one, to the collectors.
    fn finish_file(&mut self) {
        let Some(mut current) = self.current.take() else { return };
        let Some(entry) = self.index.entries.last_mut() else { return };
        let head = entry.head.clone();
        if !current.sniffed {
            current.sniff(&mut self.buffer, head.size);
        }
        let rewound = current.spool.as_mut().is_some_and(|file| file.rewind().is_ok());
        current.spool = current.spool.filter(|_| rewound);
        if let Some(hasher) = current.hasher {
            entry.digest = Some(ContentDigest(hasher.finish_raw()));
        }
        let index = &mut self.index;
        for (collector, want) in self.collectors.iter().zip(&current.wants) {
            let mark = index.mark();
            let whole = head.size <= MAX_WHOLE as u64;
            let mut skip = false;
            match (want, &mut current.spool) {
                (Want::Nothing, _) => continue,
                (Want::Head(count), _) => collector.take(&head, &self.buffer[..self.buffer.len().min(*count)], index),
                (Want::Whole | Want::Magic(_), _) if whole => collector.take(&head, &self.buffer, index),
                (Want::Magic(_), Some(file)) => collector.take_file(&head, file, index),
                (Want::Whole | Want::Magic(_), _) => skip = true,
            }
            // a hostile layer may hold any number of files that say much in few bytes
            if let Some(left) = self.facts_left.checked_sub(index.weight_since(&mark)) {
                self.facts_left = left;
            } else {
                index.roll_back(&mark);
                skip = true;
            }
            if skip {
                let entry = index.current();
                index.skipped.push(Skipped { entry, collector: collector.name().to_owned() });
            }
        }
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_CAPACITY);
    }
}

impl Default for Indexer {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Indexer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Indexer").field("entries", &self.index.entries.len()).finish_non_exhaustive()
    }
}

impl LayerObserver for Indexer {
    fn follows(&mut self, diff_id: &Digest) {
        self.earlier = Earlier::Named(diff_id.clone());
    }

    fn entry(&mut self, head: &EntryHead) {
        Self::entry(self, head);
    }

    fn content(&mut self, sha256: &[u8; 32]) -> bool {
        Self::content(self, sha256)
    }

    fn data(&mut self, bytes: &[u8]) {
        Self::data(self, bytes);
    }

    fn end(&mut self) {
        Self::end(self);
    }

    fn finish(mut self: Box<Self>, diff_id: &Digest, size: u64, events: &dyn Events) {
        let Some(store) = self.store.take() else { return };
        if self.overfull {
            events.warn(&format!("layer {} has too many entries for an index", diff_id.short()));
            return;
        }
        if let Err(error) = store.put(&self.into_index(diff_id, size)) {
            let reason = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            events.warn(&format!("{error}{reason}; the layer will be read again when it is looked into"));
        }
    }
}

impl Current {
    fn new(collectors: &[Box<dyn Collector>], head: &EntryHead) -> Self {
        let wants: Vec<Want> = collectors.iter().map(|collector| collector.wants(head)).collect();
        let limit = wants.iter().map(|want| match want {
            Want::Nothing => 0,
            Want::Head(count) => *count,
            Want::Whole if head.size > MAX_WHOLE as u64 => 0,
            Want::Whole => MAX_WHOLE,
            Want::Magic(_) => SNIFF,
        });
        let limit = limit.max().unwrap_or(0).min(MAX_WHOLE);
        let sniffed = !wants.iter().any(|want| matches!(want, Want::Magic(_)));
        Self { hasher: Some(Hasher::new()), wants, limit, sniffed, spool: None }
    }

    /// Keeps what collectors want of the next bytes.
    fn keep(&mut self, mut bytes: &[u8], buffer: &mut Vec<u8>, size: u64) {
        if !self.sniffed {
            let (first, rest) = bytes.split_at(bytes.len().min(SNIFF.saturating_sub(buffer.len())));
            buffer.extend_from_slice(first);
            bytes = rest;
            if buffer.len() < SNIFF {
                return;
            }
            self.sniff(buffer, size);
        }
        if let Some(file) = &mut self.spool
            && file.write_all(bytes).is_err()
        {
            self.spool = None;
        }
        let room = self.limit.saturating_sub(buffer.len());
        buffer.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Compares magic bytes, and makes room for files that have them.
    fn sniff(&mut self, buffer: &mut Vec<u8>, size: u64) {
        self.sniffed = true;
        let mut wanted = false;
        for want in &mut self.wants {
            if let Want::Magic(magic) = want {
                if buffer.starts_with(magic) {
                    wanted = true;
                } else {
                    *want = Want::Nothing;
                }
            }
        }
        if wanted && size <= MAX_WHOLE as u64 {
            self.limit = MAX_WHOLE;
            buffer.reserve((size as usize).saturating_sub(buffer.len()));
        } else if wanted && size <= MAX_SPOOL {
            self.spool = tempfile::tempfile().ok().filter(|mut file| file.write_all(buffer).is_ok());
        }
    }
}

/// What a path means in a layer.
enum Name {
    Ordinary,
    /// Bookkeeping of the union file system that invented whiteouts; no part of the image.
    Metadata,
    Whiteout {
        path: bstr::BString,
        opaque: bool,
    },
}

/// Recognises whiteouts (OCI image layer specification, "Whiteouts" and "Opaque Whiteout").
fn whiteout(path: &BStr) -> Name {
    let (dir, name) = paths::split(path);
    if name == ".wh..wh..opq" {
        return Name::Whiteout { path: dir.to_owned(), opaque: true };
    }
    if path.split_str("/").any(|part| part.starts_with(b".wh..wh.")) {
        return Name::Metadata;
    }
    match name.strip_prefix(b".wh.") {
        // names that a directory cannot have
        Some(b"" | b"." | b"..") => Name::Metadata,
        Some(hidden) => Name::Whiteout { path: paths::join(dir, hidden.as_bstr()), opaque: false },
        None => Name::Ordinary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, size: usize) -> EntryHead {
        EntryHead { size: size as u64, ..EntryHead::new(path, EntryKind::File, 0o644) }
    }

    fn feed(indexer: &mut Indexer, path: &str, content: &[u8], chunk: usize) {
        indexer.entry(&file(path, content.len()));
        content.chunks(chunk.max(1)).for_each(|part| indexer.data(part));
        indexer.end();
    }

    /// What is written about files of which the digests are given, and how many of them had to be read; in the place of
    /// an earlier layer if there is one.
    fn with_digests(files: &[(&EntryHead, &[u8])], earlier: Option<&LayerIndex>) -> (LayerIndex, usize) {
        let dir = tempfile::tempdir().unwrap();
        let store = Indexes::new(dir.path());
        let mut indexer = Indexer::storing(store.clone());
        if let Some(earlier) = earlier {
            store.put(earlier).unwrap();
            LayerObserver::follows(&mut indexer, &earlier.diff_id);
        }
        let mut read = 0;
        for (head, content) in files {
            indexer.entry(head);
            let mut hasher = Hasher::new();
            hasher.update(content);
            if indexer.content(&hasher.finish_raw()) {
                read += 1;
                indexer.data(content);
            }
            indexer.end();
        }
        (indexer.into_index(&Digest::of(b"tar"), 9), read)
    }

    #[test]
    fn files_of_an_earlier_layer_are_not_read_and_change_nothing() {
        let status = b"Package: a\nVersion: 1\nStatus: install ok installed\n".as_slice();
        let key = b"token = ghp_0123456789abcdefghijklmnopqrstuvwxyz\n".as_slice();
        let contents = [
            (file("etc/key", key.len()), key),
            (file("lib/large", 6 << 20), b"none wants it".as_slice()),
            (file("run.sh", 13), b"#!/bin/sh -e\n".as_slice()),
            (file("var/lib/dpkg/status", status.len()), status),
        ];
        let files: Vec<(&EntryHead, &[u8])> = contents.iter().map(|(head, content)| (head, *content)).collect();
        let alone = {
            let mut indexer = Indexer::new();
            for (head, content) in &files {
                indexer.entry(head);
                indexer.data(content);
            }
            indexer.into_index(&Digest::of(b"tar"), 9)
        };
        assert!(!alone.secrets.is_empty() && !alone.packages.is_empty() && !alone.scripts.is_empty());
        let (first, read) = with_digests(&files, None);
        assert_eq!((&first, read), (&alone, 4), "magic bytes of the large one are looked at");
        let (again, read) = with_digests(&files, Some(&first));
        assert_eq!((&again, read), (&alone, 0));
        // one more in front, one with another mode, one with other content, one with another time
        let (new, changed) = (file("a", 0), b"#!/bin/bash\n\n".as_slice());
        let mut other: Vec<(EntryHead, &[u8])> = vec![(new, b"")];
        other.extend(contents.iter().map(|(head, content)| (head.clone(), *content)));
        (other[1].0.mtime, other[2].0.mode, other[3].1) = (77, 0o755, changed);
        let files: Vec<(&EntryHead, &[u8])> = other.iter().map(|(head, content)| (head, *content)).collect();
        let (expected, _) = with_digests(&files, None);
        let (mixed, read) = with_digests(&files, Some(&first));
        assert_eq!(mixed, expected);
        assert!((2..4).contains(&read), "{read}");
        assert_eq!(mixed.secrets[0].entry, 1, "facts name the new place");
    }

    #[test]
    fn content_is_hashed_and_facts_name_their_entry_however_it_is_cut() {
        let status = b"Package: a\nVersion: 1\nStatus: install ok installed\n";
        let index = |chunk| {
            let mut indexer = Indexer::new();
            indexer.entry(&EntryHead::new("var", EntryKind::Dir, 0o755));
            indexer.end();
            feed(&mut indexer, "var/lib/dpkg/status", status, chunk);
            feed(&mut indexer, "run", b"#!/bin/sh -e\n", chunk);
            feed(&mut indexer, "odd", b"\x7fELF", chunk);
            feed(&mut indexer, "empty", b"", chunk);
            indexer.into_index(&Digest::of(b"x"), 9)
        };
        let whole = index(usize::MAX);
        assert_eq!(whole, index(1));
        assert_eq!(whole, index(7));
        assert_eq!(whole.packages[0].entry, 1);
        assert_eq!(whole.scripts[0].entry, 2);
        assert!(whole.elves[0].malformed);
        assert_eq!(whole.entries[1].digest.unwrap().to_digest(), Digest::of(status));
        assert_eq!(whole.entries[0].digest, None);
    }

    #[test]
    fn whiteouts_are_told_from_names_like_them() {
        let mut indexer = Indexer::new();
        for path in ["d/.wh.gone", "d/.wh..wh..opq", ".wh..wh.plnk/7.8", "d/.wh..", "d/.wh.", "d/wh.x"] {
            feed(&mut indexer, path, b"", 1);
        }
        let index = indexer.into_index(&Digest::of(b"x"), 9);
        assert_eq!(index.entries.len(), 1);
        assert_eq!(
            index.whiteouts,
            [
                Whiteout { path: "d/gone".into(), opaque: false, at: 0 },
                Whiteout { path: "d".into(), opaque: true, at: 0 }
            ]
        );
    }

    #[test]
    fn what_makes_a_layer_one_of_estargz_is_no_file_of_the_image() {
        let paths = |entries: &[(&str, &[u8])]| {
            let mut indexer = Indexer::new();
            for (path, content) in entries {
                feed(&mut indexer, path, content, 1);
            }
            let index = indexer.into_index(&Digest::of(b"x"), 9);
            let secrets = index.secrets.len();
            (index.entries.into_iter().map(|entry| entry.head.path.to_string()).collect::<Vec<_>>(), secrets)
        };
        let table = br#"{"version":1,"key":"AKIAQYLPMN5HHHFPZAM2"}"#;
        let (mark, toc) = ((".no.prefetch.landmark", &b"\x0f"[..]), ("stargz.index.json", &table[..]));
        let plain = paths(&[("a", b"a"), toc]);
        assert_eq!(paths(&[mark, ("a", b"a"), toc]), (vec!["a".to_owned()], 0));
        assert_eq!(paths(&[("a", b"a"), (".prefetch.landmark", b"\x0f"), ("b", b""), toc]).0, ["a", "b"]);
        // without the one or the other they are files like others
        assert_eq!(plain.0, ["a", "stargz.index.json"]);
        assert_eq!(paths(&[mark, toc, ("a", b"a")]).0, ["stargz.index.json", "a", ".no.prefetch.landmark"]);
        assert_eq!(paths(&[(".no.prefetch.landmark", b"x"), ("a", b"a"), toc]).0.len(), 3);
        assert_eq!(paths(&[("d/.no.prefetch.landmark", b"\x0f"), toc]).0.len(), 2);
        // a whiteout after the table: the table is not the last entry
        assert_eq!(paths(&[mark, toc, (".wh.gone", b"")]).0.len(), 2);
    }

    #[test]
    fn a_text_too_large_is_skipped_and_noted() {
        let mut indexer = Indexer::new();
        indexer.entry(&file("var/lib/dpkg/status", MAX_WHOLE + 1));
        let chunk = vec![b'x'; 1024 * 1024];
        for _ in 0..MAX_WHOLE / chunk.len() {
            indexer.data(&chunk);
        }
        indexer.data(b"x");
        assert!(indexer.buffer.capacity() < 2 * 1024 * 1024);
        let index = indexer.into_index(&Digest::of(b"x"), 9);
        assert_eq!(index.skipped, [Skipped { entry: 0, collector: "dpkg".to_owned() }]);
    }

    #[test]
    fn an_index_that_would_be_too_large_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let store = Indexes::new(dir.path());
        let finish = |left| {
            let mut indexer = Indexer { metadata_left: left, ..Indexer::storing(store.clone()) };
            for path in ["some", "more", "names"] {
                feed(&mut indexer, path, b"x", 1);
            }
            let diff_id = Digest::of(b"layer");
            Box::new(indexer).finish(&diff_id, 9, &plim_oci::Silent);
            store.get(&diff_id).map(|index| index.entries.len())
        };
        assert_eq!(finish(12), None);
        assert_eq!(finish(13), Some(3));
    }

    #[test]
    fn facts_over_the_budget_are_taken_back_and_noted() {
        let mut indexer = Indexer { facts_left: 40, ..Indexer::new() };
        feed(&mut indexer, "small", b"#!/bin/sh\n", 1);
        feed(&mut indexer, "large", format!("#!/{}\n", "x".repeat(50)).as_bytes(), 1);
        feed(&mut indexer, "again", b"#!/bin/sh\n", 1);
        let index = indexer.into_index(&Digest::of(b"x"), 9);
        assert_eq!(index.scripts.iter().map(|script| script.entry).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(index.skipped, [Skipped { entry: 1, collector: "script".to_owned() }]);
    }

    #[test]
    fn a_program_too_large_for_memory_is_understood_all_the_same() {
        let program = std::env::current_exe().and_then(std::fs::read).unwrap_or_default();
        if !program.starts_with(b"\x7fELF") {
            println!("skipped: the test program is no ELF file");
            return;
        }
        let padding = vec![0; MAX_WHOLE];
        let mut indexer = Indexer::new();
        feed(&mut indexer, "small", &program, 1 << 20);
        indexer.entry(&file("large", program.len() + padding.len()));
        program.chunks(1 << 20).for_each(|part| indexer.data(part));
        indexer.data(&padding);
        indexer.end();
        assert!(indexer.buffer.capacity() < 2 * 1024 * 1024);
        let index = indexer.into_index(&Digest::of(b"x"), 9);
        assert!(!index.elves[1].malformed);
        assert_eq!(index.elves[0].needed, index.elves[1].needed);
        assert_eq!(index.elves[0].build_id, index.elves[1].build_id);
    }
}
