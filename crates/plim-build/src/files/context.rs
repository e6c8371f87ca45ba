//! The build context: a directory of the user, less what the ignore file excludes, with some contents
//! replaced in memory.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bstr::{BStr, BString, ByteSlice};
use plim_dockerfile::ignore::{ParentMatches, Patterns};
use plim_oci::{EntryHead, EntryKind};
use rayon::prelude::*;

use super::FileDigests;
use super::content::Content;
use crate::snapshot::tree::{self, Tree};
use crate::snapshot::{Node, OnDisk, Siblings, Stamp, read_node};

/// The context as COPY sees it. A directory is read once, when something in it is asked for.
pub(crate) struct ContextTree<'a> {
    /// Without symbolic links, so that a link met below it is one that was put there.
    root: PathBuf,
    ignore: Option<&'a Patterns>,
    overrides: &'a BTreeMap<BString, Vec<u8>>,
    /// What is known of files from earlier builds.
    known: Option<&'a FileDigests>,
    /// Directories that are excluded, and whether something in them is let in again.
    excluded: Mutex<HashMap<BString, bool>>,
    /// Which patterns match each directory met so far.
    matches: Mutex<HashMap<BString, Arc<ParentMatches>>>,
}

impl<'a> ContextTree<'a> {
    pub(crate) fn new(
        root: &Path,
        ignore: Option<&'a Patterns>,
        overrides: &'a BTreeMap<BString, Vec<u8>>,
        known: Option<&'a FileDigests>,
    ) -> Self {
        // one that is not there is missing for whoever reads it
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        Self { root, ignore, overrides, known, excluded: Mutex::default(), matches: Mutex::default() }
    }

    /// Returns the bytes of a file of this tree.
    pub(crate) fn content(&self, node: &mut Node) -> Content {
        match self.overrides.get(&node.head.path) {
            Some(bytes) => Content::Bytes(Arc::from(bytes.as_slice())),
            None => Content::of_foreign(node),
        }
    }

