//! Extended attributes: which are carried along, and the ones overlayfs keeps its marks in.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use bstr::{BStr, BString, ByteSlice};
use rustix::fs::{XattrFlags, lgetxattr, llistxattr, lsetxattr};
use rustix::io::Errno;

/// Overlayfs keeps its marks here when root mounts it.
const OPAQUE_TRUSTED: &str = "trusted.overlay.opaque";
/// Overlayfs keeps its marks here when mounted with `userxattr` in a user namespace.
const OPAQUE_USER: &str = "user.overlay.opaque";
/// The kernel's own bound on a list of names and on a value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const LARGEST: usize = 64 * 1024;

/// The attributes of one file, sorted by use.
#[derive(Debug, Default)]
pub(crate) struct Xattrs {
    /// What belongs to the file and is copied with it.
    pub(crate) carried: BTreeMap<BString, BString>,
    /// The directory hides all below it.
    pub(crate) opaque: bool,
    /// Overlayfs marks that plim's own mounts never make (`redirect`, `metacopy`).
    pub(crate) foreign: bool,
}

/// Says whether an attribute belongs to the file rather than to the machine it lies on. Labels of security
/// modules, access control lists and overlayfs' marks stay behind.
pub(crate) fn carried(name: &[u8]) -> bool {
    name == b"security.capability" || name.starts_with(b"user.") && !name.starts_with(b"user.overlay.")
}

/// Says whether an attribute is written to layers. Docker, BuildKit and containerd write file capabilities
/// and nothing else, so that a layer does not depend on who built it where.
pub(crate) fn in_layers(name: &[u8]) -> bool {
    name == b"security.capability"
}

/// Reads the attributes of a file, not following a symbolic link.
pub(crate) fn read(path: &Path) -> io::Result<Xattrs> {
    let mut out = Xattrs::default();
    let names = match grow(|buffer| llistxattr(path, buffer)) {
        Ok(names) => names,
        // a file system without attributes, or a kind of file that cannot have any
        Err(Errno::NOTSUP | Errno::PERM) => return Ok(out),
        Err(error) => return Err(error.into()),
    };
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        if carried(name) {
            if let Some(value) = get(path, name.as_bstr())? {
                out.carried.insert(name.into(), value.into());
            }
        } else if name == OPAQUE_TRUSTED.as_bytes() || name == OPAQUE_USER.as_bytes() {
            out.opaque |= get(path, name.as_bstr())?.as_deref() == Some(b"y");
        } else if let Some(mark) = overlay_mark(name) {
            out.foreign |= matches!(mark, b"redirect" | b"metacopy");
        }
    }
    Ok(out)
}

/// Sets attributes, capabilities last: changing the owner or the content of a file clears them. A file
/// system that cannot hold `user.` attributes loses them; capabilities are never lost silently.
pub(crate) fn write(path: &Path, attributes: &BTreeMap<BString, BString>) -> io::Result<()> {
    for (name, value) in attributes {
        match lsetxattr(path, name.as_slice(), value, XattrFlags::empty()) {
            Err(Errno::NOTSUP | Errno::PERM) if !in_layers(name) => {}
            result => result?,
        }
    }
    Ok(())
}

/// Marks a directory as hiding all below it.
pub(crate) fn write_opaque(path: &Path) -> io::Result<()> {
    match lsetxattr(path, OPAQUE_TRUSTED, b"y", XattrFlags::empty()) {
        // `trusted.` is for root of the first user namespace only
        Err(Errno::PERM | Errno::NOTSUP) => Ok(lsetxattr(path, OPAQUE_USER, b"y", XattrFlags::empty())?),
        result => Ok(result?),
    }
}

fn overlay_mark(name: &[u8]) -> Option<&[u8]> {
    name.strip_prefix(b"trusted.overlay.").or_else(|| name.strip_prefix(b"user.overlay."))
}

fn get(path: &Path, name: &BStr) -> io::Result<Option<Vec<u8>>> {
    match grow(|buffer| lgetxattr(path, name.as_bytes(), buffer)) {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NODATA | Errno::NOTSUP | Errno::PERM) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn grow(mut call: impl FnMut(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    // most files have no attribute at all: one call without touching the heap
    let mut small = [0; 256];
    match call(&mut small) {
        Ok(length) => return Ok(small[..length].to_vec()),
        Err(Errno::RANGE) => {}
        Err(error) => return Err(error),
    }
    let mut large = vec![0; LARGEST];
    let length = call(&mut large)?;
    large.truncate(length);
    Ok(large)
}
