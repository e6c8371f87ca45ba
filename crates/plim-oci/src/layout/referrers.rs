//! Signatures, attestations and the like in a layout: manifests without a name, whose `subject` says what they are
//! about. Other tools keep them in the same way.

use crate::read::{self, Document};
use crate::{BlobError, Blobs as _, Descriptor, Digest, Manifest};

use super::{Layout, name_of};

/// Lists the manifests of the index that are about a digest.
pub(super) fn of(layout: &Layout, subject: &Digest) -> Result<Vec<Descriptor>, BlobError> {
    let mut found = Vec::new();
    for descriptor in layout.index()?.manifests {
        let Some(document) = unnamed(layout, &descriptor) else { continue };
        if document.subject().is_some_and(|other| other.digest == *subject) {
            found.push(described(descriptor, &document));
        }
    }
    Ok(found)
}

/// Says what an entry of the index without a name is about.
pub(super) fn subject(layout: &Layout, descriptor: &Descriptor) -> Option<Digest> {
    Some(unnamed(layout, descriptor)?.subject()?.digest.clone())
}

/// Reads an entry without a name; what is absent or damaged is about nothing.
fn unnamed(layout: &Layout, descriptor: &Descriptor) -> Option<Document> {
    if name_of(descriptor).is_some() || !layout.exists(descriptor).unwrap_or(false) {
        return None;
    }
    read::document(layout, descriptor).ok()
}

/// Says in a descriptor what a list of referrers says: the artifact's type and the manifest's annotations
/// (distribution specification, "Listing Referrers").
pub(crate) fn described(descriptor: Descriptor, document: &Document) -> Descriptor {
    let (artifact_type, annotations) = match document {
        Document::Manifest(manifest) => (Some(artifact_type(manifest)), manifest.annotations.clone()),
        Document::Index(index) => {
            let declared = index.extra.get("artifactType").and_then(|value| value.as_str());
            (declared.map(str::to_owned), index.annotations.clone())
        }
    };
    Descriptor {
        artifact_type,
        annotations,
        urls: Vec::new(),
        data: None,
        platform: None,
        extra: serde_json::Map::new(),
        ..descriptor
    }
}

/// The type of an artifact: its own, else that of its configuration.
fn artifact_type(manifest: &Manifest) -> String {
    manifest.artifact_type.clone().unwrap_or_else(|| manifest.config.media_type.clone())
}
