//! Entries of a layer, and those who watch a layer go by.

use std::collections::BTreeMap;

use bstr::BString;

use crate::{Digest, Events};

/// What an entry of a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum EntryKind {
    /// Regular file.
    File,
    /// Directory.
    Dir,
    /// Symbolic link; the target is in `link`, as written.
    Symlink,
    /// Hard link; `link` is the path of an earlier entry, without a leading slash.
    Hardlink,
    /// Character device.
    Char,
    /// Block device.
    Block,
    /// Named pipe.
    Fifo,
}

/// The metadata of one layer entry. Paths are bytes, relative to the root, without leading or trailing
/// slash and without `.` and `..`; the root itself is the empty path. Whiteouts keep their names (`.wh.x`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EntryHead {
    /// Where it is.
    pub path: BString,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits with setuid, setgid and sticky, `0o7777`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of content; 0 for all but files.
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Target of a link.
    pub link: BString,
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// Extended attributes by full name (`security.capability`).
    pub xattrs: BTreeMap<BString, BString>,
}

impl EntryHead {
    /// Returns the head of a root-owned entry with mtime 0, for builders and tests.
    pub fn new(path: impl Into<BString>, kind: EntryKind, mode: u32) -> Self {
        Self {
            path: path.into(),
            kind,
            mode,
            uid: 0,
            gid: 0,
            size: 0,
            mtime: 0,
            link: BString::default(),
            device: (0, 0),
            xattrs: BTreeMap::new(),
        }
    }
}

/// Watches one layer while it is read or written: for each entry `entry`, then `data` for the content of
/// files, then `end`; once `finish` when the layer is whole. A layer that fails is dropped unfinished.
pub trait LayerObserver: Send {
    /// The layer takes the place of an earlier one, with which it probably has most files in common. Called before all
    /// entries, and not where nothing is known of such a layer.
    fn follows(&mut self, _diff_id: &Digest) {}
    /// An entry begins.
    fn entry(&mut self, head: &EntryHead);
    /// The content of the file that began has this SHA-256; whoever writes the layer answers for it, and gives the layer up
    /// if it turns out otherwise. Says whether the content itself is of interest all the same: if not, no `data` comes.
    fn content(&mut self, _sha256: &[u8; 32]) -> bool {
        true
    }
    /// The next bytes of the current file.
    fn data(&mut self, bytes: &[u8]);
    /// The current entry is complete.
    fn end(&mut self);
    /// The layer is complete; `size` is the uncompressed tar in bytes. Errors are noted, never fatal: an
    /// index can be made again.
    fn finish(self: Box<Self>, diff_id: &Digest, size: u64, events: &dyn Events);
}

/// Gives an observer to each layer that is about to be written.
pub trait ObserveLayers: Sync {
    /// Returns an observer for a new layer.
    fn observe(&self) -> Box<dyn LayerObserver>;
}
