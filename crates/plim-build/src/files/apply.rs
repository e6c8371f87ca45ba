//! Entries as files of a diff directory, or as a layer.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use bstr::{BStr, BString, ByteSlice};
use plim_oci::layout::Layout;
use plim_oci::{EntryHead, EntryKind, Events, Layer, LayerObserver};
use rayon::prelude::*;

use super::canvas::{Canvas, Inode, Laid};
use super::place::place;
use super::{CopyOp, FilesError, Selection};
use crate::snapshot::tree::{self, Last, Tree, TreePath};
use crate::snapshot::write::{Made, Place};
use crate::snapshot::{LayerOptions, LayerSink, View, WHITEOUT};

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

/// Writes what [`apply`] would make as a layer, without making it: the same bytes that
/// [`layer_from_dir`](crate::snapshot::layer_from_dir) would give for its directory.
pub fn write_layer(
    selection: &Selection,
    op: &CopyOp,
    dest: &View,
    store: &Layout,
    options: &LayerOptions,
    observer: Option<Box<dyn LayerObserver>>,
    events: &dyn Events,
) -> Result<Layer, FilesError> {
    let laid = place(selection, op, dest, store.root())?;
    let mut sink = LayerSink::new(dest, store, options, observer)?;
    write_entries(&laid, dest, &mut sink)?;
    sink.finish(options, events)
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
    let made = entry.content.with_bytes(|bytes| Ok(place.entry(name, &entry.head, bytes)));
    match made.map_err(FilesError::inside("read the source of", entry.head.path.as_bstr()))?? {
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

/// One thing to write to a layer.
enum Item<'a> {
    Entry(&'a Laid),
    Whiteout(BString),
}

fn write_entries(laid: &[Laid], dest: &View, sink: &mut LayerSink<'_>) -> Result<(), FilesError> {
    let mut items: Vec<(TreePath, Item<'_>)> = laid
        .iter()
        .filter(|entry| !entry.head.path.is_empty())
        .map(|entry| (TreePath(entry.head.path.clone()), Item::Entry(entry)))
        .collect();
    let paths: std::collections::HashSet<&BString> = laid.iter().map(|entry| &entry.head.path).collect();
    for hides in hiding(laid) {
        for name in dest.names(hides).map_err(FilesError::inside("read", hides))? {
            let deleted = tree::join(hides, name.as_bstr());
            if !paths.contains(&deleted) {
                let marked: BString = bstr::concat([WHITEOUT, &name]).into();
                items.push((TreePath(tree::join(hides, marked.as_bstr())), Item::Whiteout(deleted)));
            }
        }
    }
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut first: HashMap<Inode, &BString> = HashMap::new();
    let shared = names_per_file(laid);
    for (_, item) in &items {
        match item {
            Item::Whiteout(path) => sink.whiteout(path.as_bstr())?,
            Item::Entry(entry) => write_entry(entry, &mut first, &shared, sink)?,
        }
    }
    Ok(())
}

fn write_entry<'a>(
    entry: &'a Laid,
    first: &mut HashMap<Inode, &'a BString>,
    shared: &HashMap<Inode, usize>,
    sink: &mut LayerSink<'_>,
) -> Result<(), FilesError> {
    let failed = FilesError::inside("read the source of", entry.head.path.as_bstr());
    let inode = entry.inode.filter(|inode| shared.get(inode).is_some_and(|names| *names > 1));
    if let Some(target) = inode.and_then(|inode| first.get(&inode)) {
        let mut head = entry.head.clone();
        (head.kind, head.link, head.size) = (EntryKind::Hardlink, (*target).clone(), 0);
        return sink.entry(&head, &mut io::empty());
    }
    let mut content = entry.content.open().map_err(&failed)?;
    if let Some(inode) = inode {
        first.insert(inode, &entry.head.path);
        return sink.entry(&entry.head, &mut content);
    }
    sink.change(&entry.head, &|| entry.content.open().map(Some), &mut content)
}

/// Returns the directories in which nothing of the tree below shows: those that are opaque and all in them.
fn hiding(laid: &[Laid]) -> Vec<&BStr> {
    let mut out = Vec::new();
    let mut opaque: Option<&BStr> = None;
    for entry in laid.iter().filter(|entry| entry.head.kind == EntryKind::Dir) {
        let path = entry.head.path.as_bstr();
        // what is in a directory stands directly behind it
        let inside = |above: &BStr| path.strip_prefix(above.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'/'));
        if !opaque.is_some_and(inside) {
            opaque = entry.opaque.then_some(path);
        }
        if opaque.is_some() {
            out.push(path);
        }
    }
    out
}

fn names_per_file(laid: &[Laid]) -> HashMap<Inode, usize> {
    let mut names = HashMap::new();
    for inode in laid.iter().filter_map(|entry| entry.inode) {
        *names.entry(inode).or_insert(0) += 1;
    }
    names
}
