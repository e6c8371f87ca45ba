//! Where indexes are kept: a file for each layer, named after its diffID.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use plim_oci::{Blobs, Digest, Events, Hasher, Image, Layer, LayerObserver, ObserveLayers};

use crate::{IndexError, Indexer, LayerIndex, SCHEMA, index_blob};

/// First bytes of an index file, before the schema number (4 bytes, little-endian), the SHA-256 of the rest, and the
/// rest: the [`LayerIndex`] in postcard.
const MAGIC: &[u8; 8] = b"plimidx\n";

const HEADER: usize = MAGIC.len() + 4 + 32;

/// The directory of layer indexes, `DIR/v<schema>/<diffID in hex>`.
///
/// A file is written once under a temporary name and renamed, so any number of processes may share the directory.
/// A file that is damaged or of another schema counts as missing: it can always be made again.
#[derive(Debug, Clone)]
pub struct Indexes {
    dir: PathBuf,
}

impl Indexes {
    /// Returns the indexes kept in a directory, which is made when something is put there.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Returns where the index of a layer is or would be.
    pub fn path(&self, diff_id: &Digest) -> PathBuf {
        self.dir.join(format!("v{SCHEMA}")).join(diff_id.hex())
    }

    /// Returns the index of a layer if it is there and sound.
    pub fn get(&self, diff_id: &Digest) -> Option<Arc<LayerIndex>> {
        let index = decode(&fs::read(self.path(diff_id)).ok()?)?;
        (index.diff_id == *diff_id).then(|| Arc::new(index))
    }

    /// Keeps an index.
    pub fn put(&self, index: &LayerIndex) -> Result<(), IndexError> {
        let path = self.path(&index.diff_id);
        write(&path, &encode(index)).map_err(|source| IndexError::Store { path: path.display().to_string(), source })
    }

    /// Returns the index of a layer; reads the layer if it has none yet. That the new index cannot be kept is a
    /// warning only.
    pub fn ensure(&self, layer: &Layer, blobs: &dyn Blobs, events: &dyn Events) -> Result<Arc<LayerIndex>, IndexError> {
        if let Some(index) = self.get(&layer.diff_id) {
            return Ok(index);
        }
        let index = index_blob(layer, blobs, events)?;
        if let Err(error) = self.put(&index) {
            let reason = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            events.warn(&format!("{error}{reason}; the layer will be read again next time"));
        }
        Ok(Arc::new(index))
    }

    /// Returns the indexes of all layers of an image, lowest first. Missing ones are made on all cores, the largest
    /// layers first; the first error stops the others.
    pub fn ensure_all(
        &self,
        image: &Image,
        blobs: &dyn Blobs,
        events: &dyn Events,
    ) -> Result<Vec<Arc<LayerIndex>>, IndexError> {
        // the same layer may be there twice
        let mut queue: Vec<&Layer> = image.layers.iter().collect();
        queue.sort_by(|a, b| b.descriptor.size.cmp(&a.descriptor.size).then_with(|| a.diff_id.cmp(&b.diff_id)));
        queue.dedup_by(|a, b| a.diff_id == b.diff_id);

        let next = AtomicUsize::new(0);
        let done: Mutex<Result<HashMap<&Digest, Arc<LayerIndex>>, IndexError>> = Mutex::new(Ok(HashMap::new()));
        let work = || {
            while let Some(layer) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
                let result = self.ensure(layer, blobs, events);
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                match (&mut *done, result) {
                    (Ok(indexes), Ok(index)) => {
                        indexes.insert(&layer.diff_id, index);
                    }
                    (Ok(_), Err(error)) => {
                        next.store(queue.len(), Ordering::Relaxed);
                        *done = Err(error);
                    }
                    (Err(_), _) => return,
                }
            }
        };
        rayon::scope(|scope| {
            for _ in 0..rayon::current_num_threads().min(queue.len()) {
                scope.spawn(|_| work());
            }
        });
        let done = done.into_inner().unwrap_or_else(PoisonError::into_inner)?;
        Ok(image.layers.iter().filter_map(|layer| done.get(&layer.diff_id).cloned()).collect())
    }
}

impl ObserveLayers for Indexes {
    fn observe(&self) -> Box<dyn LayerObserver> {
        Box::new(Indexer::storing(self.clone()))
    }
}

fn checksum(body: &[u8]) -> [u8; 32] {
    let mut hasher = Hasher::new();
    hasher.update(body);
    hasher.finish_raw()
}

/// Returns the bytes of an index file.
fn encode(index: &LayerIndex) -> Vec<u8> {
    let body = postcard::to_stdvec(index).expect("an index has no type that postcard refuses");
    let mut file = Vec::with_capacity(HEADER + body.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&SCHEMA.to_le_bytes());
    file.extend_from_slice(&checksum(&body));
    file.extend_from_slice(&body);
    file
}

/// Reads an index file; nothing when it is not whole, not sound or of another schema.
fn decode(file: &[u8]) -> Option<LayerIndex> {
    let (header, body) = file.split_at_checked(HEADER)?;
    let rest = header.strip_prefix(MAGIC)?;
    let (schema, expected) = rest.split_at_checked(4)?;
    if schema != SCHEMA.to_le_bytes() || expected != checksum(body) {
        return None;
    }
    let index: LayerIndex = postcard::from_bytes(body).ok()?;
    (index.schema == SCHEMA).then_some(index)
}

/// Writes a file under a temporary name and renames it.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    // nothing in it is secret, and caches are shared
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    let mut file = tempfile::Builder::new().permissions(mode).tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use plim_oci::{EntryHead, EntryKind};

    use super::*;

    fn sample() -> LayerIndex {
        let mut indexer = Indexer::new();
        indexer.entry(&EntryHead::new("a", EntryKind::File, 0o644));
        indexer.data(b"#!/bin/sh\n");
        indexer.entry(&EntryHead::new("a/.wh.b", EntryKind::File, 0o644));
        indexer.into_index(&Digest::of(b"layer"), 1024)
    }

    #[test]
    fn an_index_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let indexes = Indexes::new(dir.path());
        let index = sample();
        assert!(indexes.get(&index.diff_id).is_none());
        indexes.put(&index).unwrap();
        indexes.put(&index).unwrap();
        assert_eq!(*indexes.get(&index.diff_id).unwrap(), index);
        assert_eq!(fs::read_dir(indexes.path(&index.diff_id).parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_or_foreign_file_counts_as_missing() {
        let dir = tempfile::tempdir().unwrap();
        let indexes = Indexes::new(dir.path());
        let index = sample();
        indexes.put(&index).unwrap();
        let path = indexes.path(&index.diff_id);
        let good = fs::read(&path).unwrap();
        for at in [0, 8, 20, HEADER, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert!(indexes.get(&index.diff_id).is_none(), "byte {at}");
        }
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(indexes.get(&index.diff_id).is_none());
        fs::write(&path, b"").unwrap();
        assert!(indexes.get(&index.diff_id).is_none());

        let other = Digest::of(b"another layer");
        fs::write(indexes.path(&other), &good).unwrap();
        assert!(indexes.get(&other).is_none());
    }

    #[test]
    fn a_layer_that_is_written_leaves_its_index() {
        let dir = tempfile::tempdir().unwrap();
        let indexes = Indexes::new(dir.path());
        let mut observer = indexes.observe();
        observer.entry(&EntryHead::new("d", EntryKind::Dir, 0o755));
        observer.end();
        let diff_id = Digest::of(b"x");
        observer.finish(&diff_id, 512, &plim_oci::Silent);
        assert_eq!(indexes.get(&diff_id).unwrap().size, 512);
    }
}
