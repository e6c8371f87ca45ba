//! RPM: its database in the three formats that distributions use.

use std::fs::File;

use bstr::ByteSlice;
use plim_oci::EntryHead;

use super::bytes::{OnDisk, ReadAt};
use super::{Collector, Want};
use crate::facts::{PackageFact, PackageRecord};
use crate::{LayerIndex, paths};

mod bdb;
mod header;
mod ndb;
mod sqlite;

/// The directories that hold the database: the usual one, SUSE's and Fedora's, and that of ostree.
const DIRECTORIES: [&[u8]; 3] = [b"var/lib/rpm", b"usr/lib/sysimage/rpm", b"usr/share/rpm"];

/// How many packages one database may have; the largest distributions have some ten thousand.
const MAX_PACKAGES: usize = 100_000;

/// The largest header of a package, in bytes; RPM itself draws the line higher, real ones stay below ten million.
const MAX_HEADER: usize = 32 * 1024 * 1024;

/// How many bytes the paths of all files of one database may take: a long directory counts for each of its files.
const MAX_PATHS: usize = 128 * 1024 * 1024;

/// Reads RPM's database.
pub(super) struct Rpm;

impl Collector for Rpm {
    fn name(&self) -> &'static str {
        "rpm"
    }

    fn wants(&self, head: &EntryHead) -> Want {
        let (directory, name) = paths::split(head.path.as_bstr());
        let wanted = matches!(name.as_bytes(), b"rpmdb.sqlite" | b"Packages.db" | b"Packages")
            && DIRECTORIES.contains(&directory.as_bytes());
        if wanted { Want::Magic(b"") } else { Want::Nothing }
    }

    fn take(&self, _head: &EntryHead, content: &[u8], index: &mut LayerIndex) {
        collect(&content, index);
    }

    fn take_file(&self, _head: &EntryHead, content: &mut File, index: &mut LayerIndex) {
        collect(&OnDisk::new(content), index);
    }
}

/// Writes down the packages of a database; its first bytes tell the format.
fn collect(database: &dyn ReadAt, index: &mut LayerIndex) {
    let entry = index.current();
    let mut paths_left = MAX_PATHS;
    let mut packages = 0;
    let mut each = |blob: &[u8]| {
        if let Some(record) = header::record(blob, &mut paths_left).filter(|_| packages < MAX_PACKAGES) {
            packages += 1;
            index.packages.push(PackageFact { entry, record: PackageRecord::Rpm(Box::new(record)) });
        }
    };
    let Some(start) = database.bytes(0, 16) else { return };
    // what could be read before the damage stays
    let _ = if start.starts_with(b"SQLite format 3\0") {
        sqlite::blobs(database, &mut each)
    } else if start.starts_with(b"RpmP") {
        ndb::blobs(database, &mut each)
    } else {
        bdb::blobs(database, &mut each)
    };
}

/// The bytes that are read of all packages together. A sound database holds each byte once, so the length of the file
/// is enough; in a hostile one any number of packages may share the same bytes.
struct Budget(u64);

impl Budget {
    fn of(database: &dyn ReadAt) -> Self {
        Self(database.length())
    }

    /// Takes so many bytes for one package; nothing when that is too much for one or for all.
    fn take(&mut self, size: u64) -> Option<usize> {
        let size = usize::try_from(size).ok().filter(|size| *size <= MAX_HEADER)?;
        self.0 = self.0.checked_sub(size as u64)?;
        Some(size)
    }
}
