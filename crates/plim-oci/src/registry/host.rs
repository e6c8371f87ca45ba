//! One registry as a partner: its address, its certificates, what it wants before it answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::http::{Body, Client, ClientOptions, Request, Response, same_origin};

use super::auth::{self, Challenge, Token};
use super::credentials::{Credential, Credentials, Found};
use super::error::reason;
use super::settings::RegistrySettings;
use super::slots::Slots;
use super::{RegistryError, Warnings};

/// Where the registry with the name `docker.io` answers.
const DOCKER_HUB: &str = "registry-1.docker.io";
/// Transfers at once, each way; registries throttle clients that ask for more.
const PARALLEL: usize = 3;

/// A registry, or a mirror of one.
#[derive(Debug)]
pub(super) struct Host {
    /// As references name it.
    pub(super) name: String,
    base: String,
    /// Path in front of `/v2` for mirrors that have one.
    prefix: String,
    /// The registry that this one mirrors.
    upstream: Option<String>,
    client: Client,
    /// Does not try again by itself.
    once: Client,
    credentials: Arc<Credentials>,
    warnings: Warnings,
    state: Mutex<State>,
    /// For what is read from it.
    pub(super) reading: Slots,
    /// For what is written to it. Whoever writes may wait for a reader, never the other way round.
    pub(super) writing: Slots,
}

#[derive(Debug, Default)]
struct State {
    challenge: Option<Challenge>,
    /// By scopes.
    tokens: HashMap<String, Token>,
    /// The specification's minimum for chunks, once it was heard of; bytes.
    chunk_minimum: Option<u64>,
    /// It said no to whole blobs in one request.
    chunks_only: bool,
}

/// A request to a registry.
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    /// A path, `/v2/…`, or a whole address that the registry gave.
    pub(super) target: &'a str,
    pub(super) headers: Vec<(&'a str, String)>,
    pub(super) body: Body<'a>,
    /// What is needed: `repository:NAME:pull`, sorted, the one that counts first.
    pub(super) scopes: &'a [String],
    /// The request is not sent again when the connection breaks.
    pub(super) once: bool,
}

impl<'a> Ask<'a> {
    /// A request without a body.
    pub(super) fn new(method: &'a str, target: &'a str, scopes: &'a [String]) -> Self {
        Self { method, target, headers: Vec::new(), body: Body::Empty, scopes, once: false }
    }
}

impl Host {
    /// Prepares to talk to a registry; nothing is sent.
    pub(super) fn new(
        name: &str,
        upstream: Option<&str>,
        settings: RegistrySettings,
        options: &ClientOptions,
        credentials: &Arc<Credentials>,
        warnings: &Warnings,
    ) -> Result<Self, RegistryError> {
        let (host, prefix) =
            name.split_once('/').map_or((name, String::new()), |(host, rest)| (host, format!("/{rest}")));
        // whoever names certificates means TLS
        let certified = settings.ca.is_some() || settings.identity.is_some();
        let plain = settings.plain_http.unwrap_or_else(|| is_loopback(host) && !certified);
        let address = if host == "docker.io" { DOCKER_HUB } else { host };
        let mut options = options.clone();
        options.authorities.extend(settings.ca);
        options.insecure |= settings.insecure;
        options.identity = settings.identity.or(options.identity);
        let client = Client::new(&options)
            .map_err(|error| RegistryError::Settings { registry: host.to_owned(), reason: error.to_string() })?;
        let parallel = settings.parallel.unwrap_or(PARALLEL);
        Ok(Self {
            name: host.to_owned(),
            base: format!("{}://{address}", if plain { "http" } else { "https" }),
            prefix: if upstream.is_some() { prefix } else { String::new() },
            upstream: upstream.map(str::to_owned),
            once: client.once(),
            client,
            credentials: Arc::clone(credentials),
            warnings: warnings.clone(),
            state: Mutex::default(),
            reading: Slots::new(parallel),
            writing: Slots::new(parallel),
        })
    }

    /// Decides between `http` and `https`.
    pub(super) fn set_scheme(&mut self, scheme: &str) {
        if let Some((_, rest)) = self.base.split_once("://") {
            self.base = format!("{scheme}://{rest}");
        }
    }

    /// Tells whoever drives this about something.
    pub(super) fn warn(&self, text: String) {
        self.warnings.add(text);
    }

    /// How often and how patiently to try again.
    pub(super) fn retry(&self) -> crate::http::Retry {
        self.client.retry()
    }

    /// The least that a chunk must have, in bytes.
    pub(super) fn chunk_minimum(&self) -> Option<u64> {
        self.state().chunk_minimum
    }

    /// Remembers the least that a chunk must have.
    pub(super) fn learn_chunk_minimum(&self, bytes: u64) {
        self.state().chunk_minimum = Some(bytes);
    }

    /// Whether blobs must come in chunks.
    pub(super) fn wants_chunks(&self) -> bool {
        self.state().chunks_only
    }

    /// Remembers that blobs must come in chunks.
    pub(super) fn learn_chunks(&self) {
        self.state().chunks_only = true;
    }

    /// Returns the address of a target.
    pub(super) fn url(&self, target: &str) -> String {
        if target.contains("://") {
            return target.to_owned();
        }
        let mut url = format!("{}{}{target}", self.base, self.prefix);
        if let Some(upstream) = &self.upstream {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str("ns=");
            url.push_str(&auth::escape(upstream));
        }
        url
    }

