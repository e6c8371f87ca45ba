//! A diff directory as a layer.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice};
use plim_oci::compress::{Compression, LayerWriter};
use plim_oci::layout::Layout;
use plim_oci::{EntryHead, EntryKind, Events, Layer, LayerObserver};

use super::settle::{self, Times};
use super::tree::{self, Tree};
use super::{Node, OnDisk, View, bytecode, node, read_node, xattrs};
use crate::files::FilesError;

/// How a deleted path is named in a layer (OCI image specification, "Whiteouts").
pub(crate) const WHITEOUT: &[u8] = b".wh.";

/// Directories inside one another: readers of layers have bounds, and so has the stack.
pub(crate) const DEPTH: usize = 512;

/// How a layer is written.
#[derive(Debug, Clone)]
pub struct LayerOptions {
    /// Latest time that an entry may have, seconds since 1970; later ones become this.
    pub epoch: i64,
    /// How the blob is compressed.
    pub compression: Compression,
    /// The history row that made it.
    pub created_by: String,
    /// Where the frames of the layer that was last made in the same place are noted, to take over those that are the same.
    pub frames: Option<PathBuf>,
}

/// Writes the difference that a diff directory makes to `lower`, the tree below it, as a layer.
///
/// Entries are sorted bytewise within each directory; each stands after all the directories it is in, changed
/// or not, as Docker's and BuildKit's layers have it, and none appears twice. Left out are sockets, files equal
/// to those below in content and metadata, deletions of what is not there, and directories in which none of
/// this leaves anything. An opaque directory becomes a deletion of each name below that it does not have: some
/// readers know no other form.
pub fn layer_from_dir(
    dir: &Path,
    lower: &View,
    store: &Layout,
    options: &LayerOptions,
    observer: Option<Box<dyn LayerObserver>>,
    events: &dyn Events,
) -> Result<Layer, FilesError> {
    walk(dir, LayerSink::new(lower, store, options, observer)?, events)?.finish(options, events)
}

/// Gives a diff directory the times that [`layer_from_dir`] writes for it with this epoch, without writing the layer. What
/// is built on the directory is then the same as on one that was unpacked from the layer, and the layer can be written
/// at any later time: it has the same bytes before and after.
pub fn settle(dir: &Path, lower: &View, epoch: i64, events: &dyn Events) -> Result<(), FilesError> {
    let sink = LayerSink { out: Times::new(), lower, epoch, unchanged: Vec::new() };
    settle::set_times(dir, lower, &walk(dir, sink, events)?.out)
}

/// Sends what a diff directory changes to a sink.
fn walk<'a, O: Entries>(
    dir: &Path,
    sink: LayerSink<'a, O>,
    events: &dyn Events,
) -> Result<LayerSink<'a, O>, FilesError> {
    let mut walk = Walk { sink, links: HashMap::new() };
    let opaque = node::hides_all(dir).map_err(|error| FilesError::io("read", dir, error))?;
    walk.dir(dir, BStr::new(""), opaque, events)?;
    Ok(walk.sink)
}

/// A layer being written over a tree: what both ways of making a layer have in common.
pub(crate) struct LayerSink<'a, O = LayerWriter> {
    out: O,
    lower: &'a View,
    epoch: i64,
    /// Directories above the current entry that are as they are below, and not written yet.
    unchanged: Vec<EntryHead>,
}

/// Where the entries of a layer go.
pub(crate) trait Entries {
    /// Takes an entry of a layer that has no times after `epoch`.
    fn take(&mut self, head: EntryHead, epoch: i64, body: Body<'_>) -> io::Result<()>;
}

/// The content of an entry.
pub(crate) struct Body<'a> {
    pub(crate) bytes: &'a mut dyn Read,
    /// Its SHA-256, where it is known: reading fails if it turns out otherwise.
    pub(crate) sha256: Option<&'a [u8; 32]>,
}

impl<'a> Body<'a> {
    /// Bytes of which nothing is known.
    pub(crate) fn of(bytes: &'a mut dyn Read) -> Self {
        Self { bytes, sha256: None }
    }
}

impl Entries for LayerWriter {
    fn take(&mut self, mut head: EntryHead, epoch: i64, body: Body<'_>) -> io::Result<()> {
        head.xattrs.retain(|name, _| xattrs::in_layers(name));
        if bytecode::is_bytecode(&head) {
            return self.entry(&head, &mut bytecode::with_clamped_source(body.bytes, epoch)?);
        }
        self.known_entry(&head, body.sha256, body.bytes)
    }
}

