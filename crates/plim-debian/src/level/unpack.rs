//! The files of a level's packages, on all cores, and then what stands on the level below.
//!
//! Unpacking takes most of the time that a level takes, and needs nothing of the levels below but what their directories
//! are like. So it may begin before those are ready, and that is looked up afterwards.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use bstr::{BString, ByteSlice};
use plim_oci::{EntryKind, Events};

use super::{Level, Writer, dpkg, plain};
use crate::DebianError;
use crate::deb::{ControlFile, DataEntry, Deb};
use crate::glob::Patterns;
use crate::plan::Package;
use crate::recipe::Kind;
use crate::root::{Attributes, Cursor, Root};

/// What the unpacking of one package found out.
pub(super) struct Unpacked {
    /// Paths as shipped, for dpkg's list of the package.
    pub(super) list: Vec<BString>,
    /// Paths that were written.
    pub(super) kept: Vec<BString>,
    /// MD5 digests of configuration files that were written, by path as shipped.
    pub(super) conffiles: Vec<(String, String)>,
    /// CA certificates, for the bundle.
    pub(super) certificates: Vec<(BString, Vec<u8>)>,
    pub(super) control: std::collections::BTreeMap<String, ControlFile>,
}

/// A level whose packages are unpacked, and which does not stand on the levels below yet.
pub struct UnpackedLevel<'l> {
    level: &'l Level,
    root: Root,
    dir: PathBuf,
    packages: Vec<Unpacked>,
}

impl std::fmt::Debug for UnpackedLevel<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnpackedLevel").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Level {
    /// Writes the packages' files and the level's own into an empty directory. `lowers` are the roots of the levels
    /// below, topmost first. The packages must have been fetched.
    pub fn unpack(&self, dir: &Path, lowers: &[PathBuf], events: &dyn Events) -> Result<(), DebianError> {
        self.unpack_packages(dir, events)?.stand_on(lowers, events)
    }

    /// Writes the packages' files into an empty directory, whatever becomes of the levels below meanwhile. The packages
    /// must have been fetched.
    pub fn unpack_packages(&self, dir: &Path, events: &dyn Events) -> Result<UnpackedLevel<'_>, DebianError> {
        self.unpack_above(dir, &[], events)
    }

    fn unpack_above(
        &self,
        dir: &Path,
        lowers: &[PathBuf],
        events: &dyn Events,
    ) -> Result<UnpackedLevel<'_>, DebianError> {
        let root = Root::open(dir, lowers).map_err(DebianError::io("open", dir))?;
        let total = self.packages.iter().map(|package| package.size).sum();
        let task =
            events.start(&format!("unpacking {} packages for {}", self.packages.len(), self.recipe.name), Some(total));
        let drop = Patterns::new(&self.recipe.drop);
        let packages = self.on_all_cores(events, &|at| {
            let unpacked = self.unpack_package(&root, at, &drop)?;
            events.advance(task, self.packages[at].size);
            Ok(unpacked)
        });
        events.finish(task, "", packages.is_err());
        Ok(UnpackedLevel { level: self, packages: packages?, dir: dir.to_owned(), root })
    }

    /// Does something with each package, and returns what came of it in the order of the packages.
    fn on_all_cores<T: Send>(
        &self,
        events: &dyn Events,
        work: &(dyn Fn(usize) -> Result<T, DebianError> + Sync),
    ) -> Result<Vec<T>, DebianError> {
        // the largest first, each by whoever is free, so that none is left alone at the end
        let mut order: Vec<usize> = (0..self.packages.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(self.packages[*at].size));
        let next = AtomicUsize::new(0);
        let worker = || {
            let mut done = Vec::new();
            while let Some(&at) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                let result = if events.cancelled() { Err(DebianError::Cancelled) } else { work(at) };
                // the others stop at their next package
                let result = result.inspect_err(|_| next.store(order.len(), Ordering::Relaxed));
                done.push((at, result?));
            }
            Ok::<_, DebianError>(done)
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(order.len());
        let mut all = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
            let mut all = Vec::new();
            for thread in threads {
                match thread.join() {
                    Ok(done) => all.extend(done?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok::<_, DebianError>(all)
        })?;
        all.sort_by_key(|(at, _)| *at);
        Ok(all.into_iter().map(|(_, done)| done).collect())
    }

    fn unpack_package(&self, root: &Root, at: usize, drop: &Patterns) -> Result<Unpacked, DebianError> {
        let package = &self.packages[at];
        let number = at + 1;
        let deb = Deb::open(&package.stored())?;
        let mut unpacked = Unpacked {
            list: Vec::new(),
            kept: Vec::new(),
            conffiles: Vec::new(),
            certificates: Vec::new(),
            control: deb.control().clone(),
        };
        let conffiles = dpkg::conffiles(&deb.control_text("conffiles"));
        let mut cursor = Cursor::default();
        deb.unpack(&mut |entry, content| {
            unpacked.list.push(entry.shipped.clone());
            if self.recipe.ca_bundle
                && entry.kind == EntryKind::File
                && entry.path.starts_with(b"usr/share/ca-certificates/")
                && entry.path.ends_with(b".crt")
            {
                let mut bytes = Vec::new();
                content.read_to_end(&mut bytes).map_err(|source| io_error(&entry, source))?;
                unpacked.certificates.push((entry.path.clone(), bytes));
                return Ok(());
            }
            if drop.matches(entry.path.as_bstr()) {
                return Ok(());
            }
            let mut hash = (entry.kind == EntryKind::File
                && conffiles.iter().any(|path| entry.shipped == path.as_str()))
            .then(md5_hasher);
            let mut tee = Tee { content, hash: hash.as_mut() };
            self.write_entry(root, &mut cursor, &entry, number, &mut tee)?;
            if let Some(hash) = hash {
                unpacked.conffiles.push((entry.shipped.to_string(), hex(&md5::Digest::finalize(hash))));
            }
            if entry.kind != EntryKind::Dir {
                unpacked.kept.push(entry.path);
            }
            Ok(())
        })?;
        Ok(unpacked)
    }

    fn write_entry(
        &self,
        root: &Root,
        cursor: &mut Cursor,
        entry: &DataEntry,
        number: usize,
        content: &mut dyn io::Read,
    ) -> Result<(), DebianError> {
        let attributes = Attributes { mode: entry.mode, uid: entry.uid, gid: entry.gid, mtime: entry.mtime };
        if entry.path.is_empty() {
            return Ok(());
        }
        let path = entry.path.as_bstr();
        if entry.kind == EntryKind::Dir {
            return root.directory(path, attributes, number).map_err(|source| io_error(entry, source));
        }
        if let Some(other) = root.claim(path, number) {
            let (mine, theirs) = (&self.packages[number - 1], &self.packages[other - 1]);
            if replaces(mine, theirs) {
                root.reclaim(path, number);
            } else if replaces(theirs, mine) {
                return Ok(());
            } else {
                let (first, second) = if mine.name < theirs.name { (mine, theirs) } else { (theirs, mine) };
                return Err(DebianError::FileConflict {
                    path: entry.path.to_string(),
                    first: first.name.clone(),
                    second: second.name.clone(),
                });
            }
        }
        match entry.kind {
            EntryKind::Symlink => root.symlink(cursor, path, number, attributes, entry.link.as_bstr()),
            EntryKind::Hardlink => root.hardlink(cursor, path, number, entry.link.as_bstr()),
            _ => root.file(cursor, path, number, attributes, content),
        }
        .map_err(|source| io_error(entry, source))
    }
}

