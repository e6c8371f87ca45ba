//! Why plim could not say what is in a layer.

use plim_oci::{BlobError, Digest};

/// Why a layer could not be indexed.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The blob could not be opened.
    #[error("failed to read layer {digest}")]
    Blob {
        /// Digest of the blob.
        digest: Digest,
        /// What the place said.
        #[source]
        source: BlobError,
    },
    /// The bytes are not those of the digest, end early, do not decompress, or are no tar.
    #[error("failed to read layer {digest}: its bytes are damaged or no layer")]
    Malformed {
        /// Digest of the blob.
        digest: Digest,
        /// The reader's reason.
        #[source]
        source: std::io::Error,
    },
    /// The uncompressed bytes are not those that the image's configuration names.
    #[error("layer {layer} unpacks to {actual}, but the image configuration says {expected}")]
    DiffId {
        /// Digest of the blob.
        layer: Digest,
        /// The diffID of the configuration.
        expected: Digest,
        /// The digest of the uncompressed bytes.
        actual: Digest,
    },
    /// An index could not be stored.
    #[error("failed to write {path}")]
    Store {
        /// The file.
        path: String,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The user asked to stop.
    #[error("indexing was interrupted")]
    Cancelled,
}

impl IndexError {
    /// Returns what a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Blob { .. } => Some("pull or build the image again to fetch the missing layer".to_owned()),
            Self::Malformed { .. } | Self::DiffId { .. } => {
                Some("the stored copy is damaged or the image was made wrongly; pull or build it again".to_owned())
            }
            Self::Store { .. } => Some("check that the cache directory is writable and has room".to_owned()),
            Self::Cancelled => None,
        }
    }
}
