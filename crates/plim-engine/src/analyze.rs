//! `plim analyze`: what is in an image, and what it weighs.

pub mod ci;

mod base;
mod cost;
mod kept;
mod report;
#[cfg(test)]
mod tests;
mod tree;
mod waste;

use std::collections::HashMap;
use std::sync::Arc;

use plim_index::{Inventory, LayerIndex, OwnerSize};
use plim_oci::{Events, Image};

pub use cost::AssumptionsGiven;
pub use report::*;

use self::kept::Kept;
use crate::place::Known;
use crate::why::Lines;
use crate::{Failure, Tool, Workspace, place};

/// Paths of dive's list in the report.
const WASTED: usize = 50;

impl Dive {
    fn of(layers: &[Arc<LayerIndex>]) -> Self {
        let figures = plim_index::dive_figures(layers);
        Self {
            efficiency: figures.efficiency,
            wasted_bytes: figures.wasted_bytes,
            user_wasted: figures.user_wasted,
            wasted: figures
                .wasted
                .iter()
                .take(WASTED)
                .map(|path| WastedRow { path: format!("/{}", path.path), count: path.count, bytes: path.bytes })
                .collect(),
        }
    }
}

/// Returns the JSON schema of the report.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(AnalyzeReport).to_value()
}

/// What the user decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AnalyzeOptions {
    /// What the cost model assumes.
    pub assumptions: AssumptionsGiven,
}

/// Tells what is in an image: from what an earlier run found in it, else from the indexes of its layers, making those that
/// are missing.
pub fn analyze(
    workspace: &Workspace,
    name: &str,
    options: &AnalyzeOptions,
    events: &dyn Events,
) -> Result<AnalyzeReport, Failure> {
    let opened = place::open(workspace, name, events)?;
    let image = opened.image()?;
    let kept = Kept::of(workspace);
    if let Some(found) = kept.get(&image.descriptor.digest) {
        return Ok(complete(found, workspace, name, &image, options));
    }
    let Known { image, layers, inventory } = place::known(workspace, name, &opened, image, events)?;
    let found = found(&image, &layers, &inventory);
    kept.put(&found);
    Ok(complete(found, workspace, name, &image, options))
}

/// Adds what the image alone does not tell: how it was named, its base, the lines of its Dockerfile, what it costs.
fn complete(
    found: AnalyzeReport,
    workspace: &Workspace,
    name: &str,
    image: &Image,
    options: &AnalyzeOptions,
) -> AnalyzeReport {
    let lines = Lines::of(workspace, &image.descriptor.digest);
    let base = base::base(workspace, image, &found.layers, &lines);
    let reused = cost::reused(image, base.as_ref());
    let sizes: Vec<(u64, u64)> = found.layers.iter().map(|layer| (layer.size_bytes, layer.compressed_bytes)).collect();
    let waste = found.waste.into_iter().map(|row| waste::told(row, image, base.as_ref(), &lines)).collect();
    AnalyzeReport {
        tool: Tool::this(),
        subject: name.to_owned(),
        waste,
        base,
        cost: cost::cost(&sizes, options.assumptions.over(reused)),
        ..found
    }
}

/// Returns what the image alone tells; what [`complete`] adds is empty.
fn found(image: &Image, layers: &[Arc<LayerIndex>], inventory: &Inventory) -> AnalyzeReport {
    let waste = plim_index::waste(inventory);
    let owned = inventory.size_by_owner();
    let config = &image.config.config;
    AnalyzeReport {
        schema: 1,
        tool: Tool::this(),
        command: "analyze".to_owned(),
        subject: String::new(),
        digest: image.descriptor.digest.clone(),
        platform: format!("{}/{}", image.config.os, image.config.architecture),
        size_bytes: layers.iter().map(|layer| layer.size).sum(),
        compressed_bytes: image.layers.iter().map(|layer| layer.descriptor.size).sum(),
        files: inventory.files_count() as u64,
        hidden_bytes: inventory.hidden_bytes(),
        reclaimable: waste::reclaimable(&waste, image, inventory),
        base: None,
        dive: Dive::of(layers),
        user: if config.user.is_empty() { "root".to_owned() } else { config.user.clone() },
        shells: inventory.shells().iter().map(ToString::to_string).collect(),
        package_managers: inventory.package_managers().iter().map(ToString::to_string).collect(),
        layers: image
            .layers
            .iter()
            .zip(&inventory.layers)
            .enumerate()
            .map(|(number, (layer, summary))| LayerRow {
                diff_id: layer.diff_id.clone(),
                size_bytes: summary.size,
                compressed_bytes: layer.descriptor.size,
                compression: plim_oci::form_name(&layer.descriptor).to_owned(),
                files: summary.files as u64,
                created_by: waste::created_by(image, inventory, number),
            })
            .collect(),
        waste: waste::rows(&waste, image, inventory),
        packages: packages(inventory, &owned),
        owners: owners(inventory, &owned),
        largest: inventory
            .largest(50)
            .iter()
            .map(|file| Sized { name: format!("/{}", file.path), bytes: file.bytes })
            .collect(),
        tree: tree::tree(inventory),
        cost: Cost::default(),
    }
}

/// Returns the packages, largest first.
fn packages(inventory: &Inventory, owned: &[OwnerSize]) -> Vec<PackageRow> {
    let bytes: HashMap<usize, u64> =
        owned.iter().filter_map(|size| size.package.map(|package| (package, size.bytes))).collect();
    let rows = inventory.packages.iter().enumerate().map(|(number, package)| PackageRow {
        kind: package.kind.name().to_owned(),
        name: package.name.clone(),
        version: package.version.clone(),
        architecture: package.architecture.clone(),
        bytes: bytes.get(&number).copied().unwrap_or(0),
        layer: package.layer + 1,
        location: package.location.to_string(),
    });
    let mut packages: Vec<PackageRow> = rows.collect();
    packages.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    packages
}

/// Returns bytes by package, largest first.
pub(crate) fn owners(inventory: &Inventory, sizes: &[OwnerSize]) -> Vec<OwnerRow> {
    let rows = sizes.iter().map(|size| OwnerRow {
        name: size.name.clone().unwrap_or_else(|| "(no package)".to_owned()),
        kind: size
            .package
            .and_then(|package| inventory.packages.get(package))
            .map(|package| package.kind.name().to_owned()),
        bytes: size.bytes,
        files: size.files as u64,
    });
    rows.collect()
}
