//! The lines of the Dockerfile behind the layers of images that were built here.

use plim_oci::{Digest, Image};
use serde::{Deserialize, Serialize};

use crate::workspace::write_whole;
use crate::{Failure, Workspace};

/// The lines of the Dockerfile that made the layers of an image that plim built.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Lines {
    dockerfile: String,
    layers: Vec<(Digest, usize)>,
}

impl Lines {
    /// Keeps the lines of a build. That they are lost costs only an answer, so failing to is no error.
    pub(crate) fn keep(workspace: &Workspace, dockerfile: &str, built: &plim_build::Built) {
        let layers = built.steps.iter().filter_map(|step| Some((step.layer.clone()?, step.line))).collect();
        let lines = Self { dockerfile: dockerfile.to_owned(), layers };
        let kept = workspace.cache_dir("lines").and_then(|dir| {
            let json = serde_json::to_vec(&lines).map_err(|error| Failure::caused("failed to keep lines", &error))?;
            write_whole(&dir.join(format!("{}.json", built.image.descriptor.digest.hex())), &json)
        });
        if let Err(failure) = kept {
            tracing::debug!(message = failure.message, "the lines of the Dockerfile are not kept");
        }
    }

    /// Returns the lines of an image; none when it was not built here.
    pub(crate) fn of(workspace: &Workspace, image: &Digest) -> Self {
        let read = || {
            let path = workspace.cache_dir("lines").ok()?.join(format!("{}.json", image.hex()));
            serde_json::from_slice(&std::fs::read(path).ok()?).ok()
        };
        read().unwrap_or_default()
    }

    /// Returns how many layers of an image were there before its Dockerfile began; nothing when it was not built here.
    pub(crate) fn base_layers(&self, image: &Image) -> Option<usize> {
        let below = image.layers.iter().take_while(|layer| self.line_of(&layer.descriptor.digest).is_none());
        (!self.dockerfile.is_empty()).then(|| below.count())
    }

    /// Returns the file and the line that made a layer, by the digest of its blob.
    pub(crate) fn line_of(&self, layer: &Digest) -> Option<String> {
        let (_, line) = self.layers.iter().find(|(known, _)| known == layer)?;
        Some(format!("{}:{line}", self.dockerfile))
    }
}
