//! From a mirror to chosen packages: release files and indexes, verified, cached, put together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use plim_oci::{Digest, Events, Platform};

use crate::index::{self, Entry, Index, Universe};
use crate::keyring::{Keyring, SuiteKind};
use crate::level::Level;
use crate::mirror::{Mirror, find_mirror};
use crate::plan::{Package, Plan, SuiteUsed};
use crate::recipe::{self, Mode, Recipe};
use crate::release::Release;
use crate::resolve::{self, Wish};
use crate::{DebianError, Transport, deb};

/// The largest release file that is read, in bytes; today's have 150 kB.
const RELEASE_LIMIT: u64 = 16 << 20;
/// The largest unpacked index that is read, in bytes; today's largest has 57 MB.
const INDEX_LIMIT: u64 = 1 << 30;

/// Where the archive is and what is kept of it.
#[derive(Debug, Clone)]
pub struct ArchiveOptions {
    /// The main archive: the directory with `dists/` and `pool/`. By default that of the host's apt configuration.
    pub mirror: Option<String>,
    /// The archive of security updates, where it is not `MIRROR-security`.
    pub security_mirror: Option<String>,
    /// Directories such as `/etc/apt` that are asked for a mirror; only read.
    pub apt_config_roots: Vec<PathBuf>,
    /// The directory for indexes and packages.
    pub cache: PathBuf,
    /// Never ask the network.
    pub offline: bool,
    /// The time by which dates are judged.
    pub now: Timestamp,
    /// How long a cached release file is used without asking the mirror, in seconds.
    pub max_age: u64,
    /// The keys that may sign.
    pub keyring: Keyring,
}

impl ArchiveOptions {
    /// Returns the usual options: the host's mirror, Debian's keys, release files asked for once a day.
    pub fn new(cache: PathBuf, now: Timestamp) -> Self {
        Self {
            mirror: None,
            security_mirror: None,
            apt_config_roots: vec![PathBuf::from("/etc/apt")],
            cache,
            offline: false,
            now,
            max_age: 24 * 60 * 60,
            keyring: Keyring::debian(),
        }
    }
}

/// The Debian archive, as seen through one mirror.
pub struct Archive {
    options: ArchiveOptions,
    transport: Arc<dyn Transport>,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("options", &self.options).finish_non_exhaustive()
    }
}

/// One suite of a release.
struct Suite {
    name: String,
    mirror: String,
    kind: SuiteKind,
}

impl Archive {
    /// Returns the archive; nothing is read yet.
    pub fn new(options: ArchiveOptions, transport: impl Transport + 'static) -> Self {
        Self { options, transport: Arc::new(transport) }
    }

    /// Chooses the packages of a recipe and of those that it stands on, for a platform.
    pub fn plan(&self, recipe: &Recipe, platform: &Platform, events: &dyn Events) -> Result<Plan, DebianError> {
        let options = &self.options;
        let mirror =
            find_mirror(options.mirror.as_deref(), options.security_mirror.as_deref(), &options.apt_config_roots)?;
        let arch = debian_arch(platform);
        let chain = recipe::chain(recipe)?;
        let suites = suites_of(&recipe.suite, &mirror);
        let (used, indexes): (Vec<_>, Vec<_>) = self.read(&suites, &arch, events)?.into_iter().unzip();
        let universe = Universe::new(&indexes);
        let mut installed = Vec::new();
        let mut levels = Vec::new();
        let mut notes = Vec::new();
        for recipe in chain {
            let mut names: Vec<&str> = recipe.packages.iter().map(String::as_str).collect();
            if recipe.required {
                names.extend(universe.required());
            }
            if recipe.apt_sources && mirror.main.starts_with("https://") {
                // apt in the image has to trust the mirror's certificate
                names.push("ca-certificates");
            }
            let wish = Wish { installed: &installed, names: &names, recommends: recipe.recommends };
            let added = match recipe.mode {
                Mode::Exact => {
                    let (added, open) = resolve::exact(&universe, wish)?;
                    notes.extend(open);
                    added
                }
                Mode::Closure => resolve::closure(&universe, wish)?,
            };
            let packages = resolve::order(&universe, &added)
                .into_iter()
                .map(|id| self.package(universe.entry(id), &suites[universe.suite(id)]))
                .collect();
            installed.extend(added);
            levels.push(Level::new(recipe, packages, &arch, mirror.without_credentials()));
        }
        Ok(Plan {
            recipe: recipe.name.clone(),
            platform: platform.clone(),
            mirror,
            suites: used,
            levels,
            notes,
            transport: Arc::clone(&self.transport),
            cache: options.cache.clone(),
            offline: options.offline,
        })
    }

    /// Reads the verified indexes of a release: those of the release itself, of its updates and of its security updates.
    pub fn indexes(
        &self,
        release: &str,
        platform: &Platform,
        events: &dyn Events,
    ) -> Result<Vec<(SuiteUsed, Index)>, DebianError> {
        let options = &self.options;
        let mirror =
            find_mirror(options.mirror.as_deref(), options.security_mirror.as_deref(), &options.apt_config_roots)?;
        self.read(&suites_of(release, &mirror), &debian_arch(platform), events)
    }

