//! An image as plain data.

use crate::{Descriptor, Digest, ImageConfig, Manifest};

/// A layer of an image: where its bytes are and what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The (compressed) blob.
    pub descriptor: Descriptor,
    /// Digest of the uncompressed tar.
    pub diff_id: Digest,
    /// The history row that made it.
    pub created_by: Option<String>,
}

/// One image: manifest, configuration and layers; no bytes of layers, no I/O.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Descriptor of the manifest.
    pub descriptor: Descriptor,
    /// The manifest.
    pub manifest: Manifest,
    /// The manifest's own bytes; their digest is the image's digest.
    pub manifest_bytes: Vec<u8>,
    /// The configuration.
    pub config: ImageConfig,
    /// The configuration's own bytes.
    pub config_bytes: Vec<u8>,
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
}