    /// Sends a request, with what the registry wants to see, and returns the answer unless that is a refusal to
    /// let us in. `action` and `place` are for messages.
    pub(super) fn send(&self, ask: &Ask<'_>, action: &'static str, place: &str) -> Result<Response, RegistryError> {
        let url = self.url(ask.target);
        let mut last = None;
        // the first answer says how to log in, the second may say that a scope is missing
        for _ in 0..3 {
            let mut headers = ask.headers.clone();
            let mut sent = None;
            // an upload's address may be somewhere else
            if same_origin(&url, &self.base) {
                sent = self.authorization(ask.scopes, action, place)?;
                headers.extend(sent.iter().map(|value| ("Authorization", value.clone())));
            }
            let client = if ask.once { &self.once } else { &self.client };
            let response = client
                .send(&Request { method: ask.method, url: &url, headers, body: ask.body })
                .map_err(|source| RegistryError::Http { action, place: place.to_owned(), source })?;
            for warning in response.headers("warning") {
                // distribution specification, "Warnings"
                if let Some(text) = warning.strip_prefix("299 - ") {
                    self.warn(format!("{}: {}", self.name, text.trim_matches('"')));
                }
            }
            if response.status == 403 {
                return Err(self.denied(action, place, ask.scopes, reason(response)));
            }
            if response.status != 401 {
                return Ok(response);
            }
            let challenge = Challenge::read(response.headers("www-authenticate"));
            let said = reason(response);
            let Some(challenge) = challenge else {
                return Err(self.denied(action, place, ask.scopes, said));
            };
            if sent.is_some() && last.as_ref() == Some(&challenge) {
                return Err(self.denied(action, place, ask.scopes, said));
            }
            let mut state = self.state();
            state.tokens.remove(&key(ask.scopes));
            state.challenge = Some(challenge.clone());
            drop(state);
            last = Some(challenge);
        }
        Err(self.denied(action, place, ask.scopes, "it refuses the token that it gave".to_owned()))
    }

    /// What to write into `Authorization`, as far as the registry told what it wants.
    fn authorization(
        &self,
        scopes: &[String],
        action: &'static str,
        place: &str,
    ) -> Result<Option<String>, RegistryError> {
        let challenge = self.state().challenge.clone();
        match challenge {
            None => Ok(None),
            Some(Challenge::Basic) => match self.found(scopes) {
                Some(Found { credential: Credential::Password { user, password }, .. }) => {
                    Ok(Some(auth::basic(&user, &password)))
                }
                Some(_) => {
                    Err(self.denied(action, place, scopes, "it takes a password, not an identity token".to_owned()))
                }
                None => Err(self.denied(action, place, scopes, "it wants a name and a password".to_owned())),
            },
            Some(Challenge::Bearer { realm, service, scope }) => {
                let key = key(scopes);
                if let Some(token) = self.state().tokens.get(&key).filter(|token| token.is_valid()) {
                    return Ok(Some(format!("Bearer {}", token.token.reveal())));
                }
                let found = self.found(scopes);
                if self.base.starts_with("https:") && !realm.starts_with("https:") && found.is_some() {
                    let reason = format!("its token server {realm} would get the password unencrypted");
                    return Err(self.denied(action, place, scopes, reason));
                }
                let asked: Vec<String> = if scopes.is_empty() { scope.into_iter().collect() } else { scopes.to_vec() };
                let token = auth::fetch(&self.client, &realm, service.as_deref(), &asked, found.as_ref())
                    .map_err(|reason| self.denied(action, place, scopes, reason))?;
                let value = format!("Bearer {}", token.token.reveal());
                self.state().tokens.insert(key, token);
                Ok(Some(value))
            }
        }
    }

    fn found(&self, scopes: &[String]) -> Option<Found> {
        let repository = scopes.first().and_then(|scope| scope.split(':').nth(1)).unwrap_or_default();
        self.credentials.find(&self.name, repository, &self.warnings)
    }

    fn denied(&self, action: &'static str, place: &str, scopes: &[String], reason: String) -> RegistryError {
        RegistryError::Denied {
            action,
            place: place.to_owned(),
            registry: self.name.clone(),
            reason: if reason.is_empty() { "access is denied".to_owned() } else { reason },
            used: self.found(scopes).map(|found| found.from),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(scopes: &[String]) -> String {
    scopes.join(" ")
}

/// Whether a `host[:port]` is this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_are_known() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "128.0.0.1:5000", "r.example:443", "10.0.0.1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_mirror_is_told_whose_images_are_wanted() {
        let credentials = Arc::default();
        let make = |name: &str, upstream: Option<&str>| {
            Host::new(
                name,
                upstream,
                RegistrySettings::default(),
                &ClientOptions::default(),
                &credentials,
                &Warnings::default(),
            )
            .unwrap()
        };
        assert_eq!(make("docker.io", None).url("/v2/"), format!("https://{DOCKER_HUB}/v2/"));
        assert_eq!(make("127.0.0.1:5000", None).url("/v2/a/tags/list?n=2"), "http://127.0.0.1:5000/v2/a/tags/list?n=2");
        let mirror = make("m.example/hub", Some("docker.io"));
        assert_eq!(mirror.url("/v2/a/tags/list?n=2"), "https://m.example/hub/v2/a/tags/list?n=2&ns=docker.io");
    }
}
