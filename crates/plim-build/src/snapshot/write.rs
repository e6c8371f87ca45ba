//! Making files in a diff directory, without ever following a symbolic link that lies in it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use bstr::{BStr, ByteSlice};
use plim_oci::{EntryHead, EntryKind};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, chmodat, chownat, linkat, mkdirat, mknodat,
    openat, readlinkat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::{marks, tree, xattrs};
use crate::files::FilesError;

const OPEN_DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Up to this size a file is copied through memory.
const SMALL: usize = 16 * 1024;

/// A directory of a diff directory, held open, in which entries are made.
#[derive(Debug)]
pub(crate) struct Place {
    dir: OwnedFd,
    /// The path of the directory inside the tree, for messages.
    path: bstr::BString,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    Yes,
    /// A device that this process may not make.
    Refused,
}

/// Where the bytes of a new file come from.
pub(crate) enum Bytes<'a> {
    /// A file, copied in the kernel, from its start to its end.
    File(File),
    /// Anything else.
    Reader(&'a mut dyn Read),
}

impl Place {
    /// Opens a directory of a diff directory. No component may be a symbolic link.
    pub(crate) fn open(root: &Path, path: &BStr) -> io::Result<Self> {
        let mut dir = openat(CWD, root, OPEN_DIR, Mode::empty())?;
        for name in tree::components(path) {
            dir = openat(&dir, name.as_bytes(), OPEN_DIR, Mode::empty())?;
        }
        Ok(Self { dir, path: path.to_owned() })
    }

    /// Makes a directory with its metadata; one that is there already is given the metadata. The time is
    /// better set again, by [`Self::set_time`], once all that it holds is made.
    pub(crate) fn dir(&self, name: &BStr, head: &EntryHead) -> Result<(), FilesError> {
        match mkdirat(&self.dir, name.as_bytes(), Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(self.failed("create", name, error.into())),
        }
        self.dress(name, head)
    }

    /// Makes anything but a directory and a hard link. Nothing may be at the name.
    pub(crate) fn entry(&self, name: &BStr, head: &EntryHead, bytes: Bytes<'_>) -> Result<Made, FilesError> {
        let made = match head.kind {
            EntryKind::File => self.write(name, head.mode, bytes).map(|()| Made::Yes),
            EntryKind::Symlink => {
                symlinkat(head.link.as_slice(), &self.dir, name.as_bytes()).map(|()| Made::Yes).map_err(io::Error::from)
            }
            EntryKind::Fifo => self.node(name, FileType::Fifo, (0, 0)),
            EntryKind::Char => self.node(name, FileType::CharacterDevice, head.device),
            EntryKind::Block => self.node(name, FileType::BlockDevice, head.device),
            EntryKind::Dir | EntryKind::Hardlink => Err(io::Error::from(io::ErrorKind::InvalidInput)),
        };
        match made.map_err(|error| self.failed("create", name, error))? {
            Made::Refused => Ok(Made::Refused),
            Made::Yes => self.dress(name, head).map(|()| Made::Yes),
        }
    }

    /// Makes a socket that nobody listens on.
    pub(crate) fn socket(&self, name: &BStr, head: &EntryHead) -> Result<(), FilesError> {
        self.node(name, FileType::Socket, (0, 0)).map_err(|error| self.failed("create", name, error))?;
        self.dress(name, head)
    }

    /// Gives a file of another place one more name here.
    pub(crate) fn link(&self, name: &BStr, target: &Self, target_name: &BStr) -> Result<(), FilesError> {
        linkat(&target.dir, target_name.as_bytes(), &self.dir, name.as_bytes(), AtFlags::empty())
            .map_err(|error| self.failed("link", name, error.into()))
    }

    /// Marks a name as deleted.
    pub(crate) fn whiteout(&self, name: &BStr) -> Result<(), FilesError> {
        marks::delete(&self.dir, name).map_err(|error| self.failed("mark as deleted", name, error))
    }

    /// Marks a directory as hiding all below it.
    pub(crate) fn opaque(&self, name: &BStr) -> Result<(), FilesError> {
        marks::hide_all(&self.outside(name)).map_err(|error| self.failed("mark as opaque", name, error))
    }

    /// Sets the time of an entry, in seconds since 1970.
    pub(crate) fn set_time(&self, name: &BStr, mtime: i64) -> Result<(), FilesError> {
        self.set_exact_time(name, (mtime, 0))
    }

