//! Manifests and indexes that name the new blobs.

use serde_json::Value;

use crate::read::{self, Document};
use crate::{BlobError, Blobs, Descriptor, Digest, Index, Layout, Manifest, media_type, write};

use super::{MAX_DEPTH, Made, Renamed, is_image, too_deep};

/// What BuildKit writes beside an attestation in an index: the digest of the image that it is about.
const ABOUT: &str = "vnd.docker.reference.digest";

/// Writes manifests anew, from the leaves up.
pub(super) struct Rewriter<'a> {
    src: &'a dyn Blobs,
    into: &'a Layout,
    made: &'a Made,
    renamed: Renamed,
    pub(super) written: Vec<Descriptor>,
    pub(super) changed: Vec<Digest>,
    pub(super) left_out: Vec<Digest>,
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(src: &'a dyn Blobs, into: &'a Layout, made: &'a Made, written: Vec<Descriptor>) -> Self {
        let (changed, left_out) = (Vec::new(), Vec::new());
        Self { src, into, made, renamed: Renamed::new(), written, changed, left_out }
    }

    /// Returns what stands for a manifest or index now.
    pub(super) fn document(&mut self, old: &Descriptor, depth: usize) -> Result<Descriptor, BlobError> {
        if depth > MAX_DEPTH {
            return Err(too_deep(self.src, old));
        }
        let new = if let Some(known) = self.renamed.get(&old.digest) {
            known.clone()
        } else {
            let new = match read::document(self.src, old)? {
                Document::Manifest(manifest) => self.manifest(old, *manifest)?,
                Document::Index(index) => self.index(old, *index, depth)?,
            };
            if new.digest != old.digest {
                self.changed.push(old.digest.clone());
                self.written.push(new.clone());
            }
            self.renamed.insert(old.digest.clone(), new.clone());
            new
        };
        if new.digest == old.digest {
            return Ok(old.clone());
        }
        // platform, annotations and what else an index says of it
        Ok(Descriptor {
            media_type: new.media_type,
            digest: new.digest,
            size: new.size,
            data: None,
            urls: Vec::new(),
            ..old.clone()
        })
    }

    fn manifest(&mut self, old: &Descriptor, mut manifest: Manifest) -> Result<Descriptor, BlobError> {
        if !is_image(&manifest) || !manifest.layers.iter().any(|layer| self.made.contains_key(&layer.digest)) {
            return Ok(old.clone());
        }
        let mut diff_ids = Vec::with_capacity(manifest.layers.len());
        for layer in &mut manifest.layers {
            let made = self.made.get(&layer.digest);
            diff_ids.push(made.map(|made| made.diff_id.clone()));
            if let Some(made) = made {
                *layer = made.descriptor.clone();
            }
        }
        manifest.config = self.config(&manifest.config, &diff_ids)?;
        // Docker's own types have no zstd and no annotations
        let docker = manifest.media_type.as_deref().unwrap_or(&old.media_type) == media_type::DOCKER_MANIFEST;
        let needs_oci = manifest
            .layers
            .iter()
            .any(|layer| !layer.annotations.is_empty() || !is_dockers(&write::as_oci(layer).media_type));
        if docker && !needs_oci {
            for layer in &mut manifest.layers {
                if layer.media_type == media_type::OCI_LAYER_GZIP {
                    media_type::DOCKER_LAYER_GZIP.clone_into(&mut layer.media_type);
                }
            }
            return self.put(media_type::DOCKER_MANIFEST, &manifest);
        }
        manifest.media_type = Some(media_type::OCI_MANIFEST.to_owned());
        media_type::OCI_CONFIG.clone_into(&mut manifest.config.media_type);
        manifest.layers = manifest.layers.iter().map(write::as_oci).collect();
        self.put(media_type::OCI_MANIFEST, &manifest)
    }

    /// Returns the configuration for other diffIDs; the old one where they are the same.
    fn config(&mut self, old: &Descriptor, diff_ids: &[Option<Digest>]) -> Result<Descriptor, BlobError> {
        let bytes = read::bytes(self.src, old, "configuration")?;
        let malformed = |reason: &str| BlobError::Malformed {
            what: "configuration",
            digest: old.digest.clone(),
            place: self.src.place(),
            reason: reason.to_owned(),
        };
        // all that is not a diffID stays as its producer wrote it
        let mut config: Value = serde_json::from_slice(&bytes).map_err(|error| malformed(&error.to_string()))?;
        let listed = config.pointer_mut("/rootfs/diff_ids").and_then(Value::as_array_mut);
        let listed = listed.ok_or_else(|| malformed("it lists no layers"))?;
        let mut same = true;
        for (place, diff_id) in listed.iter_mut().zip(diff_ids) {
            if let Some(diff_id) = diff_id
                && place.as_str() != Some(diff_id.as_str())
            {
                *place = Value::String(diff_id.to_string());
                same = false;
            }
        }
        if same {
            return Ok(old.clone());
        }
        let bytes = serde_json::to_vec(&config).expect("it was JSON before");
        let new = write::put(self.into, &old.media_type, &bytes)?;
        self.written.push(new.clone());
        Ok(Descriptor { annotations: old.annotations.clone(), extra: old.extra.clone(), ..new })
    }

    fn index(&mut self, old: &Descriptor, mut index: Index, depth: usize) -> Result<Descriptor, BlobError> {
        let mut manifests = Vec::with_capacity(index.manifests.len());
        for child in &index.manifests {
            manifests.push(self.document(child, depth + 1)?);
        }
        let (changed, mut left_out) = (&self.changed, Vec::new());
        manifests.retain(|manifest| {
            let about = manifest.annotations.get(ABOUT);
            let gone = about.is_some_and(|about| changed.iter().any(|digest| digest.as_str() == about));
            if gone {
                left_out.push(manifest.digest.clone());
            }
            !gone
        });
        self.left_out.append(&mut left_out);
        if manifests == index.manifests {
            return Ok(old.clone());
        }
        index.manifests = manifests;
        let docker = index.media_type.as_deref().unwrap_or(&old.media_type) == media_type::DOCKER_LIST;
        let all_docker = index.manifests.iter().all(|manifest| {
            matches!(manifest.media_type.as_str(), media_type::DOCKER_MANIFEST | media_type::DOCKER_LIST)
        });
        let kind = if docker && all_docker { media_type::DOCKER_LIST } else { media_type::OCI_INDEX };
        index.media_type = Some(kind.to_owned());
        self.put(kind, &index)
    }

    fn put(&self, kind: &str, document: &impl serde::Serialize) -> Result<Descriptor, BlobError> {
        let bytes = serde_json::to_vec(document).expect("a manifest has only string keys");
        write::put(self.into, kind, &bytes)
    }
}

/// Says whether Docker's manifests have layers of a kind, named by OCI's types.
fn is_dockers(kind: &str) -> bool {
    matches!(kind, media_type::OCI_LAYER_GZIP)
        // those that may not be distributed keep their own type
        || kind.starts_with("application/vnd.docker.")
}
