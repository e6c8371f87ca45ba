//! Writing images: the configuration and the manifest of layers that are there already.

use std::collections::BTreeMap;

use crate::{BlobError, BlobsMut, Descriptor, Digest, Image, ImageConfig, Layer, Manifest, media_type, read};

/// Writes an image's configuration and manifest and returns the image; its layers must be in `blobs`.
///
/// The configuration's `diff_ids` become those of `layers`; an empty list is written as `[]`. Equal input
/// gives equal bytes. Layers of Docker's media types are named by OCI's, which mean the same bytes.
pub fn image(
    blobs: &dyn BlobsMut,
    config: &ImageConfig,
    layers: &[Layer],
    annotations: &BTreeMap<String, String>,
) -> Result<Image, BlobError> {
    let mut config = config.clone();
    "layers".clone_into(&mut config.rootfs.kind);
    config.rootfs.diff_ids = layers.iter().map(|layer| layer.diff_id.clone()).collect();
    let config_bytes = serde_json::to_vec(&config).expect("a configuration has only string keys");
    let config_descriptor = put(blobs, media_type::OCI_CONFIG, &config_bytes)?;

    let described = layers.iter().map(|layer| as_oci(&layer.descriptor)).collect();
    let mut manifest = Manifest::new(config_descriptor, described);
    manifest.annotations.clone_from(annotations);
    let manifest_bytes = serde_json::to_vec(&manifest).expect("a manifest has only string keys");
    let descriptor = put(blobs, media_type::OCI_MANIFEST, &manifest_bytes)?;

    let layers = read::layers(&manifest, &config)
        .into_iter()
        .zip(layers)
        .map(|(new, given)| Layer { created_by: new.created_by.or_else(|| given.created_by.clone()), ..new })
        .collect();
    Ok(Image { descriptor, manifest, manifest_bytes, config, config_bytes, layers })
}

/// Stores small content and returns its descriptor.
pub fn put(blobs: &dyn BlobsMut, media_type: &str, content: &[u8]) -> Result<Descriptor, BlobError> {
    let descriptor = Descriptor::new(media_type, Digest::of(content), content.len() as u64);
    blobs.put(&descriptor, &mut &content[..])?;
    Ok(descriptor)
}

/// Names a layer's media type by OCI's name, where it has one.
pub(crate) fn as_oci(layer: &Descriptor) -> Descriptor {
    let media_type = match layer.media_type.as_str() {
        media_type::DOCKER_LAYER_GZIP => media_type::OCI_LAYER_GZIP,
        media_type::DOCKER_LAYER => media_type::OCI_LAYER,
        "application/vnd.docker.image.rootfs.diff.tar.zstd" => media_type::OCI_LAYER_ZSTD,
        other => other,
    };
    Descriptor { media_type: media_type.to_owned(), ..layer.clone() }
}
