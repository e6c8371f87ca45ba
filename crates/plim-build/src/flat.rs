//! The files of a built image without their layers: in a directory, or as one layer.

use std::path::Path;

use plim_oci::compress::Compression;
use plim_oci::{Events, Layer, LayerObserver};

use crate::error::BuildError;
use crate::snapshot::{Chain, LayerOptions, Ownership, Snapshots, View, WorkingCopy, export_dir, layer_from_dir};
use crate::stack::Root;
use crate::state::State;

impl Root {
    /// Writes the files into a directory, which must be there, see [`export_dir`].
    pub fn export(
        &self,
        state: &State,
        into: &Path,
        ownership: Ownership,
        events: &dyn Events,
    ) -> Result<(), BuildError> {
        let view = View::new(&self.chain(state, events)?);
        export_dir(&view, into, ownership, events)
            .map_err(|source| BuildError::layers(format!("write {}", into.display()), source))
    }

    /// Writes all the files as one layer over nothing.
    pub fn flat_layer(
        &self,
        state: &State,
        compression: Compression,
        observer: Option<Box<dyn LayerObserver>>,
        events: &dyn Events,
    ) -> Result<Layer, BuildError> {
        let failed = |source| BuildError::layers("write the files as one layer", source);
        let snapshots = open(state)?;
        let copy = WorkingCopy::new(&snapshots, &self.chain(state, events)?, events).map_err(failed)?;
        let below = View::new(&Chain::scratch());
        let options = LayerOptions {
            epoch: self.epoch(),
            compression,
            created_by: "all files in one layer".to_owned(),
            frames: None,
        };
        layer_from_dir(copy.root(), &below, &state.store, &options, observer, events).map_err(failed)
    }

    /// Writes what the steps did to their base as one layer over it; `None` when there was no step.
    pub fn squashed_layer(
        &self,
        state: &State,
        compression: Compression,
        observer: Option<Box<dyn LayerObserver>>,
        events: &dyn Events,
    ) -> Result<Option<Layer>, BuildError> {
        let failed = |source| BuildError::layers("squash the layers", source);
        let snapshots = open(state)?;
        let (base, chain) = (self.base_chain(state, events)?, self.chain(state, events)?);
        let Some(steps) = chain.lower.strip_suffix(base.lower.as_slice()).filter(|steps| !steps.is_empty()) else {
            return Ok(None);
        };
        let mut copy = WorkingCopy::new(&snapshots, &base, events).map_err(failed)?;
        for step in steps.iter().rev() {
            copy.change(step, events).map_err(failed)?;
        }
        let draft = snapshots.begin().map_err(failed)?;
        copy.difference(&draft.fs, events).map_err(failed)?;
        let options =
            LayerOptions { epoch: self.epoch(), compression, created_by: "squashed by plim".to_owned(), frames: None };
        let layer = layer_from_dir(&draft.fs, &View::new(&base), &state.store, &options, observer, events);
        layer.map(Some).map_err(failed)
    }
}

fn open(state: &State) -> Result<Snapshots, BuildError> {
    Snapshots::open(&state.snapshots).map_err(|source| BuildError::layers("open the snapshots", source))
}
