//! What every command works with: the store, the caches, the configuration and the host.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use plim_index::Indexes;
use plim_oci::Events;
pub use plim_oci::daemon::Sockets;
use plim_oci::http::{Client, ClientOptions, Proxies};
use plim_oci::layout::Layout;
use plim_oci::registry::{Credentials, Registries, RegistrySettings, Settings};

use crate::base::Underway;
use crate::isolation::Isolation;
use crate::{Config, Failure};

/// What the program knows of the machine that it runs on; filled by the command line from the environment.
#[derive(Debug, Clone)]
pub struct Host {
    /// `$XDG_DATA_HOME/plimsoll`.
    pub data: Utf8PathBuf,
    /// `$XDG_CACHE_HOME/plimsoll`.
    pub cache: Utf8PathBuf,
    /// `/etc/apt`, or wherever apt's configuration is.
    pub apt: Vec<Utf8PathBuf>,
    /// The host's CA bundle, when the host trusts more than its distribution ships.
    pub ca_bundle: Option<Utf8PathBuf>,
    /// Files of registry credentials, of the form of Docker's `config.json` and Podman's `auth.json`; the first that has
    /// an answer counts.
    pub credentials: Vec<Utf8PathBuf>,
    /// Directories with registries' certificates, as Docker keeps them.
    pub certificate_dirs: Vec<Utf8PathBuf>,
    /// Where Docker's daemon listens.
    pub docker: Sockets,
    /// Where Podman's service listens.
    pub podman: Sockets,
    /// Proxy variables (`HTTP_PROXY`, …).
    pub proxies: Vec<(String, String)>,
    /// No network connection may be opened.
    pub offline: bool,
    /// What keeps commands apart from the machine.
    pub isolation: Isolation,
    /// The time.
    pub now: Timestamp,
}

/// The store, the caches, the configuration and the host.
#[derive(Debug)]
pub struct Workspace {
    /// What the machine is like.
    pub host: Host,
    /// What the project or the user decided.
    pub config: Config,
    /// The local image store.
    pub store: Layout,
    /// The indexes of layers.
    pub indexes: Indexes,
    /// The one HTTP client.
    pub http: Client,
    /// The registries.
    pub registries: Registries,
    /// What was said and need not be said again.
    said: Mutex<BTreeSet<String>>,
    /// The base images that are being made.
    pub(crate) bases: Underway,
}

impl Workspace {
    /// Opens the directories, making them where they are missing.
    pub fn open(host: Host, config: Config) -> Result<Self, Failure> {
        for dir in [&host.data, &host.cache] {
            std::fs::create_dir_all(dir).map_err(|error| {
                Failure::caused(format!("failed to create {dir}"), &error)
                    .hint("--data and --cache (PLIM_DATA, PLIM_CACHE) choose other folders")
            })?;
        }
        let store = Layout::create(host.data.join("store"))?;
        let indexes = Indexes::new(host.cache.join("index"));
        let options = ClientOptions {
            ca_bundle: host.ca_bundle.clone().map(Into::into),
            proxies: proxies(&host.proxies),
            ..ClientOptions::default()
        };
        let http = Client::new(&options).map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))?;
        let registries = Registries::new(options, registry_settings(&host, &config), credentials(&host));
        Ok(Self { host, config, store, indexes, http, registries, said: Mutex::default(), bases: Underway::default() })
    }

    /// Notes something that several builds of one run would note.
    pub(crate) fn note_once(&self, events: &dyn Events, text: &str) {
        if self.is_new(text) {
            events.note(text);
        }
    }

    /// Warns of something that several builds of one run would warn of.
    pub(crate) fn warn_once(&self, events: &dyn Events, text: &str) {
        if self.is_new(text) {
            events.warn(text);
        }
    }

    /// Passes on what the registries had to say.
    pub(crate) fn tell_warnings(&self, events: &dyn Events) {
        for text in self.registries.take_warnings() {
            self.warn_once(events, &text);
        }
    }

    fn is_new(&self, text: &str) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned())
    }

    /// Returns the directories that builds share.
    pub fn build_state(&self) -> plim_build::State {
        let snapshots = snapshots(self.host.isolation);
        plim_build::State {
            store: self.store.clone(),
            snapshots: self.host.data.join(snapshots).into(),
            cache: self.host.cache.join("build").into(),
            mounts: self.host.cache.join("mounts").into(),
        }
    }

    /// Returns the directories of snapshots of all ways to run steps.
    pub(crate) fn all_snapshots(&self) -> [std::path::PathBuf; 2] {
        [Isolation::Namespaces, Isolation::Chroot].map(|isolation| self.host.data.join(snapshots(isolation)).into())
    }

    /// Returns a directory below the cache, made where it is missing.
    pub fn cache_dir(&self, name: &str) -> Result<Utf8PathBuf, Failure> {
        let dir = self.host.cache.join(name);
        std::fs::create_dir_all(&dir).map_err(|error| Failure::caused(format!("failed to create {dir}"), &error))?;
        Ok(dir)
    }

    /// Decides which CA bundle RUN steps see: a flag, the configuration, or the host's own additions.
    pub fn ca_bundle(&self, flag: Option<&str>) -> Result<Option<Utf8PathBuf>, Failure> {
        match flag.or(self.config.build.ca_bundle.as_deref()).unwrap_or("auto") {
            "none" => Ok(None),
            "auto" => Ok(self.host.ca_bundle.clone()),
            file if Utf8Path::new(file).is_file() => Ok(Some(file.into())),
            file => Err(Failure::tool(format!("the CA bundle {file} is no file"))
                .hint("--ca-bundle takes a PEM file, `auto` or `none`")),
        }
    }
}

