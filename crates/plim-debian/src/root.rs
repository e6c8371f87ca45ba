//! Writing into a root directory that untrusted names and links cannot lead out of.
//!
//! Every directory is reached from the root's descriptor name by name without following links; where a link stands in
//! the way, its target is resolved inside the root. Several packages may be written at once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bstr::{BStr, BString, ByteSlice};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Timestamps, Uid};
use rustix::io::Errno;

/// Links that one path may lead over.
const MAX_LINKS: usize = 40;

/// A directory that becomes the root of an image, above the directories of lower levels.
#[derive(Debug)]
pub(crate) struct Root {
    fd: OwnedFd,
    path: PathBuf,
    /// Roots of the levels below, topmost first; none as long as they are not known.
    lowers: Vec<PathBuf>,
    /// What directories are to be in the end, by path; of several wishes that of the lowest rank holds.
    directories: Mutex<BTreeMap<BString, Directory>>,
    /// Which package a file came from, by path.
    owners: Mutex<HashMap<BString, usize>>,
}

#[derive(Debug, Clone, Copy)]
struct Directory {
    rank: usize,
    mode: u32,
    uid: u32,
    gid: u32,
}

/// The metadata of something to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: i64,
}

/// What lies at a path of the levels below.
enum Lower {
    Nothing,
    Directory { mode: u32, uid: u32, gid: u32 },
    Link(BString),
}

/// An opened directory, kept from one file to the next: packages list the files of a directory one after another.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    parent: BString,
    fd: Option<OwnedFd>,
    buffer: Vec<u8>,
}

/// Bytes that are copied at once.
const BUFFER: usize = 1 << 17;

