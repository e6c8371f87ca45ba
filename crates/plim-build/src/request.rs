//! What a build is asked to do.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bstr::BString;
use plim_dockerfile::ignore::Patterns;
use plim_oci::Platform;
use plim_oci::compress::Compression;
use plim_sandbox::{Isolation, Network, Secret, Terminal};

use crate::ssh::SshAgent;
use crate::travel::{CacheExport, CacheSource, MountSource};

/// Everything a build depends on besides the machine's [`State`](crate::State).
#[derive(Debug)]
pub struct Request {
    /// Where COPY and ADD read.
    pub context: Context,
    /// The Dockerfile's bytes.
    pub dockerfile: Vec<u8>,
    /// The Dockerfile's name, for messages.
    pub dockerfile_name: String,
    /// What of the context the build must not see.
    pub ignore: Option<Patterns>,
    /// `--build-arg`, in order; a later one of the same name wins.
    pub build_args: Vec<(String, String)>,
    /// `--label`: labels of the final image, over those of the Dockerfile.
    pub labels: Vec<(String, String)>,
    /// Annotations of the image's manifest, over those that plim writes.
    pub annotations: Vec<(String, String)>,
    /// The stage to build; `None` is the last one.
    pub target: Option<String>,
    /// What `RUN --mount=type=secret` may ask for.
    pub secrets: Vec<SecretSpec>,
    /// What `RUN --mount=type=ssh` may ask for, by id; no part of keys.
    pub ssh: Vec<(String, Arc<SshAgent>)>,
    /// `--build-context NAME=…`: answers FROM and `--from` before stages and images do.
    pub named_contexts: Vec<(String, NamedContext)>,
    /// Do every step again, whatever the cache holds.
    pub no_cache: bool,
    /// Do the steps of these stages again, by name or number, and those that stand on them.
    pub no_cache_stages: Vec<String>,
    /// What keeps RUN steps apart from the machine; no part of keys, because the results are the same.
    pub isolation: Isolation,
    /// The OCI runtime that starts the commands of RUN, in the place of plim itself; no part of keys either.
    pub runtime: Option<PathBuf>,
    /// The network of RUN steps that do not name one.
    pub network: Network,
    /// Steps that have to run get loopback only, whatever their network; those whose result is known are answered by it. No
    /// part of keys.
    pub offline: bool,
    /// A PEM bundle that RUN steps should trust. It is offered for the step only: it is no part of keys,
    /// layers or configuration.
    pub ca_bundle: Option<PathBuf>,
    /// Proxy variables (`HTTP_PROXY`, …) for RUN steps; no part of keys, layers or configuration.
    pub proxies: Vec<(String, String)>,
    /// Where a RUN fails, a shell is opened on this terminal, in the files and with the mounts of the step.
    pub shell_on_error: Option<Arc<Terminal>>,
    /// The platform to build for.
    pub platform: Platform,
    /// Seconds since 1970 that nothing in the image is newer than. `None`: `SOURCE_DATE_EPOCH` where it is
    /// given as a build argument, else the time the base image was made. When it is set here, RUN steps
    /// see it as `SOURCE_DATE_EPOCH`.
    pub epoch: Option<i64>,
    /// Seconds since 1970 that the configuration gives as the time of the image, where no epoch is asked for: that of the
    /// last commit, say. Files do not get it, so layers that do not change keep their digests. `None`: the epoch.
    pub created: Option<i64>,
    /// How layers are compressed.
    pub compression: Compression,
    /// `name`, `address` lines for `/etc/hosts` of RUN steps.
    pub extra_hosts: Vec<(String, String)>,
    /// How many stages may be built at once; 0 is the number of processors.
    pub jobs: usize,
    /// Caches of other machines that are asked for what this one has not got, in this order.
    pub cache_from: Vec<CacheSource>,
    /// Caches to write down; [`Built::caches`](crate::Built::caches) has them in the same order.
    pub cache_to: Vec<CacheExport>,
    /// Where cache directories that are not on this machine yet may get their first content, in this order.
    pub cache_mounts_from: Vec<MountSource>,
    /// The image's configuration keeps the table of its own steps, see [`INLINE_CACHE`](crate::INLINE_CACHE).
    pub cache_inline: bool,
}

impl Request {
    /// Returns a request that builds a Dockerfile over a context directory with everything else default.
    pub fn new(context: PathBuf, dockerfile: Vec<u8>) -> Self {
        Self {
            context: Context { root: context, overrides: BTreeMap::new() },
            dockerfile,
            dockerfile_name: "Dockerfile".to_owned(),
            ignore: None,
            build_args: Vec::new(),
            labels: Vec::new(),
            annotations: Vec::new(),
            target: None,
            secrets: Vec::new(),
            ssh: Vec::new(),
            named_contexts: Vec::new(),
            no_cache: false,
            no_cache_stages: Vec::new(),
            isolation: Isolation::Namespaces,
            runtime: None,
            network: Network::Host,
            offline: false,
            ca_bundle: None,
            proxies: Vec::new(),
            shell_on_error: None,
            platform: Platform::host(),
            epoch: None,
            created: None,
            compression: Compression::default(),
            extra_hosts: Vec::new(),
            jobs: 0,
            cache_from: Vec::new(),
            cache_to: Vec::new(),
            cache_mounts_from: Vec::new(),
            cache_inline: false,
        }
    }
}

/// The build context: a directory, with changes laid over it.
#[derive(Debug, Clone)]
pub struct Context {
    /// The directory.
    pub root: PathBuf,
    /// Files that replace or join those of the directory, by path relative to it. Used to measure a
    /// rebuild after a change without touching the project.
    pub overrides: BTreeMap<BString, Vec<u8>>,
}

/// A context with a name (`--build-context`).
#[derive(Debug)]
pub enum NamedContext {
    /// A directory; what the patterns match is left out.
    Dir {
        /// The directory.
        root: PathBuf,
        /// Its own ignore patterns.
        ignore: Option<Patterns>,
    },
    /// An image, by a name that the build's [`BaseSource`](crate::BaseSource) understands, or `scratch`.
    Image(String),
}

/// A secret that steps may mount.
#[derive(Debug)]
pub struct SecretSpec {
    /// The name that `RUN --mount=type=secret,id=…` uses.
    pub id: String,
    /// Its bytes.
    pub value: Secret,
}
