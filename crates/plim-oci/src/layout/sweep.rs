//! Removing the blobs that nothing needs.

use std::collections::HashSet;

use crate::{BlobError, Blobs, Descriptor, Digest, read};

use super::Layout;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Blobs removed.
    pub removed: usize,
    /// Bytes they held.
    pub freed: u64,
    /// Another process has the layout open, so nothing was done.
    pub busy: bool,
}

/// Indexes nest; no producer goes deeper than this.
const MAX_DEPTH: usize = 8;

pub(super) fn sweep(layout: &Layout, keep: &dyn Fn(&Digest) -> bool) -> Result<Sweep, BlobError> {
    let mut needed = HashSet::new();
    for manifest in layout.index()?.manifests {
        mark(layout, &manifest, 0, &mut needed)?;
    }
    let mut done = Sweep::default();
    for algorithm in ["sha256", "sha512"] {
        let dir = layout.root().join("blobs").join(algorithm);
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Ok(digest) = format!("{algorithm}:{}", name.to_string_lossy()).parse::<Digest>() else { continue };
            if needed.contains(&digest) || keep(&digest) {
                continue;
            }
            let size = entry.metadata().map_or(0, |metadata| metadata.len());
            std::fs::remove_file(entry.path()).map_err(|error| BlobError::io("remove", &entry.path(), error))?;
            done.removed += 1;
            done.freed += size;
        }
    }
    Ok(done)
}

/// Marks a manifest and all it points to. What is damaged or absent marks nothing: it is no reason to keep
/// or to lose anything else.
fn mark(layout: &Layout, descriptor: &Descriptor, depth: usize, needed: &mut HashSet<Digest>) -> Result<(), BlobError> {
    if !needed.insert(descriptor.digest.clone()) || depth > MAX_DEPTH || !layout.exists(&descriptor.digest)? {
        return Ok(());
    }
    match read::document(layout, descriptor) {
        Ok(read::Document::Index(index)) => {
            for child in &index.manifests {
                mark(layout, child, depth + 1, needed)?;
            }
        }
        Ok(read::Document::Manifest(manifest)) => {
            needed.insert(manifest.config.digest.clone());
            needed.extend(manifest.layers.iter().map(|layer| layer.digest.clone()));
        }
        Err(BlobError::Malformed { .. } | BlobError::Corrupt { .. } | BlobError::Missing { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}
