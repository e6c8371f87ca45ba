//! Results that lie elsewhere, and are fetched when somebody needs them.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plim_oci::compress::{adopt_layer, decompressor};
use plim_oci::verify::VerifyingReader;
use plim_oci::{
    BlobError, Blobs, BlobsMut as _, Compression, Digest, EntryHead, Events, Hasher, Layer, LayerObserver, Layout,
};

use super::table::CacheTable;
use crate::cache::{LayerRecord, StepCache};
use crate::error::BuildError;
use crate::files::FilesError;
use crate::snapshot::{Chain, Snapshots};

/// A cache to read from.
#[derive(Clone)]
pub struct CacheSource {
    /// Its name, for messages.
    pub name: String,
    /// What it knows.
    pub table: CacheTable,
    /// Where its layers are.
    pub blobs: Arc<dyn Blobs + Send + Sync>,
}

impl fmt::Debug for CacheSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheSource")
            .field("name", &self.name)
            .field("steps", &self.table.steps())
            .finish_non_exhaustive()
    }
}

/// The caches that a build reads from, in the order in which they are asked.
#[derive(Debug)]
pub(crate) struct Imports<'a> {
    sources: &'a [CacheSource],
    /// The layers that answered, by source and number.
    remotes: Mutex<HashMap<(usize, usize), Arc<Remote>>>,
}

/// What a cache says of a step.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The layer.
    pub(crate) remote: Arc<Remote>,
    /// Of a key that says how inputs are made: digests of their content.
    pub(crate) inputs: Option<Vec<Digest>>,
}

impl<'a> Imports<'a> {
    /// Returns the caches of a request.
    pub(crate) fn new(sources: &'a [CacheSource]) -> Self {
        Self { sources, remotes: Mutex::default() }
    }

    /// Says whether there is nothing to ask.
    pub(crate) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Returns the first layer that answers a key and is not known to be lost.
    pub(crate) fn step(&self, key: &Digest) -> Option<Answer> {
        self.sources.iter().enumerate().find_map(|(number, source)| {
            let step = source.table.step(key)?;
            let layer = source.table.layers().get(step.layer)?;
            let mut remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner);
            let remote = remotes.entry((number, step.layer)).or_insert_with(|| {
                Arc::new(Remote {
                    layer: Layer { descriptor: layer.blob.clone(), diff_id: layer.diff_id.clone(), created_by: None },
                    compression: layer.compression,
                    source: source.clone_place(),
                    fetching: Mutex::new(false),
                    lost: AtomicBool::new(false),
                })
            });
            let usable = !remote.lost.load(Ordering::Relaxed);
            usable.then(|| Answer { remote: Arc::clone(remote), inputs: step.inputs.clone() })
        })
    }

    /// Returns the numbers of a user that was looked up.
    pub(crate) fn owner(&self, key: &Digest) -> Option<(u32, u32)> {
        self.sources.iter().find_map(|source| source.table.owner(key))
    }
}

impl CacheSource {
    fn clone_place(&self) -> Place {
        Place { name: self.name.clone(), blobs: Arc::clone(&self.blobs) }
    }
}

/// Where a layer lies.
struct Place {
    name: String,
    blobs: Arc<dyn Blobs + Send + Sync>,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The result of a step that lies elsewhere.
#[derive(Debug)]
pub(crate) struct Remote {
    /// The layer, as its cache describes it; what it says is checked when the blob is read.
    pub(crate) layer: Layer,
    /// How the blob is compressed.
    pub(crate) compression: Compression,
    source: Place,
    /// Held while the blob is fetched; whether it was, and is what it is said to be.
    fetching: Mutex<bool>,
    /// It could not be had.
    lost: AtomicBool,
}

impl Remote {
    /// The name of the cache.
    pub(crate) fn source(&self) -> &str {
        &self.source.name
    }

    /// Brings the blob into the store, past an observer, and checks that it and the layer in it are what they are said to
    /// be. What was checked on this machine before is not read again.
    pub(crate) fn fetch(
        &self,
        store: &Layout,
        cache: &StepCache,
        observer: Box<dyn LayerObserver>,
        events: &dyn Events,
    ) -> Result<(), BuildError> {
        let mut done = self.fetching();
        let blob = &self.layer.descriptor;
        let there = |error| self.lose(error, events);
        if store.size_of(&blob.digest).map_err(there)? == Some(blob.size)
            && (*done || cache.diff_id_of(&blob.digest).as_ref() == Some(&self.layer.diff_id))
        {
            return Ok(());
        }
        let actual = match self.receive(store, observer, events).map_err(there)? {
            Some(actual) => Some(actual),
            None => self.measure(store).map_err(there)?,
        };
        if actual.as_ref() != Some(&self.layer.diff_id) {
            return Err(self.lose(format!("it holds no layer {}", self.layer.diff_id.short()), events));
        }
        cache.note_diff_id(&blob.digest, &self.layer.diff_id);
        *done = true;
        Ok(())
    }

