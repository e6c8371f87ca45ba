//! The HTTP client that everything above uses: registries, package archives, `ADD https://…`.
//!
//! Nothing is read from the environment: proxies and certificate authorities come from the caller. Transfers
//! have no time limit as long as bytes come; a stalled one fails. What may succeed when tried again is tried
//! again. `file://` addresses are served from the disk.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::{HeaderMap, Method};

mod agents;
mod download;
mod error;
mod file;
mod forward;
mod proxy;
mod resolve;
mod retry;
pub(crate) mod unix;
mod url;

pub use error::HttpError;
pub use retry::Retry;
pub(crate) use url::{join, same_origin};

use agents::Agents;

/// Redirects followed; registries need two, content networks a few more.
const MAX_REDIRECTS: usize = 10;

/// Proxies, as the caller found them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http://` addresses: `http://[user:password@]host[:port]`.
    pub http: Option<String>,
    /// For `https://` addresses.
    pub https: Option<String>,
    /// Hosts that are reached directly, with commas: names with their subdomains, addresses, networks in CIDR
    /// form, each with an optional port, or `*`.
    pub no_proxy: String,
}

/// How a client connects.
#[derive(Debug, Clone, Default)]
pub struct ClientOptions {
    /// PEM file of certificate authorities to trust beside the system's.
    pub ca_bundle: Option<PathBuf>,
    /// More such files.
    pub authorities: Vec<PathBuf>,
    /// Proxies.
    pub proxies: Proxies,
    /// When to try again.
    pub retry: Retry,
    /// Certificates are not checked: whoever sits between can read and change everything.
    pub insecure: bool,
    /// PEM files of a certificate and its private key by which servers know this client.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// An HTTP client; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    agents: Arc<Agents>,
    retry: Retry,
}

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    /// `GET`, `HEAD`, `POST`, …
    pub method: &'a str,
    /// Where to.
    pub url: &'a str,
    /// Header fields. `Authorization` is not sent on to another host by a redirect.
    pub headers: Vec<(&'a str, String)>,
    /// What to send.
    pub body: Body<'a>,
}

/// The body of a request. It can be read again when the request is tried again.
#[derive(Clone, Copy)]
pub enum Body<'a> {
    /// None.
    Empty,
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// A stream of a known size in bytes.
    Stream {
        /// Opens the stream at its beginning.
        open: &'a dyn OpenBody,
        /// Its size.
        size: u64,
    },
}

/// A body that can be read again.
pub trait OpenBody {
    /// Opens it at its beginning.
    fn open(&self) -> io::Result<Box<dyn Read + '_>>;
}

impl<F: Fn() -> io::Result<Box<dyn Read>>> OpenBody for F {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        self()
    }
}

impl std::fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Stream { size, .. } => write!(f, "Stream({size})"),
        }
    }
}

/// A response: its body is read as it comes.
pub struct Response {
    /// Status code.
    pub status: u16,
    /// The address that answered, after redirects.
    pub url: String,
    /// Size of the body in bytes, where it was said.
    pub size: Option<u64>,
    /// The body.
    pub body: Box<dyn Read + Send>,
    headers: HeaderMap,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response").field("status", &self.status).field("url", &self.url).finish_non_exhaustive()
    }
}

impl Response {
    /// Returns a header field; the name's case does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns all values of a header field.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }
}

impl Client {
    /// Returns a client.
    pub fn new(options: &ClientOptions) -> Result<Self, HttpError> {
        Ok(Self { agents: Arc::new(Agents::new(options)?), retry: options.retry })
    }

    /// Sends a request and returns the answer, whatever its status. Tries again after lost connections and the
    /// statuses that ask for it; follows redirects of requests without a body.
    pub fn send(&self, request: &Request<'_>) -> Result<Response, HttpError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let result = self.send_once(request);
            let last = attempt >= self.retry.attempts;
            let pause = match &result {
                Ok(response) if retry::is_passing(response.status) && !last => {
                    self.retry.pause(attempt, retry::asked_pause(response))
                }
                Err(error) if error.is_passing() && !last => self.retry.pause(attempt, None),
                _ => return result,
            };
            tracing::debug!(url = %url::shown(request.url), ?pause, "trying again");
            std::thread::sleep(pause);
        }
    }

    /// Gets an address, from a byte on if that is wanted. The answer is 200, or 206 when the server began at
    /// `range_from`; any other status is an error.
    pub fn get(&self, url: &str, range_from: Option<u64>) -> Result<Response, HttpError> {
        let headers = range_from.map(|from| ("Range", format!("bytes={from}-"))).into_iter().collect();
        let response = self.send(&Request { method: "GET", url, headers, body: Body::Empty })?;
        match response.status {
            200 | 206 => Ok(response),
            status => Err(HttpError::Status { url: url::shown(url), status }),
        }
    }

    /// Gets a small thing whole; more than `limit` bytes are an error. A transfer that breaks is begun again.
    pub fn get_bytes(&self, url: &str, limit: u64) -> Result<Vec<u8>, HttpError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut bytes = Vec::new();
            match self.get(url, None)?.body.take(limit.saturating_add(1)).read_to_end(&mut bytes) {
                Ok(_) if bytes.len() as u64 > limit => return Err(HttpError::TooLarge { url: url::shown(url), limit }),
                Ok(_) => return Ok(bytes),
                Err(source) if attempt >= self.retry.attempts => {
                    return Err(HttpError::Network { url: url::shown(url), source });
                }
                Err(_) => std::thread::sleep(self.retry.pause(attempt, None)),
            }
        }
    }

    /// Returns a client over the same connections that tries once and leaves what then to the caller.
    #[must_use]
    pub fn once(&self) -> Self {
        Self { retry: Retry { attempts: 1, ..self.retry }, ..self.clone() }
    }

    /// Returns when it tries again.
    pub(crate) fn retry(&self) -> Retry {
        self.retry
    }

    fn send_once(&self, request: &Request<'_>) -> Result<Response, HttpError> {
        if let Some(path) = url::file_path(request.url) {
            return file::serve(request, &path);
        }
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| HttpError::Url {
            url: url::shown(request.url),
            reason: format!("`{}` is no method", request.method),
        })?;
        let mut at = request.url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let keep_secrets = url::same_origin(&at, request.url);
            let response = self.agents.exchange(&method, &at, request, keep_secrets)?;
            let next = match (response.status, response.header("location"), request.body) {
                (301 | 302 | 303 | 307 | 308, Some(location), Body::Empty)
                    if method == Method::GET || method == Method::HEAD =>
                {
                    url::join(&at, location)
                }
                _ => return Ok(response),
            };
            at = next.ok_or_else(|| HttpError::Url {
                url: url::shown(request.url),
                reason: "it redirects to a malformed address".to_owned(),
            })?;
        }
        Err(HttpError::Url { url: url::shown(request.url), reason: "it redirects without end".to_owned() })
    }
}

/// Time for a connection to be made, its encryption included.
const CONNECT: Duration = Duration::from_secs(30);
/// Time in which at least something must arrive.
const STALL: Duration = Duration::from_mins(1);
