//! What a step changed in a working copy, as the diff directory that an overlay would have left.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use bstr::{BStr, BString, ByteSlice};
use plim_oci::{EntryKind, Events};

use super::names::Names;
use super::node::same_content;
use super::tree::{self, Tree as _};
use super::working::replicate;
use super::write::Place;
use super::{DEPTH, Node, OnDisk, Stamp, View, read_node};
use crate::files::FilesError;

/// What a comparison found besides the diff directory.
#[derive(Debug)]
pub(super) struct Found {
    /// How each file of the copy looks now.
    pub(super) known: HashMap<BString, Stamp>,
    /// Names that share a file in the copy and do not in the diff directory.
    pub(super) apart: Vec<BString>,
}

/// Compares the tree at `root` with the tree `below` and writes what differs into the empty directory `into`.
///
/// A file that looks as it is `known` to have looked when it was equal is not read again: the system sets the time of the
/// last change of an inode itself, and no program can put it back. Others are compared whole.
pub(super) fn difference(
    root: &Path,
    below: &View,
    known: &HashMap<BString, Stamp>,
    refused: &HashSet<BString>,
    into: &Path,
    events: &dyn Events,
) -> Result<Found, FilesError> {
    let top = match read_node(root, BString::default()) {
        Ok(Some(OnDisk::Node(top))) => *top,
        Ok(_) => return Err(FilesError::io("read", root, io::ErrorKind::NotFound.into())),
        Err(source) => return Err(FilesError::io("read", root, source)),
    };
    let place = Place::open(into, BStr::new("")).map_err(|source| FilesError::io("open", into, source))?;
    let now = stamps(root, events)?;
    let names = Names::sort(known, &now);
    let mut comparing = Comparing {
        below,
        known,
        now: &now,
        names: &names,
        refused,
        into,
        events,
        levels: vec![Level { node: top, place: Some(place) }],
        written: HashMap::new(),
    };
    comparing.dir(root)?;
    let Level { node, place } = comparing.levels.swap_remove(0);
    if let Some(place) = place {
        place.dress_self(&node.head)?;
        place.set_exact_time(BStr::new(""), node.stamp.mtime)?;
    }
    let mut apart = names.apart();
    apart.retain(|path| known.get(path) != now.get(path));
    Ok(Found { known: now, apart })
}

/// Returns how all that is no directory looks in a tree.
pub(super) fn stamps(root: &Path, events: &dyn Events) -> Result<HashMap<BString, Stamp>, FilesError> {
    let mut stamps = HashMap::new();
    let mut pending = vec![(root.to_owned(), BString::default())];
    while let Some((host, path)) = pending.pop() {
        if events.cancelled() {
            return Err(FilesError::Cancelled);
        }
        let failed = FilesError::inside("read", path.as_bstr());
        for entry in fs::read_dir(&host).map_err(&failed)? {
            let entry = entry.map_err(&failed)?;
            let child = tree::join(path.as_bstr(), BString::from(entry.file_name().into_vec()).as_bstr());
            let metadata = entry.metadata().map_err(&failed)?;
            if metadata.is_dir() {
                pending.push((entry.path(), child));
            } else {
                stamps.insert(child, Stamp::of(&metadata));
            }
        }
    }
    Ok(stamps)
}

struct Comparing<'a> {
    below: &'a View,
    known: &'a HashMap<BString, Stamp>,
    now: &'a HashMap<BString, Stamp>,
    names: &'a Names,
    refused: &'a HashSet<BString>,
    into: &'a Path,
    events: &'a dyn Events,
    /// The directory that is compared and those above it, the root first.
    levels: Vec<Level>,
    /// Where files with several names were written first.
    written: HashMap<usize, BString>,
}

/// A directory of the copy.
struct Level {
    node: Node,
    /// The same in the diff directory, once it is needed.
    place: Option<Place>,
}

