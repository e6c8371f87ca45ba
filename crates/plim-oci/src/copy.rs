//! One way to move an image from any place to any other.

use std::collections::HashSet;
use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::read::{self, Document};
use crate::{BlobError, Blobs, BlobsMut, Descriptor, Digest, Events, Origin, Platform, Silent, Source, TaskId};

/// Blobs moved at the same time; registries throttle clients that ask for more.
const PARALLEL: usize = 3;
/// Manifests that are asked for what is about them.
const MAX_ABOUT: usize = 10_000;
/// Indexes nest; no producer goes deeper than this.
const MAX_DEPTH: usize = 4;

/// Kinds of artifacts that cosign keeps under tags made of the digest that they are about.
const COMPANIONS: [&str; 3] = ["sig", "att", "sbom"];

/// What is copied beside the image itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options<'a> {
    /// Of an index only the image for this platform; the index itself is copied as it is, so that its digest stays.
    pub platform: Option<&'a Platform>,
    /// What is about the images, too: signatures, attestations, SBOMs, by reference and by tag.
    pub referrers: bool,
    /// Nothing is written; the report says what would be.
    pub dry_run: bool,
}

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
    /// Blobs that the registry took over from another of its repositories.
    pub adopted: usize,
    /// Their bytes.
    pub adopted_bytes: u64,
    /// Manifests that are about others: signatures, attestations, SBOMs.
    pub referrers: usize,
}

/// Copies a manifest or index with all it points to; what `dst` has already stays. Everything is checked
/// against its digest on the way. A manifest comes after its layers and before what is about it, so `dst` is
/// complete at any moment; naming the result is the caller's.
pub fn copy(
    src: &dyn Blobs,
    dst: &dyn BlobsMut,
    root: &Descriptor,
    options: Options<'_>,
    events: &dyn Events,
) -> Result<CopyReport, BlobError> {
    let mut plan = Plan { platform: options.platform, ..Plan::default() };
    plan.add(src, root, 0)?;
    if options.referrers {
        plan.add_about(src, events)?;
    }

    let report = Mutex::new(CopyReport { referrers: plan.about.len() + plan.tags.len(), ..CopyReport::default() });
    let job = Job { src, dst, origin: src.origin(), options, report: &report };
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), BlobError> {
        while let Some(blob) = plan.blobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            job.transfer(blob, events)?;
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
        job.transfer(manifest, &Silent)?;
    }
    if !options.dry_run {
        for (subject, referrer) in &plan.about {
            dst.attach(subject, referrer)?;
        }
        for (tag, manifest) in &plan.tags {
            dst.tag_companion(tag, manifest)?;
        }
    }
    Ok(report.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// What must be copied: blobs in any order, then manifests, children first and subjects before what is about them.
#[derive(Default)]
struct Plan<'a> {
    platform: Option<&'a Platform>,
    blobs: Vec<Descriptor>,
    manifests: Vec<Descriptor>,
    seen: HashSet<Digest>,
    /// Manifests that are about others, with those.
    about: Vec<(Digest, Descriptor)>,
    /// The same by tag.
    tags: Vec<(String, Descriptor)>,
}

