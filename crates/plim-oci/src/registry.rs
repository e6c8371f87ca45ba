//! Registries: a client of the OCI distribution specification 1.1
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md>), which also talks to those that only
//! know Docker's media types.
//!
//! A [`Repository`] is a place like a layout: [`copy`](crate::copy::copy) moves images into and out of it.

mod auth;
mod credentials;
mod download;
mod error;
mod host;
mod list;
mod pull;
mod push;
mod referrers;
mod settings;
mod slots;
mod upload;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::http::ClientOptions;
use crate::{Digest, Reference};

pub use credentials::{Credential, Credentials, Secret};
pub use error::RegistryError;
pub use referrers::fallback_tag;
pub use settings::{RegistrySettings, Settings};

use host::Host;

/// The registries, with what is known of each: addresses, certificates, credentials, tokens. Clones share it.
#[derive(Debug, Clone)]
pub struct Registries {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: ClientOptions,
    settings: Settings,
    credentials: Arc<Credentials>,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
    warnings: Warnings,
}

/// What people should know although the work goes on, until somebody takes it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    fn add(&self, text: String) {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
}

impl Registries {
    /// Returns the registries; nothing is asked before it is needed.
    pub fn new(options: ClientOptions, settings: Settings, credentials: Credentials) -> Self {
        let credentials = Arc::new(credentials);
        Self {
            inner: Arc::new(Inner {
                options,
                settings,
                credentials,
                hosts: Mutex::default(),
                warnings: Warnings::default(),
            }),
        }
    }

    /// Returns the repository that a reference names.
    pub fn repository(&self, reference: &Reference) -> Result<Repository, RegistryError> {
        let name = reference.name();
        let upstream = self.host(reference.registry(), &name)?;
        let mirrors = self.inner.settings.mirrors(&name);
        let mirrors = mirrors.iter().map(|mirror| self.mirror(mirror, &name)).collect::<Result<Vec<_>, _>>()?;
        let shared = Shared {
            registry: reference.registry().to_owned(),
            name: reference.repository().to_owned(),
            upstream,
            mirrors,
            put: Mutex::default(),
        };
        Ok(Repository { shared: Arc::new(shared) })
    }

    /// Lists the repositories of a registry, where it tells them.
    pub fn catalog(&self, registry: &str) -> Result<Vec<String>, RegistryError> {
        list::catalog(&*self.host(registry, registry)?)
    }

    /// Returns what people should know, and forgets it: credentials that cannot be read, mirrors that are of no use.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.inner.warnings.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn host(&self, registry: &str, name: &str) -> Result<Arc<Host>, RegistryError> {
        let settings = self.inner.settings.of(name);
        self.remembered(registry.to_owned(), || {
            Host::new(registry, None, settings, &self.inner.options, &self.inner.credentials, &self.inner.warnings)
        })
    }

    fn mirror(&self, address: &str, name: &str) -> Result<Arc<Host>, RegistryError> {
        let bare = address.split_once("://").map_or(address, |(_, bare)| bare).trim_end_matches('/');
        let (settings, upstream) = (self.inner.settings.of(bare), name.split('/').next().unwrap_or_default());
        self.remembered(format!("{address} for {upstream}"), || {
            let mut host = Host::new(
                bare,
                Some(upstream),
                settings,
                &self.inner.options,
                &self.inner.credentials,
                &self.inner.warnings,
            )?;
            if let Some((scheme @ ("http" | "https"), _)) = address.split_once("://") {
                host.set_scheme(scheme);
            }
            Ok(host)
        })
    }

    fn remembered(
        &self,
        key: String,
        make: impl FnOnce() -> Result<Host, RegistryError>,
    ) -> Result<Arc<Host>, RegistryError> {
        let mut hosts = self.inner.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(&key) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(make()?);
        hosts.insert(key, Arc::clone(&host));
        Ok(host)
    }
}

/// One repository of a registry. Clones share what is known.
#[derive(Debug, Clone)]
pub struct Repository {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: String,
    name: String,
    upstream: Arc<Host>,
    mirrors: Vec<Arc<Host>>,
    /// Manifests that were put: naming one sends it again.
    put: Mutex<HashMap<Digest, Vec<u8>>>,
}

impl Repository {
    /// Returns the registry's name and the repository, `registry.example/team/app`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.shared.registry, self.shared.name)
    }

    fn scope(&self, actions: &str) -> String {
        format!("repository:{}:{actions}", self.shared.name)
    }

    fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.shared.name)
    }
}
