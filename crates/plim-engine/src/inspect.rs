//! `plim inspect`: an image's manifest and configuration.

use plim_oci::{Events, Platform, form_name, media_type, read};
use serde_json::{Value, json};

use crate::{Failure, Workspace, place};

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The manifest or index, byte for byte.
    Raw,
    /// The configuration, byte for byte.
    Config,
    /// What people want to know, as JSON.
    Both,
}

/// Returns what an image says of itself.
pub fn inspect(
    workspace: &Workspace,
    name: &str,
    platform: Option<&Platform>,
    what: What,
    events: &dyn Events,
) -> Result<String, Failure> {
    let opened = place::open(workspace, name, events)?;
    if what == What::Raw && platform.is_none() {
        let bytes = read::bytes(&*opened.blobs, &opened.root, "manifest")?;
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    let host = Platform::host();
    let image = read::image(&*opened.blobs, &opened.root, platform.unwrap_or(&host))?;
    let bytes = match what {
        What::Raw => &image.manifest_bytes,
        What::Config => &image.config_bytes,
        What::Both => {
            let platforms = match read::document(&*opened.blobs, &opened.root)? {
                read::Document::Index(index) => index
                    .manifests
                    .iter()
                    .map(|manifest| json!({ "platform": manifest.platform, "digest": manifest.digest }))
                    .collect(),
                read::Document::Manifest(_) => Vec::new(),
            };
            let layers: Vec<Value> = image
                .layers
                .iter()
                .map(|layer| {
                    json!({
                        "digest": layer.descriptor.digest,
                        "diff_id": layer.diff_id,
                        "media_type": layer.descriptor.media_type,
                        "compressed_bytes": layer.descriptor.size,
                        "compression": form_name(&layer.descriptor),
                        "annotations": layer.descriptor.annotations,
                        "created_by": layer.created_by,
                    })
                })
                .collect();
            let referrers = opened.blobs.referrers(&opened.root.digest)?;
            workspace.tell_warnings(events);
            let text = serde_json::to_string_pretty(&json!({
                "name": name,
                "place": opened.blobs.place(),
                "digest": opened.root.digest,
                "media_type": if opened.root.media_type.is_empty() { media_type::OCI_MANIFEST } else { &opened.root.media_type },
                "platforms": platforms,
                "manifest_digest": image.descriptor.digest,
                "annotations": image.manifest.annotations,
                "compressed_bytes": image.layers.iter().map(|layer| layer.descriptor.size).sum::<u64>(),
                "layers": layers,
                "referrers": referrers,
                "config": image.config,
            }));
            return text
                .map(|text| text + "\n")
                .map_err(|error| Failure::caused("failed to write the image's description", &error));
        }
    };
    Ok(String::from_utf8_lossy(bytes).into_owned())
}