impl Plan<'_> {
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
            Document::Index(index) => match self.platform {
                Some(platform) => self.add(src, read::choose(src, &index, platform)?, depth + 1)?,
                None => {
                    for child in &index.manifests {
                        self.add(src, child, depth + 1)?;
                    }
                }
            },
            Document::Manifest(manifest) => {
                for blob in std::iter::once(&manifest.config).chain(&manifest.layers) {
                    // layers that may not be distributed stay at their addresses
                    if is_foreign(blob) && !src.exists(blob)? {
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

    /// Adds what is about the manifests, and what is about that.
    fn add_about(&mut self, src: &dyn Blobs, events: &dyn Events) -> Result<(), BlobError> {
        let mut at = 0;
        while let Some(subject) = self.manifests.get(at).map(|manifest| manifest.digest.clone()) {
            at += 1;
            if at > MAX_ABOUT {
                events.warn(&format!("{} has more signatures and the like than are copied", src.place()));
                return Ok(());
            }
            for referrer in src.referrers(&subject)? {
                self.add(src, &referrer, 0)?;
                self.about.push((subject.clone(), referrer));
            }
            for tag in companion_tags(&subject) {
                if let Some(found) = src.companion(&tag)? {
                    self.add(src, &found, 0)?;
                    self.tags.push((tag, found));
                }
            }
        }
        Ok(())
    }
}

/// Returns the tags under which cosign keeps what is about a digest.
pub(crate) fn companion_tags(subject: &Digest) -> impl Iterator<Item = String> {
    COMPANIONS.into_iter().map(move |kind| format!("{}-{}.{kind}", subject.algorithm(), subject.hex()))
}

fn is_foreign(layer: &Descriptor) -> bool {
    layer.media_type.contains("nondistributable") || layer.media_type.contains("diff.tar.foreign")
}

struct Job<'a> {
    src: &'a dyn Blobs,
    dst: &'a dyn BlobsMut,
    origin: Option<Origin>,
    options: Options<'a>,
    report: &'a Mutex<CopyReport>,
}

impl Job<'_> {
    fn transfer(&self, blob: &Descriptor, events: &dyn Events) -> Result<(), BlobError> {
        if events.cancelled() {
            return Err(BlobError::Cancelled);
        }
        if self.dst.exists(blob)? {
            self.count(|report| (&mut report.present, &mut report.present_bytes), blob);
            return Ok(());
        }
        if self.options.dry_run {
            self.count(|report| (&mut report.copied, &mut report.copied_bytes), blob);
            return Ok(());
        }
        if let Some(origin) = &self.origin
            && self.dst.adopt(blob, origin)?
        {
            self.count(|report| (&mut report.adopted, &mut report.adopted_bytes), blob);
            return Ok(());
        }
        let task = events.start(&format!("copying {}", blob.digest.short()), Some(blob.size));
        let shown = Shown { src: self.src, blob, bytes: AtomicU64::new(0), events, task };
        let result = self.dst.put_from(blob, &shown);
        events.finish(task, "", result.is_err());
        if events.cancelled() && result.is_err() {
            return Err(BlobError::Cancelled);
        }
        result?;
        self.count(|report| (&mut report.copied, &mut report.copied_bytes), blob);
        Ok(())
    }

    fn count(&self, which: impl Fn(&mut CopyReport) -> (&mut usize, &mut u64), blob: &Descriptor) {
        let mut report = self.report.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (number, bytes) = which(&mut report);
        *number += 1;
        *bytes += blob.size;
    }
}

/// Opens a blob for a transfer that tells of its progress.
struct Shown<'a> {
    src: &'a dyn Blobs,
    blob: &'a Descriptor,
    /// How far the bar is: what is sent again must not move it twice.
    bytes: AtomicU64,
    events: &'a dyn Events,
    task: TaskId,
}

impl Source for Shown<'_> {
    fn open(&self, from: u64) -> Result<Box<dyn Read + Send + '_>, BlobError> {
        let inner = self.src.open_from(self.blob, from)?;
        Ok(Box::new(Counted { inner, at: from, shown: self }))
    }
}

/// Tells of progress, and stops when the user asks.
struct Counted<'a, R> {
    inner: R,
    at: u64,
    shown: &'a Shown<'a>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Shown { bytes, events, task, .. } = self.shown;
        if events.cancelled() {
            return Err(std::io::Error::other("cancelled"));
        }
        let count = self.inner.read(buffer)?;
        self.at += count as u64;
        let before = bytes.fetch_max(self.at, Ordering::Relaxed);
        events.advance(*task, self.at.saturating_sub(before));
        Ok(count)
    }
}
