//! Entries as a layer, straight from where their contents lie.

use std::collections::HashMap;
use std::io::{self, Cursor, Read};

use bstr::{BStr, BString, ByteSlice};
use plim_oci::layout::Layout;
use plim_oci::{EntryKind, Events, Layer, LayerObserver};
use rayon::prelude::*;

use super::canvas::{Inode, Laid};
use super::place::place;
use super::{CopyOp, FilesError, Selection};
use crate::snapshot::tree::{self, Tree, TreePath};
use crate::snapshot::{Body, LayerOptions, LayerSink, View, WHITEOUT};

/// Files up to this size are read before their turn, on all cores: opening them takes longer than reading. Bytes.
const SMALL: u64 = 64 * 1024;

/// Entries whose small files are read at a time; those of two batches are in memory.
const BATCH: usize = 256;

/// Writes what [`apply`](super::apply) would make as a layer, without making it: the same bytes that
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
    // while some entries are written, the files of the next ones are read
    let mut batches = items.chunks(BATCH).peekable();
    let mut contents = batches.peek().map(|batch| read_small(batch, &shared)).unwrap_or_default();
    while let Some(batch) = batches.next() {
        let next = batches.peek().copied().unwrap_or_default();
        let mut write = || {
            batch.iter().zip(std::mem::take(&mut contents)).try_for_each(|((_, item), content)| match item {
                Item::Whiteout(path) => sink.whiteout(path.as_bstr()),
                Item::Entry(entry) => write_entry(entry, content, &mut first, &shared, sink),
            })
        };
        let (written, read) = rayon::join(&mut write, || read_small(next, &shared));
        written?;
        contents = read;
    }
    Ok(())
}

/// Reads the small files of a batch; those that are read while they are written are `None`.
fn read_small(batch: &[(TreePath, Item<'_>)], shared: &HashMap<Inode, usize>) -> Vec<Option<io::Result<Vec<u8>>>> {
    let alone = |inode: &Inode| shared.get(inode).is_none_or(|names| *names == 1);
    let read = |(_, item): &(TreePath, Item<'_>)| match item {
        // of several names of a file the first is written with its content
        Item::Entry(entry) if (1..=SMALL).contains(&entry.head.size) && entry.inode.as_ref().is_none_or(alone) => {
            entry.content.read_ahead()
        }
        _ => None,
    };
    batch.par_iter().with_min_len(16).map(read).collect()
}

fn write_entry<'a>(
    entry: &'a Laid,
    content: Option<io::Result<Vec<u8>>>,
    first: &mut HashMap<Inode, &'a BString>,
    shared: &HashMap<Inode, usize>,
    sink: &mut LayerSink<'_>,
) -> Result<(), FilesError> {
    let failed = FilesError::inside("read the source of", entry.head.path.as_bstr());
    let inode = entry.inode.filter(|inode| shared.get(inode).is_some_and(|names| *names > 1));
    if let Some(target) = inode.and_then(|inode| first.get(&inode)) {
        let mut head = entry.head.clone();
        (head.kind, head.link, head.size) = (EntryKind::Hardlink, (*target).clone(), 0);
        return sink.entry(&head, Body::of(&mut io::empty()));
    }
    let mut content: Box<dyn Read + Send + '_> = match content {
        Some(bytes) => Box::new(Cursor::new(bytes.map_err(&failed)?)),
        None => entry.content.open().map_err(&failed)?,
    };
    let body = Body { bytes: &mut content, sha256: entry.content.sha256() };
    if let Some(inode) = inode {
        first.insert(inode, &entry.head.path);
        return sink.entry(&entry.head, body);
    }
    sink.change(&entry.head, &|| entry.content.open().map(Some), body)
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
