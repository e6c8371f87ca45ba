//! Removing the blobs that nothing needs.

use std::collections::HashSet;

use crate::{BlobError, Blobs, Descriptor, Digest, read};

use super::{Layout, index, name_of, referrers};

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

/// Removes blobs, or with `preview` only counts them; names in `without` keep nothing.
pub(super) fn sweep(
    layout: &Layout,
    keep: &dyn Fn(&Digest) -> bool,
    preview: bool,
    without: &HashSet<String>,
) -> Result<Sweep, BlobError> {
    let needed = needed(layout, preview, without)?;
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
            if !preview {
                std::fs::remove_file(entry.path()).map_err(|error| BlobError::io("remove", &entry.path(), error))?;
            }
            done.removed += 1;
            done.freed += size;
        }
    }
    Ok(done)
}

/// Finds what the entries of the index need. One without a name that is about a manifest which is gone is an entry
/// no more.
fn needed(layout: &Layout, preview: bool, without: &HashSet<String>) -> Result<HashSet<Digest>, BlobError> {
    let mut needed = HashSet::new();
    let mut about = Vec::new();
    for manifest in layout.index()?.manifests {
        if name_of(&manifest).is_some_and(|name| without.contains(name)) {
            continue;
        }
        match referrers::subject(layout, &manifest) {
            Some(subject) => about.push((subject, manifest)),
            None => mark(layout, &manifest, 0, &mut needed)?,
        }
    }
    // a signature may be about an attestation
    loop {
        let (now, later): (Vec<_>, _) = about.into_iter().partition(|(subject, _)| needed.contains(subject));
        about = later;
        if now.is_empty() {
            break;
        }
        for (_, manifest) in now {
            mark(layout, &manifest, 0, &mut needed)?;
        }
    }
    if !about.is_empty() && !preview {
        let gone: HashSet<Digest> = about.into_iter().map(|(_, manifest)| manifest.digest).collect();
        index::change(layout.root(), |index| {
            index.manifests.retain(|manifest| name_of(manifest).is_some() || !gone.contains(&manifest.digest));
        })?;
    }
    Ok(needed)
}

/// Marks a manifest and all it points to. What is damaged or absent marks nothing: it is no reason to keep
/// or to lose anything else.
fn mark(layout: &Layout, descriptor: &Descriptor, depth: usize, needed: &mut HashSet<Digest>) -> Result<(), BlobError> {
    if !needed.insert(descriptor.digest.clone()) || depth > MAX_DEPTH || !layout.exists(descriptor)? {
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
