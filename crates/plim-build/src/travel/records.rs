//! Writing down what a build knows, for other machines.

use std::collections::HashSet;
use std::sync::PoisonError;

use plim_oci::{Compression, Descriptor, Layer};

use super::table::{CacheTable, CachedLayer};
use super::{CacheExport, CacheMode, owner_key, state_id};
use crate::error::BuildError;
use crate::export;
use crate::shared::Shared;
use crate::stack::Stack;
use crate::stage::{Finished, Results};

/// Returns the table of a cache; the blobs of its layers are in the store or in the caches that the build read from.
pub(crate) fn table(shared: &Shared<'_>, results: &Results, export: CacheExport) -> Result<CacheTable, BuildError> {
    collect(shared, results, export.mode, &|stack, index| {
        let compression = export.compression.unwrap_or(shared.request.compression);
        let step = &stack.layers()[index];
        let written = shared.layers.get(&step.snapshot, step.epoch, compression);
        if let (None, Some(remote)) = (written, &step.remote) {
            // what lies in another cache stays as it is there: it is not fetched for this
            return Ok(describe(&remote.layer, remote.compression));
        }
        Ok(describe(&export::layer(shared, stack, index, compression)?, compression))
    })
}

/// Returns the table that an image keeps of itself: it depends on nothing but the image's own layers and what they are made
/// of, so that the image has the same digest however it came about.
pub(crate) fn inline(shared: &Shared<'_>, results: &Results) -> Result<CacheTable, BuildError> {
    let compression = shared.request.compression;
    collect(shared, results, CacheMode::Min, &|stack, index| {
        Ok(describe(&export::layer(shared, stack, index, compression)?, compression))
    })
}

fn collect(
    shared: &Shared<'_>,
    results: &Results,
    mode: CacheMode,
    layer: &dyn Fn(&Stack, usize) -> Result<CachedLayer, BuildError>,
) -> Result<CacheTable, BuildError> {
    let plan = shared.plan;
    let stages = plan.needed.iter().filter(|stage| mode == CacheMode::Max || plan.exported.contains(stage));
    let stages: Vec<&Finished> = stages.filter_map(|stage| results[*stage].get()).collect();
    let (mut layers, mut known) = (Vec::new(), HashSet::new());
    for stage in &stages {
        for index in own(stage) {
            shared.go_on()?;
            let layer = layer(&stage.stack, index)?;
            known.insert(layer.diff_id.clone());
            layers.push(layer);
        }
    }
    // whoever reads the table knows of these layers, and of no others
    let mut diff_id =
        |stack: &Stack, index: usize| export::diff_id(shared, stack, index).filter(|id| known.contains(id));
    let mut state = |stack: &Stack, count: usize| state_id(stack, count, &mut diff_id);
    let mut table = CacheTable::default();
    let mut layers = layers.into_iter();
    for stage in &stages {
        for ((index, outcome), layer) in own(stage).zip(&stage.outcomes).zip(&mut layers) {
            let recipe = &outcome.recipe;
            let below = if recipe.linked { None } else { state(&stage.stack, index) };
            if below.is_none() && !recipe.linked {
                continue;
            }
            if let Some(content) = &recipe.content {
                table.add_step(recipe.by_content(below.as_ref(), content), layer.clone(), None);
            }
            let mut whole = |stack: &Stack| state(stack, stack.layers().len());
            if recipe.reads_stacks()
                && let Some(key) = recipe.by_sources(below.as_ref(), &mut whole)
            {
                table.add_step(key, layer, recipe.content.clone());
            }
        }
    }
    for (stack, text, numbers) in shared.owners.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        if let Some(state) = state(stack, stack.layers().len()) {
            table.add_owner(owner_key(&state, text), *numbers);
        }
    }
    Ok(table)
}

/// The numbers of the layers that a stage's own steps made.
fn own(stage: &Finished) -> std::ops::Range<usize> {
    let all = stage.stack.layers().len();
    all - stage.outcomes.len()..all
}

fn describe(layer: &Layer, compression: Compression) -> CachedLayer {
    let Descriptor { media_type, digest, size, .. } = &layer.descriptor;
    let blob = Descriptor::new(media_type, digest.clone(), *size);
    CachedLayer { blob, diff_id: layer.diff_id.clone(), compression }
}
