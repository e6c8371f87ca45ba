//! One recipe's share of an image, made in a directory.

use std::path::Path;

use plim_oci::{Digest, Hasher};

use crate::plan::{self, Package};
use crate::recipe::{FileSpec, Kind, Recipe};
use crate::root::{Attributes, Cursor, Root};
use crate::{DebianError, Mirror};

mod clean;
mod dpkg;
mod plain;
mod unpack;

use unpack::Unpacked;
pub use unpack::UnpackedLevel;

/// Changes whenever the same packages and recipe would give other bytes, so that kept layers are made anew.
const SCHEMA: &str = "plim-debian level 3";

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
        plan::newest(self.packages.iter().map(Package::stored))
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
