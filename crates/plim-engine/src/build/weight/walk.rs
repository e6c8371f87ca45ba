//! Adding up the files of a context that the ignore file leaves.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use plim_dockerfile::ignore::{ParentMatches, Patterns};

/// A context with more entries, ignored ones among them, is not looked at to its end.
pub(super) const MOST_SEEN: usize = 2_000_000;
/// The most entries of the root that are told apart.
const MOST_ENTRIES: usize = 20_000;
/// The most places of one kind of directory that are kept.
const MOST_PLACES: usize = 1000;

/// An entry of the root of a context.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) is_dir: bool,
}

/// Directories of one name, wherever they are.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) bytes: u64,
    pub(super) paths: Vec<String>,
}

/// What a context consists of.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) bytes: u64,
    pub(super) files: usize,
    /// There is more.
    pub(super) cut: bool,
    /// The entries of its root, the largest first.
    pub(super) entries: Vec<Entry>,
    /// The directories that were asked for by name.
    pub(super) made_again: BTreeMap<String, Places>,
}

/// A directory to look into.
struct Open {
    dir: PathBuf,
    /// Relative to the context; empty for its root.
    path: String,
    matches: ParentMatches,
    /// It is ignored itself, but something in it may not be.
    excluded: bool,
    /// The entry of the root that it is in.
    top: Option<String>,
    /// The directory asked for that it is in.
    known: Option<String>,
}

impl Walk {
    /// Walks through a context, `most` entries of it at most. Links are not followed; what cannot be read counts as nothing.
    /// Returns nothing when the user wants the end.
    pub(super) fn new(
        root: &Path,
        ignore: Option<&Patterns>,
        names: &[&str],
        most: usize,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Self> {
        let mut seen = 0;
        let mut walk = Self::default();
        let mut tops: HashMap<String, Entry> = HashMap::new();
        let root = Open {
            dir: root.to_owned(),
            path: String::new(),
            matches: ParentMatches::default(),
            excluded: false,
            top: None,
            known: None,
        };
        let mut stack = vec![root];
        'all: while let Some(open) = stack.pop() {
            if cancelled() {
                return None;
            }
            for entry in std::fs::read_dir(&open.dir).into_iter().flatten().flatten() {
                if seen >= most {
                    walk.cut = true;
                    break 'all;
                }
                seen += 1;
                let name = entry.file_name().to_string_lossy().into_owned();
                let path = if open.path.is_empty() { name.clone() } else { format!("{}/{name}", open.path) };
                let (excluded, matches) = match ignore {
                    Some(ignore) => ignore.matches_below(&path, &open.matches),
                    None => (open.excluded, ParentMatches::default()),
                };
                let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let top = open.top.clone().unwrap_or_else(|| name.clone());
                if is_dir {
                    if excluded && !ignore.is_some_and(|ignore| ignore.may_reinclude_below(&path)) {
                        continue;
                    }
                    let known = open.known.clone().or_else(|| {
                        let places =
                            names.contains(&name.as_str()).then(|| walk.made_again.entry(name.clone()).or_default())?;
                        if places.paths.len() < MOST_PLACES {
                            places.paths.push(path.clone());
                        }
                        Some(name.clone())
                    });
                    stack.push(Open { dir: entry.path(), path, matches, excluded, top: Some(top), known });
                    continue;
                }
                if excluded {
                    continue;
                }
                let bytes = entry.metadata().map_or(0, |metadata| if metadata.is_file() { metadata.len() } else { 0 });
                walk.files += 1;
                walk.bytes += bytes;
                if let Some(places) = open.known.as_ref().and_then(|name| walk.made_again.get_mut(name)) {
                    places.bytes += bytes;
                }
                if tops.len() < MOST_ENTRIES || tops.contains_key(&top) {
                    let is_dir = open.top.is_some();
                    let entry = tops.entry(top.clone()).or_insert(Entry { path: top, bytes: 0, is_dir });
                    entry.bytes += bytes;
                }
            }
        }
        walk.entries = tops.into_values().collect();
        walk.entries.sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.path.cmp(&other.path)));
        Some(walk)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn context() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in 0..4 {
            let sub = dir.path().join(format!("d{name}/deep"));
            std::fs::create_dir_all(&sub).unwrap();
            std::fs::write(sub.join("file"), "x").unwrap();
        }
        dir
    }

    #[test]
    fn directories_and_ignored_files_count_towards_the_end_of_the_walk() {
        let context = context();
        let walk = |ignore: &str, most| {
            let ignore = Patterns::parse(ignore).unwrap();
            Walk::new(context.path(), Some(&ignore), &[], most, &|| false).unwrap()
        };
        let whole = walk("", 12);
        assert!(!whole.cut && whole.files == 4);
        assert!(walk("", 11).cut);
        let ignored = walk("**/file", 11);
        assert!(ignored.cut && ignored.files == 0, "no file of them counts for the context");
        // nothing is opened any more
        assert_eq!((walk("", 4).files, walk("", 4).cut), (0, true));
    }

    #[test]
    fn who_wants_the_end_does_not_wait_for_that_of_the_walk() {
        let (context, asked) = (context(), Cell::new(0));
        let cancelled = || {
            asked.set(asked.get() + 1);
            asked.get() == 3
        };
        assert!(Walk::new(context.path(), None, &[], MOST_SEEN, &cancelled).is_none());
        assert_eq!(asked.get(), 3);
    }
}
