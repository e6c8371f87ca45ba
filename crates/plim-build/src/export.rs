//! From files to an image: the blobs of layers, the configuration, the manifest.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plim_oci::{Compression, Digest, Image, Layer, Reference};

use crate::cache::LayerRecord;
use crate::error::BuildError;
use crate::history;
use crate::paths;
use crate::shared::Shared;
use crate::snapshot::{Chain, LayerOptions, View, layer_from_dir};
use crate::stack::Stack;
use crate::stage::Finished;
use crate::travel::{INLINE_CACHE, state_id};

const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// The layers of the image. They are written while later steps still run: compressing one layer and
/// running the next command want different things of a machine.
#[derive(Debug, Default)]
pub(crate) struct LayerTable {
    queue: Mutex<Queue>,
    changed: Condvar,
    written: Mutex<HashMap<Form, Layer>>,
    /// One lock for each layer that somebody writes: others wait for it and do not write it again.
    writing: Mutex<HashMap<Form, Arc<Mutex<()>>>>,
}

/// A snapshot, the latest time in its layer, and how that is compressed.
type Form = (Digest, i64, Compression);

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<(Stack, Compression)>,
    closed: bool,
}

impl LayerTable {
    /// Asks for the topmost layer of a stack to be written.
    pub(crate) fn prepare(&self, stack: &Stack, compression: Compression) {
        self.queue().jobs.push_back((stack.clone(), compression));
        self.changed.notify_one();
    }

    /// Lets the writer end once the queue is empty.
    pub(crate) fn close(&self) {
        self.queue().closed = true;
        self.changed.notify_all();
    }

    /// Returns the layer of a snapshot, if it is known by now.
    pub(crate) fn get(&self, snapshot: &Digest, epoch: i64, compression: Compression) -> Option<Layer> {
        self.written().get(&(snapshot.clone(), epoch, compression)).cloned()
    }

    fn turn(&self, form: &Form) -> Arc<Mutex<()>> {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(writing.entry(form.clone()).or_default())
    }

