//! The connections: direct ones, and those through each proxy.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base64::Engine as _;
use ureq::config::Config;
use ureq::http::{self, Method, Uri};
use ureq::tls::{Certificate, ClientCert, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, DefaultConnector};
use ureq::{Agent, Proxy, SendBody};

use super::forward::{NameWholeAddress, ProxyResolver};
use super::resolve::RememberingResolver;
use super::{Body, CONNECT, ClientOptions, HttpError, Request, Response, STALL, error, proxy, url};

/// What plim calls itself.
const USER_AGENT: &str = concat!("plimsoll/", env!("CARGO_PKG_VERSION"));

/// Connections with and without TLS. What TLS needs is put together when the first address asks for it: the system's
/// certificate authorities lie in hundreds of files, and a build whose every step is known talks to nobody.
#[derive(Debug)]
pub(super) struct Agents {
    plain: Agent,
    /// For `http://`, with the proxy's credentials.
    http: Option<(Agent, Option<String>)>,
    tls: TlsParts,
    encrypted: OnceLock<Encrypted>,
    no_proxy: String,
}

/// What TLS connections are made with.
#[derive(Debug)]
struct TlsParts {
    ca_bundle: Option<PathBuf>,
    authorities: Vec<Certificate<'static>>,
    identity: Option<ClientCert>,
    insecure: bool,
    proxy: Option<Proxy>,
}

/// Agents for `https://`.
#[derive(Debug)]
struct Encrypted {
    direct: Agent,
    proxied: Option<Agent>,
}

impl Agents {
    pub(super) fn new(options: &ClientOptions) -> Result<Self, HttpError> {
        let proxies = &options.proxies;
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let proxy = given(&proxies.https)
            .map(|text| Proxy::new(&text).map_err(|error| bad_proxy(&text, &error.to_string())))
            .transpose()?;
        let tls = TlsParts {
            ca_bundle: options.ca_bundle.clone(),
            authorities: authorities(options.authorities.iter().map(PathBuf::as_path))?,
            identity: options.identity.as_ref().map(|(certificate, key)| identity(certificate, key)).transpose()?,
            insecure: options.insecure,
            proxy,
        };
        Ok(Self {
            plain: direct(&TlsConfig::builder().build()),
            http: given(&proxies.http).map(|text| forwarding(&text)).transpose()?,
            tls,
            encrypted: OnceLock::new(),
            no_proxy: proxies.no_proxy.clone(),
        })
    }

    /// Sends one request and takes one answer; no redirects, no second attempt.
    pub(super) fn exchange(
        &self,
        method: &Method,
        at: &str,
        request: &Request<'_>,
        keep_secrets: bool,
    ) -> Result<Response, HttpError> {
        let shown = || url::shown(at);
        let uri: Uri = at.parse().map_err(|_| HttpError::Url { url: shown(), reason: "it is malformed".to_owned() })?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(HttpError::Url { url: shown(), reason: "it is no http, https or file address".to_owned() });
        }
        let (agent, proxy_credentials) = self.agent_for(&uri)?;
        let mut built = http::Request::builder().method(method).uri(uri);
        for (name, value) in &request.headers {
            if keep_secrets || !is_secret(name) {
                built = built.header(*name, value);
            }
        }
        if let Some(credentials) = proxy_credentials {
            built = built.header("Proxy-Authorization", credentials);
        }
        if let Body::Stream { size, .. } = request.body {
            built = built.header("Content-Length", size);
        }
        let malformed = |reason: String| HttpError::Url { url: shown(), reason };
        let failed = |error| HttpError::Network { url: shown(), source: error::reason(error) };
        let answer = match request.body {
            Body::Empty => agent.run(built.body(()).map_err(|error| malformed(error.to_string()))?),
            Body::Bytes(bytes) => agent.run(built.body(bytes).map_err(|error| malformed(error.to_string()))?),
            Body::Stream { open, .. } => {
                let mut stream = open.open().map_err(|source| HttpError::Network { url: shown(), source })?;
                let body = SendBody::from_reader(&mut stream);
                agent.run(built.body(body).map_err(|error| malformed(error.to_string()))?)
            }
        };
        let (parts, body) = answer.map_err(failed)?.into_parts();
        Ok(Response {
            status: parts.status.as_u16(),
            url: at.to_owned(),
            size: body.content_length(),
            body: Box::new(body.into_reader()),
            headers: parts.headers,
        })
    }

    fn agent_for(&self, uri: &Uri) -> Result<(&Agent, Option<&str>), HttpError> {
        let bypasses = proxy::bypasses(&self.no_proxy, uri);
        if uri.scheme_str() == Some("https") {
            let encrypted = self.encrypted()?;
            let proxied = encrypted.proxied.as_ref().filter(|_| !bypasses);
            return Ok((proxied.unwrap_or(&encrypted.direct), None));
        }
        Ok(match self.http.as_ref().filter(|_| !bypasses) {
            Some((agent, credentials)) => (agent, credentials.as_deref()),
            None => (&self.plain, None),
        })
    }

    fn encrypted(&self) -> Result<&Encrypted, HttpError> {
        if let Some(known) = self.encrypted.get() {
            return Ok(known);
        }
        let tls = self.tls.config()?;
        let made = Encrypted {
            direct: direct(&tls),
            proxied: self.tls.proxy.clone().map(|proxy| Agent::new_with_config(config(&tls, Some(proxy)))),
        };
        // where two threads come at once, one's work is lost
        Ok(self.encrypted.get_or_init(|| made))
    }
}

