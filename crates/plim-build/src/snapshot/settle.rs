//! The times of a diff directory that a layer is made of.
//!
//! A layer has no times after its epoch, and leaves out what is as it is below. The directory that it is made of has both.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use bstr::{BStr, BString, ByteSlice as _};

use super::tree::{self, Tree as _};
use super::write::Place;
use super::{DEPTH, OnDisk, View, read_node};
use crate::files::FilesError;

/// The times that a layer has for its entries, seconds since 1970.
pub(super) type Times = HashMap<BString, i64>;

/// Gives the entries of a diff directory their times in the layer, and those that the layer left out their times below.
pub(super) fn set_times(dir: &Path, lower: &View, times: &Times) -> Result<(), FilesError> {
    set_below(dir, dir, BStr::new(""), lower, times)
}

fn set_below(root: &Path, host: &Path, path: &BStr, lower: &View, times: &Times) -> Result<(), FilesError> {
    if tree::components(path).count() > DEPTH {
        return Err(FilesError::Subject(format!("/{path} has more than {DEPTH} directories above it")));
    }
    let failed = FilesError::inside("read", path);
    let place = Place::open(root, path).map_err(FilesError::inside("open", path))?;
    for entry in std::fs::read_dir(host).map_err(&failed)? {
        let name = BString::from(entry.map_err(&failed)?.file_name().into_vec());
        let child = host.join(OsStr::from_bytes(&name));
        let path = tree::join(path, name.as_bstr());
        let found = read_node(&child, path.clone()).map_err(FilesError::inside("read", path.as_bstr()))?;
        let Some(OnDisk::Node(node)) = found else { continue };
        if node.is_dir() {
            set_below(root, &child, path.as_bstr(), lower, times)?;
        }
        let time = match times.get(&path) {
            Some(time) => Some((*time, 0)),
            None => lower
                .node(path.as_bstr())
                .map_err(FilesError::inside("compare", path.as_bstr()))?
                .map(|below| below.stamp.mtime),
        };
        if let Some(time) = time.filter(|time| *time != node.stamp.mtime) {
            place.set_exact_time(name.as_bstr(), time)?;
        }
    }
    Ok(())
}
