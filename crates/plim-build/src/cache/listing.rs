//! Which files a COPY took, kept between builds so that the next one can name those that changed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use plim_oci::Digest;
use serde::{Deserialize, Serialize};

use super::write_whole;
use crate::report::{ChangedFile, FileChange};

/// Files of one step that are kept; those after them in the order of paths are not.
const MAX_FILES: usize = 20_000;
/// Bytes of their paths.
const MAX_PATHS: usize = 4 << 20;
/// Bytes of a listing on disk.
const MAX_BYTES: u64 = 16 << 20;
/// Changed files that are named; the others are counted.
const NAMED: usize = 5;

/// Metadata and content of a file in a few bytes: equal ones are taken for the same, which decides what people are told and
/// nothing else.
pub(crate) type FilePrint = u64;

/// The files of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listing {
    /// The digest of all of them, as the step's key has it.
    input: Option<Digest>,
    /// Prints by path.
    files: BTreeMap<String, FilePrint>,
    /// There are more than are kept.
    cut: bool,
}

impl Listing {
    /// Returns a listing of so many files as are kept.
    pub(super) fn new(input: Digest, all: Vec<(String, FilePrint)>) -> Self {
        let all: BTreeMap<String, FilePrint> = all.into_iter().collect();
        let (mut files, mut bytes, count) = (BTreeMap::new(), 0, all.len());
        for (path, print) in all {
            bytes += path.len();
            if files.len() == MAX_FILES || bytes > MAX_PATHS {
                break;
            }
            files.insert(path, print);
        }
        Self { input: Some(input), cut: files.len() < count, files }
    }

    /// Reads a listing of files with that digest; an absent or damaged one, or one of others, reads as none.
    pub(super) fn load(path: &Path, input: &Digest) -> Option<Self> {
        let mut bytes = Vec::new();
        File::open(path).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        let listing: Self = serde_json::from_slice(&bytes).ok()?;
        (listing.input.as_ref() == Some(input)).then_some(listing)
    }

    /// Keeps the listing.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        write_whole(path, &serde_json::to_vec(self).map_err(io::Error::other)?)
    }

    /// Names the first of the files that are others than before, and counts the rest.
    pub(super) fn changes_since(&self, before: &Self) -> (Vec<ChangedFile>, usize) {
        // beyond the last path that is kept nothing is known
        let end = |listing: &Self| listing.cut.then(|| listing.files.keys().next_back().cloned().unwrap_or_default());
        let ends: Vec<String> = [end(self), end(before)].into_iter().flatten().collect();
        let known = |path: &str| ends.iter().all(|end| path <= end.as_str());
        let changed = |path: &String, change| ChangedFile { path: path.clone(), change };
        let now = self.files.iter().filter_map(|(path, print)| match before.files.get(path) {
            None => Some(changed(path, FileChange::Added)),
            Some(old) if old != print => Some(changed(path, FileChange::Changed)),
            Some(_) => None,
        });
        let gone = before.files.keys().filter(|path| !self.files.contains_key(*path));
        let gone = gone.map(|path| changed(path, FileChange::Removed));
        let mut all: Vec<ChangedFile> = now.chain(gone).filter(|file| known(&file.path)).collect();
        all.sort();
        let more = all.len().saturating_sub(NAMED);
        all.truncate(NAMED);
        (all, more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(files: &[(&str, u64)]) -> Listing {
        let files = files.iter().map(|(path, print)| ((*path).to_owned(), *print)).collect();
        Listing::new(Digest::of(b"input"), files)
    }

    #[test]
    fn changed_new_and_lost_files_are_named_in_order() {
        let before = listing(&[("a", 1), ("b", 1), ("d", 1)]);
        let (files, more) = listing(&[("a", 2), ("b", 1), ("c", 1)]).changes_since(&before);
        let named: Vec<String> = files.iter().map(ToString::to_string).collect();
        assert_eq!((named.join(", ").as_str(), more), ("a, c (new), d (gone)", 0));
        assert_eq!(before.changes_since(&before), (Vec::new(), 0));
    }

    #[test]
    fn the_first_five_are_named_and_the_others_counted() {
        let names: Vec<String> = (0..12).map(|number| format!("{number:02}")).collect();
        let files: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let (files, more) = listing(&files).changes_since(&listing(&[]));
        assert_eq!((files.len(), more, files[4].path.as_str()), (5, 7, "04"));
    }

    #[test]
    fn what_was_not_kept_is_not_taken_for_new() {
        let names: Vec<String> = (0..MAX_FILES + 10).map(|number| format!("{number:06}")).collect();
        let all: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let before = listing(&all);
        assert!(before.cut && before.files.len() == MAX_FILES);
        // one in front pushes the last one out
        let now = listing(&[&[("000000a", 1)], &all[..]].concat());
        let (files, more) = now.changes_since(&before);
        assert_eq!((files.len(), more, files[0].path.as_str()), (1, 0, "000000a"));
    }

    #[test]
    fn a_listing_comes_back_for_its_own_files_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x/listing");
        let one = listing(&[("a", u64::MAX), ("b", 0)]);
        one.save(&path).unwrap();
        assert_eq!(Listing::load(&path, &Digest::of(b"input")), Some(one));
        assert_eq!(Listing::load(&path, &Digest::of(b"other")), None);
        std::fs::write(&path, "{").unwrap();
        assert_eq!(Listing::load(&path, &Digest::of(b"input")), None);
    }
}