/// Without mounts directories may be marked in ways that the kernel does not know, so each way has its own.
fn snapshots(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Namespaces => "snapshots",
        Isolation::Chroot => "snapshots-chroot",
    }
}

fn credentials(host: &Host) -> Credentials {
    Credentials { files: host.credentials.iter().map(Into::into).collect(), ..Credentials::default() }
}

fn registry_settings(host: &Host, config: &Config) -> Settings {
    // files are named from where the configuration is
    let dir = config.path.as_deref().and_then(Utf8Path::parent).unwrap_or(Utf8Path::new("."));
    let file = |path: &Option<Utf8PathBuf>| path.as_ref().map(|path| dir.join(path).into_std_path_buf());
    let registries = config
        .registry
        .iter()
        .map(|registry| RegistrySettings {
            name: registry.name.trim_end_matches('/').to_owned(),
            mirrors: registry.mirrors.clone(),
            plain_http: registry.plain_http,
            insecure: registry.insecure,
            ca: file(&registry.ca),
            identity: file(&registry.client_cert).zip(file(&registry.client_key)),
            parallel: registry.parallel,
        })
        .collect();
    Settings { registries, certificate_dirs: host.certificate_dirs.iter().map(Into::into).collect() }
}

/// Picks the proxies of plim's own transfers from the variables; lower case wins, as curl has it.
fn proxies(variables: &[(String, String)]) -> Proxies {
    let get = |name: &str| {
        let lower = name.to_lowercase();
        let find = |wanted: &str| variables.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        find(&lower).or_else(|| find(name))
    };
    Proxies {
        http: get("HTTP_PROXY").or_else(|| get("ALL_PROXY")),
        https: get("HTTPS_PROXY").or_else(|| get("ALL_PROXY")),
        no_proxy: get("NO_PROXY").unwrap_or_default(),
    }
}

/// Writes a file by way of a temporary name, so that no reader and no crash sees half of it.
pub(crate) fn write_whole(path: &Utf8Path, bytes: &[u8]) -> Result<(), Failure> {
    let dir = path.parent().filter(|dir| !dir.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    write_whole_by(dir, path, bytes)
}

/// Writes a file by way of a temporary name in another folder of the same file system, where a crash may leave it.
pub(crate) fn write_whole_by(dir: &Utf8Path, path: &Utf8Path, bytes: &[u8]) -> Result<(), Failure> {
    write_by(dir, path, bytes, 0o644)
}

/// Like [`write_whole`], and no other user of the machine may read it.
pub(crate) fn write_private(path: &Utf8Path, bytes: &[u8]) -> Result<(), Failure> {
    let dir = path.parent().filter(|dir| !dir.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    write_by(dir, path, bytes, 0o600)
}

fn write_by(dir: &Utf8Path, path: &Utf8Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    use std::io::Write as _;
    let failed = |error: &std::io::Error| Failure::caused(format!("failed to write {path}"), error);
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(|error| failed(&error))?;
    file.write_all(bytes).map_err(|error| failed(&error))?;
    // a temporary file is private
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(file.path(), mode).map_err(|error| failed(&error))?;
    file.persist(path).map_err(|error| failed(&error.error))?;
    Ok(())
}
