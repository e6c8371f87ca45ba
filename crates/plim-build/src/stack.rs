//! The files of a stage so far: a base and the snapshots of the steps above it.

use std::sync::{Arc, Mutex, PoisonError};

use plim_oci::{Digest, Events, Image, Layout};

use crate::cache::Op;
use crate::error::BuildError;
use crate::shared::Shared;
use crate::snapshot::{Chain, Snapshots, View};
use crate::state::State;

/// The base image of a stack, unpacked when somebody needs its files.
#[derive(Debug)]
struct Base {
    image: Arc<Image>,
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
}

/// The files of a stage so far. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    id: Digest,
    base: Option<Arc<Base>>,
    layers: Vec<StackLayer>,
}

impl Stack {
    /// Returns the empty file system.
    pub(crate) fn scratch() -> Self {
        Self { id: Chain::scratch().id, base: None, layers: Vec::new() }
    }

    /// Returns the files of an image. Its identity is that of its layers: the same layers under another
    /// configuration are the same files.
    pub(crate) fn of_image(name: &str, image: &Arc<Image>) -> Self {
        if image.layers.is_empty() {
            return Self::scratch();
        }
        let mut op = Op::new("base");
        op.list("layers", image.layers.iter().map(|layer| layer.diff_id.as_str()));
        let base = Base { image: Arc::clone(image), name: name.to_owned(), chain: Mutex::new(None) };
        Self { id: op.finish(), base: Some(Arc::new(base)), layers: Vec::new() }
    }

    /// Returns the identity of the files: that of the last snapshot and all it stands on.
    pub(crate) fn id(&self) -> &Digest {
        &self.id
    }

    /// Returns the base image, if the stack stands on one that has layers.
    pub(crate) fn image(&self) -> Option<&Arc<Image>> {
        self.base.as_ref().map(|base| &base.image)
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
        let mut chain = match &self.base {
            None => Chain::scratch(),
            Some(base) => base.chain(snapshots, store, events)?,
        };
        for layer in &self.layers[..count] {
            let dir = snapshots.get(&layer.snapshot).ok_or_else(|| BuildError::Request {
                message: format!("the snapshot {} vanished during the build", layer.snapshot.short()),
                hint: Some("do not clean plim's data directory while a build runs; build again".to_owned()),
            })?;
            chain = chain.push(layer.snapshot.clone(), dir);
        }
        Ok(chain)
    }

    /// Returns the merged files.
    pub(crate) fn view(&self, shared: &Shared<'_>) -> Result<View, BuildError> {
        Ok(View::new(&self.chain(shared)?))
    }
}

impl Base {
    fn chain(&self, snapshots: &Snapshots, store: &Layout, events: &dyn Events) -> Result<Chain, BuildError> {
        let mut known = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(chain) = &*known {
            return Ok(chain.clone());
        }
        let chain = snapshots
            .unpack(&self.image, store, events)
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

    /// Number of layers of the image that the build started from.
    pub fn base_layers(&self) -> usize {
        self.stack.image().map_or(0, |image| image.layers.len())
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
        StackLayer { snapshot: Digest::of(name.as_bytes()), linked, created_by: String::new() }
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
