//! Adding up the files of a context that the ignore file leaves.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use plim_dockerfile::ignore::{ParentMatches, Patterns};

/// A context with more files is not counted to its end.
const MOST_FILES: usize = 2_000_000;
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
    /// Walks through a context. Links are not followed; what cannot be read counts as nothing.
    pub(super) fn new(root: &Path, ignore: Option<&Patterns>, names: &[&str]) -> Self {
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
        while let Some(open) = stack.pop() {
            for entry in std::fs::read_dir(&open.dir).into_iter().flatten().flatten() {
                if walk.files >= MOST_FILES {
                    walk.cut = true;
                    break;
                }
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
        walk
    }
}
