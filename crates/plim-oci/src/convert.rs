//! Layers stored in another form: the files of an image stay as they are, its blobs become others.
//!
//! With another compression the configuration and the diffIDs stay; the manifest names other blobs, so the image has
//! another digest, and what is about the old one is not about the new one. eStargz adds entries to the tars, so there
//! the diffIDs and the configuration change, too.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::compress::{CHUNKED, LayerForm, decompressor, estargz, is_readable, store_layer};
use crate::read::{self, Document};
use crate::verify::VerifyingReader;
use crate::{
    BlobError, Blobs, Compression, Descriptor, Digest, Events, Layer, Layout, Manifest, ObserveLayers, TaskId,
    media_type,
};

mod overlay;
mod rewrite;

pub use overlay::Overlay;

/// Layers that are compressed at the same time: reading one keeps one core busy, compressing it the others.
const AT_ONCE: usize = 3;
/// Indexes nest; no producer goes deeper than this.
const MAX_DEPTH: usize = 4;

/// What is wanted of an image's layers.
#[derive(Clone, Copy)]
pub struct Conversion<'a> {
    /// The form.
    pub form: LayerForm,
    /// Layers that have the form already are stored anew all the same, of the level asked for.
    pub force: bool,
    /// Sees the layers that are written.
    pub observe: Option<&'a dyn ObserveLayers>,
}

impl std::fmt::Debug for Conversion<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversion").field("form", &self.form).field("force", &self.force).finish_non_exhaustive()
    }
}

/// What a conversion did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// The manifest or index; the old one if nothing had to be done.
    pub root: Descriptor,
    /// Layers that were stored anew.
    pub layers: usize,
    /// Layers that stayed.
    pub kept: usize,
    /// Bytes of the blobs of the layers that were stored anew, before.
    pub before: u64,
    /// The same, after.
    pub after: u64,
    /// Everything that was written: layers, configurations, manifests.
    pub written: Vec<Descriptor>,
    /// Manifests and indexes that are others now, as they were.
    pub changed: Vec<Digest>,
    /// Manifests of an index that are about images which are others now, and so were left out.
    pub left_out: Vec<Digest>,
}

/// Stores the layers of an image, or of all images of an index, in another form. What changes is written into `into`;
/// the rest stays where it is, see [`Overlay`]. Each layer is streamed once, and checked against its digest and its
/// diffID. Equal input gives equal bytes, whatever the machine.
pub fn convert(
    src: &dyn Blobs,
    into: &Layout,
    root: &Descriptor,
    conversion: Conversion<'_>,
    events: &dyn Events,
) -> Result<Converted, BlobError> {
    let mut plan = Plan::default();
    plan.add(src, root, conversion, 0)?;
    let made = store(src, into, &plan.layers, conversion, events)?;
    let before = plan.layers.iter().map(|layer| layer.descriptor.size).sum();
    let after = made.values().map(|layer| layer.descriptor.size).sum();
    let written: Vec<Descriptor> = made.values().map(|layer| layer.descriptor.clone()).collect();
    let mut rewriter = rewrite::Rewriter::new(src, into, &made, written);
    let root = rewriter.document(root, 0)?;
    let rewrite::Rewriter { written, changed, left_out, .. } = rewriter;
    Ok(Converted { root, layers: plan.layers.len(), kept: plan.kept.len(), before, after, written, changed, left_out })
}

/// Counts what is about manifests: signatures, attestations and the like.
pub fn about(src: &dyn Blobs, subjects: &[Digest]) -> Result<usize, BlobError> {
    let mut count = 0;
    for subject in subjects {
        count += src.referrers(subject)?.len();
        for tag in crate::copy::companion_tags(subject) {
            count += usize::from(src.companion(&tag)?.is_some());
        }
    }
    Ok(count)
}

/// What is to be done.
#[derive(Default)]
struct Plan {
    layers: Vec<Layer>,
    kept: HashSet<Digest>,
    /// Manifests that were looked at.
    seen: HashSet<Digest>,
    /// Those of the layers, by their blobs.
    diff_ids: HashMap<Digest, Digest>,
}

impl Plan {
    fn add(
        &mut self,
        src: &dyn Blobs,
        descriptor: &Descriptor,
        conversion: Conversion<'_>,
        depth: usize,
    ) -> Result<(), BlobError> {
        if !self.seen.insert(descriptor.digest.clone()) {
            return Ok(());
        }
        match read::document(src, descriptor)? {
            Document::Index(index) => {
                if depth >= MAX_DEPTH {
                    return Err(too_deep(src, descriptor));
                }
                for child in &index.manifests {
                    self.add(src, child, conversion, depth + 1)?;
                }
            }
            Document::Manifest(manifest) if is_image(&manifest) => {
                for layer in read::layers_of(src, descriptor, *manifest)? {
                    let (blob, form) = (&layer.descriptor, conversion.form);
                    if !is_readable(blob) || (!conversion.force && form.is_of(blob)) {
                        self.kept.insert(layer.descriptor.digest);
                        continue;
                    }
                    match self.diff_ids.get(&blob.digest) {
                        None => {
                            self.diff_ids.insert(blob.digest.clone(), layer.diff_id.clone());
                            self.layers.push(layer);
                        }
                        Some(diff_id) if *diff_id == layer.diff_id => {}
                        Some(diff_id) => {
                            return Err(BlobError::Corrupt {
                                expected: layer.diff_id,
                                actual: diff_id.clone(),
                                place: src.place(),
                            });
                        }
                    }
                }
            }
            Document::Manifest(_) => {}
        }
        Ok(())
    }
}

