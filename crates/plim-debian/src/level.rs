//! One recipe's share of an image, made in a directory.

use std::io;
use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice};
use plim_oci::{Digest, EntryKind, Events, Hasher};

use crate::deb::{ControlFile, DataEntry, Deb};
use crate::glob::Patterns;
use crate::plan::{self, Package};
use crate::recipe::{FileSpec, Kind, Recipe};
use crate::root::{Attributes, Cursor, Root};
use crate::{DebianError, Mirror};

mod clean;
mod dpkg;
mod plain;

/// Changes whenever the same packages and recipe would give other bytes, so that kept layers are made anew.
const SCHEMA: &str = "plim-debian level 2";

/// A recipe with its packages: everything between the recipe that it extends and itself, which is one layer.
#[derive(Debug, Clone)]
pub struct Level {
    recipe: Recipe,
    packages: Vec<Package>,
    arch: String,
    mirror: Mirror,
}

/// A program to run in the level's root, as root and without a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigureStep {
    /// What it does, for people.
    pub title: String,
    /// Program and arguments.
    pub args: Vec<String>,
    /// The whole environment, `NAME=value`.
    pub env: Vec<String>,
    /// Whether the image is wrong without it. One that is not may be skipped where the architecture cannot run here.
    pub required: bool,
}

/// What the unpacking of one package found out.
struct Unpacked {
    /// Paths as shipped, for dpkg's list of the package.
    list: Vec<BString>,
    /// Paths that were written.
    kept: Vec<BString>,
    /// MD5 digests of configuration files that were written, by path as shipped.
    conffiles: Vec<(String, String)>,
    /// CA certificates, for the bundle.
    certificates: Vec<(BString, Vec<u8>)>,
    control: std::collections::BTreeMap<String, ControlFile>,
}

impl Level {
    pub(crate) fn new(recipe: Recipe, packages: Vec<Package>, arch: &str, mirror: Mirror) -> Self {
        Self { recipe, packages, arch: arch.to_owned(), mirror }
    }

    /// Returns the recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Returns the level's own packages, in the order in which dpkg would unpack them.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// Returns the text for the history row of the layer.
    pub fn created_by(&self) -> String {
        format!("plim base {}", self.recipe.name)
    }

    /// Returns a digest of all that decides the level's bytes, given the same levels below. A layer made for it can be
    /// used again.
    pub fn key(&self) -> Digest {
        let mut hasher = Hasher::new();
        hasher.update(format!("{SCHEMA}\n{:?}\n{}\n", self.recipe, self.arch).as_bytes());
        if self.recipe.apt_sources {
            hasher.update(format!("{} {}\n", self.mirror.main, self.mirror.security).as_bytes());
        }
        for package in &self.packages {
            hasher.update(format!("{} {}\n", package.name, package.digest).as_bytes());
        }
        hasher.finish()
    }

    /// Returns when the newest of the packages was built, in seconds since 1970; they must have been fetched. No file
    /// of the level is newer.
    pub fn epoch(&self) -> Result<i64, DebianError> {
        plan::newest(self.packages.iter().map(|package| &package.file))
    }

    /// Writes the packages' files and the level's own into an empty directory. `lowers` are the roots of the levels
    /// below, topmost first. The packages must have been fetched.
    pub fn unpack(&self, dir: &Path, lowers: &[PathBuf], events: &dyn Events) -> Result<(), DebianError> {
        use rayon::prelude::*;
        let root = Root::open(dir, lowers).map_err(DebianError::io("open", dir))?;
        let epoch = self.epoch()?;
        let drop = Patterns::new(&self.recipe.drop);
        let total = self.packages.iter().map(|package| package.size).sum();
        let task =
            events.start(&format!("unpacking {} packages for {}", self.packages.len(), self.recipe.name), Some(total));
        // the largest first, so that none is left alone at the end
        let mut order: Vec<usize> = (0..self.packages.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(self.packages[*at].size));
        let result = order
            .par_iter()
            .map(|&at| {
                if events.cancelled() {
                    return Err(DebianError::Cancelled);
                }
                let unpacked = self.unpack_package(&root, at, &drop)?;
                events.advance(task, self.packages[at].size);
                Ok((at, unpacked))
            })
            .collect::<Result<Vec<_>, _>>();
        events.finish(task, "", result.is_err());
        let mut unpacked = result?;
        unpacked.sort_by_key(|(at, _)| *at);
        let unpacked: Vec<Unpacked> = unpacked.into_iter().map(|(_, unpacked)| unpacked).collect();
        let writer = Writer { root: &root, epoch, dir };
        match self.recipe.kind {
            Kind::Plain => plain::write_records(self, &unpacked, &writer)?,
            Kind::Configured => dpkg::write_database(self, &unpacked, &writer)?,
        }
        if self.recipe.ca_bundle {
            plain::write_ca_bundle(&unpacked, &writer)?;
        }
        if self.recipe.apt_sources {
            writer.text("etc/apt/sources.list.d/debian.sources", &self.apt_sources())?;
        }
        for file in &self.recipe.files {
            self.write_file(file, &writer)?;
        }
        root.settle().map_err(DebianError::io("settle the directories of", dir))
    }

