//! The destination of a step: what is there already, and over it, in memory, what the step lays down.
//!
//! All rules about what may replace what are here, and nothing is written. What comes out is the list of
//! entries of the diff directory that the step makes.

use std::collections::HashMap;
use std::io;

use bstr::{BStr, BString, ByteSlice};
use plim_oci::{EntryHead, EntryKind};

use super::FilesError;
use super::content::Content;
use crate::snapshot::tree::{self, Tree, TreePath};
use crate::snapshot::{Node, View};

/// The destination with what was laid down so far.
pub(crate) struct Canvas<'a> {
    below: &'a View,
    laid: HashMap<BString, Laid>,
    shared: u64,
}

/// An entry of the diff directory.
#[derive(Debug, Clone)]
pub(crate) struct Laid {
    pub(crate) head: EntryHead,
    pub(crate) content: Content,
    /// Files with the same number are one file with several names.
    pub(crate) inode: Option<Inode>,
    /// Of directories: nothing of the tree below shows in it.
    pub(crate) fresh: bool,
    /// Of directories: it must hide a directory of the tree below.
    pub(crate) opaque: bool,
}

/// What names of one file have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Inode {
    /// Device and inode of the source.
    Source(u64, u64),
    /// Numbered here, for hard links of an archive.
    Made(u64),
}

impl<'a> Canvas<'a> {
    pub(crate) fn new(below: &'a View) -> Self {
        Self { below, laid: HashMap::new(), shared: 0 }
    }

    /// Makes a directory with those above it that are missing, with the metadata of `like`. Says whether
    /// anything was missing.
    pub(crate) fn make_dirs(&mut self, path: &BStr, like: &EntryHead) -> Result<bool, FilesError> {
        let mut made = false;
        let mut above = BString::default();
        self.copy_up(BStr::new(""))?;
        for name in tree::components(path) {
            let here = tree::join(above.as_bstr(), name);
            match self.at(here.as_bstr())? {
                Some(node) if node.is_dir() => self.copy_up(here.as_bstr())?,
                Some(_) => {
                    return Err(FilesError::Subject(format!(
                        "/{here} in the image is no directory, so nothing can be copied to /{path}"
                    )));
                }
                None => {
                    let mut head = like.clone();
                    head.path.clone_from(&here);
                    self.put_new_dir(head)?;
                    made = true;
                }
            }
            above = here;
        }
        Ok(made)
    }

    /// Lays down a directory; one that is there is given the metadata. Its parent must be there.
    pub(crate) fn put_dir(&mut self, head: EntryHead) -> Result<(), FilesError> {
        match self.at(head.path.as_bstr())? {
            Some(node) if node.is_dir() => {
                self.copy_up(head.path.as_bstr())?;
                if let Some(laid) = self.laid.get_mut(&head.path) {
                    let attributes = std::mem::take(&mut laid.head.xattrs);
                    laid.head = head;
                    for (name, value) in attributes {
                        laid.head.xattrs.entry(name).or_insert(value);
                    }
                }
                Ok(())
            }
            Some(_) => Err(FilesError::Subject(format!(
                "/{} in the image is no directory and cannot be replaced by one",
                head.path
            ))),
            None => self.put_new_dir(head),
        }
    }

    /// Lays down anything but a directory. It replaces what is there, unless that is a directory. Its parent
    /// must be there.
    pub(crate) fn put(&mut self, head: EntryHead, content: Content, inode: Option<Inode>) -> Result<(), FilesError> {
        refuse_reserved(&head)?;
        if self.at(head.path.as_bstr())?.is_some_and(|node| node.is_dir()) {
            return Err(FilesError::Subject(format!(
                "/{} in the image is a directory and cannot be replaced by a file",
                head.path
            )));
        }
        self.insert(Laid { head, content, inode, fresh: false, opaque: false });
        Ok(())
    }

    /// Removes what is in the way of an entry of an archive: all but a directory for a directory.
    pub(crate) fn clear_for(&mut self, head: &EntryHead) -> Result<(), FilesError> {
        let Some(there) = self.at(head.path.as_bstr())? else { return Ok(()) };
        if !there.is_dir() || head.kind == EntryKind::Dir {
            if !there.is_dir() && head.kind == EntryKind::Dir {
                self.forget(head.path.as_bstr());
                self.put_new_dir(head.clone())?;
            }
            return Ok(());
        }
        self.forget(head.path.as_bstr());
        // stands in until the entry itself is put: nothing of the directory below shows any more
        self.insert(Laid { head: head.clone(), content: Content::None, inode: None, fresh: false, opaque: false });
        Ok(())
    }

