//! Why no base image could be made.

use std::path::Path;

use crate::transport::TransportError;

/// Why the archive could not be read or a recipe not be made.
#[derive(Debug, thiserror::Error)]
pub enum DebianError {
    /// Neither the options nor the host's apt configuration name a mirror.
    #[error("no Debian mirror is configured")]
    NoMirror,
    /// There is no such recipe.
    #[error("there is no base recipe `{name}`; there are {known}")]
    NoRecipe {
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// A recipe file cannot be understood.
    #[error("recipe {name} is malformed: {reason}")]
    Recipe {
        /// The recipe.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The archive has no packages for an architecture.
    #[error("Debian {suite} has no packages for {arch}")]
    Architecture {
        /// The suite.
        suite: String,
        /// The architecture, in Debian's names.
        arch: String,
    },
    /// The mirror did not deliver.
    #[error("failed to fetch {url}")]
    Fetch {
        /// What was asked for.
        url: String,
        /// Why it failed.
        #[source]
        source: TransportError,
    },
    /// `--offline`, and the cache lacks something.
    #[error("{file} is not in the cache and the network is not to be used")]
    Offline {
        /// What is missing.
        file: String,
    },
    /// A check failed: the bytes are not those that Debian signed for.
    #[error("{file} failed its {check} check: {reason}")]
    Verify {
        /// Which file, with its suite where it has one.
        file: String,
        /// `signature`, `digest`, `size`, `date`, `suite`.
        check: &'static str,
        /// What was found.
        reason: String,
    },
    /// Text of the archive cannot be understood, although it is signed.
    #[error("{file} is malformed: {reason}")]
    Malformed {
        /// Which file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// No set of packages meets the wishes.
    #[error("failed to choose packages: {0}")]
    Unmet(#[from] crate::resolve::Unmet),
    /// Two packages ship the same file.
    #[error("packages {first} and {second} both ship {path}, and neither replaces the other")]
    FileConflict {
        /// The file.
        path: String,
        /// One package.
        first: String,
        /// The other.
        second: String,
    },
    /// The system refused.
    #[error("failed to {action} {path}")]
    Io {
        /// `read`, `write`, …
        action: &'static str,
        /// The file.
        path: String,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The user asked to stop.
    #[error("stopped on request")]
    Cancelled,
}

impl DebianError {
    /// Returns what a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoMirror => {
                "name one with `--mirror URL` or in plim.toml as `[debian] mirror = \"URL\"`; Debian's public list of \
                 mirrors, on its web site, has one near you"
            }
            Self::Fetch { source, .. } if source.is_missing() => {
                "the mirror may have a newer version by now: run again, the indexes will be read anew; if that does not \
                 help, name another mirror"
            }
            Self::Fetch { .. } => {
                "check the mirror's address, the network and the proxy settings, or name another mirror"
            }
            Self::Offline { .. } => "run once with the network",
            Self::Verify { check: "date", .. } => {
                "the mirror may be behind or this machine's clock wrong: check the clock, then try another mirror"
            }
            Self::Verify { .. } => {
                "the mirror may be in the middle of an update: try again in a few minutes, then with another mirror; \
                 nothing of the file was used"
            }
            Self::Io { source, .. }
                if matches!(source.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::InvalidInput) =>
            {
                "packages hold files of several owners: run as root or give the user subordinate ids in /etc/subuid and \
                 /etc/subgid"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }

    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.display().to_string(), source }
    }

    pub(crate) fn malformed(file: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Malformed { file: file.into(), reason: reason.into() }
    }

    pub(crate) fn verify(file: impl Into<String>, check: &'static str, reason: impl Into<String>) -> Self {
        Self::Verify { file: file.into(), check, reason: reason.into() }
    }
}
