//! A tree as files of the user's, for `--output type=local`.

use std::collections::HashMap;
use std::path::Path;

use bstr::{BStr, BString, ByteSlice as _};
use plim_oci::{EntryKind, Events};
use rustix::fs::FileType;

use super::tree::{self, Tree as _};
use super::write::{Bytes, Made, Place};
use super::{DEPTH, Node, View};
use crate::files::FilesError;

/// What of the metadata is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// Owners and extended attributes are as in the tree: only root can do that.
    Kept,
    /// All is owned by whoever writes it.
    Writer,
}

/// Writes a tree into a directory, which must be there. Files that are there already are replaced, others stay. Symbolic
/// links in the directory are replaced, never followed, so nothing outside of it is touched. Sockets, and devices that
/// this process may not make, are left out.
pub fn export_dir(view: &View, into: &Path, ownership: Ownership, events: &dyn Events) -> Result<(), FilesError> {
    let place = Place::open(into, BStr::new("")).map_err(|source| FilesError::io("open", into, source))?;
    Exporting { view, into, ownership, shared: HashMap::new(), events }.children(&place, BStr::new(""), 0)
}

struct Exporting<'a> {
    view: &'a View,
    into: &'a Path,
    ownership: Ownership,
    /// Where files with several names were put, by device and inode.
    shared: HashMap<(u64, u64), (BString, BString)>,
    events: &'a dyn Events,
}

impl Exporting<'_> {
    fn children(&mut self, place: &Place, dir: &BStr, depth: usize) -> Result<(), FilesError> {
        if depth > DEPTH {
            return Err(FilesError::Subject(format!("/{dir} has too many directories above it")));
        }
        if self.events.cancelled() {
            return Err(FilesError::Cancelled);
        }
        for child in self.view.children(dir).map_err(FilesError::inside("read", dir))? {
            self.entry(place, dir, &child, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, place: &Place, above: &BStr, node: &Node, depth: usize) -> Result<(), FilesError> {
        let path = node.head.path.clone();
        let name = tree::file_name(path.as_bstr()).to_owned();
        let name = name.as_bstr();
        let mut head = node.head.clone();
        if self.ownership == Ownership::Writer {
            (head.uid, head.gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
            head.xattrs.clear();
        }
        let there = place.kind(name)?;
        if node.is_dir() {
            if there.is_some_and(|kind| kind != FileType::Directory) {
                place.remove(name)?;
            }
            place.dir(name, &head)?;
            let inside = Place::open(self.into, path.as_bstr()).map_err(FilesError::inside("open", path.as_bstr()))?;
            self.children(&inside, path.as_bstr(), depth + 1)?;
            return place.set_exact_time(name, node.stamp.mtime);
        }
        match there {
            Some(FileType::Directory) => {
                return Err(FilesError::Subject(format!(
                    "{} is a directory, and the image has a file there",
                    tree::on_disk(self.into, path.as_bstr()).display()
                )));
            }
            Some(_) => drop(place.remove(name)?),
            None => {}
        }
        if node.stamp.links > 1 {
            let inode = (node.stamp.device, node.stamp.inode);
            if let Some((above, first)) = self.shared.get(&inode) {
                let other = Place::open(self.into, above.as_bstr());
                let other = other.map_err(FilesError::inside("open", above.as_bstr()))?;
                return place.link(name, &other, first.as_bstr());
            }
            self.shared.insert(inode, (above.to_owned(), name.to_owned()));
        }
        let made = match head.kind {
            EntryKind::File => {
                let content = node.open().map_err(FilesError::inside("open", path.as_bstr()))?;
                place.entry(name, &head, Bytes::File(content))?
            }
            _ => place.entry(name, &head, Bytes::Reader(&mut std::io::empty()))?,
        };
        match made {
            Made::Yes => place.set_exact_time(name, node.stamp.mtime),
            Made::Refused => {
                self.shared.retain(|_, (dir, file)| (dir.as_bstr(), file.as_bstr()) != (above, name));
                Ok(())
            }
        }
    }
}