impl Comparing<'_> {
    /// Compares what is in the directory at the last level.
    fn dir(&mut self, host: &Path) -> Result<(), FilesError> {
        if self.events.cancelled() {
            return Err(FilesError::Cancelled);
        }
        let path = self.levels.last().map(|level| level.node.head.path.clone()).unwrap_or_default();
        if self.levels.len() > DEPTH {
            return Err(FilesError::Subject(format!("/{path} has more than {DEPTH} directories above it")));
        }
        let failed = FilesError::inside("read", path.as_bstr());
        let mut names = Vec::new();
        for entry in fs::read_dir(host).map_err(&failed)? {
            names.push(BString::from(entry.map_err(&failed)?.file_name().into_vec()));
        }
        names.sort_unstable();
        let mut present = Vec::with_capacity(names.len());
        for name in names {
            if self.entry(host, path.as_bstr(), name.as_bstr())? {
                present.push(name);
            }
        }
        for name in self.below.names(path.as_bstr()).map_err(&failed)? {
            if present.binary_search(&name).is_err()
                && !self.refused.contains(&tree::join(path.as_bstr(), name.as_bstr()))
            {
                self.place()?.whiteout(name.as_bstr())?;
            }
        }
        Ok(())
    }

    /// Compares one entry; says whether there is one.
    fn entry(&mut self, above: &Path, path: &BStr, name: &BStr) -> Result<bool, FilesError> {
        let (host, path) = (tree::on_disk(above, name), tree::join(path, name));
        let failed = FilesError::inside("read", path.as_bstr());
        if self.now.get(&path).is_some_and(|now| self.known.get(&path) == Some(now)) {
            return Ok(true);
        }
        let node = match read_node(&host, path.clone()).map_err(&failed)? {
            // on an overlay nobody can make what means a deletion, so nobody relies on it
            None | Some(OnDisk::Whiteout) => return Ok(false),
            Some(OnDisk::Node(node)) => *node,
            Some(OnDisk::Socket(node)) => {
                let below = self.below.node(path.as_bstr()).map_err(&failed)?;
                if below.is_none_or(|below| !same_look(&node, &below) || !below.host.as_os_str().is_empty()) {
                    let place = self.place()?;
                    place.socket(name, &node.head)?;
                    place.set_exact_time(name, node.stamp.mtime)?;
                }
                return Ok(true);
            }
        };
        if !node.is_dir() {
            let file = self.names.shared(&path);
            if file.is_some() || self.changed(&node)? {
                self.write(name, &node, file)?;
            }
            return Ok(true);
        }
        let below = self.below.node(path.as_bstr()).map_err(&failed)?;
        let same = below.is_some_and(|below| same_look(&node, &below));
        let time = node.stamp.mtime;
        self.levels.push(Level { node, place: None });
        if !same {
            self.place()?;
        }
        self.dir(&host)?;
        if let Some(Level { place: Some(place), .. }) = self.levels.pop() {
            // what was made in it has moved its time
            place.set_exact_time(BStr::new(""), time)?;
        }
        Ok(true)
    }

    /// Says whether the tree below has another file, or none.
    fn changed(&self, node: &Node) -> Result<bool, FilesError> {
        let failed = FilesError::inside("compare", node.head.path.as_bstr());
        let Some(below) = self.below.node(node.head.path.as_bstr()).map_err(&failed)? else { return Ok(true) };
        if !same_look(node, &below) || below.host.as_os_str().is_empty() {
            return Ok(true);
        }
        if node.head.kind != EntryKind::File {
            return Ok(false);
        }
        let read = |node: &Node| -> io::Result<Box<dyn Read>> { Ok(Box::new(node.open()?)) };
        let same = read(node).and_then(|one| same_content(one, read(&below)?));
        same.map(|same| !same).map_err(failed)
    }

    /// Writes a file to the diff directory; one that is there under another name gets one more.
    fn write(&mut self, name: &BStr, node: &Node, file: Option<usize>) -> Result<(), FilesError> {
        if let Some(file) = file {
            if let Some(first) = self.written.get(&file).cloned() {
                let above = tree::parent(first.as_bstr()).unwrap_or(BStr::new(""));
                let other = Place::open(self.into, above).map_err(FilesError::inside("open", above))?;
                return self.place()?.link(name, &other, tree::file_name(first.as_bstr()));
            }
            self.written.insert(file, node.head.path.clone());
        }
        // what the step could make can be made again
        replicate(self.place()?, name, node).map(drop)
    }

    /// Returns the directory of the last level in the diff directory, making what is missing of it.
    fn place(&mut self) -> Result<&Place, FilesError> {
        for depth in 1..self.levels.len() {
            if self.levels[depth].place.is_some() {
                continue;
            }
            let node = &self.levels[depth].node;
            let path = node.head.path.clone();
            if let Some(above) = &self.levels[depth - 1].place {
                above.dir(tree::file_name(path.as_bstr()), &node.head)?;
            }
            let place = Place::open(self.into, path.as_bstr()).map_err(FilesError::inside("open", path.as_bstr()))?;
            self.levels[depth].place = Some(place);
        }
        let place = self.levels.last().and_then(|level| level.place.as_ref());
        place.ok_or_else(|| FilesError::io("open", self.into, io::ErrorKind::NotFound.into()))
    }
}

/// Says whether two files look the same: all but content and the number of names.
fn same_look(one: &Node, other: &Node) -> bool {
    let (a, b) = (&one.head, &other.head);
    (a.kind, a.mode, a.uid, a.gid, a.size, a.device) == (b.kind, b.mode, b.uid, b.gid, b.size, b.device)
        && a.link == b.link
        && a.xattrs == b.xattrs
        && one.stamp.mtime == other.stamp.mtime
}