    /// Lays down one more name of a file; says whether there is such a file.
    pub(crate) fn link(&mut self, path: BString, target: &BStr) -> Result<bool, FilesError> {
        let Some(mut node) = self.at(target)?.filter(|node| !node.is_dir()) else { return Ok(false) };
        let (mut head, content, inode) = match self.laid.get_mut(target) {
            Some(laid) => {
                let made = Inode::Made(self.shared);
                self.shared += 1;
                let inode = *laid.inode.get_or_insert(made);
                (laid.head.clone(), laid.content.clone(), Some(inode))
            }
            // a file of the tree below is copied: diff directories share no files
            None => (node.head.clone(), Content::of(&mut node), None),
        };
        head.path = path;
        self.put(head, content, inode)?;
        Ok(true)
    }

    /// Returns the entries, each after its directory.
    pub(crate) fn finish(self) -> Vec<Laid> {
        let mut laid: Vec<(TreePath, Laid)> =
            self.laid.into_values().map(|laid| (TreePath(laid.head.path.clone()), laid)).collect();
        laid.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        laid.into_iter().map(|(_, laid)| laid).collect()
    }

    /// Returns what is at a path.
    pub(crate) fn at(&self, path: &BStr) -> Result<Option<Node>, FilesError> {
        self.node(path).map_err(FilesError::inside("read", path))
    }

    /// Makes a directory of the tree below part of the diff directory, with those above it.
    fn copy_up(&mut self, path: &BStr) -> Result<(), FilesError> {
        let missing: Vec<BString> = tree::ancestors(path)
            .chain([path])
            .filter(|path| !self.laid.contains_key(*path))
            .map(BStr::to_owned)
            .collect();
        for path in missing {
            let node = self.below.node(path.as_bstr()).map_err(FilesError::inside("read", path.as_bstr()))?;
            let head = node.map_or_else(|| EntryHead::new(path, EntryKind::Dir, 0o755), |node| node.head);
            self.insert(Laid { head, content: Content::None, inode: None, fresh: false, opaque: false });
        }
        Ok(())
    }

    fn put_new_dir(&mut self, head: EntryHead) -> Result<(), FilesError> {
        refuse_reserved(&head)?;
        let path = head.path.as_bstr();
        let hidden = self.shows_below(path)
            && self.below.node(path).map_err(FilesError::inside("read", path))?.is_some_and(|node| node.is_dir());
        self.insert(Laid { head, content: Content::None, inode: None, fresh: true, opaque: hidden });
        Ok(())
    }

    fn insert(&mut self, laid: Laid) {
        self.laid.insert(laid.head.path.clone(), laid);
    }

    /// Forgets what was laid down at a path and below it.
    fn forget(&mut self, path: &BStr) {
        self.laid.retain(|other, _| {
            other != path && other.strip_prefix(path.as_bytes()).is_none_or(|rest| rest.first() != Some(&b'/'))
        });
    }

    /// Says whether what the tree below has at a path can show, by the nearest directory above that is laid.
    fn shows_below(&self, path: &BStr) -> bool {
        let mut above = tree::parent(path);
        while let Some(directory) = above {
            if let Some(laid) = self.laid.get(directory) {
                return laid.head.kind == EntryKind::Dir && !laid.fresh;
            }
            above = tree::parent(directory);
        }
        true
    }
}

impl Tree for Canvas<'_> {
    fn node(&self, path: &BStr) -> io::Result<Option<Node>> {
        if let Some(laid) = self.laid.get(path) {
            return Ok(Some(Node::made(laid.head.clone())));
        }
        if self.shows_below(path) { self.below.node(path) } else { Ok(None) }
    }

    fn names(&self, path: &BStr) -> io::Result<Vec<BString>> {
        // links are resolved and entries placed without ever listing the destination
        self.below.names(path)
    }
}

/// A file of such a name would read as a deletion once it is in a layer.
fn refuse_reserved(head: &EntryHead) -> Result<(), FilesError> {
    if tree::file_name(head.path.as_bstr()).starts_with(crate::snapshot::WHITEOUT) {
        return Err(FilesError::Subject(format!(
            "/{} cannot be in an image: names that begin with `.wh.` mark deletions in layers",
            head.path
        )));
    }
    Ok(())
}
