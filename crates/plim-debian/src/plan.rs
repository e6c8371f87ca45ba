//! What a recipe comes to: exact packages, level by level.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use plim_oci::{Digest, ImageConfig, Platform};

use crate::deb::Deb;
use crate::level::Level;
use crate::{DebianError, Mirror, Transport};

/// A chosen package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The architecture, `all` for packages without machine code.
    pub architecture: String,
    /// The source package.
    pub source: String,
    /// The suite that it comes from.
    pub suite: String,
    /// The path below the mirror.
    pub filename: String,
    /// Where it is fetched from.
    pub url: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Whether several architectures of it can be installed at once, which shows in the names of dpkg's files.
    pub multi_arch_same: bool,
    /// The packages whose files it may take over, as in the field `Replaces`.
    pub replaces: String,
    /// Where it is fetched to; [`Package::stored`] says where it lies then.
    pub(crate) file: PathBuf,
}

/// A suite that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteUsed {
    /// The name, such as `trixie-security`.
    pub name: String,
    /// The digest of its `InRelease` file.
    pub release: Digest,
    /// When the suite was published.
    pub date: Timestamp,
}

/// The packages of a recipe and of those that it stands on, at exact versions.
pub struct Plan {
    pub(crate) recipe: String,
    pub(crate) platform: Platform,
    pub(crate) mirror: Mirror,
    pub(crate) suites: Vec<SuiteUsed>,
    pub(crate) levels: Vec<Level>,
    pub(crate) notes: Vec<String>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) cache: PathBuf,
    pub(crate) offline: bool,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("recipe", &self.recipe)
            .field("platform", &self.platform)
            .field("suites", &self.suites)
            .field("levels", &self.levels)
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// Returns the levels, lowest first.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Returns all packages, those of the lowest level first.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.levels.iter().flat_map(Level::packages)
    }

    /// Returns the suites that were read.
    pub fn suites(&self) -> &[SuiteUsed] {
        &self.suites
    }

    /// Returns the mirror that was asked.
    pub fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// Returns remarks, such as dependencies that an exact recipe leaves out on purpose.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns when the newest of the suites was published.
    pub fn release_date(&self) -> Timestamp {
        self.suites.iter().map(|suite| suite.date).max().unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Returns when the newest of the packages was built, in seconds since 1970: the date of the image. The packages
    /// must have been fetched. Unlike the date of the suites it does not change while the packages stay the same, and
    /// so neither does the image.
    pub fn epoch(&self) -> Result<i64, DebianError> {
        self.levels.iter().map(Level::epoch).try_fold(0, |newest, epoch| Ok(newest.max(epoch?)))
    }

    /// Returns the configuration of the image without its layers and history. The packages must have been fetched.
    pub fn image_config(&self) -> Result<ImageConfig, DebianError> {
        let mut config = ImageConfig::new(&self.platform);
        config.created = Timestamp::from_second(self.epoch()?).ok().map(|time| time.to_string());
        for level in &self.levels {
            let image = &level.recipe().image;
            for variable in &image.env {
                let name = variable.split('=').next().unwrap_or_default();
                let same = |known: &&mut String| known.split('=').next() == Some(name);
                match config.config.env.iter_mut().find(same) {
                    Some(known) => known.clone_from(variable),
                    None => config.config.env.push(variable.clone()),
                }
            }
            if let Some(user) = &image.user {
                config.config.user.clone_from(user);
            }
            if let Some(workdir) = &image.workdir {
                config.config.working_dir.clone_from(workdir);
            }
            if image.entrypoint.is_some() {
                config.config.entrypoint.clone_from(&image.entrypoint);
            }
            if image.cmd.is_some() {
                config.config.cmd.clone_from(&image.cmd);
            }
        }
        Ok(config)
    }

    /// Returns the annotations of the manifest.
    pub fn annotations(&self) -> std::collections::BTreeMap<String, String> {
        self.levels.iter().flat_map(|level| level.recipe().image.annotations.clone()).collect()
    }

    /// Returns what was chosen, as text to be kept: each suite with the digest of its release file, each package with
    /// level, version, path, digest and size.
    pub fn lock(&self) -> String {
        let mut text = format!("# packages of the base image {} for {}\nversion = 1\n", self.recipe, self.platform);
        for suite in &self.suites {
            let _ = write!(
                text,
                "\n[[suite]]\nname = \"{}\"\ndate = \"{}\"\nrelease = \"{}\"\n",
                suite.name, suite.date, suite.release
            );
        }
        for level in &self.levels {
            for package in level.packages() {
                let _ = write!(
                    text,
                    "\n[[package]]\nlevel = \"{}\"\nname = \"{}\"\nversion = \"{}\"\nsuite = \"{}\"\nfilename = \"{}\"\n\
                     digest = \"{}\"\nsize = {}\n",
                    level.recipe().name,
                    package.name,
                    package.version,
                    package.suite,
                    package.filename,
                    package.digest,
                    package.size
                );
            }
        }
        text
    }
}

/// Returns the newest build time of packages, in seconds since 1970.
pub(crate) fn newest(files: impl Iterator<Item = impl AsRef<Path>>) -> Result<i64, DebianError> {
    let mut newest = 0;
    for file in files {
        newest = newest.max(Deb::built(file.as_ref())?);
    }
    Ok(newest)
}