    /// Sets the time of an entry, in seconds and nanoseconds since 1970.
    pub(crate) fn set_exact_time(&self, name: &BStr, (seconds, nanoseconds): (i64, u32)) -> Result<(), FilesError> {
        let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() };
        let times = Timestamps { last_access: time, last_modification: time };
        utimensat(&self.dir, name_or_self(name), &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| self.failed("set the time of", name, error.into()))
    }

    /// Removes what is at a name: a file, or a directory with all in it. Says what it was.
    pub(crate) fn remove(&self, name: &BStr) -> Result<Option<FileType>, FilesError> {
        let kind = self.kind(name)?;
        match kind {
            None => return Ok(None),
            Some(FileType::Directory) => super::store::remove_tree(&self.outside(name)),
            Some(_) => unlinkat(&self.dir, name.as_bytes(), AtFlags::empty()).map_err(io::Error::from),
        }
        .map_err(|error| self.failed("replace", name, error))?;
        Ok(kind)
    }

    /// Returns what is at a name.
    pub(crate) fn kind(&self, name: &BStr) -> Result<Option<FileType>, FilesError> {
        Ok(self.status(name)?.map(|stat| FileType::from_raw_mode(stat.st_mode)))
    }

    /// Says whether a name is marked as deleted.
    pub(crate) fn is_whiteout(&self, name: &BStr) -> Result<bool, FilesError> {
        let Some(stat) = self.status(name)? else { return Ok(false) };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::CharacterDevice => Ok(stat.st_rdev == 0),
            FileType::Symlink => {
                let target = readlinkat(&self.dir, name.as_bytes(), Vec::new());
                let target = target.map_err(|error| self.failed("examine", name, error.into()))?;
                Ok(marks::is_deleted(target.as_bytes()))
            }
            _ => Ok(false),
        }
    }

    fn status(&self, name: &BStr) -> Result<Option<rustix::fs::Stat>, FilesError> {
        match statat(&self.dir, name.as_bytes(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed("examine", name, error.into())),
        }
    }

    fn write(&self, name: &BStr, mode: u32, bytes: Bytes<'_>) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // never more than it will have, so that nobody reads it early; the owner must be able to write
        let mode = Mode::from_raw_mode(mode & 0o666 | 0o200);
        let mut file = File::from(openat(&self.dir, name.as_bytes(), flags, mode)?);
        match bytes {
            Bytes::File(mut source) => {
                // most files are small: one read and one write beat asking the kernel to copy
                let mut buffer = [0; SMALL];
                let count = super::node::fill(&mut source, &mut buffer)?;
                file.write_all(&buffer[..count])?;
                if count == SMALL {
                    io::copy(&mut source, &mut file)?;
                }
            }
            Bytes::Reader(source) => {
                io::copy(source, &mut file)?;
            }
        }
        Ok(())
    }

    fn node(&self, name: &BStr, kind: FileType, device: (u32, u32)) -> io::Result<Made> {
        let device = rustix::fs::makedev(device.0, device.1);
        match mknodat(&self.dir, name.as_bytes(), kind, Mode::RUSR | Mode::WUSR, device) {
            Ok(()) => Ok(Made::Yes),
            Err(Errno::PERM) if kind != FileType::Fifo && kind != FileType::Socket => Ok(Made::Refused),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives an entry its owner, mode, attributes and time, in the order in which none undoes another: a
    /// change of owner clears setuid bits and capabilities.
    fn dress(&self, name: &BStr, head: &EntryHead) -> Result<(), FilesError> {
        let stat = statat(&self.dir, name_or_self(name), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| self.failed("examine", name, error.into()))?;
        // what is right already is left alone: each change is one more write to the file system's journal
        let change_owner = (stat.st_uid, stat.st_gid) != (head.uid, head.gid);
        if change_owner {
            self.set_owner(name, head)?;
        }
        let change_mode = change_owner || stat.st_mode & 0o7777 != head.mode & 0o7777;
        if change_mode && head.kind != EntryKind::Symlink {
            let mode = Mode::from_raw_mode(head.mode & 0o7777);
            chmodat(&self.dir, name_or_self(name), mode, AtFlags::empty())
                .map_err(|error| self.failed("set the mode of", name, error.into()))?;
        }
        if !head.xattrs.is_empty() {
            xattrs::write(&self.outside(name), &head.xattrs)
                .map_err(|error| self.failed("set the attributes of", name, error))?;
        }
        self.set_time(name, head.mtime)
    }

    fn set_owner(&self, name: &BStr, head: &EntryHead) -> Result<(), FilesError> {
        let owner = (Some(Uid::from_raw(head.uid)), Some(Gid::from_raw(head.gid)));
        chownat(&self.dir, name_or_self(name), owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| match error
        {
            Errno::PERM | Errno::INVAL => {
                FilesError::Owner { path: self.inside(name), uid: head.uid, gid: head.gid, source: error.into() }
            }
            error => self.failed("set the owner of", name, error.into()),
        })
    }

    /// Gives the directory itself its metadata.
    pub(crate) fn dress_self(&self, head: &EntryHead) -> Result<(), FilesError> {
        self.dress(BStr::new(""), head)
    }

    /// A path to an entry for the calls that take no directory. It passes through the open directory, so that
    /// only the last component is looked up, and those calls do not follow it.
    fn outside(&self, name: &BStr) -> PathBuf {
        let dir = PathBuf::from(format!("/proc/self/fd/{}", self.dir.as_raw_fd()));
        if name.is_empty() { dir.join(".") } else { tree::on_disk(&dir, name) }
    }

    fn inside(&self, name: &BStr) -> String {
        format!("/{}", tree::join(self.path.as_bstr(), name))
    }

    fn failed(&self, action: &'static str, name: &BStr, source: io::Error) -> FilesError {
        FilesError::at(action, self.inside(name), source)
    }
}

impl AsFd for Place {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }
}

fn name_or_self(name: &BStr) -> &[u8] {
    if name.is_empty() { b"." } else { name.as_bytes() }
}
