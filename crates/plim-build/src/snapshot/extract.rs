//! A part of a tree as files of its own, for a mount where nothing can be mounted.

use std::collections::HashMap;
use std::path::Path;

use bstr::{BStr, BString, ByteSlice};

use super::tree::{self, Tree as _};
use super::working::replicate;
use super::write::Place;
use super::{DEPTH, Node, View};
use crate::files::FilesError;

/// Copies what is at a path of a tree, symbolic links in it followed, to `name` in a directory; what shares a file there
/// shares one here. Says whether there is anything.
pub(crate) fn extract(view: &View, path: &BStr, into: &Path, name: &BStr) -> Result<bool, FilesError> {
    let failed = FilesError::inside("read", path);
    let Some(path) = view.resolve(path).map_err(&failed)? else { return Ok(false) };
    let Some(node) = view.node(path.as_bstr()).map_err(&failed)? else { return Ok(false) };
    let place = Place::open(into, BStr::new("")).map_err(|source| FilesError::io("open", into, source))?;
    Extracting { view, into, shared: HashMap::new() }.entry(&place, BStr::new(""), name, &node, 0)?;
    Ok(true)
}

struct Extracting<'a> {
    view: &'a View,
    into: &'a Path,
    /// Where files with several names were put, by device and inode.
    shared: HashMap<(u64, u64), (BString, BString)>,
}

impl Extracting<'_> {
    /// Copies a node to `name` in the open directory `place`, which is at `above` in the target.
    fn entry(&mut self, place: &Place, above: &BStr, name: &BStr, node: &Node, depth: usize) -> Result<(), FilesError> {
        if depth > DEPTH {
            return Err(FilesError::Subject(format!("/{} has too many directories above it", node.head.path)));
        }
        if node.is_dir() {
            place.dir(name, &node.head)?;
            let path = tree::join(above, name);
            let inside = Place::open(self.into, path.as_bstr()).map_err(FilesError::inside("open", path.as_bstr()))?;
            let failed = FilesError::inside("read", node.head.path.as_bstr());
            for child in self.view.children(node.head.path.as_bstr()).map_err(failed)? {
                let name = tree::file_name(child.head.path.as_bstr());
                self.entry(&inside, path.as_bstr(), name, &child, depth + 1)?;
            }
            return place.set_exact_time(name, node.stamp.mtime);
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
        replicate(place, name, node).map(drop)
    }
}
