//! The files of a stage so far: a base and the snapshots of the steps above it.

use std::sync::{Arc, Mutex, PoisonError};

use plim_oci::{Digest, Events, Layer, Layout};

use crate::base::Base;
use crate::cache::{LayerRecord, Op};
use crate::error::BuildError;
use crate::graph::Plan;
use crate::shared::Shared;
use crate::snapshot::{Chain, Snapshots, View};
use crate::state::State;
use crate::travel::Remote;

/// The base image of a stack, unpacked when somebody needs its files.
#[derive(Debug)]
struct Bottom {
    base: Arc<Base>,
    name: String,
    chain: Mutex<Option<Chain>>,
}

/// What one step left.
#[derive(Debug, Clone)]
pub(crate) struct StackLayer {
    /// Its snapshot.
    pub(crate) snapshot: Digest,
    /// It does not depend on what is below it.
    pub(crate) linked: bool,
    /// The history row.
    pub(crate) created_by: String,
    /// No time in its layer is later; seconds since 1970.
    pub(crate) epoch: i64,
    /// It was made by this build, not found.
    pub(crate) fresh: bool,
    /// What step of the Dockerfile it was, for the notes about it.
    pub(crate) place: String,
    /// Where its files can be had from, if they need not be here.
    pub(crate) remote: Option<Arc<Remote>>,
}

/// The files of a stage so far. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    id: Digest,
    bottom: Option<Arc<Bottom>>,
    layers: Vec<StackLayer>,
}

impl Stack {
    /// Returns the empty file system.
    pub(crate) fn scratch() -> Self {
        Self { id: Chain::scratch().id, bottom: None, layers: Vec::new() }
    }

    /// Returns the files of an image.
    pub(crate) fn of_image(name: &str, base: &Arc<Base>) -> Self {
        let Some(id) = base.id() else { return Self::scratch() };
        let chain = Mutex::new(base.chain().cloned());
        let bottom = Bottom { base: Arc::clone(base), name: name.to_owned(), chain };
        Self { id: id.clone(), bottom: Some(Arc::new(bottom)), layers: Vec::new() }
    }

    /// Returns the identity of the files: that of the last snapshot and all it stands on.
    pub(crate) fn id(&self) -> &Digest {
        &self.id
    }

    /// Returns the identity of the files that the steps began with; the same on every machine.
    pub(crate) fn base_id(&self) -> Digest {
        let id = self.bottom.as_ref().and_then(|bottom| bottom.base.id());
        id.cloned().unwrap_or_else(|| Chain::scratch().id)
    }

    /// Returns the layers of the image that the stack stands on; waits until they are written.
    pub(crate) fn base_layers(&self, plan: &Plan) -> Result<Vec<Layer>, BuildError> {
        let Some(bottom) = &self.bottom else { return Ok(Vec::new()) };
        let image = bottom.base.image().map_err(|source| plan.image_failed(&bottom.name, source))?;
        Ok(image.layers.clone())
    }

    /// Returns what the steps left, lowest first.
    pub(crate) fn layers(&self) -> &[StackLayer] {
        &self.layers
    }

    /// Puts the result of a step on top.
    pub(crate) fn push(&mut self, layer: StackLayer) {
        self.id = if layer.linked {
            let mut op = Op::new("link");
            op.field("below", self.id.as_str()).field("snapshot", layer.snapshot.as_str());
            op.finish()
        } else {
            layer.snapshot.clone()
        };
        self.layers.push(layer);
    }

    /// Returns the directories of the whole stack; unpacks the base where that has not been done.
    pub(crate) fn chain(&self, shared: &Shared<'_>) -> Result<Chain, BuildError> {
        self.chain_below(self.layers.len(), shared)
    }

    /// Returns the directories of the base and the lowest `count` layers.
    pub(crate) fn chain_below(&self, count: usize, shared: &Shared<'_>) -> Result<Chain, BuildError> {
        self.directories(count, &shared.snapshots, &shared.state.store, shared.events)
    }

