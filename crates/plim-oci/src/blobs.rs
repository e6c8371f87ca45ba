//! Where bytes are: reading and writing content by digest.

use std::io::Read;
use std::path::Path;

use crate::registry::RegistryError;
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
    /// A registry could not be asked, or refused.
    #[error(transparent)]
    Registry(Box<RegistryError>),
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
            Self::Registry(error) => error.hint(),
            _ => None,
        }
    }
}

impl From<RegistryError> for BlobError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(Box::new(error))
    }
}

/// A repository of a registry, for whoever can take content from it without moving bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The registry's host, with its port if it has one.
    pub registry: String,
    /// The repository.
    pub repository: String,
}

/// Content that can be opened from a byte on, as often as needed: a transfer that breaks goes on or begins again.
pub trait Source: Sync {
    /// Opens the content; the reader begins at that byte.
    fn open(&self, from: u64) -> Result<Box<dyn Read + Send + '_>, BlobError>;
}

impl<F: Fn(u64) -> Result<Box<dyn Read + Send>, BlobError> + Sync> Source for F {
    fn open(&self, from: u64) -> Result<Box<dyn Read + Send + '_>, BlobError> {
        self(from)
    }
}

/// Content that can be read by its descriptor.
///
/// Registries keep manifests apart from other content, so a descriptor's media type matters: one that is
/// empty stands for a manifest.
pub trait Blobs: Sync {
    /// Says whether the content is there.
    fn exists(&self, descriptor: &Descriptor) -> Result<bool, BlobError>;

    /// Opens the content from a byte on; beyond its end there is nothing. Readers that matter verify while they
    /// read, see `verify::VerifyingReader`.
    fn open_from(&self, descriptor: &Descriptor, from: u64) -> Result<Box<dyn Read + Send>, BlobError>;

    /// Opens the content.
    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, BlobError> {
        self.open_from(descriptor, 0)
    }

    /// Names the place for messages: a path, a registry.
    fn place(&self) -> String;

    /// Lists the manifests that are about another one (distribution specification, "Listing Referrers"):
    /// signatures, attestations, SBOMs.
    fn referrers(&self, _subject: &Digest) -> Result<Vec<Descriptor>, BlobError> {
        Ok(Vec::new())
    }

    /// Finds a manifest by a tag beside the image's own, such as cosign's `sha256-….sig`.
    fn companion(&self, _tag: &str) -> Result<Option<Descriptor>, BlobError> {
        Ok(None)
    }

    /// Names the repository, if the place is one of a registry.
    fn origin(&self) -> Option<Origin> {
        None
    }
}

/// Content that can be added.
pub trait BlobsMut: Blobs {
    /// Stores content whose digest and size are known; refuses bytes that differ. Existing content is kept.
    fn put(&self, descriptor: &Descriptor, content: &mut dyn Read) -> Result<(), BlobError>;

    /// Stores content that can be opened again where a transfer broke.
    fn put_from(&self, descriptor: &Descriptor, source: &dyn Source) -> Result<(), BlobError> {
        self.put(descriptor, &mut *source.open(0)?)
    }

    /// Takes content over from another repository of the same registry, without moving its bytes; false if that
    /// cannot be.
    fn adopt(&self, _descriptor: &Descriptor, _from: &Origin) -> Result<bool, BlobError> {
        Ok(false)
    }

    /// Keeps a manifest that was put and is about another one, so that [`Blobs::referrers`] lists it.
    fn attach(&self, _subject: &Digest, _referrer: &Descriptor) -> Result<(), BlobError> {
        Ok(())
    }

    /// Gives a manifest a tag beside the image's own.
    fn tag_companion(&self, tag: &str, descriptor: &Descriptor) -> Result<(), BlobError> {
        self.tag(tag, descriptor)
    }

    /// Gives a manifest a name; an existing name moves.
    fn tag(&self, name: &str, descriptor: &Descriptor) -> Result<(), BlobError>;
}
