//! A root file system as one directory, for steps where overlays cannot be mounted.
//!
//! The diff directories of a chain are laid over one another by copying. What a step changes in the copy is found
//! afterwards by comparison and written as the diff directory that an overlay would have left ([`super::difference`]), so
//! that the layers come out the same.
//!
//! One difference to an overlay remains. It copies a file of a lower layer for the name through which it is changed; here
//! names that share a file go on sharing it, and a change through one name is a change of all.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use bstr::{BStr, BString, ByteSlice};
use plim_oci::{EntryKind, Events};
use rustix::fs::FileType;

use super::difference::{Found, difference, stamps};
use super::write::{Bytes, Made, Place};
use super::{Chain, DEPTH, Draft, Node, OnDisk, Snapshots, Stamp, View, read_node, tree};
use crate::files::FilesError;

/// How long the clock of a file system may take to move on: some count whole seconds.
const SLOWEST_CLOCK: Duration = Duration::from_secs(3);

/// A root file system as one directory that can be written to. It is removed when dropped, and by the next run when the
/// process dies.
#[derive(Debug)]
pub struct WorkingCopy {
    draft: Draft,
    /// What it was copied from.
    below: Chain,
    /// How each file looked when it was last known to be that of the chain.
    known: HashMap<BString, Stamp>,
    /// Devices of the chain that this process may not make.
    refused: HashSet<BString>,
    /// The diff directory that was written last.
    written: Option<Written>,
}

/// What the last comparison left.
#[derive(Debug)]
struct Written {
    /// Device and inode of the diff directory; it is renamed when it becomes a snapshot.
    inode: (u64, u64),
    /// Names that share a file in the copy and do not in the diff directory.
    apart: Vec<BString>,
}

impl WorkingCopy {
    /// Copies the root file system of a chain.
    pub fn new(snapshots: &Snapshots, chain: &Chain, events: &dyn Events) -> Result<Self, FilesError> {
        let mut copy = Self {
            draft: snapshots.begin()?,
            below: Chain::scratch(),
            known: HashMap::new(),
            refused: HashSet::new(),
            written: None,
        };
        for dir in chain.lower.iter().rev() {
            copy.lay(dir, events)?;
        }
        copy.below = chain.clone();
        copy.learn(events)?;
        Ok(copy)
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.draft.fs
    }

    /// A directory beside it, on the same file system, for things that live as long as the copy.
    pub fn beside(&self) -> &Path {
        &self.draft.dir
    }

    /// Makes it the root file system of a chain that grew out of its own; says whether it could. What it wrote last
    /// must have become a snapshot by then.
    pub fn advance(&mut self, chain: &Chain, events: &dyn Events) -> Result<bool, FilesError> {
        let Some(added) = chain.lower.strip_suffix(self.below.lower.as_slice()) else { return Ok(false) };
        let mut added = added.to_vec();
        if let Some(written) = self.written.take() {
            // another process may have put its own result under the same key
            let first = added.pop().filter(|dir| inode_of(dir).is_ok_and(|inode| inode == written.inode));
            if first.is_none() {
                return Ok(false);
            }
            for path in &written.apart {
                self.part(path)?;
            }
        }
        for dir in added.iter().rev() {
            self.lay(dir, events)?;
        }
        self.below = chain.clone();
        self.learn(events)?;
        Ok(true)
    }

    /// Lays a diff directory over the copy, as a change to the chain.
    pub fn change(&mut self, diff: &Path, events: &dyn Events) -> Result<(), FilesError> {
        self.lay(diff, events)
    }

    /// Writes what was changed since as a diff directory into `into`, which is empty.
    pub fn difference(&mut self, into: &Path, events: &dyn Events) -> Result<(), FilesError> {
        let below = View::new(&self.below);
        let Found { known, apart } = difference(self.root(), &below, &self.known, &self.refused, into, events)?;
        self.known = known;
        let inode = inode_of(into).map_err(|source| FilesError::io("read", into, source))?;
        self.written = Some(Written { inode, apart });
        Ok(())
    }

    fn lay(&mut self, diff: &Path, events: &dyn Events) -> Result<(), FilesError> {
        let root = self.draft.fs.clone();
        let mut laying = Laying { root: &root, shared: HashMap::new(), refused: &mut self.refused, events };
        laying.dir(diff, BStr::new(""))?;
        let top = match read_node(diff, BString::default()) {
            Ok(Some(OnDisk::Node(top))) => top,
            Ok(_) => return Ok(()),
            Err(source) => return Err(FilesError::io("read", diff, source)),
        };
        let place = Place::open(&root, BStr::new("")).map_err(|source| FilesError::io("open", &root, source))?;
        place.dress_self(&top.head)?;
        place.set_exact_time(BStr::new(""), top.stamp.mtime)
    }