    fn directories(
        &self,
        count: usize,
        snapshots: &Snapshots,
        store: &Layout,
        events: &dyn Events,
    ) -> Result<Chain, BuildError> {
        let mut chain = match &self.bottom {
            None => Chain::scratch(),
            Some(bottom) => bottom.chain(snapshots, store, events)?,
        };
        for layer in &self.layers[..count] {
            let dir = match (snapshots.get(&layer.snapshot), &layer.remote) {
                (Some(dir), _) => dir,
                (None, Some(remote)) => {
                    let scratch = Chain::scratch();
                    let below = if layer.linked { &scratch } else { &chain };
                    remote.unpack(&layer.snapshot, below, layer.epoch, snapshots, store, events)?
                }
                (None, None) => {
                    let written = LayerRecord::find(&snapshots.dir_of(&layer.snapshot), layer.epoch, store)
                        .ok_or_else(|| vanished(&layer.snapshot))?;
                    let scratch = Chain::scratch();
                    let below = if layer.linked { &scratch } else { &chain };
                    snapshots
                        .unpack_layer(&written, &layer.snapshot, below, store, events)
                        .map_err(|source| BuildError::layers(format!("unpack {}", layer.created_by), source))?
                }
            };
            chain = chain.push(layer.snapshot.clone(), dir);
        }
        Ok(chain)
    }

    /// Returns the merged files.
    pub(crate) fn view(&self, shared: &Shared<'_>) -> Result<View, BuildError> {
        Ok(View::new(&self.chain(shared)?))
    }
}

fn vanished(snapshot: &Digest) -> BuildError {
    BuildError::Request {
        message: format!("the snapshot {} vanished during the build", snapshot.short()),
        hint: Some("do not clean plim's data directory while a build runs; build again".to_owned()),
    }
}

impl Bottom {
    fn chain(&self, snapshots: &Snapshots, store: &Layout, events: &dyn Events) -> Result<Chain, BuildError> {
        let mut known = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(chain) = &*known {
            return Ok(chain.clone());
        }
        let image =
            self.base.image().map_err(|error| BuildError::Request { message: error.message, hint: error.hint })?;
        let chain = snapshots
            .unpack(&image, store, events)
            .map_err(|source| BuildError::layers(format!("unpack {}", self.name), source))?;
        *known = Some(chain.clone());
        Ok(chain)
    }
}

/// The files of the image that was built, as the directories that the build worked on.
#[derive(Debug, Clone)]
pub struct Root {
    stack: Stack,
    epoch: i64,
}

impl Root {
    pub(crate) fn new(stack: &Stack, epoch: i64) -> Self {
        Self { stack: stack.clone(), epoch }
    }

    /// Seconds since 1970 that nothing in it is newer than.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Number of layers that the steps made.
    pub fn own_layers(&self) -> usize {
        self.stack.layers.len()
    }

    /// Returns the directories of the image that the build started from.
    pub(crate) fn base_chain(&self, state: &State, events: &dyn Events) -> Result<Chain, BuildError> {
        let snapshots =
            Snapshots::open(&state.snapshots).map_err(|source| BuildError::layers("open the snapshots", source))?;
        self.stack.directories(0, &snapshots, &state.store, events)
    }

    /// Returns the directories, to start the image without unpacking its layers again. A base that no step
    /// has needed so far is unpacked now.
    pub fn chain(&self, state: &State, events: &dyn Events) -> Result<Chain, BuildError> {
        let snapshots =
            Snapshots::open(&state.snapshots).map_err(|source| BuildError::layers("open the snapshots", source))?;
        self.stack.directories(self.stack.layers.len(), &snapshots, &state.store, events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, linked: bool) -> StackLayer {
        StackLayer {
            snapshot: Digest::of(name.as_bytes()),
            linked,
            created_by: String::new(),
            epoch: 0,
            fresh: true,
            place: name.to_owned(),
            remote: None,
        }
    }

    #[test]
    fn a_linked_layer_makes_an_identity_with_what_is_below() {
        let mut one = Stack::scratch();
        one.push(layer("a", false));
        assert_eq!(one.id(), &Digest::of(b"a"));
        let mut two = Stack::scratch();
        two.push(layer("b", false));
        one.push(layer("link", true));
        two.push(layer("link", true));
        assert_ne!(one.id(), two.id());
        assert_ne!(one.id(), &Digest::of(b"link"));
    }
}
