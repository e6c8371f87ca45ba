//! From files to an image: the blobs of layers, the configuration, the manifest.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use plim_oci::{Digest, Image, Layer, Reference};

use crate::cache::LayerRecord;
use crate::error::BuildError;
use crate::history;
use crate::paths;
use crate::shared::Shared;
use crate::snapshot::{Chain, LayerOptions, View, layer_from_dir};
use crate::stack::Stack;
use crate::stage::Finished;

const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// The layers of the image. They are written while later steps still run: compressing one layer and
/// running the next command want different things of a machine.
#[derive(Debug, Default)]
pub(crate) struct LayerTable {
    queue: Mutex<Queue>,
    changed: Condvar,
    written: Mutex<HashMap<Digest, Layer>>,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<(Stack, i64)>,
    closed: bool,
}

impl LayerTable {
    /// Asks for the topmost layer of a stack to be written.
    pub(crate) fn prepare(&self, stack: &Stack, epoch: i64) {
        self.queue().jobs.push_back((stack.clone(), epoch));
        self.changed.notify_one();
    }

    /// Lets the writer end once the queue is empty.
    pub(crate) fn close(&self) {
        self.queue().closed = true;
        self.changed.notify_all();
    }

    /// Returns the layer of a snapshot, if it is known by now.
    pub(crate) fn get(&self, snapshot: &Digest) -> Option<Layer> {
        self.written().get(snapshot).cloned()
    }

    fn next(&self) -> Option<(Stack, i64)> {
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

    fn written(&self) -> MutexGuard<'_, HashMap<Digest, Layer>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes layers as they are asked for, until the table is closed. What fails here is tried again, and
/// reported, when the image is put together.
pub(crate) fn write_layers(shared: &Shared<'_>) {
    while let Some((stack, epoch)) = shared.layers.next() {
        if shared.stopped() {
            continue;
        }
        let top = stack.layers().len().saturating_sub(1);
        if let Err(error) = layer(shared, &stack, top, epoch) {
            tracing::debug!("failed to write a layer ahead of time: {error}");
        }
    }
}

/// Returns a layer of a stack: the one that was written for its snapshot, or a new one.
fn layer(shared: &Shared<'_>, stack: &Stack, index: usize, epoch: i64) -> Result<Layer, BuildError> {
    let step = &stack.layers()[index];
    let with_row = |layer: Layer| Layer { created_by: Some(step.created_by.clone()), ..layer };
    if let Some(known) = shared.layers.get(&step.snapshot) {
        return Ok(with_row(known));
    }
    let (store, compression) = (&shared.state.store, shared.request.compression);
    let dir = shared.snapshots.dir_of(&step.snapshot);
    let layer = if let Some(layer) = LayerRecord::load(&dir, compression, epoch, store)? {
        layer
    } else {
        let below = if step.linked { Chain::scratch() } else { stack.chain_below(index, shared)? };
        let chain = stack.chain_below(index + 1, shared)?;
        let fs = chain.lower.first().cloned().unwrap_or_else(|| dir.join("fs"));
        let options = LayerOptions { epoch, compression, created_by: step.created_by.clone() };
        let observer = shared.observers.observe();
        let layer = layer_from_dir(&fs, &View::new(&below), store, &options, Some(observer), shared.events)
            .map_err(|source| BuildError::layers(format!("write the layer of {}", step.created_by), source))?;
        LayerRecord::save(&dir, compression, epoch, &layer)
            .map_err(|error| BuildError::io(format!("write {}", dir.display()), error))?;
        layer
    };
    shared.layers.written().insert(step.snapshot.clone(), layer.clone());
    Ok(with_row(layer))
}

/// Writes the image of a stage.
pub(crate) fn image(shared: &Shared<'_>, target: &Finished) -> Result<Image, BuildError> {
    let mut own = Vec::new();
    for index in 0..target.stack.layers().len() {
        shared.go_on()?;
        own.push(layer(shared, &target.stack, index, target.epoch)?);
    }
    // last: they may still be being written
    let mut layers = target.stack.base_layers(shared.plan)?;
    layers.append(&mut own);
    let mut config = target.config.clone();
    let asked = shared.request.created.filter(|_| shared.globals.epoch.is_none());
    config.created = Some(history::time(asked.unwrap_or(target.epoch)));
    config.config.labels.extend(shared.request.labels.iter().cloned());
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
