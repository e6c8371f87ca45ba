//! Where bytes are: reading and writing content by digest.

use std::io::Read;
use std::path::Path;

use crate::{Descriptor, Digest};

/// Why content could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such content.
    #[error("{digest} is not in {place}")]
    Missing {
        /// The digest asked for.
        digest: Digest,
        /// Where it was looked for.
        place: String,
    },
    /// The bytes are not what their digest says.
    #[error("content of {expected} in {place} has digest {actual}")]
    Corrupt {
        /// The digest asked for.
        expected: Digest,
        /// The digest of the bytes found.
        actual: Digest,
        /// Where they were found.
        place: String,
    },
    /// A manifest, index or configuration cannot be understood.
    #[error("{what} {digest} in {place} is malformed: {reason}")]
    Malformed {
        /// `manifest`, `index`, `configuration`, `layer`.
        what: &'static str,
        /// Its digest.
        digest: Digest,
        /// Where it was found.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A name that is not there.
    #[error("{name} is not in {place}")]
    NoSuchName {
        /// The reference or tag asked for.
        name: String,
        /// Where it was looked for.
        place: String,
    },
    /// No image for the platform asked for.
    #[error("{place} has no image for {wanted}, only for {available}")]
    NoPlatform {
        /// The platform asked for.
        wanted: String,
        /// The platforms there are, with commas.
        available: String,
        /// Where it was looked for.
        place: String,
    },
    /// The user asked to stop.
    #[error("cancelled")]
    Cancelled,
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
}

impl BlobError {
    /// Returns an error of the system about a path.
    pub fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.display().to_string(), source }
    }

    /// Returns what the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some("the image is incomplete there: pull or build it again".to_owned()),
            Self::Corrupt { .. } => Some("the content was damaged: remove the image and get it again".to_owned()),
            Self::NoPlatform { available, .. } => Some(format!("choose one with --platform: {available}")),
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Some("the disk is full: make room, for example with plim prune".to_owned())
            }
            _ => None,
        }
    }
}

/// Content that can be read by digest.
pub trait Blobs: Sync {
    /// Says whether the content is there.
    fn exists(&self, digest: &Digest) -> Result<bool, BlobError>;

    /// Opens the content. Readers that matter verify while they read, see `verify::VerifyingReader`.
    fn open(&self, digest: &Digest) -> Result<Box<dyn Read + Send>, BlobError>;

    /// Names the place for messages: a path, a registry.
    fn place(&self) -> String;
}

/// Content that can be added.
pub trait BlobsMut: Blobs {
    /// Stores content whose digest and size are known; refuses bytes that differ. Existing content is kept.
    fn put(&self, descriptor: &Descriptor, content: &mut dyn Read) -> Result<(), BlobError>;

    /// Gives a manifest a name; an existing name moves.
    fn tag(&self, name: &str, descriptor: &Descriptor) -> Result<(), BlobError>;
}
