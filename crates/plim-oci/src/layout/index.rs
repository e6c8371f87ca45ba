//! The file `index.json`: read whole, changed under a lock, replaced by rename.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::lock::{Lock, lock_exclusive};
use crate::{BlobError, Digest, Index};

use super::{MAX_INDEX, writer};

/// Holds the index for a change.
pub(super) fn lock(root: &Path) -> Result<Lock, BlobError> {
    let path = root.join(".plim/index.lock");
    lock_exclusive(&path).map_err(|error| BlobError::io("lock", &path, error))
}

/// Reads the index; a layout without one is empty.
pub(super) fn load(root: &Path) -> Result<Index, BlobError> {
    let path = root.join("index.json");
    let mut bytes = Vec::new();
    match File::open(&path) {
        Ok(file) => {
            file.take(MAX_INDEX).read_to_end(&mut bytes).map_err(|error| BlobError::io("read", &path, error))?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Index::default()),
        Err(error) => return Err(BlobError::io("read", &path, error)),
    };
    serde_json::from_slice(&bytes).map_err(|error| BlobError::Malformed {
        what: "index",
        digest: Digest::of(&bytes),
        place: path.display().to_string(),
        reason: error.to_string(),
    })
}

/// Replaces the index.
pub(super) fn store(root: &Path, index: &Index) -> Result<(), BlobError> {
    let path = root.join("index.json");
    let text = serde_json::to_vec(index).expect("an index has only string keys");
    writer::replace(root, &path, &text).map_err(|error| BlobError::io("write", &path, error))
}

/// Changes the index while nobody else does; writes only what differs.
pub(super) fn change<T>(root: &Path, alter: impl FnOnce(&mut Index) -> T) -> Result<T, BlobError> {
    let _alone = lock(root)?;
    let before = load(root)?;
    let mut after = before.clone();
    let result = alter(&mut after);
    if after != before {
        store(root, &after)?;
    }
    Ok(result)
}
