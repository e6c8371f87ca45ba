//! The one read of a layer: decompressed, verified and indexed as it streams by.

use std::io::{self, Read};

use plim_oci::compress::decompressor;
use plim_oci::tar::{self, Limits};
use plim_oci::verify::VerifyingReader;
use plim_oci::{Blobs, Digest, Events, Layer, TaskId};

use crate::{IndexError, Indexer, LayerIndex};

/// How many entries a layer may have. The index holds some hundred bytes of each.
const MAX_ENTRIES: u64 = 3_000_000;

/// Reads a layer's blob and returns its index. The digest and size of the blob and the diffID are verified on the
/// way; bytes that are not what they should be are an error.
pub fn index_blob(layer: &Layer, blobs: &dyn Blobs, events: &dyn Events) -> Result<LayerIndex, IndexError> {
    let digest = &layer.descriptor.digest;
    let task = events.start(&format!("reading layer {}", digest.short()), Some(layer.descriptor.size));
    let result = read(layer, blobs, events, task);
    match &result {
        Ok(index) => events.finish(task, &format!("{} files", index.entries.len()), false),
        Err(_) => events.finish(task, "failed", true),
    }
    match result {
        Err(_) if events.cancelled() => Err(IndexError::Cancelled),
        other => other,
    }
}

fn read(layer: &Layer, blobs: &dyn Blobs, events: &dyn Events, task: TaskId) -> Result<LayerIndex, IndexError> {
    let digest = &layer.descriptor.digest;
    let malformed = |source| IndexError::Malformed { digest: digest.clone(), source };
    let blob = blobs.open(&layer.descriptor).map_err(|source| IndexError::Blob { digest: digest.clone(), source })?;
    let mut blob = VerifyingReader::of(Watched { inner: blob, events, task }, &layer.descriptor);
    let tar = decompressor(&mut blob);
    // the walk hashes with SHA-256; the other registered algorithm is rare enough to hash twice
    let read = if layer.diff_id.algorithm() == "sha256" {
        index_tar(tar)
    } else {
        index_tar(VerifyingReader::new(tar, layer.diff_id.clone(), None))
            .map(|index| LayerIndex { diff_id: layer.diff_id.clone(), ..index })
    };
    // a damaged blob is the reason for whatever else went wrong, and bytes after the end of the compressed
    // stream belong to the digest too
    io::copy(&mut blob, &mut io::sink()).map_err(malformed)?;
    let index = read.map_err(malformed)?;
    if index.diff_id != layer.diff_id {
        return Err(IndexError::DiffId {
            layer: digest.clone(),
            expected: layer.diff_id.clone(),
            actual: index.diff_id,
        });
    }
    Ok(index)
}

/// Reads an uncompressed layer tar to its last byte and returns its index.
pub fn index_tar(tar: impl Read) -> io::Result<LayerIndex> {
    let mut indexer = Indexer::new();
    let (diff_id, size): (Digest, u64) =
        tar::observe(tar, &Limits { entries: MAX_ENTRIES, ..Limits::default() }, &mut indexer)?;
    Ok(indexer.into_index(&diff_id, size))
}

/// Reports progress, and fails once the user asked to stop.
struct Watched<'a> {
    inner: Box<dyn Read + Send>,
    events: &'a dyn Events,
    task: TaskId,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.events.cancelled() {
            // not `Interrupted`, which callers take as a request to try again
            return Err(io::Error::other("interrupted"));
        }
        let count = self.inner.read(buffer)?;
        self.events.advance(self.task, count as u64);
        Ok(count)
    }
}