    /// Returns the same directory with nothing excluded, to say why something is missing.
    pub(crate) fn unfiltered(&self) -> ContextTree<'a> {
        Self::new(&self.root, None, self.overrides, self.known)
    }

    /// Returns the pattern that excludes a path.
    pub(crate) fn excluded_by(&self, path: &BStr) -> Option<String> {
        let patterns = self.ignore?.patterns().iter().rev().filter(|pattern| !pattern.is_negative());
        let hides = |text: &str| Patterns::new([text]).is_ok_and(|pattern| pattern.excludes(path));
        patterns.map(plim_dockerfile::ignore::Pattern::text).find(|text| hides(text)).map(str::to_owned)
    }

    /// Says whether a path is there after the ignore file.
    fn visible(&self, node: &Node) -> io::Result<bool> {
        let path = node.head.path.as_bstr();
        let Some(ignore) = self.ignore.filter(|_| !path.is_empty()) else { return Ok(true) };
        let above = self.matches(ignore, tree::parent(path).unwrap_or(BStr::new("")));
        if !ignore.matches_below(path, &above).0 {
            return Ok(true);
        }
        if !node.is_dir() || !ignore.may_reinclude_below(path) {
            return Ok(false);
        }
        // an excluded directory is there if, and only if, something in it is let in again
        if let Some(known) = known(&self.excluded).get(path) {
            return Ok(*known);
        }
        let mut visible = false;
        for child in self.on_disk(path)? {
            if self.visible(&child)? {
                visible = true;
                break;
            }
        }
        known(&self.excluded).insert(path.to_owned(), visible);
        Ok(visible)
    }

    /// Returns which patterns match a directory, by what matches those above it.
    fn matches(&self, ignore: &Patterns, directory: &BStr) -> Arc<ParentMatches> {
        if let Some(known) = known(&self.matches).get(directory) {
            return Arc::clone(known);
        }
        let matches = match tree::parent(directory) {
            None => ParentMatches::default(),
            Some(above) => ignore.matches_below(directory, &self.matches(ignore, above)).1,
        };
        let matches = Arc::new(matches);
        known(&self.matches).insert(directory.to_owned(), Arc::clone(&matches));
        matches
    }

    /// Returns what a directory has before the ignore file, sorted by name.
    fn on_disk(&self, path: &BStr) -> io::Result<Vec<Node>> {
        let mut names: Vec<BString> = self.overridden(path).map(BStr::to_owned).collect();
        let host = tree::on_disk(&self.root, path);
        // a directory that exists in memory only, or a file: nothing is in it
        let siblings = match Siblings::open(&host)? {
            Some((siblings, on_disk)) => {
                names.extend(on_disk);
                Some(siblings)
            }
            None => None,
        };
        names.sort_unstable();
        names.dedup();
        let known = |stamp: &Stamp| self.known.and_then(|known| known.find(stamp));
        let read = |name: &BString| -> io::Result<Option<Node>> {
            let child = tree::join(path, name.as_bstr());
            let on_disk = match &siblings {
                Some(siblings) => siblings.read(name.as_bstr(), child.clone(), &known)?,
                None => None,
            };
            Ok(self.laid_over(child.as_bstr(), on_disk))
        };
        let nodes: Vec<Option<Node>> = names.par_iter().with_min_len(64).map(read).collect::<io::Result<_>>()?;
        Ok(nodes.into_iter().flatten().collect())
    }

    /// Returns the names in a directory that lead to replaced contents.
    fn overridden<'p>(&'p self, path: &'p BStr) -> impl Iterator<Item = &'p BStr> {
        self.overrides.keys().filter_map(move |file| {
            let rest = if path.is_empty() {
                file.as_bytes()
            } else {
                file.strip_prefix(path.as_bytes())?.strip_prefix(b"/")?
            };
            rest.split_str("/").next().map(BStr::new)
        })
    }

    fn read(&self, path: &BStr) -> io::Result<Option<Node>> {
        Ok(self.laid_over(path, read_node(&tree::on_disk(&self.root, path), path.to_owned())?))
    }

    /// Puts what replaces a file over what is on the disk.
    fn laid_over(&self, path: &BStr, on_disk: Option<OnDisk>) -> Option<Node> {
        let node = match on_disk {
            Some(OnDisk::Node(node) | OnDisk::Socket(node)) => Some(*node),
            // a device 0/0 in a context is nobody's deletion, and nothing that could be copied
            Some(OnDisk::Whiteout) | None => None,
        };
        if let Some(bytes) = self.overrides.get(path) {
            let made = || Node::made(EntryHead::new(path, EntryKind::File, 0o644));
            let mut node = node.filter(|node| node.head.kind == EntryKind::File).unwrap_or_else(made);
            node.head.size = bytes.len() as u64;
            // they stand for an edit made just now
            node.head.mtime = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
            // contents in memory are nobody's hard link
            node.stamp.links = 1;
            return Some(node);
        }
        if node.is_none() && self.overridden(path).next().is_some() {
            return Some(Node::made(EntryHead::new(path, EntryKind::Dir, 0o755)));
        }
        node
    }
}

impl Tree for ContextTree<'_> {
    fn node(&self, path: &BStr) -> io::Result<Option<Node>> {
        match self.read(path)? {
            Some(node) if self.visible(&node)? => Ok(Some(node)),
            _ => Ok(None),
        }
    }

    fn names(&self, path: &BStr) -> io::Result<Vec<BString>> {
        Ok(self.children(path)?.iter().map(|node| tree::file_name(node.head.path.as_bstr()).to_owned()).collect())
    }

    fn children(&self, path: &BStr) -> io::Result<Vec<Node>> {
        let mut out = Vec::new();
        for node in self.on_disk(path)? {
            if self.visible(&node)? {
                out.push(node);
            }
        }
        Ok(out)
    }
}

/// Caches are only ever inserted into: another thread's panic leaves them whole.
fn known<T>(cache: &Mutex<T>) -> MutexGuard<'_, T> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}
