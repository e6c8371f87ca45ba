//! The blob that was written for a snapshot, noted beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use plim_oci::{BlobError, Blobs, Compression, Descriptor, Digest, Layer, Layout};
use serde::{Deserialize, Serialize};

use super::write_whole;

/// A layer blob made of a snapshot with one compression and one epoch.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LayerRecord {
    diff_id: Digest,
    descriptor: Descriptor,
}

impl LayerRecord {
    /// Returns the layer noted in a snapshot's directory, if its blob is still in the store.
    pub(crate) fn load(
        dir: &Path,
        compression: Compression,
        epoch: i64,
        store: &Layout,
    ) -> Result<Option<Layer>, BlobError> {
        let Ok(bytes) = fs::read(path(dir, compression, epoch)) else { return Ok(None) };
        let Ok(record) = serde_json::from_slice::<Self>(&bytes) else { return Ok(None) };
        if !store.exists(&record.descriptor)? {
            return Ok(None);
        }
        Ok(Some(Layer { descriptor: record.descriptor, diff_id: record.diff_id, created_by: None }))
    }

    /// Returns a layer noted in a snapshot's directory, with whatever compression, whose blob is in the store.
    pub(crate) fn find(dir: &Path, epoch: i64, store: &Layout) -> Option<Layer> {
        Self::all(dir, epoch).find(|record| store.exists(&record.descriptor).unwrap_or(false)).map(|record| Layer {
            descriptor: record.descriptor,
            diff_id: record.diff_id,
            created_by: None,
        })
    }

    /// Returns the digest of the uncompressed layer noted in a snapshot's directory, with whatever compression; its blob
    /// need not be there.
    pub(crate) fn diff_id(dir: &Path, epoch: i64) -> Option<Digest> {
        Self::all(dir, epoch).map(|record| record.diff_id).next()
    }

    /// Returns the records of an epoch that can be read.
    fn all(dir: &Path, epoch: i64) -> impl Iterator<Item = Self> {
        let end = format!("-{epoch}.json");
        let records = fs::read_dir(dir).into_iter().flatten().flatten().filter(move |entry| {
            let name = entry.file_name();
            // `layer-gzip6--5.json` has the epoch -5
            name.to_str()
                .and_then(|name| name.strip_prefix("layer-")?.split_once('-'))
                .is_some_and(|(_, rest)| format!("-{rest}") == end)
        });
        records.filter_map(|entry| serde_json::from_slice(&fs::read(entry.path()).ok()?).ok())
    }

    /// Notes a layer in a snapshot's directory.
    pub(crate) fn save(dir: &Path, compression: Compression, epoch: i64, layer: &Layer) -> io::Result<()> {
        let record = Self { diff_id: layer.diff_id.clone(), descriptor: layer.descriptor.clone() };
        let bytes = serde_json::to_vec(&record).map_err(io::Error::other)?;
        write_whole(&path(dir, compression, epoch), &bytes)
    }
}

fn path(dir: &Path, compression: Compression, epoch: i64) -> PathBuf {
    let compression = match compression {
        Compression::None => "tar".to_owned(),
        Compression::Gzip(level) => format!("gzip{level}"),
        Compression::Zstd(level) => format!("zstd{level}"),
    };
    dir.join(format!("layer-{compression}-{epoch}.json"))
}

#[cfg(test)]
mod tests {
    use plim_oci::{BlobsMut, media_type};

    use super::*;

    #[test]
    fn a_record_counts_only_while_its_blob_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let store = Layout::create(dir.path().join("store")).unwrap();
        let blob = b"layer".as_slice();
        let descriptor = Descriptor::new(media_type::OCI_LAYER_GZIP, Digest::of(blob), blob.len() as u64);
        let layer = Layer { descriptor: descriptor.clone(), diff_id: Digest::of(b"tar"), created_by: None };
        let gzip = Compression::Gzip(6);
        LayerRecord::save(dir.path(), gzip, 7, &layer).unwrap();
        assert_eq!(LayerRecord::load(dir.path(), gzip, 7, &store).unwrap(), None);
        store.put(&descriptor, &mut &*blob).unwrap();
        assert_eq!(LayerRecord::load(dir.path(), gzip, 7, &store).unwrap(), Some(layer.clone()));
        assert_eq!(LayerRecord::load(dir.path(), gzip, 8, &store).unwrap(), None);
        assert_eq!(LayerRecord::load(dir.path(), Compression::None, 7, &store).unwrap(), None);
        assert_eq!(LayerRecord::diff_id(dir.path(), 7), Some(Digest::of(b"tar")));
        assert_eq!(LayerRecord::diff_id(dir.path(), -7), None);
        LayerRecord::save(dir.path(), gzip, -7, &Layer { diff_id: Digest::of(b"old"), ..layer }).unwrap();
        assert_eq!(LayerRecord::diff_id(dir.path(), -7), Some(Digest::of(b"old")));
        assert_eq!(LayerRecord::diff_id(dir.path(), 7), Some(Digest::of(b"tar")));
    }
}