    /// Returns the programs to run in the root after [`Level::unpack`], in order.
    pub fn steps(&self) -> Result<Vec<ConfigureStep>, DebianError> {
        let env = step_environment(self.epoch()?);
        let mut steps = match self.recipe.kind {
            Kind::Plain => Vec::new(),
            Kind::Configured => dpkg::steps(self, &env),
        };
        steps.extend(self.recipe.steps.iter().map(|step| ConfigureStep {
            title: step.title.clone(),
            args: step.args.clone(),
            env: env.clone(),
            required: step.required,
        }));
        Ok(steps)
    }

    /// Takes away what running programs left behind and sets all times, so that the directory depends on nothing but
    /// the packages and the recipe.
    pub fn finish(&self, dir: &Path) -> Result<(), DebianError> {
        clean::clean(dir, self.epoch()?)
    }

    fn unpack_package(&self, root: &Root, at: usize, drop: &Patterns) -> Result<Unpacked, DebianError> {
        let package = &self.packages[at];
        let number = at + 1;
        let deb = Deb::open(&package.file)?;
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

    fn write_file(&self, file: &FileSpec, writer: &Writer<'_>) -> Result<(), DebianError> {
        let translate = |text: &str| text.replace("{triplet}", triplet(&self.arch));
        let path = translate(&file.path);
        let (uid, gid) = file.owner;
        let attributes = Attributes { mode: file.permissions(), uid, gid, mtime: writer.epoch };
        match (&file.content, &file.link) {
            (Some(content), _) => writer.file(&path, attributes, content.as_bytes()),
            (None, Some(link)) => writer.link(&path, attributes, &translate(link)),
            (None, None) => writer.directory(&path, attributes),
        }
    }

    /// Writes apt's sources for the mirror that served the packages.
    fn apt_sources(&self) -> String {
        let suite = &self.recipe.suite;
        let entry = |uri: &str, suites: &str| {
            format!(
                "Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\n\
                 Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp\n"
            )
        };
        let main = entry(&self.mirror.main, &format!("{suite} {suite}-updates"));
        format!("{main}\n{}", entry(&self.mirror.security, &format!("{suite}-security")))
    }
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

/// Returns the name of the directory for libraries of an architecture (Debian's multiarch tuples).
fn triplet(arch: &str) -> &'static str {
    match arch {
        "arm64" => "aarch64-linux-gnu",
        "armhf" => "arm-linux-gnueabihf",
        "armel" => "arm-linux-gnueabi",
        "i386" => "i386-linux-gnu",
        "ppc64el" => "powerpc64le-linux-gnu",
        "riscv64" => "riscv64-linux-gnu",
        "s390x" => "s390x-linux-gnu",
        _ => "x86_64-linux-gnu",
    }
}

fn step_environment(epoch: i64) -> Vec<String> {
    [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        "HOME=/root".to_owned(),
        "TERM=dumb".to_owned(),
        "LC_ALL=C.UTF-8".to_owned(),
        "DEBIAN_FRONTEND=noninteractive".to_owned(),
        "DEBCONF_NONINTERACTIVE_SEEN=true".to_owned(),
        // files that hold a date or depend on the order of a hash table come out the same every time
        format!("SOURCE_DATE_EPOCH={epoch}"),
        "PYTHONHASHSEED=0".to_owned(),
        "PERL_HASH_SEED=0".to_owned(),
    ]
    .into()
}

/// Writes the level's own files.
struct Writer<'r> {
    root: &'r Root,
    epoch: i64,
    dir: &'r Path,
}

/// The number under which the level's own files are claimed; they may replace those of packages.
const OWN: usize = 0;

impl Writer<'_> {
    fn text(&self, path: &str, content: &str) -> Result<(), DebianError> {
        self.file(path, Attributes { mode: 0o644, uid: 0, gid: 0, mtime: self.epoch }, content.as_bytes())
    }

    fn file(&self, path: &str, attributes: Attributes, content: &[u8]) -> Result<(), DebianError> {
        self.root.reclaim(path.into(), OWN);
        self.root
            .file(&mut Cursor::default(), path.into(), OWN, attributes, &mut &*content)
            .map_err(DebianError::io("write", &self.dir.join(path)))
    }

    fn link(&self, path: &str, attributes: Attributes, target: &str) -> Result<(), DebianError> {
        self.root.reclaim(path.into(), OWN);
        self.root
            .symlink(&mut Cursor::default(), path.into(), OWN, attributes, target.into())
            .map_err(DebianError::io("write", &self.dir.join(path)))
    }

    fn directory_if_new(&self, path: &str) -> Result<(), DebianError> {
        self.root.ensure_directory(path.into()).map_err(DebianError::io("create", &self.dir.join(path)))
    }

    fn directory(&self, path: &str, attributes: Attributes) -> Result<(), DebianError> {
        self.root.own_directory(path.into(), attributes).map_err(DebianError::io("create", &self.dir.join(path)))
    }
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
