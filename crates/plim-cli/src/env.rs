//! Every environment variable that plim reads, in one place. No other module of the program asks the environment.
//!
//! Besides these, flags that make sense in CI have a variable each; `plim COMMAND --help` names them.

use std::sync::atomic::Ordering;

use camino::{Utf8Path, Utf8PathBuf};
use plim_engine::{Failure, Host, Sockets};

use crate::args::Global;
use crate::progress::CANCELLED;

/// Where programs are.
const PATH: &str = "PATH";
/// Log filter in the syntax of the `tracing` crates: `plim_build=debug`.
const PLIM_LOG: &str = "PLIM_LOG";
/// Base of data files (XDG base directory specification).
const XDG_DATA_HOME: &str = "XDG_DATA_HOME";
/// Base of cache files (XDG base directory specification).
const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";
/// CA bundle of the host; a company that inspects TLS sets it.
const SSL_CERT_FILE: &str = "SSL_CERT_FILE";
/// Where the user's SSH agent listens (ssh-agent(1)).
const SSH_AUTH_SOCK: &str = "SSH_AUTH_SOCK";
/// The kind of the terminal (terminfo(5)).
const TERM: &str = "TERM";
/// Seconds since 1970 that nothing in an image is newer than (reproducible-builds.org).
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";
/// File of registry credentials (containers-auth.json(5)).
const REGISTRY_AUTH_FILE: &str = "REGISTRY_AUTH_FILE";
/// Directory of Docker's client configuration.
const DOCKER_CONFIG: &str = "DOCKER_CONFIG";
/// Where a session's files are, Podman's credentials among them.
const XDG_RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";
/// Base of configuration files (XDG base directory specification).
const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// Where Docker's daemon listens.
const DOCKER_HOST: &str = "DOCKER_HOST";
/// Where Podman's service listens.
const CONTAINER_HOST: &str = "CONTAINER_HOST";
/// Where Docker and Podman keep the certificates of single registries.
const CERTIFICATE_DIRS: &[&str] = &["/etc/containers/certs.d", "/etc/docker/certs.d"];
/// Proxy settings in the spellings that programs understand.
const PROXIES: &[&str] = &[
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "all_proxy",
];
/// Where a Debian host keeps CA certificates that its administrator added.
const LOCAL_CERTIFICATES: &str = "/usr/local/share/ca-certificates";
/// Where hosts keep their whole CA bundle, in the order tried.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Finds a program by its path, or by its name where the shell would; also where only root's shell would.
pub(crate) fn program(name: &Utf8Path) -> Result<Utf8PathBuf, Failure> {
    let path = variable(PATH).unwrap_or_default();
    let candidates: Vec<Utf8PathBuf> = if name.as_str().contains('/') {
        vec![name.to_owned()]
    } else {
        path.split(':').chain(["/usr/sbin", "/sbin"]).map(|dir| Utf8Path::new(dir).join(name)).collect()
    };
    let found = candidates.iter().filter(|path| path.is_file()).find_map(|path| path.canonicalize_utf8().ok());
    found.ok_or_else(|| {
        Failure::tool(format!("there is no runtime `{name}`"))
            .hint("install it (crun, runc), or give the path of its program")
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the filter of the log.
pub(crate) fn log_filter() -> Option<String> {
    variable(PLIM_LOG)
}

/// Returns the value that `--build-arg NAME` and `--secret env=NAME` take from the environment.
pub(crate) fn user_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Says whether the locale shows UTF-8.
pub(crate) fn unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default();
    locale.is_empty() || locale.to_ascii_lowercase().replace('-', "").contains("utf8")
}

/// Returns the socket of the user's SSH agent.
pub(crate) fn ssh_agent() -> Option<Utf8PathBuf> {
    variable(SSH_AUTH_SOCK).map(Into::into)
}

/// Returns the kind of the terminal.
pub(crate) fn terminal_kind() -> Option<String> {
    variable(TERM)
}

/// Says whether the terminal cannot move its cursor.
pub(crate) fn dumb_terminal() -> bool {
    variable(TERM).is_none_or(|term| term == "dumb")
}

/// Returns `SOURCE_DATE_EPOCH`.
pub(crate) fn epoch() -> Option<i64> {
    variable(SOURCE_DATE_EPOCH)?.parse().ok()
}

/// Returns a path as one would type it from the current folder, where it is below that.
pub(crate) fn from_here(path: &Utf8Path) -> &Utf8Path {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(Utf8Path::from_path(&here)?).ok()).unwrap_or(path)
}

/// Gathers what the engine must know of the machine.
pub(crate) fn host(global: &Global) -> Host {
    let home = variable("HOME").map_or_else(|| Utf8PathBuf::from("/"), Utf8PathBuf::from);
    let data = global.data.clone().unwrap_or_else(|| {
        variable(XDG_DATA_HOME).map_or_else(|| home.join(".local/share"), Into::into).join("plimsoll")
    });
    let cache = global
        .cache
        .clone()
        .unwrap_or_else(|| variable(XDG_CACHE_HOME).map_or_else(|| home.join(".cache"), Into::into).join("plimsoll"));
    Host {
        data: camino::absolute_utf8(&data).unwrap_or(data),
        cache: camino::absolute_utf8(&cache).unwrap_or(cache),
        apt: vec!["/etc/apt".into()],
        ca_bundle: ca_bundle(),
        credentials: credentials(&home),
        certificate_dirs: CERTIFICATE_DIRS
            .iter()
            .map(Utf8PathBuf::from)
            .chain([home.join(".config/containers/certs.d")])
            .collect(),
        docker: sockets(DOCKER_HOST, "docker.sock", "/var/run/docker.sock"),
        podman: sockets(CONTAINER_HOST, "podman/podman.sock", "/run/podman/podman.sock"),
        proxies: PROXIES.iter().filter_map(|name| Some(((*name).to_owned(), variable(name)?))).collect(),
        offline: global.offline,
        isolation: plim_engine::isolation::Isolation::default(),
        now: jiff::Timestamp::now(),
    }
}

/// Where an engine listens: at the address that a variable names, else that of this user, else that of
/// the machine.
fn sockets(address: &str, own: &str, system: &str) -> Sockets {
    let own = variable(XDG_RUNTIME_DIR).map(|dir| Utf8PathBuf::from(dir).join(own).into());
    Sockets { given: variable(address), usual: own.into_iter().chain([system.into()]).collect() }
}

/// The files with registry credentials, in the order in which Podman and Docker look for them.
fn credentials(home: &Utf8Path) -> Vec<Utf8PathBuf> {
    let docker = variable(DOCKER_CONFIG).map_or_else(|| home.join(".docker"), Into::into).join("config.json");
    let given = variable(REGISTRY_AUTH_FILE).map(Into::into);
    let runtime = variable(XDG_RUNTIME_DIR).map(|dir| Utf8PathBuf::from(dir).join("containers/auth.json"));
    let config = variable(XDG_CONFIG_HOME).map_or_else(|| home.join(".config"), Into::into);
    given.into_iter().chain(runtime).chain([config.join("containers/auth.json"), docker]).collect()
}

/// The host's CA bundle, when the host trusts more than its distribution ships: somebody set `SSL_CERT_FILE`, or
/// an administrator added certificates.
fn ca_bundle() -> Option<Utf8PathBuf> {
    if let Some(file) = variable(SSL_CERT_FILE).map(Utf8PathBuf::from).filter(|file| file.is_file()) {
        return Some(file);
    }
    let added = std::fs::read_dir(LOCAL_CERTIFICATES).is_ok_and(|mut entries| entries.next().is_some());
    if !added {
        return None;
    }
    BUNDLES.iter().map(Utf8PathBuf::from).find(|file| file.is_file())
}

/// Makes the first Ctrl-C ask every task to stop; a second one ends the program at once.
pub(crate) fn catch_interrupts() {
    let handler = || {
        if CANCELLED.swap(true, Ordering::Relaxed) {
            #[expect(clippy::exit, reason = "the user asked twice")]
            std::process::exit(130);
        }
    };
    // a second call, and a system that refuses: without a handler Ctrl-C simply ends the program, which loses nothing
    let _ = ctrlc::set_handler(handler);
}

/// Says whether the user asked to stop.
pub(crate) fn interrupted() -> bool {
    CANCELLED.load(Ordering::Relaxed)
}
