//! Entries as files of a diff directory.

use std::collections::HashMap;
use std::path::Path;

use bstr::{BStr, BString, ByteSlice};
use plim_oci::{EntryHead, EntryKind};
use rayon::prelude::*;

use super::canvas::{Canvas, Inode, Laid};
use super::place::place;
use super::{CopyOp, FilesError, Selection};
use crate::snapshot::View;
use crate::snapshot::tree::{self, Last};
use crate::snapshot::write::{Made, Place};

/// Files of one directory that one thread makes at a time: enough to be worth a task, few enough to share.
const BATCH: usize = 128;

/// What a step laid down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Bytes of files.
    pub bytes: u64,
    /// Files of any kind but directories.
    pub files: u64,
}

/// Lays a selection over `dest` and writes what changes to the diff directory `into`, which is empty.
///
/// Directories that are there already are copied to `into` with their metadata, so that it can be mounted
/// over `dest`; its root gets the metadata of the root of `dest`.
pub fn apply(selection: &Selection, op: &CopyOp, dest: &View, into: &Path) -> Result<Applied, FilesError> {
    let scratch = into.parent().unwrap_or(into);
    let laid = place(selection, op, dest, scratch)?;
    write_dir(&laid, into)
}

/// Makes a directory, with those above it that are missing, mode 0755; symbolic links in the path are
/// followed inside the root. Says whether anything was missing.
pub fn make_dir(dest: &View, into: &Path, path: &BStr, owner: (u32, u32), epoch: i64) -> Result<bool, FilesError> {
    let mut canvas = Canvas::new(dest);
    let resolved =
        tree::resolve(&canvas, BStr::new(""), path, Last::Follow).map_err(FilesError::inside("read", path))?;
    let mut like = EntryHead::new("", EntryKind::Dir, 0o755);
    (like.uid, like.gid, like.mtime) = (owner.0, owner.1, epoch);
    let made = canvas.make_dirs(resolved.as_bstr(), &like)?;
    if made {
        write_dir(&canvas.finish(), into)?;
    }
    Ok(made)
}

fn write_dir(laid: &[Laid], into: &Path) -> Result<Applied, FilesError> {
    make_directories(laid, into)?;
    // the first name of a file is made with its content, the others are links to it
    let mut first: HashMap<Inode, &BString> = HashMap::new();
    let mut batches: Vec<(&BStr, Vec<&Laid>)> = Vec::new();
    let mut links = Vec::new();
    let mut applied = Applied::default();
    for entry in laid.iter().filter(|entry| entry.head.kind != EntryKind::Dir) {
        applied.files += 1;
        if let Some(target) = entry.inode.and_then(|inode| first.get(&inode)) {
            links.push((entry, *target));
            continue;
        }
        first.extend(entry.inode.map(|inode| (inode, &entry.head.path)));
        applied.bytes += entry.head.size;
        let above = tree::parent(entry.head.path.as_bstr()).unwrap_or(BStr::new(""));
        match batches.last_mut() {
            Some((directory, batch)) if *directory == above && batch.len() < BATCH => batch.push(entry),
            _ => batches.push((above, vec![entry])),
        }
    }
    batches.par_iter().try_for_each(|(directory, batch)| {
        let place = open(into, directory)?;
        batch.iter().try_for_each(|entry| make_file(&place, entry))
    })?;
    for (entry, target) in links {
        let (above, name) = split(entry.head.path.as_bstr());
        let (target_above, target_name) = split(target.as_bstr());
        open(into, above)?.link(name, &open(into, target_above)?, target_name)?;
    }
    laid.par_iter()
        .filter(|entry| entry.head.kind == EntryKind::Dir)
        .try_for_each(|entry| open(into, entry.head.path.as_bstr())?.set_time(BStr::new(""), entry.head.mtime))?;
    Ok(applied)
}

fn make_directories(laid: &[Laid], into: &Path) -> Result<(), FilesError> {
    let mut last: Option<(&BStr, Place)> = None;
    for entry in laid.iter().filter(|entry| entry.head.kind == EntryKind::Dir) {
        if entry.head.path.is_empty() {
            open(into, BStr::new(""))?.dress_self(&entry.head)?;
            continue;
        }
        let (above, name) = split(entry.head.path.as_bstr());
        if last.as_ref().is_none_or(|(directory, _)| *directory != above) {
            last = Some((above, open(into, above)?));
        }
        if let Some((_, place)) = &last {
            place.dir(name, &entry.head)?;
            if entry.opaque {
                place.opaque(name)?;
            }
        }
    }
    Ok(())
}

fn make_file(place: &Place, entry: &Laid) -> Result<(), FilesError> {
    let name = tree::file_name(entry.head.path.as_bstr());
    // what is wrong with the new file is not wrong with its source
    let mut refused = None;
    let made = entry.content.with_bytes(|bytes| {
        place.entry(name, &entry.head, bytes).map_err(|error| {
            refused = Some(error);
            std::io::ErrorKind::Other.into()
        })
    });
    if let Some(error) = refused {
        return Err(error);
    }
    match made.map_err(FilesError::inside("read the source of", entry.head.path.as_bstr()))? {
        Made::Yes => {}
        // as where layers are unpacked: a root file system is of use without its device files
        Made::Refused => tracing::warn!(path = %entry.head.path, "left out a device: only root may create devices"),
    }
    Ok(())
}

fn open(into: &Path, path: &BStr) -> Result<Place, FilesError> {
    Place::open(into, path).map_err(FilesError::inside("open", path))
}

fn split(path: &BStr) -> (&BStr, &BStr) {
    (tree::parent(path).unwrap_or(BStr::new("")), tree::file_name(path))
}
