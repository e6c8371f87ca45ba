//! The certificate authorities that steps should trust, for the time of the step only.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use bstr::BString;
use plim_sandbox::{Mount, MountSource, Secret};

use crate::error::BuildError;
use crate::request::Request;

/// Where steps see the bundle. It is not put over a file of the distribution, so that a step may install or
/// change that file and have the change stay.
const BUNDLE: &str = "/run/plimsoll/ca-certificates.crt";
const APT_CONFIG: &str = "/run/plimsoll/apt.conf";
const APT_CONFIG_TEXT: &str = "Acquire::https::CAInfo \"/run/plimsoll/ca-certificates.crt\";\n";

/// The variables by which programs and package managers take a bundle.
const VARIABLES: [&str; 10] = [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "NODE_EXTRA_CA_CERTS",
    "CARGO_HTTP_CAINFO",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
    "BUNDLE_SSL_CA_CERT",
    "COMPOSER_CAFILE",
];

/// What steps need to trust the user's certificate authorities.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    bundle: Option<PathBuf>,
    /// Read when the first step needs it.
    bytes: OnceLock<Arc<[u8]>>,
}

impl Trust {
    /// Takes the bundle of a request.
    pub(crate) fn new(request: &Request) -> Self {
        Self { bundle: request.ca_bundle.clone(), bytes: OnceLock::new() }
    }

    /// Returns the files for a step.
    pub(super) fn mounts(&self) -> Result<Vec<Mount>, BuildError> {
        let Some(path) = &self.bundle else { return Ok(Vec::new()) };
        let bytes = if let Some(bytes) = self.bytes.get() {
            bytes
        } else {
            let bytes = std::fs::read(path)
                .map_err(|error| BuildError::io(format!("read the CA bundle {}", path.display()), error))?;
            self.bytes.get_or_init(|| bytes.into())
        };
        let file = |target: &str, bytes: &[u8]| Mount {
            target: BString::from(target),
            source: MountSource::Content { bytes: Secret::new(bytes.to_vec()), mode: 0o444, uid: 0, gid: 0 },
        };
        Ok(vec![file(BUNDLE, bytes), file(APT_CONFIG, APT_CONFIG_TEXT.as_bytes())])
    }

    /// Returns the variables for a step.
    pub(super) fn env(&self) -> Vec<(String, String)> {
        if self.bundle.is_none() {
            return Vec::new();
        }
        let mut env: Vec<_> = VARIABLES.iter().map(|name| ((*name).to_owned(), BUNDLE.to_owned())).collect();
        env.push(("APT_CONFIG".to_owned(), APT_CONFIG.to_owned()));
        env
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_bundle_nothing_is_added() {
        let trust = Trust::new(&Request::new(PathBuf::from("/"), Vec::new()));
        assert!(trust.mounts().unwrap().is_empty());
        assert!(trust.env().is_empty());
    }

    #[test]
    fn a_bundle_is_offered_beside_the_distributions_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        std::fs::write(&path, "pem").unwrap();
        let mut request = Request::new(PathBuf::from("/"), Vec::new());
        request.ca_bundle = Some(path);
        let trust = Trust::new(&request);
        assert!(trust.mounts().unwrap().iter().all(|mount| mount.target.starts_with(b"/run/plimsoll/")));
        assert!(trust.env().iter().any(|(name, value)| name == "PIP_CERT" && value == BUNDLE));
    }
}
