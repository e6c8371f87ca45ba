//! What registries refuse, in words that help.

use std::io::{self, Read};

use serde::Deserialize;

use crate::http::{HttpError, Response};

/// Bytes of an error's body that are looked at.
const MAX_BODY: u64 = 64 << 10;

/// Why a registry could not be asked or did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It could not be reached.
    #[error("failed to {action} {place}")]
    Http {
        /// `read`, `write`, `log in to`.
        action: &'static str,
        /// The registry and repository.
        place: String,
        /// The reason.
        #[source]
        source: HttpError,
    },
    /// It wants other credentials, or some.
    #[error("{place} does not let us {action}: {reason}")]
    Denied {
        /// `read`, `write`, …
        action: &'static str,
        /// The registry and repository.
        place: String,
        /// The registry, for the hint.
        registry: String,
        /// What it said.
        reason: String,
        /// Where the credentials came from that were used.
        used: Option<String>,
    },
    /// There is no such thing.
    #[error("{what} is not in {place}")]
    Missing {
        /// `tag v1`, a digest.
        what: String,
        /// The registry and repository.
        place: String,
    },
    /// It answered in a way that the specification does not provide for here.
    #[error("{place} answered with status {status} when asked to {action}{}", detail(.reason))]
    Refused {
        /// `upload a blob`, …
        action: String,
        /// The registry and repository.
        place: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// Its answer makes no sense.
    #[error("the answer of {place} makes no sense: {reason}")]
    Malformed {
        /// The registry and repository.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Settings for it cannot be used.
    #[error("cannot use the settings of registry {registry}: {reason}")]
    Settings {
        /// The registry.
        registry: String,
        /// What is wrong.
        reason: String,
    },
}

impl RegistryError {
    /// Returns what the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Http { source: HttpError::Network { source, .. }, place, .. }
                if source.to_string().contains("InvalidContentType")
                    || source.to_string().contains("corrupt message") =>
            {
                let registry = place.split('/').next().unwrap_or_default();
                Some(format!(
                    "it may speak plain HTTP: in plim.toml write\n\n      [[registry]]\n      name = \"{registry}\"\n      \
                     plain-http = true"
                ))
            }
            Self::Http { source: HttpError::Network { source, .. }, place, .. } if wants_certificate(source) => {
                let registry = place.split('/').next().unwrap_or_default();
                Some(format!(
                    "it lets in only whom it knows by a certificate: in plim.toml write\n\n      [[registry]]\n      \
                     name = \"{registry}\"\n      client-cert = \"client.pem\"\n      client-key = \"client.key\"\n\n\
                     or put them at /etc/docker/certs.d/{registry}/client.cert and client.key"
                ))
            }
            Self::Http { source: HttpError::Network { source, .. }, place, .. } if is_unknown_authority(source) => {
                let registry = place.split('/').next().unwrap_or_default();
                Some(format!(
                    "if its certificate is of your own authority, name that: in plim.toml write\n\n      [[registry]]\n      \
                     name = \"{registry}\"\n      ca = \"ca.pem\"\n\nor put it at /etc/docker/certs.d/{registry}/ca.crt; \
                     if a proxy re-encrypts all connections, SSL_CERT_FILE names its authority"
                ))
            }
            Self::Http { source, .. } => source.hint(),
            Self::Denied { registry, used: None, .. } => Some(format!(
                "the name may be misspelt or the image private: `docker login {registry}` or `podman login {registry}` \
                 keeps credentials where plim finds them"
            )),
            Self::Denied { registry, used: Some(used), .. } => Some(format!(
                "the credentials come from {used}; log in again with `docker login {registry}` or `podman login {registry}`"
            )),
            Self::Refused { status: 429, .. } => Some("it throttles: log in, or try again later".to_owned()),
            Self::Refused { status: 405, action, .. } if action.starts_with("delete") => {
                Some("deleting is switched off there".to_owned())
            }
            Self::Settings { .. } => Some("docs/registries.md lists what [[registry]] in plim.toml takes".to_owned()),
            _ => None,
        }
    }

    /// Says whether the thing asked for is not there, as against something being wrong.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}

/// Whether a server ended the connection for want of a certificate that it knows (RFC 8446, 6.2).
fn wants_certificate(error: &io::Error) -> bool {
    let text = error.to_string();
    text.contains("received fatal alert")
        && ["CertificateRequired", "BadCertificate", "UnknownCA", "UnknownCa", "DecryptError", "CertificateUnknown"]
            .iter()
            .any(|alert| text.contains(alert))
}

/// Whether the certificate of a server is of an authority that we do not know.
fn is_unknown_authority(error: &io::Error) -> bool {
    let text = error.to_string();
    text.contains("UnknownIssuer") || text.contains("invalid peer certificate")
}

fn detail(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<Entry>,
    #[serde(default)]
    details: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// Reads what a registry says about a refusal (distribution specification, "Error Codes"); what is not of that form
/// is left out, as it may be a page for browsers.
pub(super) fn reason(response: Response) -> String {
    let mut body = Vec::new();
    if response.body.take(MAX_BODY).read_to_end(&mut body).is_err() {
        return String::new();
    }
    let Ok(errors) = serde_json::from_slice::<Errors>(&body) else { return String::new() };
    let each = errors.errors.into_iter().map(|Entry { code, message }| match (code.is_empty(), message.is_empty()) {
        (false, false) => format!("{message} ({code})"),
        (false, true) => code,
        _ => message,
    });
    let text: Vec<String> = each.chain(errors.details).filter(|text| !text.is_empty()).collect();
    text.join("; ").chars().filter(|c| !c.is_control()).take(500).collect()
}
