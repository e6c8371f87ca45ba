//! One file of a directory tree on disk.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice};
use plim_oci::{EntryHead, EntryKind};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, openat2, statat};
use rustix::io::Errno;

use super::{marks, tree, xattrs};

/// A file of a tree: what it is and where its bytes lie.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its metadata; the path is the one inside the tree.
    pub head: EntryHead,
    /// The file itself, outside; empty for what has no bytes of its own there.
    pub host: PathBuf,
    pub(crate) stamp: Stamp,
    pub(crate) opaque: bool,
    /// What it holds, if that is known without reading it.
    pub(crate) known: Option<KnownContent>,
}

/// What a file held when it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownContent {
    pub(crate) sha256: [u8; 32],
    /// As long as the times of the file are the same its content is: the last change was long enough before the look
    /// for another one to have another time.
    pub(crate) settled: bool,
}

/// What tells one version of a file on disk from another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) links: u64,
    pub(crate) size: u64,
    /// Seconds and nanoseconds.
    pub(crate) mtime: (i64, u32),
    /// Seconds and nanoseconds.
    pub(crate) ctime: (i64, u32),
}

/// What lies at a path of a diff directory.
#[derive(Debug)]
pub(crate) enum OnDisk {
    /// The path is deleted.
    Whiteout,
    /// A file of a kind that layers know.
    Node(Box<Node>),
    /// A socket, as the empty file that stands in for it where it is copied.
    Socket(Box<Node>),
}

impl Stamp {
    /// Reads it off what the system says of a file.
    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            links: metadata.nlink(),
            size: metadata.len(),
            mtime: (metadata.mtime(), metadata.mtime_nsec() as u32),
            ctime: (metadata.ctime(), metadata.ctime_nsec() as u32),
        }
    }
}

impl Node {
    pub(crate) fn is_dir(&self) -> bool {
        self.head.kind == EntryKind::Dir
    }

    /// Returns a node that exists in memory only.
    pub(crate) fn made(head: EntryHead) -> Self {
        Self { head, host: PathBuf::new(), stamp: Stamp::default(), opaque: false, known: None }
    }

    /// Opens the content of a regular file.
    pub(crate) fn open(&self) -> io::Result<File> {
        open(&self.host)
    }
}

/// Opens a regular file for reading; refuses a symbolic link and does not wait for the writer of a pipe.
pub(crate) fn open(host: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(host)
}

/// Opens a regular file as [`open`] does, and refuses symbolic links in place of its directories, too: somebody may put them
/// there while a directory is read that is not plim's own. The path has none where its root has none.
pub(crate) fn open_without_links(host: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    without_links(host, flags).map(File::from).map_err(io::Error::from)
}

fn without_links(host: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC;
    match openat2(CWD, host, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        // kernels before 5.6, and filters of containers that do not know the call
        Err(Errno::NOSYS | Errno::PERM) => rustix::fs::open(host, flags, Mode::empty()),
        other => other,
    }
}

