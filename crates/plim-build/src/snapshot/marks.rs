//! How a diff directory says that something is deleted, also where the kernel's own marks cannot be made.
//!
//! Overlayfs marks a deleted path with a character device 0/0 and a directory that hides all below it with an attribute.
//! Neither can be made inside an ordinary container: its root is an overlay itself, which refuses both. There a deleted
//! path is a symbolic link with a target that nothing else has, and the second mark is such a link under a name that
//! layers reserve. The kernel would take these for files, so directories that may hold them are never mounted: they belong
//! to builds that mount nothing.

use std::fs::{self, DirEntry};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use bstr::{BStr, ByteSlice as _};
use rustix::fs::{FileType, Mode};
use rustix::io::Errno;

/// The target of a symbolic link that stands for a deleted path.
pub(crate) const DELETED: &[u8] = b".wh..plimsoll-deleted-7f0d2c9e41b6a853";

/// Such a link under this name makes its directory hide all below it (OCI image specification, "Opaque Whiteout").
const OPAQUE: &str = ".wh..wh..opq";

/// Marks a name of an open directory as deleted.
pub(crate) fn delete(directory: impl AsFd, name: &BStr) -> io::Result<()> {
    let name = name.as_bytes();
    let device = rustix::fs::makedev(0, 0);
    match rustix::fs::mknodat(&directory, name, FileType::CharacterDevice, Mode::empty(), device) {
        // on an overlay, and where devices are refused altogether
        Err(Errno::PERM | Errno::ACCESS | Errno::NOTSUP) => Ok(rustix::fs::symlinkat(DELETED, &directory, name)?),
        result => Ok(result?),
    }
}

/// Marks a directory as hiding all below it.
pub(crate) fn hide_all(directory: &Path) -> io::Result<()> {
    match super::xattrs::write_opaque(directory) {
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::PERM | Errno::NOTSUP)) => {
            match rustix::fs::symlink(DELETED, directory.join(OPAQUE)) {
                Ok(()) | Err(Errno::EXIST) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }
        result => result,
    }
}

/// Says whether a directory is marked as hiding all below it, other than by an attribute.
pub(crate) fn hides_all(directory: &Path) -> bool {
    fs::read_link(directory.join(OPAQUE)).is_ok_and(|target| is_deleted(target.as_os_str().as_bytes()))
}

/// Says whether a link's target makes it the mark of a deleted path.
pub(crate) fn is_deleted(target: &[u8]) -> bool {
    target == DELETED
}

/// Says whether an entry of a diff directory marks its name as deleted.
pub(crate) fn is_whiteout(entry: &DirEntry) -> io::Result<bool> {
    let kind = entry.file_type()?;
    if kind.is_symlink() {
        return Ok(is_deleted(fs::read_link(entry.path())?.as_os_str().as_bytes()));
    }
    Ok(kind.is_char_device() && entry.metadata()?.rdev() == 0)
}
