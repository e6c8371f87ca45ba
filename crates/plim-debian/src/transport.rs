//! How bytes of a mirror come here.
//!
//! The one implementation that matters is plim-oci's HTTP client. The seam keeps everything above it testable with
//! archives that exist only in memory.

use std::path::Path;

use plim_oci::{Digest, Events, TaskId};

/// Why a file of a mirror could not be had.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    message: String,
    missing: bool,
}

impl TransportError {
    /// Returns a failure with its reason.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), missing: false }
    }

    /// Returns the failure that there is no such file.
    pub fn missing(message: impl Into<String>) -> Self {
        Self { message: message.into(), missing: true }
    }

    /// Says whether the mirror answered that there is no such file.
    pub fn is_missing(&self) -> bool {
        self.missing
    }
}

/// Fetches files by URL (`http`, `https`, `file`).
pub trait Transport: Send + Sync {
    /// Returns a whole file of at most `limit` bytes.
    fn bytes(&self, url: &str, limit: u64) -> Result<Vec<u8>, TransportError>;

    /// Writes a file to `dest`, going on where an earlier attempt stopped; `dest` exists only if its bytes have the
    /// digest and the size in bytes given.
    fn download(
        &self,
        url: &str,
        dest: &Path,
        digest: &Digest,
        size: u64,
        events: &dyn Events,
        task: TaskId,
    ) -> Result<(), TransportError>;
}

impl Transport for plim_oci::http::Client {
    fn bytes(&self, url: &str, limit: u64) -> Result<Vec<u8>, TransportError> {
        self.get_bytes(url, limit).map_err(|error| from_http(&error))
    }

    fn download(
        &self,
        url: &str,
        dest: &Path,
        digest: &Digest,
        size: u64,
        events: &dyn Events,
        task: TaskId,
    ) -> Result<(), TransportError> {
        self.download(url, dest, Some((digest, size)), events, task).map_err(|error| from_http(&error))
    }
}

fn from_http(error: &plim_oci::http::HttpError) -> TransportError {
    // the reason below the first line is what tells a person more than "failed to fetch"
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(below) = source {
        message = format!("{message}: {below}");
        source = below.source();
    }
    let missing = matches!(error, plim_oci::http::HttpError::Status { status: 404 | 410, .. });
    TransportError { message, missing }
}
