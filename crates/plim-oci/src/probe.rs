//! One question to an application on this machine's loopback: what the proof of `plim optimize` asks.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Bytes of a body that are read; what is compared need not be more.
const BODY_LIMIT: u64 = 4 << 20;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The Content-Type header, empty where there is none.
    pub content_type: String,
    /// The first 4 MiB of the body.
    pub body: Vec<u8>,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The connection failed, or what came was no HTTP.
    #[error("no HTTP answer from port {port}")]
    Http {
        /// The port asked.
        port: u16,
        /// The client's reason.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The body broke off.
    #[error("the answer from port {port} broke off")]
    Body {
        /// The port asked.
        port: u16,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
}

/// Says whether something accepts connections on a port of loopback.
pub fn listens(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// Asks `GET path` of an application on loopback, once: no redirect is followed, no status is an error.
pub fn get(port: u16, path: &str, limit: Duration) -> Result<Answer, ProbeError> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(limit))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .build()
        .into();
    let slash = if path.starts_with('/') { "" } else { "/" };
    let response = agent
        .get(format!("http://127.0.0.1:{port}{slash}{path}"))
        .call()
        .map_err(|source| ProbeError::Http { port, source: Box::new(source) })?;
    let status = response.status().as_u16();
    let content_type =
        response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut body = Vec::new();
    response
        .into_body()
        .into_reader()
        .take(BODY_LIMIT)
        .read_to_end(&mut body)
        .map_err(|source| ProbeError::Body { port, source })?;
    Ok(Answer { status, content_type, body })
}