    fn read(&self, suites: &[Suite], arch: &str, events: &dyn Events) -> Result<Vec<(SuiteUsed, Index)>, DebianError> {
        let name = suites.first().map(|suite| suite.name.as_str()).unwrap_or_default();
        let task = events.start(&format!("reading the indexes of Debian {name}"), None);
        let read = suites.iter().map(|suite| self.suite(suite, arch, events)).collect::<Result<Vec<_>, _>>();
        events.finish(task, "", read.is_err());
        read
    }

    fn package(&self, entry: Entry<'_>, suite: &Suite) -> Package {
        let digest = entry.digest();
        Package {
            name: entry.name().to_owned(),
            version: entry.version().to_owned(),
            architecture: entry.architecture().to_owned(),
            source: entry.source().to_owned(),
            suite: suite.name.clone(),
            filename: entry.filename().to_owned(),
            url: format!("{}/{}", suite.mirror, entry.filename()),
            file: self.options.cache.join("pool").join(format!("{}.deb", digest.hex())),
            digest,
            size: entry.size(),
            multi_arch_same: entry.is_multi_arch_same(),
            replaces: entry.replaces().to_owned(),
        }
    }

    /// Reads a suite's release file and its index for an architecture.
    fn suite(&self, suite: &Suite, arch: &str, events: &dyn Events) -> Result<(SuiteUsed, Index), DebianError> {
        let (bytes, release, fresh) = self.release(suite, events)?;
        match self.index(suite, &release, arch) {
            // the cached release file may name an index that the mirror has replaced since
            Err(DebianError::Fetch { source, .. }) if source.is_missing() && !fresh && !self.options.offline => {
                let (bytes, release) = self.fetch_release(suite)?;
                let index = self.index(suite, &release, arch)?;
                Ok((used(suite, &bytes, &release), index))
            }
            index => Ok((used(suite, &bytes, &release), index?)),
        }
    }

    /// Returns a suite's release file, and whether the mirror was asked just now.
    fn release(&self, suite: &Suite, events: &dyn Events) -> Result<(Vec<u8>, Release, bool), DebianError> {
        let cached = self.cached_release(suite)?;
        let offline = self.options.offline;
        match cached {
            Some((bytes, release, age)) => {
                let file = suite.file();
                let check = release.check(&suite.name, self.options.now, &file);
                if offline {
                    if let Err(error) = check {
                        events.warn(&format!("{error}; it is used all the same, as the network is not to be used"));
                    }
                    return Ok((bytes, release, false));
                }
                if check.is_ok() && age < self.options.max_age {
                    return Ok((bytes, release, false));
                }
                match self.fetch_release(suite) {
                    Ok((bytes, release)) => Ok((bytes, release, true)),
                    Err(error @ DebianError::Fetch { .. }) if check.is_ok() => {
                        events.warn(&format!("{error}; going on with the indexes of {}", release.date));
                        Ok((bytes, release, false))
                    }
                    Err(error) => Err(error),
                }
            }
            None if offline => Err(DebianError::Offline { file: suite.file() }),
            None => self.fetch_release(suite).map(|(bytes, release)| (bytes, release, true)),
        }
    }

    fn release_path(&self, suite: &Suite) -> PathBuf {
        releases(&self.options.cache).join(format!("{}.InRelease", suite.name))
    }

