//! Copying and removing trees, descriptor by descriptor, so that no symbolic link leads elsewhere.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use bstr::{BStr, BString, ByteSlice};
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags, linkat, mkdirat,
    mknodat, openat, readlinkat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

const OPEN_DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The kernel's limit of one attribute, and of all names of one file (XATTR_SIZE_MAX).
const XATTR_LIMIT: usize = 64 << 10;

/// Directories inside one another.
const DEPTH: usize = 1024;

/// Copies a file or a tree of the host to a name that is free; a link at the end of the path is followed.
pub(super) fn copy(from: &Path, to: &OwnedFd, name: &BStr) -> io::Result<()> {
    let real = std::fs::canonicalize(from)?;
    let (Some(above), Some(own)) = (real.parent(), real.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let above = openat(CWD, above, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    copy_at(&above, own.as_encoded_bytes().as_bstr(), to, name)
}

/// Copies an entry of an open directory, with all that is in it.
pub(super) fn copy_at(from: &OwnedFd, own: &BStr, to: &OwnedFd, name: &BStr) -> io::Result<()> {
    Copying { seen: HashMap::new(), top: None }.entry(from, own, to, name, &BString::default(), 0)
}

struct Copying {
    /// Files with several names, by device and inode: the path of the first, relative to the top.
    seen: HashMap<(u64, u64), BString>,
    /// The top directory of the copy, from which first names are found again.
    top: Option<OwnedFd>,
}

impl Copying {
    fn entry(
        &mut self,
        from: &OwnedFd,
        own: &BStr,
        to: &OwnedFd,
        name: &BStr,
        path: &BString,
        depth: usize,
    ) -> io::Result<()> {
        let stat = statat(from, own.as_bytes(), AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind.is_dir() {
            return self.directory(from, own, to, name, path, depth, &stat);
        }
        if stat.st_nlink > 1 && self.link(&stat, to, name, path)? {
            return Ok(());
        }
        match kind {
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let mut source = File::from(openat(from, own.as_bytes(), flags, Mode::empty())?);
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let mut target = File::from(openat(to, name.as_bytes(), flags, Mode::from(0o600))?);
                if rustix::fs::ioctl_ficlone(&target, &source).is_err() {
                    io::copy(&mut source, &mut target)?;
                }
            }
            FileType::Symlink => {
                symlinkat(readlinkat(from, own.as_bytes(), Vec::new())?.as_c_str(), to, name.as_bytes())?;
            }
            _ => match mknodat(to, name.as_bytes(), kind, Mode::from(0o600), stat.st_rdev) {
                // a device that cannot be made here is left out
                Err(Errno::PERM) => return Ok(()),
                other => other?,
            },
        }
        dress(from, own, to, name, &stat)
    }

    #[expect(clippy::too_many_arguments, reason = "one step of a recursion over two trees")]
    fn directory(
        &mut self,
        from: &OwnedFd,
        own: &BStr,
        to: &OwnedFd,
        name: &BStr,
        path: &BString,
        depth: usize,
        stat: &Stat,
    ) -> io::Result<()> {
        if depth > DEPTH {
            return Err(Errno::NAMETOOLONG.into());
        }
        mkdirat(to, name.as_bytes(), Mode::from(0o700))?;
        let source = openat(from, own.as_bytes(), OPEN_DIR, Mode::empty())?;
        let target = openat(to, name.as_bytes(), OPEN_DIR, Mode::empty())?;
        if self.top.is_none() {
            self.top = Some(target.try_clone()?);
        }
        for child in names(&source)? {
            let child = child.as_bstr();
            let below = bstr::concat([path.as_bytes(), b"/", child.as_bytes()]).into();
            self.entry(&source, child, &target, child, &below, depth + 1)?;
        }
        dress(from, own, to, name, stat)
    }

    /// Links a name to the copy that is there already; says whether there is one.
    fn link(&mut self, stat: &Stat, to: &OwnedFd, name: &BStr, path: &BString) -> io::Result<bool> {
        let inode = (stat.st_dev, stat.st_ino);
        if let (Some(first), Some(top)) = (self.seen.get(&inode), &self.top) {
            let (above, own) = first.rsplit_once_str(b"/").unwrap_or((b"", first.as_bytes()));
            let above = crate::stubs::open(top, above.as_bstr())?;
            linkat(&above, own, to, name.as_bytes(), AtFlags::empty())?;
            return Ok(true);
        }
        self.seen.insert(inode, path.clone());
        Ok(false)
    }
}

/// Gives a copy the owner, mode, attributes and time, in the order in which none undoes another.
fn dress(from: &OwnedFd, own: &BStr, to: &OwnedFd, name: &BStr, stat: &Stat) -> io::Result<()> {
    let owner = (Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)));
    rustix::fs::chownat(to, name.as_bytes(), owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        rustix::fs::chmodat(to, name.as_bytes(), mode, AtFlags::empty())?;
        attributes(&at(from, own), &at(to, name));
    }
    let times = Timestamps {
        last_access: Timespec { tv_sec: stat.st_atime, tv_nsec: stat.st_atime_nsec as _ },
        last_modification: Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as _ },
    };
    Ok(utimensat(to, name.as_bytes(), &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Copies the attributes that can be: others are labels of the place where the file lies.
fn attributes(from: &Path, to: &Path) {
    let mut names = vec![0; XATTR_LIMIT];
    let Ok(length) = rustix::fs::llistxattr(from, names.as_mut_slice()) else { return };
    if length == 0 {
        return;
    }
    let mut value = vec![0; XATTR_LIMIT];
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        if let Ok(length) = rustix::fs::lgetxattr(from, name, value.as_mut_slice()) {
            let _ = rustix::fs::lsetxattr(to, name, &value[..length], XattrFlags::empty());
        }
    }
}

/// A path to an entry of an open directory, for the calls that take no directory.
fn at(directory: &OwnedFd, name: &BStr) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt;
    Path::new(&format!("/proc/self/fd/{}", directory.as_raw_fd())).join(std::ffi::OsStr::from_bytes(name))
}

fn names(directory: &OwnedFd) -> io::Result<Vec<BString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(BString::from(name));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes an entry of an open directory with all that is in it. What cannot be removed stays.
pub(super) fn remove(from: &OwnedFd, name: &BStr) {
    // removes no link's target, and follows none inside
    let path = at(from, name);
    let directory = statat(from, name.as_bytes(), AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir());
    if directory {
        let _ = std::fs::remove_dir_all(path);
    } else {
        let _ = unlinkat(from, name.as_bytes(), AtFlags::empty());
    }
}