impl Root {
    pub(crate) fn open(path: &Path, lowers: &[PathBuf]) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            fd: rustix::fs::open(path, flags, Mode::empty())?,
            path: path.to_owned(),
            lowers: lowers.to_vec(),
            directories: Mutex::new(BTreeMap::new()),
            owners: Mutex::new(HashMap::new()),
        })
    }

    /// Puts a root that was begun without the levels below above them. False, and it must be begun anew, if one of them has
    /// a link where a directory was made: what lies in the directory would have been written to where the link leads.
    pub(crate) fn stand_on(&mut self, lowers: &[PathBuf]) -> bool {
        lowers.clone_into(&mut self.lowers);
        let mut directories =
            std::mem::take(&mut self.directories).into_inner().unwrap_or_else(PoisonError::into_inner);
        // those above come first, so that no path leads over a link
        for (path, wish) in directories.iter_mut().filter(|(path, _)| !path.is_empty()) {
            match self.lower(path.as_bstr()) {
                Lower::Link(_) => return false,
                Lower::Directory { mode, uid, gid } => *wish = Directory { rank: 0, mode, uid, gid },
                Lower::Nothing => {}
            }
        }
        self.directories = Mutex::new(directories);
        true
    }

    /// Claims a path for a package, numbered from 1. Returns the package that has it already.
    pub(crate) fn claim(&self, path: &BStr, package: usize) -> Option<usize> {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        match owners.get(path) {
            Some(&owner) if owner != package => Some(owner),
            Some(_) => None,
            None => {
                owners.insert(path.to_owned(), package);
                None
            }
        }
    }

    /// Moves a path to another package.
    pub(crate) fn reclaim(&self, path: &BStr, package: usize) {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), package);
    }

    fn owns(&self, path: &BStr, package: usize) -> bool {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).get(path) == Some(&package)
    }

    /// Makes a directory. Of several packages that hold it, the one with the lowest rank says what it is like; one that
    /// a lower level holds stays as it is there, and a link to a directory stays a link, as with dpkg.
    pub(crate) fn directory(&self, path: &BStr, attributes: Attributes, rank: usize) -> io::Result<()> {
        let (_, resolved) = self.walk(path)?;
        self.note_directory(
            resolved,
            Directory { rank, mode: attributes.mode, uid: attributes.uid, gid: attributes.gid },
        );
        Ok(())
    }

    /// Makes a directory that is to be like this whatever packages say.
    pub(crate) fn own_directory(&self, path: &BStr, attributes: Attributes) -> io::Result<()> {
        let (_, resolved) = self.walk(path)?;
        let wish = Directory { rank: 0, mode: attributes.mode, uid: attributes.uid, gid: attributes.gid };
        self.directories.lock().unwrap_or_else(PoisonError::into_inner).insert(resolved, wish);
        Ok(())
    }

    /// Makes a directory unless it is there.
    pub(crate) fn ensure_directory(&self, path: &BStr) -> io::Result<()> {
        self.walk(path).map(drop)
    }

    /// Writes a file for a package; does nothing if the path meanwhile belongs to another one.
    pub(crate) fn file(
        &self,
        cursor: &mut Cursor,
        path: &BStr,
        package: usize,
        attributes: Attributes,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut cursor.buffer);
        buffer.resize(BUFFER, 0);
        let (parent, name) = self.parent(cursor, path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(attributes.mode & 0o777);
        let created =
            self.replacing(path, package, parent, name, || rustix::fs::openat(parent, name.as_bytes(), flags, mode))?;
        let Some(fd) = created else { return Ok(()) };
        let mut file = File::from(fd);
        copy(content, &mut file, &mut buffer)?;
        // what is right already is left alone: each change is one more write to the file system's journal
        let stat = rustix::fs::fstat(&file)?;
        let other_owner = (stat.st_uid, stat.st_gid) != (attributes.uid, attributes.gid);
        if other_owner {
            rustix::fs::fchown(&file, Some(Uid::from_raw(attributes.uid)), Some(Gid::from_raw(attributes.gid)))?;
        }
        // after the owner: a change of owner takes set-user-ID away
        if other_owner || stat.st_mode & 0o7777 != attributes.mode {
            rustix::fs::fchmod(&file, Mode::from_raw_mode(attributes.mode))?;
        }
        rustix::fs::futimens(&file, &times(attributes.mtime))?;
        cursor.buffer = buffer;
        Ok(())
    }

    /// Makes a symbolic link. Where a directory is, the directory stays, as with dpkg.
    pub(crate) fn symlink(
        &self,
        cursor: &mut Cursor,
        path: &BStr,
        package: usize,
        attributes: Attributes,
        target: &BStr,
    ) -> io::Result<()> {
        let (parent, name) = self.parent(cursor, path)?;
        let made = self.replacing(path, package, parent, name, || {
            rustix::fs::symlinkat(target.as_bytes(), parent, name.as_bytes())
        });
        match made {
            Ok(Some(())) => {}
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => return Ok(()),
            Err(error) => return Err(error),
        }
        let (uid, gid) = (Some(Uid::from_raw(attributes.uid)), Some(Gid::from_raw(attributes.gid)));
        rustix::fs::chownat(parent, name.as_bytes(), uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
        rustix::fs::utimensat(parent, name.as_bytes(), &times(attributes.mtime), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(())
    }

    /// Makes a hard link to a file of the same root.
    pub(crate) fn hardlink(&self, cursor: &mut Cursor, path: &BStr, package: usize, target: &BStr) -> io::Result<()> {
        let mut other = Cursor::default();
        let (from, from_name) = self.parent(&mut other, target)?;
        let (parent, name) = self.parent(cursor, path)?;
        self.replacing(path, package, parent, name, || {
            rustix::fs::linkat(from, from_name.as_bytes(), parent, name.as_bytes(), AtFlags::empty())
        })?;
        Ok(())
    }

    /// Runs `make`; where something is in its place, takes that away first if the path is the package's own.
    fn replacing<T>(
        &self,
        path: &BStr,
        package: usize,
        parent: &OwnedFd,
        name: &BStr,
        make: impl Fn() -> rustix::io::Result<T>,
    ) -> io::Result<Option<T>> {
        for _ in 0..8 {
            match make() {
                Ok(made) => return Ok(Some(made)),
                Err(Errno::EXIST) if !self.owns(path, package) => return Ok(None),
                Err(Errno::EXIST) => match rustix::fs::unlinkat(parent, name.as_bytes(), AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(Errno::ISDIR | Errno::PERM) => return Err(io::ErrorKind::IsADirectory.into()),
                    Err(error) => return Err(error.into()),
                },
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Opens the directory of a path, making what is missing.
    fn parent<'c, 'p>(&self, cursor: &'c mut Cursor, path: &'p BStr) -> io::Result<(&'c OwnedFd, &'p BStr)> {
        let (parent, name) = match path.rfind_byte(b'/') {
            Some(at) => (path[..at].as_bstr(), path[at + 1..].as_bstr()),
            None => (b"".as_bstr(), path),
        };
        if cursor.fd.is_none() || cursor.parent != parent {
            let (fd, _) = self.walk(parent)?;
            cursor.fd = Some(fd);
            cursor.parent = parent.to_owned();
        }
        cursor.fd.as_ref().map(|fd| (fd, name)).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Opens a directory and returns it with its path after all links, making what is missing.
    fn walk(&self, path: &BStr) -> io::Result<(OwnedFd, BString)> {
        let mut todo: VecDeque<BString> = parts(path);
        let mut done: Vec<(BString, OwnedFd)> = Vec::new();
        let mut links = 0;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        while let Some(part) = todo.pop_front() {
            if part == ".." {
                done.pop();
                continue;
            }
            let here = done.last().map_or(&self.fd, |(_, fd)| fd);
            let link = match rustix::fs::openat(here, part.as_slice(), flags, Mode::empty()) {
                Ok(fd) => {
                    done.push((part, fd));
                    continue;
                }
                Err(Errno::NOENT) => {
                    let full = join(&done, part.as_bstr());
                    let wish = match self.lower(full.as_bstr()) {
                        Lower::Link(target) => Err(target),
                        Lower::Directory { mode, uid, gid } => Ok(Directory { rank: 0, mode, uid, gid }),
                        Lower::Nothing => Ok(Directory { rank: usize::MAX, mode: 0o755, uid: 0, gid: 0 }),
                    };
                    match wish {
                        Err(target) => target,
                        Ok(wish) => {
                            match rustix::fs::mkdirat(here, part.as_slice(), Mode::from_raw_mode(0o755)) {
                                Ok(()) | Err(Errno::EXIST) => {}
                                Err(error) => return Err(error.into()),
                            }
                            self.note_directory(full, wish);
                            todo.push_front(part);
                            continue;
                        }
                    }
                }
                Err(Errno::NOTDIR | Errno::LOOP) => match rustix::fs::readlinkat(here, part.as_slice(), Vec::new()) {
                    Ok(target) => BString::from(target.into_bytes()),
                    Err(Errno::INVAL) => return Err(io::ErrorKind::NotADirectory.into()),
                    Err(error) => return Err(error.into()),
                },
                Err(error) => return Err(error.into()),
            };
            links += 1;
            if links > MAX_LINKS {
                return Err(Errno::LOOP.into());
            }
            if link.starts_with(b"/") {
                done.clear();
            }
            for part in parts(link.as_bstr()).into_iter().rev() {
                todo.push_front(part);
            }
        }
        let resolved = BString::from(bstr::join("/", done.iter().map(|(part, _)| part)));
        let fd = match done.pop() {
            Some((_, fd)) => fd,
            None => self.fd.try_clone()?,
        };
        Ok((fd, resolved))
    }

    fn note_directory(&self, path: BString, wish: Directory) {
        let mut directories = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        let known = directories.entry(path).or_insert(wish);
        if wish.rank < known.rank {
            *known = wish;
        }
    }

    /// Looks at the levels below; `path` leads over no link there, as its own directories were looked up before it.
    fn lower(&self, path: &BStr) -> Lower {
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        for lower in &self.lowers {
            let Ok(meta) = lower.join(path).symlink_metadata() else { continue };
            if meta.is_dir() {
                return Lower::Directory { mode: meta.mode() & 0o7777, uid: meta.uid(), gid: meta.gid() };
            }
            if meta.is_symlink()
                && let Ok(target) = std::fs::read_link(lower.join(path))
            {
                return Lower::Link(BString::from(target.as_os_str().as_bytes()));
            }
            return Lower::Nothing;
        }
        Lower::Nothing
    }

    /// Reads a file of this level or, where it has none, of the topmost level below that has it.
    pub(crate) fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        for root in std::iter::once(&self.path).chain(&self.lowers) {
            match root.join(path).symlink_metadata() {
                Ok(meta) if meta.is_file() => return std::fs::read(root.join(path)).map(Some),
                Ok(_) => return Ok(None),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Gives the directories that were made their owners and permissions, and the root those that every system has.
    pub(crate) fn settle(&self) -> io::Result<()> {
        rustix::fs::fchmod(&self.fd, Mode::from_raw_mode(0o755))?;
        let directories = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, wish) in directories.iter().filter(|(path, _)| !path.is_empty()) {
            let fd = self.walk_existing(path.as_bstr())?;
            rustix::fs::chownat(
                &fd,
                "",
                Some(Uid::from_raw(wish.uid)),
                Some(Gid::from_raw(wish.gid)),
                AtFlags::EMPTY_PATH,
            )?;
            // descriptors opened by path cannot be given a mode; one opened for reading can
            let fd = rustix::fs::openat(&fd, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
            rustix::fs::fchmod(&fd, Mode::from_raw_mode(wish.mode))?;
        }
        Ok(())
    }

    /// Opens a directory that was made, whose path leads over no links.
    fn walk_existing(&self, path: &BStr) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut fd = self.fd.try_clone()?;
        for part in path.split_str("/") {
            fd = rustix::fs::openat(&fd, part, flags, Mode::empty())?;
        }
        Ok(fd)
    }
}

fn copy(content: &mut dyn Read, file: &mut File, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        match content.read(buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => file.write_all(&buffer[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn parts(path: &BStr) -> VecDeque<BString> {
    path.split_str("/").filter(|part| !part.is_empty() && *part != b".").map(BString::from).collect()
}

fn join(done: &[(BString, OwnedFd)], last: &BStr) -> BString {
    let mut path = BString::from(bstr::join("/", done.iter().map(|(part, _)| part)));
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(last);
    path
}

pub(crate) fn times(seconds: i64) -> Timestamps {
    let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

#[cfg(test)]
mod tests;