    /// Returns the release file of an earlier run with its age in seconds; the signature is checked anew.
    fn cached_release(&self, suite: &Suite) -> Result<Option<(Vec<u8>, Release, u64)>, DebianError> {
        let path = self.release_path(suite);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(DebianError::io("read", &path)(error)),
        };
        let Ok(text) = self.options.keyring.verify(suite.kind, &bytes, self.options.now) else {
            // a cut or foreign file, or a key that has expired since: as if it were not there
            return Ok(None);
        };
        let release = Release::parse(&text, &suite.file())?;
        let age = path.metadata().ok().and_then(|meta| meta.modified().ok()).and_then(|time| time.elapsed().ok());
        Ok(Some((bytes, release, age.map_or(0, |age| age.as_secs()))))
    }

    /// Fetches a release file, checks it, and keeps it if it is not older than the one that is kept.
    fn fetch_release(&self, suite: &Suite) -> Result<(Vec<u8>, Release), DebianError> {
        let url = format!("{}/dists/{}/InRelease", suite.mirror, suite.name);
        let file = suite.file();
        let bytes = self.transport.bytes(&url, RELEASE_LIMIT).map_err(|source| DebianError::Fetch { url, source })?;
        let text = self
            .options
            .keyring
            .verify(suite.kind, &bytes, self.options.now)
            .map_err(|reason| DebianError::verify(&file, "signature", reason))?;
        let release = Release::parse(&text, &file)?;
        release.check(&suite.name, self.options.now, &file)?;
        if let Some((_, known, _)) = self.cached_release(suite)?
            && release.date < known.date
        {
            let reason = format!("it is of {}, but one of {} was seen before", release.date, known.date);
            return Err(DebianError::verify(&file, "date", reason));
        }
        write(&self.release_path(suite), &bytes)?;
        Ok((bytes, release))
    }

    /// Returns the index that a release file names, from the cache where it is there.
    fn index(&self, suite: &Suite, release: &Release, arch: &str) -> Result<Index, DebianError> {
        let path = format!("main/binary-{arch}/Packages.xz");
        let unknown = || DebianError::Architecture { suite: suite.name.clone(), arch: arch.to_owned() };
        let (digest, size) = release.file(&path).filter(|_| release.has_architecture(arch)).ok_or_else(unknown)?;
        let kept = self.options.cache.join("indexes").join(format!("{}.v{}", digest.hex(), index::SCHEMA));
        if let Ok(bytes) = std::fs::read(&kept)
            && let Some(index) = Index::from_bytes(&bytes)
        {
            return Ok(index);
        }
        let file = format!("{path} of {}", suite.name);
        if self.options.offline {
            return Err(DebianError::Offline { file });
        }
        let folder = format!("{}/dists/{}/main/binary-{arch}", suite.mirror, suite.name);
        let url = if release.by_hash {
            format!("{folder}/by-hash/SHA256/{}", digest.hex())
        } else {
            format!("{folder}/Packages.xz")
        };
        let packed = self.transport.bytes(&url, size).map_err(|source| DebianError::Fetch { url, source })?;
        if packed.len() as u64 != size {
            return Err(DebianError::verify(&file, "size", format!("it has {} bytes instead of {size}", packed.len())));
        }
        let found = Digest::of(&packed);
        if found != *digest {
            return Err(DebianError::verify(&file, "digest", format!("it is {found} instead of {digest}")));
        }
        let text = unpack_xz(&packed).map_err(|reason| DebianError::malformed(&file, reason))?;
        let index = Index::parse(&text).map_err(|reason| DebianError::malformed(&file, reason))?;
        write(&kept, &index.to_bytes())?;
        Ok(index)
    }
}

impl Suite {
    fn file(&self) -> String {
        format!("InRelease of {}", self.name)
    }
}

fn used(suite: &Suite, bytes: &[u8], release: &Release) -> SuiteUsed {
    SuiteUsed { name: suite.name.clone(), release: Digest::of(bytes), date: release.date }
}

/// Returns the directory of the release files.
fn releases(cache: &Path) -> PathBuf {
    cache.join("releases")
}

/// Makes the release files of the cache look old, so that the next run asks the mirror for newer ones.
pub(crate) fn distrust(cache: &Path) {
    for entry in std::fs::read_dir(releases(cache)).into_iter().flatten().flatten() {
        // a file that keeps its time costs a failed run more, nothing else
        let old = std::fs::File::options().write(true).open(entry.path());
        let _ = old.and_then(|file| file.set_modified(std::time::UNIX_EPOCH));
    }
}

/// Returns the suites of a release, in the order in which they decide between equal versions.
fn suites_of(release: &str, mirror: &Mirror) -> Vec<Suite> {
    let suite = |suffix: &str, mirror: &str, kind| Suite {
        name: format!("{release}{suffix}"),
        mirror: mirror.to_owned(),
        kind,
    };
    vec![
        suite("", &mirror.main, SuiteKind::Archive),
        suite("-updates", &mirror.main, SuiteKind::Archive),
        suite("-security", &mirror.security, SuiteKind::Security),
    ]
}

/// Returns Debian's name of an architecture.
fn debian_arch(platform: &Platform) -> String {
    match (platform.architecture.as_str(), platform.variant.as_deref()) {
        ("arm", Some("v5" | "v6")) => "armel",
        ("arm", _) => "armhf",
        ("386", _) => "i386",
        ("ppc64le", _) => "ppc64el",
        (other, _) => other,
    }
    .to_owned()
}

fn unpack_xz(packed: &[u8]) -> Result<String, String> {
    use std::io::Read as _;
    let mut text = Vec::new();
    deb::xz(packed)?.take(INDEX_LIMIT).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 == INDEX_LIMIT {
        return Err("it is too large".to_owned());
    }
    String::from_utf8(text).or_else(|error| Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Writes a file of the cache under a temporary name and renames it.
fn write(path: &Path, bytes: &[u8]) -> Result<(), DebianError> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(DebianError::io("create", folder))?;
    let file = tempfile::NamedTempFile::new_in(folder).map_err(DebianError::io("write", path))?;
    std::fs::write(file.path(), bytes).map_err(DebianError::io("write", path))?;
    file.persist(path).map_err(|error| DebianError::io("write", path)(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_have_debian_names() {
        for (platform, arch) in
            [("linux/amd64", "amd64"), ("linux/arm64", "arm64"), ("linux/arm/v7", "armhf"), ("linux/386", "i386")]
        {
            assert_eq!(debian_arch(&platform.parse().unwrap()), arch);
        }
    }
}
