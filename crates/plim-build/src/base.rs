//! Where the images come from that a Dockerfile names.

use plim_oci::{Events, Image, Platform};

/// Why a base image could not be had.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct BaseError {
    /// What went wrong.
    pub message: String,
    /// What a person can do about it.
    pub hint: Option<String>,
    /// The cause, where there is one.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl BaseError {
    /// Returns an error with a message and a hint.
    pub fn new(message: impl Into<String>, hint: Option<String>) -> Self {
        Self { message: message.into(), hint, source: None }
    }
}

/// Finds the images that FROM, `COPY --from` and `RUN --mount=from` name: in the store, in a registry, by
/// a recipe. The engine implements it.
pub trait BaseSource: Sync {
    /// Returns the image of that name for the platform, its blobs in the store; `None` when nobody knows
    /// the name. It is called once for each name of a build, from several threads.
    fn base(&self, name: &str, platform: &Platform, events: &dyn Events) -> Result<Option<Image>, BaseError>;
}

/// Knows no image: for Dockerfiles that start from scratch.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBases;

impl BaseSource for NoBases {
    fn base(&self, _name: &str, _platform: &Platform, _events: &dyn Events) -> Result<Option<Image>, BaseError> {
        Ok(None)
    }
}