impl Entries for Times {
    fn take(&mut self, head: EntryHead, _epoch: i64, _body: Body<'_>) -> io::Result<()> {
        self.insert(head.path, head.mtime);
        Ok(())
    }
}

impl<'a> LayerSink<'a> {
    pub(crate) fn new(
        lower: &'a View,
        store: &Layout,
        options: &LayerOptions,
        observer: Option<Box<dyn LayerObserver>>,
    ) -> Result<Self, FilesError> {
        let writer = LayerWriter::new(store, options.compression, observer)?.with_frames(options.frames.clone());
        Ok(Self { out: writer, lower, epoch: options.epoch, unchanged: Vec::new() })
    }

    pub(crate) fn finish(self, options: &LayerOptions, events: &dyn Events) -> Result<Layer, FilesError> {
        Ok(self.out.finish(Some(options.created_by.clone()), events)?)
    }
}

impl<O: Entries> LayerSink<'_, O> {
    /// Writes an entry as it is, after the directories that it is in.
    pub(crate) fn entry(&mut self, head: &EntryHead, body: Body<'_>) -> Result<(), FilesError> {
        self.leave_for(head.path.as_bstr());
        for above in std::mem::take(&mut self.unchanged) {
            self.write(&above, Body::of(&mut io::empty()))?;
        }
        self.write(head, body)
    }

    /// Forgets unchanged directories that a path is not in.
    fn leave_for(&mut self, path: &BStr) {
        while let Some(directory) = self.unchanged.last() {
            if path.strip_prefix(directory.path.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'/')) {
                break;
            }
            self.unchanged.pop();
        }
    }

    fn write(&mut self, head: &EntryHead, body: Body<'_>) -> Result<(), FilesError> {
        let failed = FilesError::inside("write to the layer", head.path.as_bstr());
        let clamped = EntryHead { mtime: head.mtime.min(self.epoch), ..head.clone() };
        self.out.take(clamped, self.epoch, body).map_err(failed)
    }

    /// Writes an entry, unless the tree below has the very same.
    pub(crate) fn change<'c>(
        &mut self,
        head: &EntryHead,
        open: &dyn Fn() -> io::Result<Option<Box<dyn Read + Send + 'c>>>,
        body: Body<'_>,
    ) -> Result<(), FilesError> {
        let failed = FilesError::inside("compare", head.path.as_bstr());
        let below = self.lower.node(head.path.as_bstr()).map_err(&failed)?;
        if let Some(below) = below.filter(|below| self.same_metadata(head, below)) {
            let same = match head.kind {
                EntryKind::File => match open().map_err(&failed)? {
                    Some(file) => node::same_content(file, below.open().map_err(&failed)?).map_err(&failed)?,
                    None => false,
                },
                _ => true,
            };
            if same {
                if head.kind == EntryKind::Dir {
                    self.leave_for(head.path.as_bstr());
                    // its time too: when something in it changed is no property of the image
                    self.unchanged.push(EntryHead { path: head.path.clone(), ..below.head });
                }
                return Ok(());
            }
        }
        self.entry(head, body)
    }

    /// Writes the deletion of a path that the tree below has.
    pub(crate) fn whiteout(&mut self, path: &BStr) -> Result<(), FilesError> {
        let name: BString = bstr::concat([WHITEOUT, tree::file_name(path)]).into();
        let above = tree::parent(path).unwrap_or(BStr::new(""));
        let mut head = EntryHead::new(tree::join(above, name.as_bstr()), EntryKind::File, 0);
        head.mtime = self.epoch;
        self.entry(&head, Body::of(&mut io::empty()))
    }

    fn same_metadata(&self, head: &EntryHead, below: &Node) -> bool {
        if head.kind == EntryKind::File && below.host.as_os_str().is_empty() {
            // a socket below
            return false;
        }
        let below = &below.head;
        let written = |head: &EntryHead| -> Vec<(BString, BString)> {
            head.xattrs
                .iter()
                .filter(|(name, _)| xattrs::in_layers(name))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect()
        };
        head.kind == below.kind
            && (head.mode, head.uid, head.gid) == (below.mode, below.uid, below.gid)
            && written(head) == written(below)
            // the time of a directory changes with what is in it, which says nothing
            && (head.kind == EntryKind::Dir
                || (head.size, head.mtime.min(self.epoch), &head.link, head.device)
                    == (below.size, below.mtime.min(self.epoch), &below.link, below.device))
    }
}