    fn next(&self) -> Option<(Stack, Compression)> {
        let mut queue = self.queue();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn written(&self) -> MutexGuard<'_, HashMap<Form, Layer>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes layers as they are asked for, until the table is closed. What fails here is tried again, and
/// reported, when the image is put together.
pub(crate) fn write_layers(shared: &Shared<'_>) {
    while let Some((stack, compression)) = shared.layers.next() {
        if shared.stopped() {
            continue;
        }
        let top = stack.layers().len().saturating_sub(1);
        if let Err(error) = layer(shared, &stack, top, compression) {
            tracing::debug!("failed to write a layer ahead of time: {error}");
        }
    }
}

/// Returns a layer of a stack: the one that was written for its snapshot, the one that a cache has, or a new one.
pub(crate) fn layer(
    shared: &Shared<'_>,
    stack: &Stack,
    index: usize,
    compression: Compression,
) -> Result<Layer, BuildError> {
    let step = &stack.layers()[index];
    let with_row = |layer: Layer| Layer { created_by: Some(step.created_by.clone()), ..layer };
    let form = (step.snapshot.clone(), step.epoch, compression);
    let turn = shared.layers.turn(&form);
    let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = shared.layers.get(&step.snapshot, step.epoch, compression) {
        return Ok(with_row(known));
    }
    let (store, epoch) = (&shared.state.store, step.epoch);
    let dir = shared.snapshots.dir_of(&step.snapshot);
    let recorded = LayerRecord::load(&dir, compression, epoch, store)?;
    let layer = match (recorded, &step.remote) {
        (Some(layer), _) => layer,
        (None, Some(remote)) if remote.compression == compression => {
            remote.fetch(store, &shared.cache, shared.observers.observe(), shared.events)?;
            // later builds have it without asking the cache that it came from
            shared
                .snapshots
                .keep_beside(&step.snapshot, &|dir| LayerRecord::save(dir, compression, epoch, &remote.layer))
                .map_err(|source| BuildError::layers(format!("keep the layer of {}", step.created_by), source))?;
            remote.layer.clone()
        }
        _ => {
            let below = if step.linked { Chain::scratch() } else { stack.chain_below(index, shared)? };
            // what is below a linked step need not be here
            let fs = match shared.snapshots.get(&step.snapshot) {
                Some(fs) => fs,
                None => stack.chain_below(index + 1, shared)?.lower.swap_remove(0),
            };
            let frames = Some(shared.journal.frames(&step.place, compression));
            let options = LayerOptions { epoch, compression, created_by: step.created_by.clone(), frames };
            let observer = shared.observers.observe();
            let layer = layer_from_dir(&fs, &View::new(&below), store, &options, Some(observer), shared.events)
                .map_err(|source| BuildError::layers(format!("write the layer of {}", step.created_by), source))?;
            LayerRecord::save(&dir, compression, epoch, &layer)
                .map_err(|error| BuildError::io(format!("write {}", dir.display()), error))?;
            layer
        }
    };
    shared.layers.written().insert(form, layer.clone());
    Ok(with_row(layer))
}

/// Returns what names the files of a stack on every machine, as far as the digests of its layers are known.
pub(crate) fn state_of(shared: &Shared<'_>, stack: &Stack) -> Option<Digest> {
    state_id(stack, stack.layers().len(), &mut |stack, index| diff_id(shared, stack, index))
}

/// The same; layers that an earlier build left without writing them are written now. What this build made itself is not:
/// a cache that was made before knows nothing that stands on it.
pub(crate) fn learn_state(shared: &Shared<'_>, stack: &Stack) -> Option<Digest> {
    state_id(stack, stack.layers().len(), &mut |stack, index| {
        diff_id(shared, stack, index).or_else(|| {
            let known = !stack.layers()[index].fresh;
            known.then(|| layer(shared, stack, index, shared.request.compression).ok())?.map(|layer| layer.diff_id)
        })
    })
}

/// Returns the digest of an uncompressed layer of a stack, where it is known.
pub(crate) fn diff_id(shared: &Shared<'_>, stack: &Stack, index: usize) -> Option<Digest> {
    let step = &stack.layers()[index];
    if let Some(remote) = &step.remote {
        return Some(remote.layer.diff_id.clone());
    }
    let known = shared.layers.get(&step.snapshot, step.epoch, shared.request.compression);
    known
        .map(|layer| layer.diff_id)
        .or_else(|| LayerRecord::diff_id(&shared.snapshots.dir_of(&step.snapshot), step.epoch))
}

/// Writes the image of a stage; `table` is the table of its steps, where its configuration is to have one.
pub(crate) fn image(shared: &Shared<'_>, target: &Finished, table: Option<&[u8]>) -> Result<Image, BuildError> {
    let mut own = Vec::new();
    for index in 0..target.stack.layers().len() {
        shared.go_on()?;
        own.push(layer(shared, &target.stack, index, shared.request.compression)?);
    }
    // last: they may still be being written
    let mut layers = target.stack.base_layers(shared.plan)?;
    layers.append(&mut own);
    let mut config = target.config.clone();
    let asked = shared.request.created.filter(|_| shared.globals.epoch.is_none());
    config.created = Some(history::time(asked.unwrap_or(target.epoch)));
    config.config.labels.extend(shared.request.labels.iter().cloned());
    if let Some(table) = table {
        config.extra.insert(INLINE_CACHE.to_owned(), STANDARD.encode(table).into());
    }
    if config.os == paths::WINDOWS {
        config.config.working_dir = paths::to_windows(&config.config.working_dir);
    }
    Ok(plim_oci::write::image(&shared.state.store, &config, &layers, &annotations(shared, target)?)?)
}

/// Says what the image stands on, so that tools can tell when the base has news, and what the user wants said.
fn annotations(shared: &Shared<'_>, target: &Finished) -> Result<BTreeMap<String, String>, BuildError> {
    let mut annotations = BTreeMap::new();
    if let Some((name, base)) = &target.root {
        let image = base.image().map_err(|source| shared.plan.image_failed(name, source))?;
        let name = name.parse::<Reference>().map_or_else(|_| name.clone(), |reference| reference.to_string());
        annotations.insert(BASE_NAME.to_owned(), name);
        annotations.insert(BASE_DIGEST.to_owned(), image.descriptor.digest.to_string());
    }
    annotations.extend(shared.request.annotations.iter().cloned());
    Ok(annotations)
}
