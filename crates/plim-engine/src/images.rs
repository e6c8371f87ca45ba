//! `plim images`: what the local store holds.

use plim_oci::{Digest, Events, Platform, read};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Failure, Tool, Workspace};

/// The images of the store.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ImagesReport {
    /// Version of this format; fields are only ever added.
    pub schema: u32,
    /// Who wrote it.
    pub tool: Tool,
    /// The images, by name.
    pub images: Vec<ImageRow>,
}

/// One named image.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ImageRow {
    /// Its name in the store.
    pub name: String,
    /// Digest of its manifest or index.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// `os/architecture`.
    pub platform: String,
    /// Compressed bytes of its layers.
    pub compressed_bytes: u64,
    /// Number of layers.
    pub layers: usize,
    /// RFC 3339 time.
    pub created: Option<String>,
}

/// Lists the images of the store; one that cannot be read is warned about and left out.
pub fn images(workspace: &Workspace, events: &dyn Events) -> Result<ImagesReport, Failure> {
    let mut images = Vec::new();
    for (name, descriptor) in workspace.store.names()? {
        match read::image(&workspace.store, &descriptor, &Platform::host()) {
            Ok(image) => images.push(ImageRow {
                name,
                digest: descriptor.digest,
                platform: format!("{}/{}", image.config.os, image.config.architecture),
                compressed_bytes: image.layers.iter().map(|layer| layer.descriptor.size).sum(),
                layers: image.layers.len(),
                created: image.config.created,
            }),
            Err(error) => events.warn(&format!("{name}: {error}")),
        }
    }
    images.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(ImagesReport { schema: 1, tool: Tool::this(), images })
}