    /// Gives one of several names of a file a file of its own.
    fn part(&mut self, path: &BString) -> Result<(), FilesError> {
        let host = tree::on_disk(self.root(), path.as_bstr());
        let above = tree::parent(path.as_bstr()).unwrap_or(BStr::new(""));
        let node = match read_node(&host, path.clone()).map_err(FilesError::inside("read", path.as_bstr()))? {
            Some(OnDisk::Node(node)) if node.head.kind == EntryKind::File => node,
            // only the content of regular files can be written to
            _ => return Ok(()),
        };
        let content = node.open().map_err(FilesError::inside("open", path.as_bstr()))?;
        let place = Place::open(self.root(), above).map_err(FilesError::inside("open", above))?;
        let name = tree::file_name(path.as_bstr());
        let time = fs::symlink_metadata(host.parent().unwrap_or(self.root()));
        place.remove(name)?;
        place.entry(name, &node.head, Bytes::File(content))?;
        place.set_exact_time(name, node.stamp.mtime)?;
        match time {
            Ok(time) => place.set_exact_time(BStr::new(""), Stamp::of(&time).mtime),
            Err(_) => Ok(()),
        }
    }

    /// Notes how all files look, and waits until a change would look otherwise.
    fn learn(&mut self, events: &dyn Events) -> Result<(), FilesError> {
        self.known = stamps(self.root(), events)?;
        let newest = self.known.values().map(|stamp| stamp.ctime).max().unwrap_or_default();
        if !self.clock_passes(newest).map_err(|source| FilesError::io("write", &self.draft.dir, source))? {
            // times that no change will have: nothing is taken for unchanged without a look at its content
            for stamp in self.known.values_mut() {
                stamp.ctime = (0, 0);
            }
        }
        Ok(())
    }

    /// Waits until files that are changed get a later time than this one; says whether they do.
    fn clock_passes(&self, time: (i64, u32)) -> io::Result<bool> {
        let began = Instant::now();
        let probe = self.draft.dir.join("clock");
        loop {
            fs::write(&probe, b"")?;
            let metadata = fs::symlink_metadata(&probe)?;
            fs::remove_file(&probe)?;
            if (metadata.ctime(), metadata.ctime_nsec() as u32) > time {
                return Ok(true);
            }
            if began.elapsed() > SLOWEST_CLOCK {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn inode_of(dir: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(dir)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// A diff directory being laid over a copy.
struct Laying<'a> {
    root: &'a Path,
    /// Where files with several names were put, by device and inode.
    shared: HashMap<(u64, u64), BString>,
    refused: &'a mut HashSet<BString>,
    events: &'a dyn Events,
}

impl Laying<'_> {
    fn dir(&mut self, host: &Path, path: &BStr) -> Result<(), FilesError> {
        if self.events.cancelled() {
            return Err(FilesError::Cancelled);
        }
        if tree::components(path).count() > DEPTH {
            return Err(FilesError::Subject(format!("/{path} has more than {DEPTH} directories above it")));
        }
        let failed = FilesError::inside("read", path);
        let place = Place::open(self.root, path).map_err(FilesError::inside("open", path))?;
        for entry in fs::read_dir(host).map_err(&failed)? {
            let entry = entry.map_err(&failed)?;
            let name = BString::from(entry.file_name().into_vec());
            let name = name.as_bstr();
            let child = tree::join(path, name);
            match read_node(&entry.path(), child.clone()).map_err(FilesError::inside("read", child.as_bstr()))? {
                None => {}
                Some(OnDisk::Whiteout) => {
                    place.remove(name)?;
                }
                Some(OnDisk::Socket(node)) => {
                    place.remove(name)?;
                    place.socket(name, &node.head)?;
                    place.set_exact_time(name, node.stamp.mtime)?;
                }
                Some(OnDisk::Node(node)) if node.is_dir() => {
                    if place.kind(name)?.is_some_and(|kind| kind != FileType::Directory || node.opaque) {
                        place.remove(name)?;
                    }
                    place.dir(name, &node.head)?;
                    self.dir(&entry.path(), child.as_bstr())?;
                    place.set_exact_time(name, node.stamp.mtime)?;
                }
                Some(OnDisk::Node(node)) => self.file(&place, name, &node)?,
            }
        }
        Ok(())
    }

    fn file(&mut self, place: &Place, name: &BStr, node: &Node) -> Result<(), FilesError> {
        place.remove(name)?;
        self.refused.remove(&node.head.path);
        if node.stamp.links > 1 {
            let inode = (node.stamp.device, node.stamp.inode);
            if let Some(first) = self.shared.get(&inode) {
                let above = tree::parent(first.as_bstr()).unwrap_or(BStr::new(""));
                let other = Place::open(self.root, above).map_err(FilesError::inside("open", above))?;
                return place.link(name, &other, tree::file_name(first.as_bstr()));
            }
            self.shared.insert(inode, node.head.path.clone());
        }
        match replicate(place, name, node)? {
            Made::Yes => Ok(()),
            Made::Refused => {
                self.refused.insert(node.head.path.clone());
                Ok(())
            }
        }
    }
}

/// Makes a file like another one, with the very same time.
pub(super) fn replicate(place: &Place, name: &BStr, node: &Node) -> Result<Made, FilesError> {
    let bytes = match node.head.kind {
        EntryKind::File => Bytes::File(node.open().map_err(FilesError::inside("open", node.head.path.as_bstr()))?),
        _ => Bytes::Reader(&mut io::empty()),
    };
    let made = place.entry(name, &node.head, bytes)?;
    if made == Made::Yes {
        place.set_exact_time(name, node.stamp.mtime)?;
    }
    Ok(made)
}