/// Tells images from artifacts that only look like one.
fn is_image(manifest: &Manifest) -> bool {
    matches!(manifest.config.media_type.as_str(), media_type::OCI_CONFIG | media_type::DOCKER_CONFIG)
        // attestations of BuildKit have an image's configuration, and layers that are none
        && manifest.layers.iter().any(is_readable)
}

fn too_deep(src: &dyn Blobs, descriptor: &Descriptor) -> BlobError {
    BlobError::Malformed {
        what: "index",
        digest: descriptor.digest.clone(),
        place: src.place(),
        reason: "indexes are nested too deeply".to_owned(),
    }
}

/// Stores the layers, a few at once; returns them by the digests of the old blobs.
fn store(
    src: &dyn Blobs,
    into: &Layout,
    layers: &[Layer],
    conversion: Conversion<'_>,
    events: &dyn Events,
) -> Result<BTreeMap<Digest, Layer>, BlobError> {
    let made = Mutex::new(BTreeMap::new());
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), BlobError> {
        while let Some(layer) = layers.get(next.fetch_add(1, Ordering::Relaxed)) {
            let new = store_one(src, into, layer, conversion, events).inspect_err(|_| {
                next.store(layers.len(), Ordering::Relaxed);
            })?;
            let mut made = made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            made.insert(layer.descriptor.digest.clone(), new);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..AT_ONCE.min(layers.len())).map(|_| scope.spawn(work)).collect();
        let mut result = work();
        for other in others {
            result = result.and(other.join().unwrap_or(Err(BlobError::Cancelled)));
        }
        result
    })?;
    Ok(made.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

fn store_one(
    src: &dyn Blobs,
    into: &Layout,
    layer: &Layer,
    conversion: Conversion<'_>,
    events: &dyn Events,
) -> Result<Layer, BlobError> {
    let old = &layer.descriptor;
    let task = events.start(&format!("compressing {}", old.digest.short()), Some(old.size));
    let write = |form: LayerForm| -> Result<Layer, BlobError> {
        let blob = VerifyingReader::of(Shown { inner: src.open(old)?, events, task }, old);
        let tar = VerifyingReader::new(decompressor(blob), layer.diff_id.clone(), None);
        let observer = conversion.observe.map(ObserveLayers::observe);
        match form {
            LayerForm::Tar(compression) => store_layer(into, tar, compression, observer, None, events),
            LayerForm::Estargz(level) => estargz::write(into, tar, level, observer, events),
        }
    };
    let mut result = write(conversion.form);
    if let Err(BlobError::Io { source, .. }) = &result
        && let Some(unfit) = source.get_ref().and_then(|source| source.downcast_ref::<estargz::Unfit>())
    {
        events.warn(&format!("layer {} stays an ordinary one: {unfit}", old.digest.short()));
        result = write(LayerForm::Tar(Compression::default()));
    }
    events.finish(task, "", result.is_err());
    if events.cancelled() && result.is_err() {
        return Err(BlobError::Cancelled);
    }
    let mut new = result?;
    new.descriptor = described(new.descriptor, old);
    Ok(new)
}

/// Carries over what the old descriptor says beside what the blob is.
fn described(new: Descriptor, old: &Descriptor) -> Descriptor {
    let mut annotations: BTreeMap<String, String> =
        old.annotations.iter().filter(|(key, _)| !is_of_form(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
    annotations.extend(new.annotations.clone());
    Descriptor { annotations, platform: old.platform.clone(), extra: old.extra.clone(), ..new }
}

/// Says whether an annotation tells how a blob is made, so that it is not true of another.
fn is_of_form(key: &str) -> bool {
    [
        "containerd.io/snapshot/stargz/",
        "io.containers.estargz.",
        "containerd.io/snapshot/nydus-",
        "containerd.io/snapshot/overlaybd/",
        "com.amazon.soci.",
    ]
    .iter()
    .chain(&CHUNKED)
    .any(|prefix| key.starts_with(prefix))
}

/// Tells of progress, and stops when the user asks.
struct Shown<'a, R> {
    inner: R,
    events: &'a dyn Events,
    task: TaskId,
}

impl<R: Read> Read for Shown<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.events.cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let count = self.inner.read(buffer)?;
        self.events.advance(self.task, count as u64);
        Ok(count)
    }
}

/// The layers that were stored anew, by the digests of the old blobs.
type Made = BTreeMap<Digest, Layer>;
/// Manifests by the digests of the old ones.
type Renamed = HashMap<Digest, Descriptor>;
