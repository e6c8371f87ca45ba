//! Docker's own archive: `manifest.json` names configurations and layer tars; the OCI manifest is made here.

use std::io::{self, Read};

use serde::Deserialize;

use crate::compress::Kind;
use crate::{Descriptor, Hasher, ImageConfig, Manifest, Reference, media_type};

use super::contents::Contents;
use super::{Archive, Source, invalid};

/// One image of `manifest.json` (Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset
/// Format").
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// Takes in every image of the archive.
pub(super) fn take(archive: &mut Archive, contents: &Contents) -> io::Result<()> {
    archive.index.manifests.clear();
    let entries: Vec<Entry> = contents.json("manifest.json")?;
    for entry in entries {
        let config_bytes = contents.bytes(&entry.config)?;
        let config: ImageConfig = serde_json::from_slice(&config_bytes)
            .map_err(|error| invalid(format!("`{}` is malformed: {error}", entry.config)))?;
        let paths = entry.layers.unwrap_or_default();
        let diff_ids = &config.rootfs.diff_ids;
        if paths.len() != diff_ids.len() {
            let (here, there) = (paths.len(), diff_ids.len());
            return Err(invalid(format!("manifest.json lists {here} layers, `{}` {there}", entry.config)));
        }
        let (digest, size) = archive.add_made(config_bytes);
        let config_descriptor = Descriptor::new(media_type::OCI_CONFIG, digest, size);
        let mut layers = Vec::with_capacity(paths.len());
        for (path, diff_id) in paths.iter().zip(diff_ids) {
            let layer = layer(contents, path, diff_id)?;
            let (offset, size) = contents.find(path)?;
            archive.blobs.insert(layer.digest.clone(), Source::At(offset, size));
            layers.push(layer);
        }
        let manifest = Manifest::new(config_descriptor, layers);
        let bytes = serde_json::to_vec(&manifest).expect("a manifest has only string keys");
        let (digest, size) = archive.add_made(bytes);
        let descriptor = Descriptor::new(media_type::OCI_MANIFEST, digest, size);
        let names: Vec<Reference> =
            entry.repo_tags.iter().flatten().filter_map(|name| name.parse::<Reference>().ok()).collect();
        if names.is_empty() {
            archive.add_named(&descriptor, None);
        }
        for name in names {
            archive.add_named(&descriptor, Some(name.to_string()));
        }
    }
    Ok(())
}

/// Describes a layer. A plain tar has the digest that the configuration gives it, and whoever reads it checks
/// that; a compressed one must be read to know its own.
fn layer(contents: &Contents, path: &str, diff_id: &crate::Digest) -> io::Result<Descriptor> {
    let mut reader = contents.open(path)?;
    let mut start = Vec::new();
    (&mut reader).take(6).read_to_end(&mut start)?;
    let media_type = match Kind::of(&start) {
        Kind::Gzip => media_type::OCI_LAYER_GZIP,
        Kind::Zstd => media_type::OCI_LAYER_ZSTD,
        Kind::Plain => {
            let (_, size) = contents.find(path)?;
            return Ok(Descriptor::new(media_type::OCI_LAYER, diff_id.clone(), size));
        }
        Kind::Other(name) => return Err(invalid(format!("`{path}` is compressed with {name}"))),
    };
    let mut hasher = Hasher::new();
    hasher.update(&start);
    let rest = io::copy(&mut reader, &mut hasher)?;
    Ok(Descriptor::new(media_type, hasher.finish(), rest + start.len() as u64))
}