struct Walk<'a, O> {
    sink: LayerSink<'a, O>,
    /// Where a file with several names was first met, by device and inode.
    links: HashMap<(u64, u64), BString>,
}

/// The content of a file that is opened when somebody reads it.
struct WhenRead<'n> {
    node: &'n Node,
    file: Option<File>,
}

impl Read for WhenRead<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            unopened => unopened.insert(self.node.open()?),
        };
        file.read(buffer)
    }
}

/// What a directory contributes under one name.
enum Item {
    Whiteout(BString),
    Node(Box<Node>),
}

impl<O: Entries> Walk<'_, O> {
    /// Writes what is in a directory; `hides` when nothing below it shows through.
    fn dir(&mut self, host: &Path, path: &BStr, hides: bool, events: &dyn Events) -> Result<(), FilesError> {
        if events.cancelled() {
            return Err(FilesError::Cancelled);
        }
        if tree::components(path).count() > DEPTH {
            return Err(FilesError::Subject(format!("/{path} has more than {DEPTH} directories above it")));
        }
        for item in self.items(host, path, hides).map_err(FilesError::inside("read", path))? {
            let node = match item {
                Item::Whiteout(path) => {
                    self.sink.whiteout(path.as_bstr())?;
                    continue;
                }
                Item::Node(node) => node,
            };
            if node.is_dir() {
                self.sink.change(&node.head, &|| Ok(None), Body::of(&mut io::empty()))?;
                // a new directory inside one that hides all below hides all below, too
                self.dir(&node.host, node.head.path.as_bstr(), hides || node.opaque, events)?;
            } else {
                self.file(&node)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, node: &Node) -> Result<(), FilesError> {
        let path = node.head.path.as_bstr();
        if node.stamp.links > 1 {
            let inode = (node.stamp.device, node.stamp.inode);
            if let Some(first) = self.links.get(&inode) {
                let mut head = node.head.clone();
                (head.kind, head.link, head.size) = (EntryKind::Hardlink, first.clone(), 0);
                return self.sink.entry(&head, Body::of(&mut io::empty()));
            }
            self.links.insert(inode, path.to_owned());
        }
        if node.head.kind != EntryKind::File {
            return self.sink.change(&node.head, &|| Ok(None), Body::of(&mut io::empty()));
        }
        let mut content = WhenRead { node, file: None };
        if node.stamp.links > 1 {
            // later names refer to this entry, so it must be in this layer
            return self.sink.entry(&node.head, Body::of(&mut content));
        }
        self.sink.change(&node.head, &|| Ok(Some(Box::new(node.open()?))), Body::of(&mut content))
    }

    fn items(&self, host: &Path, path: &BStr, hides: bool) -> io::Result<Vec<Item>> {
        let mut items = Vec::new();
        let mut present = Vec::new();
        for entry in std::fs::read_dir(host)? {
            let entry = entry?;
            let name = BString::from(entry.file_name().into_vec());
            let path = tree::join(path, name.as_bstr());
            match read_node(&entry.path(), path.clone())? {
                Some(OnDisk::Node(node)) => {
                    present.push(name.clone());
                    items.push((name, Item::Node(node)));
                }
                // a whiteout inside a directory that hides all is covered with the rest below
                Some(OnDisk::Whiteout) if !hides && self.sink.lower.node(path.as_bstr())?.is_some() => {
                    items.push((bstr::concat([WHITEOUT, &name]).into(), Item::Whiteout(path)));
                }
                Some(OnDisk::Whiteout | OnDisk::Socket(_)) | None => {}
            }
        }
        if hides {
            present.sort_unstable();
            for name in self.sink.lower.names(path)? {
                if present.binary_search(&name).is_err() {
                    let path = tree::join(path, name.as_bstr());
                    items.push((bstr::concat([WHITEOUT, &name]).into(), Item::Whiteout(path)));
                }
            }
        }
        items.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(items.into_iter().map(|(_, item)| item).collect())
    }
}
