//! One layer as a tree of its own, before it is laid over those below.

use std::collections::{BTreeMap, btree_map};

use bstr::{BStr, BString, ByteSlice};
use plim_oci::{EntryHead, EntryKind};

use super::{AnomalyKind, below};
use crate::paths::{self, MAX_LINKS};
use crate::{LayerIndex, Whiteout};

/// Bytes of the paths of directories that a layer may need without naming them. A hundred thousand real ones need half of
/// it; one entry of a few bytes, compressed, can need a megabyte. Unpacking has the same limit.
const MAX_IMPLIED: usize = 16 << 20;

/// What one layer has at a path. Entries are given by their position in the layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// A directory that the layer names, or only needs for what lies below it.
    Dir(Option<u32>),
    /// A file, link or device; a hard link has the entry of what it links to.
    Leaf(u32),
    /// Another name of something in the layers below, which has this path.
    Lower(BString),
}

/// One layer's tree, its whiteouts resolved within it, and what does not fit.
#[derive(Debug)]
pub(super) struct Upper<'a> {
    layer: &'a LayerIndex,
    pub(super) items: BTreeMap<BString, Item>,
    /// Paths taken away from lower layers; opaque where only what lies below goes.
    pub(super) whiteouts: Vec<(BString, bool)>,
    /// Leaves that a later entry of the same layer replaced.
    pub(super) replaced: Vec<(BString, u32)>,
    pub(super) anomalies: Vec<(BString, AnomalyKind)>,
    /// The last directory as written and as resolved: the entries of a tar mostly share it with their neighbours.
    last: Option<(BString, BString)>,
    /// What directories that it does not name may still take, in bytes of their paths.
    implied_left: usize,
}

impl<'a> Upper<'a> {
    /// Builds the tree of a layer.
    pub(super) fn of(layer: &'a LayerIndex) -> Self {
        let mut upper = Self {
            layer,
            items: BTreeMap::new(),
            whiteouts: Vec::new(),
            replaced: Vec::new(),
            anomalies: Vec::new(),
            last: None,
            implied_left: MAX_IMPLIED,
        };
        let mut whiteouts = layer.whiteouts.iter().peekable();
        for (number, entry) in layer.entries.iter().enumerate() {
            while let Some(whiteout) = whiteouts.next_if(|whiteout| whiteout.at as usize <= number) {
                upper.whiteout(whiteout);
            }
            if let Err(kind) = upper.entry(u32::try_from(number).unwrap_or(u32::MAX), &entry.head) {
                upper.anomalies.push((entry.head.path.clone(), kind));
            }
        }
        whiteouts.for_each(|whiteout| upper.whiteout(whiteout));
        upper
    }

    fn whiteout(&mut self, whiteout: &Whiteout) {
        let path = whiteout.path.as_bstr();
        // an opaque whiteout stands inside its directory, the other kind beside what it hides
        let resolved = if whiteout.opaque {
            self.directory(path, true)
        } else {
            let (dir, name) = paths::split(path);
            self.directory(dir, true).map(|dir| paths::join(dir.as_bstr(), name))
        };
        match resolved {
            Ok(path) => self.whiteouts.push((path, whiteout.opaque)),
            Err(kind) => self.anomalies.push((whiteout.path.clone(), kind)),
        }
    }

    fn entry(&mut self, number: u32, head: &EntryHead) -> Result<(), AnomalyKind> {
        if head.path.is_empty() {
            if head.kind != EntryKind::Dir {
                return Err(AnomalyKind::RootNotADirectory);
            }
            self.items.insert(BString::default(), Item::Dir(Some(number)));
            return Ok(());
        }
        let (dir, name) = paths::split(head.path.as_bstr());
        let path = paths::join(self.directory(dir, true)?.as_bstr(), name);
        let item = match head.kind {
            EntryKind::Dir => Item::Dir(Some(number)),
            EntryKind::Hardlink => {
                let (dir, name) = paths::split(head.link.as_bstr());
                let target = paths::join(self.directory(dir, false)?.as_bstr(), name);
                if target == path {
                    return Ok(());
                }
                match self.items.get(&target) {
                    Some(Item::Dir(_)) => return Err(AnomalyKind::HardlinkToDirectory),
                    // its own place must be cleared first, which takes away what it links to
                    Some(_) if paths::is_below(target.as_bstr(), path.as_bstr()) => {
                        return Err(AnomalyKind::DanglingHardlink);
                    }
                    Some(item) => item.clone(),
                    None => Item::Lower(target),
                }
            }
            _ => Item::Leaf(number),
        };
        self.put(path, item);
        Ok(())
    }

    /// Puts an item at its place; what was there goes, unless both are directories.
    fn put(&mut self, path: BString, item: Item) {
        let is_dir = matches!(item, Item::Dir(_));
        let mut place = match self.items.entry(path) {
            btree_map::Entry::Vacant(place) => {
                place.insert(item);
                return;
            }
            btree_map::Entry::Occupied(place) => place,
        };
        let path = place.key().clone();
        match place.insert(item) {
            Item::Dir(_) if is_dir => return,
            Item::Dir(_) => {
                let gone: Vec<BString> = below(&self.items, path.as_bstr()).map(|(path, _)| path.clone()).collect();
                for path in gone {
                    if let Some(Item::Leaf(entry)) = self.items.remove(&path) {
                        self.replaced.push((path, entry));
                    }
                }
            }
            Item::Leaf(entry) => self.replaced.push((path, entry)),
            Item::Lower(_) => {}
        }
        self.last = None;
    }

    /// Resolves a directory within this layer: follows the layer's own symbolic links, never above the root. What the
    /// layer does not have counts as a directory, and becomes one if `make` is set.
    fn directory(&mut self, path: &BStr, make: bool) -> Result<BString, AnomalyKind> {
        if let Some((_, resolved)) = self.last.as_ref().filter(|(written, _)| *written == *path) {
            return Ok(resolved.clone());
        }
        // no path of the tree has a link above it, so what is there leads to itself
        if let Some(Item::Dir(_)) = self.items.get(path) {
            return Ok(path.to_owned());
        }
        let mut at = BString::default();
        let mut todo = paths::components(path);
        let mut links = 0;
        while let Some(part) = todo.pop() {
            if part == ".." {
                at = paths::split(at.as_bstr()).0.to_owned();
                continue;
            }
            let next = paths::join(at.as_bstr(), part.as_bstr());
            match self.items.get(&next) {
                Some(Item::Dir(_)) => at = next,
                Some(Item::Leaf(entry)) => {
                    let head = &self.layer.entries[*entry as usize].head;
                    if head.kind != EntryKind::Symlink {
                        return Err(AnomalyKind::NotADirectory);
                    }
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(AnomalyKind::LinkLoop);
                    }
                    if head.link.starts_with(b"/") {
                        at.clear();
                    }
                    todo.extend(paths::components(head.link.as_bstr()));
                }
                Some(Item::Lower(_)) => return Err(AnomalyKind::NotADirectory),
                None => {
                    if make {
                        let left = self.implied_left.checked_sub(next.len());
                        self.implied_left = left.ok_or(AnomalyKind::TooManyDirectories)?;
                        self.items.insert(next.clone(), Item::Dir(None));
                    }
                    at = next;
                }
            }
        }
        if make {
            self.last = Some((path.to_owned(), at.clone()));
        }
        Ok(at)
    }
}
