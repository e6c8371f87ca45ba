//! What goes wrong on the network, in words that help.

use std::io;

/// Why something could not be fetched or sent. Addresses are shown without user names and passwords.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is not one.
    #[error("cannot use {url}: {reason}")]
    Url {
        /// The address.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The server refused.
    #[error("{url} answered with status {status}")]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// No connection, or one that broke too often.
    #[error("failed to fetch {url}")]
    Network {
        /// The address.
        url: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The content is not what was promised.
    #[error("{url} is not what was expected: {reason}")]
    Mismatch {
        /// The address.
        url: String,
        /// Size or digest.
        reason: String,
    },
    /// More than the caller takes.
    #[error("{url} has more than {limit} bytes")]
    TooLarge {
        /// The address.
        url: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// A setting of the client that cannot be used.
    #[error("cannot use the {setting} {value}: {reason}")]
    Setting {
        /// `proxy`, `certificate bundle`.
        setting: &'static str,
        /// The value.
        value: String,
        /// What is wrong.
        reason: String,
    },
    /// The system refused.
    #[error("failed to {action} {path}")]
    Io {
        /// `write`, …
        action: &'static str,
        /// The file.
        path: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The user asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl HttpError {
    /// Returns what the user can do.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Status { status: 401 | 403, .. } => "the server wants credentials, or other ones",
            Self::Status { status: 407, .. } => "the proxy wants a user name and password: http://user:password@host",
            Self::Status { status: 429, .. } => "the server throttles: try again later",
            Self::Network { source, .. } => {
                let reason = source.to_string();
                if reason.contains("UnknownIssuer") || reason.contains("certificate") {
                    "if a proxy of your organisation re-encrypts connections, give its authority as a PEM file with --ca-bundle"
                } else if reason.contains("lookup") || reason.contains("host not found") {
                    "check the network; behind a proxy set HTTPS_PROXY and HTTP_PROXY"
                } else {
                    return None;
                }
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => "the disk is full: make room",
            _ => return None,
        };
        Some(text.to_owned())
    }

    /// Says whether the same request may succeed later.
    pub(super) fn is_passing(&self) -> bool {
        let Self::Network { source, .. } = self else { return false };
        matches!(
            source.kind(),
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::TimedOut
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::Interrupted
        )
    }
}

/// Puts the client library's errors into the system's terms.
pub(super) fn reason(error: ureq::Error) -> io::Error {
    match error {
        ureq::Error::Io(error) => error,
        ureq::Error::Timeout(what) => io::Error::new(io::ErrorKind::TimedOut, format!("timed out ({what})")),
        ureq::Error::HostNotFound => io::Error::new(io::ErrorKind::NotFound, "host not found"),
        other => io::Error::other(other.to_string()),
    }
}
