//! The entries of one layer, in the order in which they come, as files of a diff directory.
//!
//! A layer may be hostile. Its symbolic links are known from its own entries and resolved in memory, inside
//! the root; every operation on disk goes through directories opened one component at a time and refuses
//! links, so that no entry can be placed outside, whatever the layer says.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice};
use plim_oci::compress::estargz;
use plim_oci::tar::TarError;
use plim_oci::{EntryHead, EntryKind, Events};
use rustix::fs::FileType;

use crate::files::FilesError;
use crate::snapshot::layer::WHITEOUT;
use crate::snapshot::tree::{self, Last, Tree, TreePath};
use crate::snapshot::write::{Bytes, Made, Place};
use crate::snapshot::{Node, View, xattrs};

const OPAQUE: &[u8] = b".wh..wh..opq";
/// Names with this prefix are aufs' own records and mean nothing in a layer.
const AUFS: &[u8] = b".wh..wh.";

/// Bytes of the paths of directories that a layer may need without naming them. A hundred thousand real ones need half of
/// it; one entry of a few bytes, compressed, can need a megabyte and five hundred directories.
const MAX_IMPLIED: usize = 16 << 20;

/// Writes one layer. Drop it unfinished and directories have wrong times.
pub(super) struct Extractor<'a> {
    root: PathBuf,
    below: &'a View,
    events: &'a dyn Events,
    links: Links,
    /// The directory of the last entry: the next is most often in the same.
    place: Option<(BString, Place)>,
    /// Times of directories, set when nothing is made in them any more.
    times: BTreeMap<BString, i64>,
    /// Directories that hide all below them, and paths marked as deleted.
    opaque: HashSet<BString>,
    deleted: Vec<BString>,
    refused_devices: u64,
    /// What directories that it does not name may still take, in bytes of their paths.
    implied_left: usize,
    /// Landmarks of an eStargz layer, if it is one.
    landmarks: HashSet<BString>,
    /// The last entry looks like the table of one.
    ends_with_table: bool,
}

/// The symbolic links of the layer so far.
#[derive(Default)]
struct Links(BTreeMap<TreePath, BString>);

impl Tree for Links {
    fn node(&self, path: &BStr) -> io::Result<Option<Node>> {
        Ok(self.0.get(&TreePath(path.to_owned())).map(|target| {
            let mut head = EntryHead::new(path, EntryKind::Symlink, 0o777);
            head.link.clone_from(target);
            Node::made(head)
        }))
    }

    fn names(&self, _path: &BStr) -> io::Result<Vec<BString>> {
        Ok(Vec::new())
    }
}

impl Links {
    /// Forgets a path and all below it.
    fn forget(&mut self, path: &BStr) {
        let first = TreePath(path.to_owned());
        let below = |other: &BString| {
            other == path || other.strip_prefix(path.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'/'))
        };
        let gone: Vec<_> = self.0.range(first..).map(|(path, _)| path).take_while(|p| below(&p.0)).cloned().collect();
        for path in gone {
            self.0.remove(&path);
        }
    }
}

impl<'a> Extractor<'a> {
    pub(super) fn new(root: &Path, below: &'a View, events: &'a dyn Events) -> Result<Self, FilesError> {
        let mut extractor = Self {
            root: root.to_owned(),
            below,
            events,
            links: Links::default(),
            place: None,
            times: BTreeMap::new(),
            opaque: HashSet::new(),
            deleted: Vec::new(),
            refused_devices: 0,
            implied_left: MAX_IMPLIED,
            landmarks: HashSet::new(),
            ends_with_table: false,
        };
        // a layer that does not name the root leaves it as it was
        let above = below.lookup("".into()).map_err(FilesError::inside("read", BStr::new("")))?;
        if let Some(above) = above {
            extractor.at(BStr::new(""))?.dress_self(&above.head)?;
            extractor.times.insert(BString::default(), above.head.mtime);
        }
        Ok(extractor)
    }

