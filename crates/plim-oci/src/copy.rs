//! One way to move an image from any place to any other.

use std::collections::HashSet;
use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::read::{self, Document};
use crate::verify::VerifyingReader;
use crate::{BlobError, Blobs, BlobsMut, Descriptor, Digest, Events, Silent, TaskId};

/// Blobs moved at the same time; registries throttle clients that ask for more.
const PARALLEL: usize = 3;
/// Indexes nest; no producer goes deeper than this.
const MAX_DEPTH: usize = 4;

/// What a copy did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct CopyReport {
    /// Blobs copied, manifests included.
    pub copied: usize,
    /// Bytes copied.
    pub copied_bytes: u64,
    /// Blobs that were there already.
    pub present: usize,
    /// Bytes that were there already.
    pub present_bytes: u64,
}

/// Copies a manifest or index with all it points to; what `dst` has already stays. Everything is checked
/// against its digest on the way. A manifest comes after its layers, so `dst` is complete at any moment;
/// naming the result is the caller's.
pub fn copy(
    src: &dyn Blobs,
    dst: &dyn BlobsMut,
    root: &Descriptor,
    events: &dyn Events,
) -> Result<CopyReport, BlobError> {
    let mut plan = Plan::default();
    plan.add(src, root, 0)?;

    let report = Mutex::new(CopyReport::default());
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), BlobError> {
        while let Some(blob) = plan.blobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            transfer(src, dst, blob, events, &report)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..PARALLEL.min(plan.blobs.len())).map(|_| scope.spawn(work)).collect();
        let mut result = work();
        if result.is_err() {
            next.store(plan.blobs.len(), Ordering::Relaxed);
        }
        for other in others {
            result = result.and(other.join().unwrap_or(Err(BlobError::Cancelled)));
        }
        result
    })?;
    // too small to be worth a line of progress
    for manifest in &plan.manifests {
        transfer(src, dst, manifest, &Silent, &report)?;
    }
    Ok(report.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// What must be copied: blobs in any order, then manifests, children first.
#[derive(Default)]
struct Plan {
    blobs: Vec<Descriptor>,
    manifests: Vec<Descriptor>,
    seen: HashSet<Digest>,
}

impl Plan {
    fn add(&mut self, src: &dyn Blobs, descriptor: &Descriptor, depth: usize) -> Result<(), BlobError> {
        if !self.seen.insert(descriptor.digest.clone()) {
            return Ok(());
        }
        if depth > MAX_DEPTH {
            return Err(BlobError::Malformed {
                what: "index",
                digest: descriptor.digest.clone(),
                place: src.place(),
                reason: "indexes are nested too deeply".to_owned(),
            });
        }
        match read::document(src, descriptor)? {
            Document::Index(index) => {
                for child in &index.manifests {
                    self.add(src, child, depth + 1)?;
                }
            }
            Document::Manifest(manifest) => {
                for blob in std::iter::once(&manifest.config).chain(&manifest.layers) {
                    // layers that may not be distributed stay at their addresses
                    if is_foreign(blob) && !src.exists(&blob.digest)? {
                        continue;
                    }
                    if self.seen.insert(blob.digest.clone()) {
                        self.blobs.push(blob.clone());
                    }
                }
            }
        }
        self.manifests.push(descriptor.clone());
        Ok(())
    }
}

fn is_foreign(layer: &Descriptor) -> bool {
    layer.media_type.contains("nondistributable") || layer.media_type.contains("diff.tar.foreign")
}

fn transfer(
    src: &dyn Blobs,
    dst: &dyn BlobsMut,
    blob: &Descriptor,
    events: &dyn Events,
    report: &Mutex<CopyReport>,
) -> Result<(), BlobError> {
    if events.cancelled() {
        return Err(BlobError::Cancelled);
    }
    let present = dst.exists(&blob.digest)?;
    if !present {
        let task = events.start(&format!("copying {}", blob.digest.short()), Some(blob.size));
        let result = src.open(&blob.digest).and_then(|content| {
            let counted = Counted { inner: VerifyingReader::of(content, blob), events, task };
            dst.put(blob, &mut { counted })
        });
        events.finish(task, "", result.is_err());
        if events.cancelled() && result.is_err() {
            return Err(BlobError::Cancelled);
        }
        result?;
    }
    let mut report = report.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if present {
        report.present += 1;
        report.present_bytes += blob.size;
    } else {
        report.copied += 1;
        report.copied_bytes += blob.size;
    }
    Ok(())
}

/// Tells of progress, and stops when the user asks.
struct Counted<'a, R> {
    inner: R,
    events: &'a dyn Events,
    task: TaskId,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.events.cancelled() {
            return Err(std::io::Error::other("cancelled"));
        }
        let count = self.inner.read(buffer)?;
        self.events.advance(self.task, count as u64);
        Ok(count)
    }
}
