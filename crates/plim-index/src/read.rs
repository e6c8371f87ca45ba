//! The one read of a layer: decompressed, verified and indexed as it streams by.

use std::io::{self, Read};

use plim_oci::compress::{Chunks, ahead};
use plim_oci::tar::{self, Limits, TarError};
use plim_oci::verify::VerifyingReader;
use plim_oci::{Blobs, Events, Layer, TaskId};

use crate::indexer::{MAX_ENTRIES, MAX_METADATA};
use crate::{IndexError, Indexer, LayerIndex};

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
    // inflating takes about as long as all that is done with the bytes then
    let read = ahead(&mut blob, |tar| indexed(layer, tar));
    if read.is_err() {
        // a damaged blob is the reason for whatever else went wrong
        io::copy(&mut blob, &mut io::sink()).map_err(malformed)?;
    }
    let index = read.map_err(|error: TarError| malformed(error.into()))?;
    if index.diff_id != layer.diff_id {
        return Err(IndexError::DiffId {
            layer: digest.clone(),
            expected: layer.diff_id.clone(),
            actual: index.diff_id,
        });
    }
    Ok(index)
}

/// Indexes what comes out of a layer's blob, whose own digest is checked elsewhere.
fn indexed(layer: &Layer, tar: &mut Chunks) -> Result<LayerIndex, TarError> {
    let limits = &limits();
    // the bytes of a plain layer are those of its blob: hashing them twice would tell nothing new
    if tar.is_plain() && layer.diff_id == layer.descriptor.digest {
        let mut indexer = Indexer::new();
        let size = tar::observe_unhashed(tar, limits, &mut indexer)?;
        return Ok(indexer.into_index(&layer.diff_id, size));
    }
    // the walk hashes with SHA-256; the other registered algorithm is rare enough to hash twice
    if layer.diff_id.algorithm() == "sha256" {
        return observed(tar, limits);
    }
    observed(VerifyingReader::new(tar, layer.diff_id.clone(), None), limits)
        .map(|index| LayerIndex { diff_id: layer.diff_id.clone(), ..index })
}

/// Reads an uncompressed layer tar to its last byte and returns its index.
pub fn index_tar(tar: impl Read) -> io::Result<LayerIndex> {
    index_tar_within(tar, &limits())
}

/// Like [`index_tar`], with other limits.
pub fn index_tar_within(tar: impl Read, limits: &Limits) -> io::Result<LayerIndex> {
    Ok(observed(tar, limits)?)
}

fn observed(tar: impl Read, limits: &Limits) -> Result<LayerIndex, TarError> {
    let mut indexer = Indexer::new();
    let (diff_id, size) = tar::observe(tar, limits, &mut indexer)?;
    Ok(indexer.into_index(&diff_id, size))
}

fn limits() -> Limits {
    Limits { entries: MAX_ENTRIES, metadata: MAX_METADATA, ..Limits::default() }
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