/// Reads the metadata of a file, not following a symbolic link; `None` if nothing is there.
pub(crate) fn read_node(host: &Path, path: BString) -> io::Result<Option<OnDisk>> {
    match fs::symlink_metadata(host) {
        Ok(metadata) => of_metadata(&metadata, host, path),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the metadata of the files of one directory. It is looked up once for all of them, and files that are known to have
/// no attributes are not asked for any: both count where nothing has changed in a context of ten thousand files.
#[derive(Debug)]
pub(crate) struct Siblings<'a> {
    dir: OwnedFd,
    host: &'a Path,
}

impl<'a> Siblings<'a> {
    /// Opens a directory and returns the names in it; `None` if there is none. The path must have no symbolic links.
    pub(crate) fn open(host: &'a Path) -> io::Result<Option<(Self, Vec<BString>)>> {
        let dir = match without_links(host, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(dir) => dir,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (mut names, mut buffer) = (Vec::new(), Vec::with_capacity(32 * 1024));
        let mut entries = RawDir::new(&dir, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let name = entry?.file_name().to_bytes().to_owned();
            if name != b"." && name != b".." {
                names.push(BString::from(name));
            }
        }
        Ok(Some((Self { dir, host }, names)))
    }

    /// Reads one of the files; `known` tells what a version of a file holds, and whether it has no attributes.
    pub(crate) fn read(
        &self,
        name: &BStr,
        path: BString,
        known: &dyn Fn(&Stamp) -> Option<(KnownContent, bool)>,
    ) -> io::Result<Option<OnDisk>> {
        let stat = match statat(&self.dir, name.as_bytes(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let host = tree::on_disk(self.host, name);
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return read_node(&host, path);
        }
        let stamp = Stamp {
            device: stat.st_dev,
            inode: stat.st_ino,
            links: stat.st_nlink as u64,
            size: stat.st_size.cast_unsigned(),
            mtime: (stat.st_mtime, stat.st_mtime_nsec as u32),
            ctime: (stat.st_ctime, stat.st_ctime_nsec as u32),
        };
        let Some((known, true)) = known(&stamp) else { return read_node(&host, path) };
        let mut head = EntryHead::new(path, EntryKind::File, stat.st_mode & 0o7777);
        (head.uid, head.gid, head.mtime, head.size) = (stat.st_uid, stat.st_gid, stat.st_mtime, stamp.size);
        Ok(Some(OnDisk::Node(Box::new(Node { head, host, stamp, opaque: false, known: Some(known) }))))
    }
}

fn of_metadata(metadata: &fs::Metadata, host: &Path, path: BString) -> io::Result<Option<OnDisk>> {
    let kind = metadata.file_type();
    let socket = kind.is_socket();
    let device = metadata.rdev();
    if kind.is_char_device() && device == 0 {
        return Ok(Some(OnDisk::Whiteout));
    }
    let entry_kind = match kind {
        kind if kind.is_dir() => EntryKind::Dir,
        kind if kind.is_symlink() => EntryKind::Symlink,
        kind if kind.is_fifo() => EntryKind::Fifo,
        kind if kind.is_char_device() => EntryKind::Char,
        kind if kind.is_block_device() => EntryKind::Block,
        _ => EntryKind::File,
    };
    let mut head = EntryHead::new(path, entry_kind, metadata.mode() & 0o7777);
    (head.uid, head.gid, head.mtime) = (metadata.uid(), metadata.gid(), metadata.mtime());
    match entry_kind {
        EntryKind::File if !socket => head.size = metadata.len(),
        EntryKind::Symlink => {
            head.link = fs::read_link(host)?.as_os_str().as_bytes().into();
            if marks::is_deleted(&head.link) {
                return Ok(Some(OnDisk::Whiteout));
            }
        }
        EntryKind::Char | EntryKind::Block => {
            head.device = (rustix::fs::major(device), rustix::fs::minor(device));
        }
        _ => {}
    }
    let attributes = if socket { xattrs::Xattrs::default() } else { xattrs::read(host)? };
    if attributes.foreign {
        return Err(io::Error::other("the directory was made by an overlay mount with redirect_dir or metacopy"));
    }
    head.xattrs = attributes.carried;
    let stamp = Stamp { size: head.size, ..Stamp::of(metadata) };
    // a socket cannot be opened: as a file it is empty
    let host = if socket { PathBuf::new() } else { host.to_owned() };
    let opaque = attributes.opaque || kind.is_dir() && marks::hides_all(&host);
    let node = Box::new(Node { head, host, stamp, opaque, known: None });
    Ok(Some(if socket { OnDisk::Socket(node) } else { OnDisk::Node(node) }))
}

/// Says whether a diff directory hides all below it.
pub(crate) fn hides_all(directory: &Path) -> io::Result<bool> {
    Ok(xattrs::read(directory)?.opaque || marks::hides_all(directory))
}

/// Says whether an error means that there is no such path, be it that a parent is no directory.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Reads until the buffer is full or the content ends; returns how much was read.
pub(crate) fn fill(reader: &mut impl io::Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Says whether two readers give the same bytes.
pub(crate) fn same_content(mut one: impl io::Read, mut other: impl io::Read) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let count = fill(&mut one, &mut left)?;
        if count != fill(&mut other, &mut right)? || left[..count] != right[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
    }
}