    /// Unpacks the layer over the tree below it and keeps it under a key; the blob stays in the store.
    pub(crate) fn unpack(
        &self,
        key: &Digest,
        below: &Chain,
        epoch: i64,
        snapshots: &Snapshots,
        store: &Layout,
        events: &dyn Events,
    ) -> Result<PathBuf, BuildError> {
        let mut done = self.fetching();
        if let Some(dir) = snapshots.get(key) {
            return Ok(dir);
        }
        let blob = &self.layer.descriptor;
        if store.size_of(&blob.digest).map_err(|error| self.lose(error, events))? != Some(blob.size) {
            let task =
                events.start(&format!("fetch {} from {}", blob.digest.short(), self.source.name), Some(blob.size));
            let result = store.put_from(blob, &|from: u64| self.source.blobs.open_from(blob, from));
            events.finish(task, "", result.is_err());
            result.map_err(|error| self.lose(error, events))?;
        }
        // reads the layer past both its digests
        let dir =
            snapshots.unpack_layer(&self.layer, key, below, store, events).map_err(|error| self.lose(error, events))?;
        *done = true;
        LayerRecord::save(&snapshots.dir_of(key), self.compression, epoch, &self.layer)
            .map_err(|error| BuildError::io("write the record of a layer", error))?;
        Ok(dir)
    }

    /// Fetches the blob; returns the diffID of the layer that is in it, none if it was there or is no layer.
    fn receive(
        &self,
        store: &Layout,
        observer: Box<dyn LayerObserver>,
        events: &dyn Events,
    ) -> Result<Option<Digest>, BlobError> {
        let blob = &self.layer.descriptor;
        let seen = Arc::new(Mutex::new(None));
        let witness = Witness { inner: observer, seen: Arc::clone(&seen) };
        let task = events.start(&format!("fetch {} from {}", blob.digest.short(), self.source.name), Some(blob.size));
        let result =
            adopt_layer(store, blob, &|from: u64| self.source.blobs.open_from(blob, from), Box::new(witness), events);
        events.finish(task, "", result.is_err());
        result?;
        Ok(seen.lock().unwrap_or_else(PoisonError::into_inner).take())
    }

    /// Reads the diffID off a blob of the store; none if it is no layer.
    fn measure(&self, store: &Layout) -> Result<Option<Digest>, BlobError> {
        let blob = &self.layer.descriptor;
        let mut hasher = Hasher::new();
        let mut content = decompressor(VerifyingReader::of(store.open(blob)?, blob));
        Ok(std::io::copy(&mut content, &mut hasher).ok().map(|_| hasher.finish()))
    }

    /// Gives the layer up; the error says why.
    fn lose(&self, error: impl Into<Why>, events: &dyn Events) -> BuildError {
        if events.cancelled() {
            return BuildError::Cancelled;
        }
        let Why(reason) = error.into();
        self.lost.store(true, Ordering::Relaxed);
        BuildError::CacheLost { cache: self.source.name.clone(), blob: self.layer.descriptor.digest.clone(), reason }
    }

    fn fetching(&self) -> MutexGuard<'_, bool> {
        self.fetching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reason in words.
struct Why(String);

impl From<String> for Why {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<BlobError> for Why {
    fn from(error: BlobError) -> Self {
        Self(in_words(&error))
    }
}

impl From<FilesError> for Why {
    fn from(error: FilesError) -> Self {
        Self(in_words(&error))
    }
}

/// An error with its causes.
pub(super) fn in_words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source()).map(ToString::to_string);
    std::iter::once(error.to_string()).chain(causes).collect::<Vec<_>>().join(": ")
}

/// Notes the diffID of a layer that passes on to another observer.
struct Witness {
    inner: Box<dyn LayerObserver>,
    seen: Arc<Mutex<Option<Digest>>>,
}

impl LayerObserver for Witness {
    fn follows(&mut self, diff_id: &Digest) {
        self.inner.follows(diff_id);
    }

    fn entry(&mut self, head: &EntryHead) {
        self.inner.entry(head);
    }

    fn content(&mut self, sha256: &[u8; 32]) -> bool {
        self.inner.content(sha256)
    }

    fn data(&mut self, bytes: &[u8]) {
        self.inner.data(bytes);
    }

    fn end(&mut self) {
        self.inner.end();
    }

    fn finish(self: Box<Self>, diff_id: &Digest, size: u64, events: &dyn Events) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(diff_id.clone());
        self.inner.finish(diff_id, size, events);
    }
}
