//! When names were last used: a file for each, whose time tells.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::{Descriptor, Digest};

use super::Layout;

/// Notes that a name is used now. Without the note nothing is worse than that the image seems older.
pub(super) fn mark(layout: &Layout, name: &str) {
    let path = path(layout.root(), name);
    let touch = || -> std::io::Result<()> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        File::options().create(true).append(true).open(&path)?.set_modified(SystemTime::now())
    };
    if let Err(error) = touch() {
        tracing::debug!(%error, name, "the use of the name cannot be noted");
    }
}

/// Forgets the notes about a name.
pub(super) fn forget(layout: &Layout, name: &str) {
    let _ = std::fs::remove_file(path(layout.root(), name));
}

/// Returns when a name was last used: as it was noted, else when its manifest was written.
pub(super) fn last(layout: &Layout, name: &str, manifest: &Descriptor) -> Option<SystemTime> {
    let modified = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    modified(&path(layout.root(), name)).or_else(|| modified(&layout.blob_path(&manifest.digest)))
}

/// Names hold slashes, so the file is called by their digest.
fn path(root: &Path, name: &str) -> PathBuf {
    root.join(".plim/used").join(Digest::of(name.as_bytes()).hex())
}