impl UnpackedLevel<'_> {
    /// Puts the level above those below, whose roots are given, topmost first, and writes its own files.
    pub fn stand_on(mut self, lowers: &[PathBuf], events: &dyn Events) -> Result<(), DebianError> {
        let Self { level, .. } = self;
        if !self.root.stand_on(lowers) {
            // a directory of the packages is a link below; that it is one has to be known when its files are written
            tracing::debug!(level = level.recipe.name, "unpacking again");
            empty(&self.dir).map_err(DebianError::io("empty", &self.dir))?;
            let dir = std::mem::take(&mut self.dir);
            self = level.unpack_above(&dir, lowers, events)?;
        }
        let Self { root, dir, packages, .. } = &self;
        let writer = Writer { root, epoch: level.epoch()?, dir };
        match level.recipe.kind {
            Kind::Plain => plain::write_records(level, packages, &writer)?,
            Kind::Configured => dpkg::write_database(level, packages, &writer)?,
        }
        if level.recipe.ca_bundle {
            plain::write_ca_bundle(packages, &writer)?;
        }
        if level.recipe.apt_sources {
            writer.text("etc/apt/sources.list.d/debian.sources", &level.apt_sources())?;
        }
        for file in &level.recipe.files {
            level.write_file(file, &writer)?;
        }
        root.settle().map_err(DebianError::io("settle the directories of", dir))
    }
}

fn empty(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn io_error(entry: &DataEntry, source: io::Error) -> DebianError {
    DebianError::Io { action: "unpack", path: entry.path.to_string(), source }
}

/// Says whether one package may take over files of another.
fn replaces(package: &Package, other: &Package) -> bool {
    crate::relation::parse(&package.replaces)
        .flatten()
        .any(|relation| relation.name == other.name && relation.accepts(&other.version))
}

/// Hashes what is read through it.
struct Tee<'c> {
    content: &'c mut dyn io::Read,
    hash: Option<&'c mut md5::Md5>,
}

impl io::Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.content.read(buffer)?;
        if let Some(hash) = &mut self.hash {
            md5::Digest::update(*hash, &buffer[..length]);
        }
        Ok(length)
    }
}

fn md5_hasher() -> md5::Md5 {
    md5::Digest::new()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