    pub(super) fn entry(&mut self, head: EntryHead, content: &mut dyn Read) -> Result<(), FilesError> {
        self.ends_with_table = estargz::is_table(&head);
        if estargz::is_landmark(&head) {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes).map_err(FilesError::inside("read", head.path.as_bstr()))?;
            if estargz::is_landmark_content(&bytes) {
                self.landmarks.insert(head.path.clone());
            }
            return self.place_entry(head, &mut Cursor::new(bytes));
        }
        self.place_entry(head, content)
    }

    fn place_entry(&mut self, mut head: EntryHead, content: &mut dyn Read) -> Result<(), FilesError> {
        head.xattrs.retain(|name, _| xattrs::carried(name));
        if head.path.is_empty() {
            if head.kind == EntryKind::Dir {
                self.at(BStr::new(""))?.dress_self(&head)?;
                self.times.insert(BString::default(), head.mtime);
            }
            return Ok(());
        }
        let above = self.resolve(tree::parent(head.path.as_bstr()).unwrap_or(BStr::new("")))?;
        let name = tree::file_name(head.path.as_bstr()).to_owned();
        if name.starts_with(WHITEOUT) {
            return self.whiteout(&head, above.as_bstr(), name.as_bstr());
        }
        let path = tree::join(above.as_bstr(), name.as_bstr());
        match head.kind {
            EntryKind::Dir => self.dir(&head, above.as_bstr(), name.as_bstr(), path),
            EntryKind::Hardlink => self.hardlink(&head, above.as_bstr(), name.as_bstr(), &path),
            // in a diff directory this would be a deletion; in a layer it means nothing
            EntryKind::Char if head.device == (0, 0) => Ok(()),
            _ => {
                self.free(above.as_bstr(), name.as_bstr())?;
                if head.kind == EntryKind::Symlink {
                    self.links.0.insert(TreePath(path), head.link.clone());
                }
                let made = self.at(above.as_bstr())?.entry(name.as_bstr(), &head, Bytes::Reader(content))?;
                self.refused_devices += u64::from(made == Made::Refused);
                Ok(())
            }
        }
    }

    /// Sets the times of directories and removes marks that mean nothing.
    pub(super) fn finish(mut self) -> Result<(), FilesError> {
        if self.ends_with_table && !self.landmarks.is_empty() {
            // they make the layer one of eStargz and are no files of the image
            let table = BString::from(estargz::TOC_NAME);
            for name in std::mem::take(&mut self.landmarks).into_iter().chain([table]) {
                self.free(BStr::new(""), name.as_bstr())?;
            }
        }
        // in a directory that hides all below, the kernel shows the name of a deletion as a broken file
        for path in &self.deleted {
            if tree::ancestors(path.as_bstr()).any(|above| self.opaque.contains(above)) {
                let above = tree::parent(path.as_bstr()).unwrap_or(BStr::new(""));
                let name = tree::file_name(path.as_bstr());
                if let Ok(place) = Place::open(&self.root, above)
                    && place.is_whiteout(name)?
                {
                    place.remove(name)?;
                }
            }
        }
        for (path, mtime) in &self.times {
            match Place::open(&self.root, path.as_bstr()) {
                Ok(place) => place.set_time(BStr::new(""), *mtime)?,
                // replaced by something else later in the layer
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(error) => return Err(FilesError::inside("open", path.as_bstr())(error)),
            }
        }
        if self.refused_devices > 0 {
            self.events.warn(&format!(
                "{} device files of the image are left out: only root may create devices",
                self.refused_devices
            ));
        }
        Ok(())
    }

    fn dir(&mut self, head: &EntryHead, above: &BStr, name: &BStr, path: BString) -> Result<(), FilesError> {
        let place = self.at(above)?;
        let there = place.kind(name)?;
        let deleted = place.is_whiteout(name)?;
        if there.is_some_and(|kind| kind != FileType::Directory) {
            self.free(above, name)?;
        }
        let place = self.at(above)?;
        place.dir(name, head)?;
        if deleted {
            // deleted and made anew by the same layer: nothing of the old one shows through
            place.opaque(name)?;
            self.opaque.insert(path.clone());
        }
        self.times.insert(path, head.mtime);
        Ok(())
    }

    fn hardlink(&mut self, head: &EntryHead, above: &BStr, name: &BStr, path: &BString) -> Result<(), FilesError> {
        let target = tree::clean(head.link.as_bstr());
        let target_above = self.resolve(tree::parent(target.as_bstr()).unwrap_or(BStr::new("")))?;
        let target_name = tree::file_name(target.as_bstr()).to_owned();
        if tree::join(target_above.as_bstr(), target_name.as_bstr()) == *path {
            return Ok(());
        }
        let other = match Place::open(&self.root, target_above.as_bstr()) {
            Ok(place) => match place.kind(target_name.as_bstr())? {
                Some(FileType::Directory) => {
                    let reason = format!("hard link to the directory {target}");
                    return Err(TarError::Entry { path: head.path.clone(), reason }.into());
                }
                Some(_) if !place.is_whiteout(target_name.as_bstr())? => Some(place),
                _ => None,
            },
            Err(_) => None,
        };
        self.free(above, name)?;
        match other {
            Some(other) => self.at(above)?.link(name, &other, target_name.as_bstr()),
            None => self.copy_from_below(head, above, name, target.as_bstr()),
        }
    }

    /// A hard link into a lower layer becomes a copy: diff directories share no files.
    fn copy_from_below(
        &mut self,
        head: &EntryHead,
        above: &BStr,
        name: &BStr,
        target: &BStr,
    ) -> Result<(), FilesError> {
        let found = self.below.lookup(target).map_err(FilesError::inside("read", target))?;
        let Some(found) = found.filter(|node| !node.is_dir()) else {
            let reason = format!("hard link to {target}, which is not there");
            return Err(TarError::Entry { path: head.path.clone(), reason }.into());
        };
        let bytes = match found.head.kind {
            EntryKind::File => Bytes::File(found.open().map_err(FilesError::inside("read", target))?),
            _ => Bytes::Reader(&mut io::empty()),
        };
        let made = self.at(above)?.entry(name, &found.head, bytes)?;
        self.refused_devices += u64::from(made == Made::Refused);
        Ok(())
    }

    fn whiteout(&mut self, head: &EntryHead, above: &BStr, name: &BStr) -> Result<(), FilesError> {
        if name == OPAQUE {
            self.opaque.insert(above.to_owned());
            return self.at(above)?.opaque(BStr::new(""));
        }
        if name.starts_with(AUFS) {
            return Ok(());
        }
        let deleted = name[WHITEOUT.len()..].as_bstr();
        if deleted.is_empty() || deleted == "." || deleted == ".." {
            let reason = "deletes no name".to_owned();
            return Err(TarError::Entry { path: head.path.clone(), reason }.into());
        }
        let path = tree::join(above, deleted);
        let there = self.at(above)?.kind(deleted)?;
        match there {
            // a deletion is about lower layers; what this layer has there stays
            Some(FileType::Directory) => {
                self.at(above)?.opaque(deleted)?;
                self.opaque.insert(path);
            }
            None if self.is_below(path.as_bstr())? => {
                self.at(above)?.whiteout(deleted)?;
                self.deleted.push(path);
            }
            _ => {}
        }
        Ok(())
    }

    fn is_below(&self, path: &BStr) -> Result<bool, FilesError> {
        Ok(self.below.node(path).map_err(FilesError::inside("read", path))?.is_some())
    }

    /// Removes what this layer has at a name so far.
    fn free(&mut self, above: &BStr, name: &BStr) -> Result<(), FilesError> {
        match self.at(above)?.remove(name)? {
            Some(FileType::Directory) => {
                // the kept directory may lie in what is gone
                self.place = None;
                self.links.forget(tree::join(above, name).as_bstr());
            }
            Some(_) => self.links.forget(tree::join(above, name).as_bstr()),
            None => {}
        }
        Ok(())
    }

    fn resolve(&self, path: &BStr) -> Result<BString, FilesError> {
        tree::resolve(&self.links, BStr::new(""), path, Last::Follow)
            .map_err(|error| TarError::Entry { path: path.to_owned(), reason: error.to_string() }.into())
    }

    /// Opens a directory of this layer, making what is missing of its path.
    fn at(&mut self, path: &BStr) -> Result<&Place, FilesError> {
        if self.place.as_ref().is_none_or(|(open, _)| open != path) {
            let place = self.open_or_make(path)?;
            self.place = Some((path.to_owned(), place));
        }
        Ok(&self.place.as_ref().expect("it was set a line ago").1)
    }

    fn open_or_make(&mut self, path: &BStr) -> Result<Place, FilesError> {
        match Place::open(&self.root, path) {
            Ok(place) => return Ok(place),
            Err(error) if error.kind() == io::ErrorKind::NotFound || error.kind() == io::ErrorKind::NotADirectory => {}
            Err(error) => return Err(FilesError::inside("open", path)(error)),
        }
        let mut above = BString::default();
        for name in tree::components(path) {
            let here = tree::join(above.as_bstr(), name);
            let place =
                Place::open(&self.root, above.as_bstr()).map_err(FilesError::inside("open", above.as_bstr()))?;
            match place.kind(name)? {
                Some(FileType::Directory) => {}
                None => self.imply(&place, name, &here)?,
                Some(_) if place.is_whiteout(name)? => {
                    place.remove(name)?;
                    self.imply(&place, name, &here)?;
                    place.opaque(name)?;
                    self.opaque.insert(here.clone());
                }
                Some(_) => {
                    let reason = format!("{here} is a file of the same layer");
                    return Err(TarError::Entry { path: path.to_owned(), reason }.into());
                }
            }
            above = here;
        }
        Place::open(&self.root, path).map_err(FilesError::inside("open", path))
    }

    /// Makes a directory that the layer does not name, like the one below if there is one.
    fn imply(&mut self, place: &Place, name: &BStr, path: &BString) -> Result<(), FilesError> {
        self.implied_left = self.implied_left.checked_sub(path.len()).ok_or(TarError::TooMany {
            what: "bytes of paths of directories that it does not name",
            limit: MAX_IMPLIED as u64,
        })?;
        let below = self.below.node(path.as_bstr()).map_err(FilesError::inside("read", path.as_bstr()))?;
        let head = match below.filter(Node::is_dir) {
            Some(node) => node.head,
            None => EntryHead::new(path.clone(), EntryKind::Dir, 0o755),
        };
        place.dir(name, &head)?;
        self.times.insert(path.clone(), head.mtime);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use plim_oci::Silent;

    use super::*;
    use crate::snapshot::Chain;

    #[test]
    fn the_directories_that_a_layer_needs_without_naming_them_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let below = View::new(&Chain::scratch());
        let mut extractor = Extractor::new(dir.path(), &below, &Silent).unwrap();
        extractor.implied_left = 20;
        let mut put = |path: &str| {
            let head = EntryHead {
                uid: rustix::process::getuid().as_raw(),
                gid: rustix::process::getgid().as_raw(),
                ..EntryHead::new(path, EntryKind::File, 0o644)
            };
            extractor.entry(head, &mut io::empty())
        };
        // `some`, `some/thing`: 14 bytes; then `other`: 19
        put("some/thing/a").unwrap();
        put("some/thing/b").unwrap();
        put("other/a").unwrap();
        let error = put("third/a").unwrap_err();
        let text = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert!(text.ends_with("bytes of paths of directories that it does not name"), "{text}");
        assert!(!dir.path().join("third").exists());
    }
}