impl TlsParts {
    fn config(&self) -> Result<TlsConfig, HttpError> {
        let roots = if self.ca_bundle.is_none() && self.authorities.is_empty() {
            RootCerts::PlatformVerifier
        } else {
            let mut all = authorities(self.ca_bundle.as_deref().into_iter())?;
            all.extend(self.authorities.iter().cloned());
            let system = rustls_native_certs::load_native_certs();
            for error in &system.errors {
                tracing::debug!(%error, "a system certificate cannot be read");
            }
            all.extend(system.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()));
            all.into()
        };
        Ok(TlsConfig::builder()
            .root_certs(roots)
            .disable_verification(self.insecure)
            .client_cert(self.identity.clone())
            .build())
    }
}

fn direct(tls: &TlsConfig) -> Agent {
    Agent::with_parts(config(tls, None), DefaultConnector::default(), RememberingResolver::default())
}

fn is_secret(name: &str) -> bool {
    ["authorization", "cookie", "proxy-authorization"].iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

fn config(tls: &TlsConfig, proxy: Option<Proxy>) -> Config {
    Agent::config_builder()
        // redirects and statuses are decided above, where proxies and secrets are known
        .max_redirects(0)
        .http_status_as_error(false)
        .proxy(proxy)
        .user_agent(USER_AGENT)
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(STALL))
        .timeout_per_write(Some(STALL))
        .tls_config(tls.clone())
        .build()
}

fn bad_proxy(text: &str, reason: &str) -> HttpError {
    HttpError::Setting { setting: "proxy", value: url::shown(text), reason: reason.to_owned() }
}

/// Returns an agent that asks a proxy for whole addresses.
fn forwarding(text: &str) -> Result<(Agent, Option<String>), HttpError> {
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let uri: Uri = full.parse().map_err(|_| bad_proxy(text, "it is malformed"))?;
    if uri.scheme_str() != Some("http") || uri.host().is_none() {
        return Err(bad_proxy(text, "it is no http address"));
    }
    let credentials = uri
        .authority()
        .and_then(|authority| authority.as_str().rsplit_once('@'))
        .map(|(user, _)| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(url::decode(user))));
    let connector = DefaultConnector::default().chain(NameWholeAddress);
    let resolver = ProxyResolver { proxy: uri, inner: DefaultResolver::default() };
    Ok((Agent::with_parts(config(&TlsConfig::builder().build(), None), connector, resolver), credentials))
}

/// Returns the certificate and key by which servers know this client.
fn identity(certificate: &Path, key: &Path) -> Result<ClientCert, HttpError> {
    let read = |path: &Path| {
        let bad = |reason: String| HttpError::Setting {
            setting: "client certificate",
            value: path.display().to_string(),
            reason,
        };
        let pem = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
        parse_pem(&pem).collect::<Result<Vec<_>, _>>().map_err(|error| bad(error.to_string()))
    };
    let missing = |path: &Path, what: &str| HttpError::Setting {
        setting: "client certificate",
        value: path.display().to_string(),
        reason: format!("it has no {what} in PEM form"),
    };
    let chain: Vec<_> = read(certificate)?
        .into_iter()
        .filter_map(|item| if let PemItem::Certificate(certificate) = item { Some(certificate) } else { None })
        .collect();
    let private = read(key)?
        .into_iter()
        .find_map(|item| if let PemItem::PrivateKey(key) = item { Some(key) } else { None })
        .ok_or_else(|| missing(key, "private key"))?;
    if chain.is_empty() {
        return Err(missing(certificate, "certificate"));
    }
    Ok(ClientCert::new_with_certs(&chain, private))
}

/// Returns the certificate authorities of PEM files.
fn authorities<'a>(bundles: impl Iterator<Item = &'a Path>) -> Result<Vec<Certificate<'static>>, HttpError> {
    let mut all = Vec::new();
    for bundle in bundles {
        let before = all.len();
        let bad = |reason: String| HttpError::Setting {
            setting: "certificate bundle",
            value: bundle.display().to_string(),
            reason,
        };
        let pem = std::fs::read(bundle).map_err(|error| bad(error.to_string()))?;
        for item in parse_pem(&pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|error| bad(error.to_string()))? {
                all.push(certificate);
            }
        }
        if all.len() == before {
            return Err(bad("it has no certificate in PEM form".to_owned()));
        }
    }
    Ok(all)
}
