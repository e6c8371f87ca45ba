//! Names of images, with Docker's defaults filled in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Digest;

/// The registry that a name without one means.
const DEFAULT_REGISTRY: &str = "docker.io";
/// The namespace of that registry's official images.
const OFFICIAL: &str = "library/";
/// The tag that a name without tag and digest means.
const DEFAULT_TAG: &str = "latest";
/// The distribution specification allows a tag 128 characters.
const MAX_TAG: usize = 128;
/// Registries refuse longer names (distribution specification, "Pulling manifests").
const MAX_NAME: usize = 255;

/// A complete image name: registry, repository and a tag or digest or both.
///
/// Parsing applies Docker's rules: `nginx` is `docker.io/library/nginx:latest`, a first component with a dot,
/// a colon or an upper-case letter, or `localhost`, is a registry. Displaying gives the complete name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is no image name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Nothing there.
    #[error("an image name is empty")]
    Empty,
    /// The repository breaks the rules.
    #[error("`{text}` is not an image name: {reason}")]
    Name {
        /// The whole text.
        text: String,
        /// Which rule.
        reason: &'static str,
    },
    /// The registry breaks the rules.
    #[error("`{text}` names no registry: `{registry}` is not host[:port]")]
    Registry {
        /// The whole text.
        text: String,
        /// The part before the first slash.
        registry: String,
    },
    /// The tag breaks the rules.
    #[error("`{text}` has a malformed tag `{tag}`")]
    Tag {
        /// The whole text.
        text: String,
        /// The part after the colon.
        tag: String,
    },
    /// The digest breaks the rules.
    #[error("`{text}` has a malformed digest `{digest}`")]
    Digest {
        /// The whole text.
        text: String,
        /// The part after the `@`.
        digest: String,
    },
}

impl ReferenceError {
    /// Returns what the user can do.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Empty => "write a name such as nginx:1.29 or registry.example/team/app:v1".to_owned(),
            Self::Name { text, .. } | Self::Registry { text, .. } if text.contains("://") => {
                "leave out the scheme: names start with the registry's host".to_owned()
            }
            Self::Name { text, .. } if text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                format!("write it in lower case: {}", text.to_ascii_lowercase())
            }
            Self::Name { .. } => {
                "components are lower-case letters and digits, separated by `/`, `.`, `_`, `__` or `-`".to_owned()
            }
            Self::Registry { .. } => "write the registry as host or host:port, for example localhost:5000".to_owned(),
            Self::Tag { .. } => format!("a tag is up to {MAX_TAG} of letters, digits, `_`, `.` and `-`"),
            Self::Digest { .. } => "a digest is sha256: and 64 lower-case hex digits".to_owned(),
        })
    }
}

impl Reference {
    /// Returns the registry's host, with its port if it has one.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Returns the repository inside the registry, `library/nginx`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns the tag; `None` only beside a digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Returns the digest.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Returns registry and repository without tag and digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// Returns the same repository at another tag, without a digest.
    pub fn with_tag(&self, tag: &str) -> Result<Self, ReferenceError> {
        if !is_tag(tag) {
            return Err(ReferenceError::Tag { text: self.name(), tag: tag.to_owned() });
        }
        Ok(Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }

    /// Returns the same name pinned to a digest; a tag stays for people to read.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// Returns the name as people write it: without `docker.io/library/` and `:latest` where parsing adds
    /// them again.
    pub fn familiar(&self) -> String {
        let mut text = match &self.registry {
            registry if registry == DEFAULT_REGISTRY => {
                self.repository.strip_prefix(OFFICIAL).unwrap_or(&self.repository).to_owned()
            }
            _ => self.name(),
        };
        if let Some(tag) = self.tag.as_deref().filter(|tag| *tag != DEFAULT_TAG || self.digest.is_some()) {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(digest.as_str());
        }
        // docker.io/localhost/x, for one, would come back as another registry
        if text.parse().as_ref() == Ok(self) { text } else { self.to_string() }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        let bad_name = |reason| ReferenceError::Name { text: text.to_owned(), reason };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                let parsed = digest
                    .parse()
                    .map_err(|_| ReferenceError::Digest { text: text.to_owned(), digest: digest.to_owned() })?;
                (rest, Some(parsed))
            }
            None => (text, None),
        };
        // a colon after the last slash begins a tag, one before it a port
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => {
                if !is_tag(tag) {
                    return Err(ReferenceError::Tag { text: text.to_owned(), tag: tag.to_owned() });
                }
                (name, Some(tag.to_owned()))
            }
            _ => (rest, None),
        };
        let (registry, path) = match name.split_once('/') {
            Some((first, path)) if is_registry_like(first) => {
                if !is_host(first) {
                    return Err(ReferenceError::Registry { text: text.to_owned(), registry: first.to_owned() });
                }
                (first, path)
            }
            _ => (DEFAULT_REGISTRY, name),
        };
        // Docker's own old names of its registry
        let registry = match registry {
            "index.docker.io" | "registry-1.docker.io" => DEFAULT_REGISTRY,
            other => other,
        };
        let repository = if registry == DEFAULT_REGISTRY && !path.contains('/') && !path.is_empty() {
            format!("{OFFICIAL}{path}")
        } else {
            path.to_owned()
        };
        if repository.is_empty() {
            return Err(bad_name("the repository is missing"));
        }
        if registry.len() + 1 + repository.len() > MAX_NAME {
            return Err(bad_name("it is longer than 255 characters"));
        }
        if !repository.split('/').all(is_component) {
            let upper = repository.bytes().any(|byte| byte.is_ascii_uppercase());
            return Err(bad_name(if upper { "it has upper-case letters" } else { "a component breaks the rules" }));
        }
        if digest.is_none() && is_bare_hex(text) {
            return Err(bad_name("64 hex digits are an image id, not a name"));
        }
        let tag = match (&digest, tag) {
            (None, None) => Some(DEFAULT_TAG.to_owned()),
            (_, tag) => tag,
        };
        Ok(Self { registry: registry.to_owned(), repository, tag, digest })
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn is_registry_like(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// `host`, `host:port` or `[v6]:port` (distribution specification's reference grammar).
fn is_host(text: &str) -> bool {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        match rest.split_once(']') {
            Some((v6, "")) => (v6, None),
            Some((v6, port)) if port.starts_with(':') => (v6, Some(&port[1..])),
            _ => return false,
        }
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let good_host = if text.starts_with('[') {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':')
    } else {
        host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
    };
    good_host && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_tag(tag: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut bytes = tag.bytes();
    tag.len() <= MAX_TAG
        && bytes.next().is_some_and(allowed)
        && bytes.all(|byte| allowed(byte) || byte == b'.' || byte == b'-')
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` (distribution specification, "Pulling manifests").
fn is_component(component: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    if !bytes.first().is_some_and(alphanumeric) || !bytes.last().is_some_and(alphanumeric) {
        return false;
    }
    bytes
        .chunk_by(|a, b| alphanumeric(a) == alphanumeric(b))
        .all(|run| alphanumeric(&run[0]) || matches!(run, b"." | b"_" | b"__") || run.iter().all(|byte| *byte == b'-'))
}

fn is_bare_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
