//! `plim diff A B`: what is different between two images.

mod config;
mod files;
mod packages;
mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use plim_index::Inventory;
use plim_oci::{Digest, Events};

pub use report::*;

use crate::place::Known;
use crate::{Failure, Tool, Workspace, analyze, place};

/// Owners of the report.
const OWNERS: usize = 50;

/// Returns the JSON schema of the report.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(DiffReport).to_value()
}

/// Reads two images' indexes, making those that are missing, and compares what they hold. `before` and `after` are images as
/// the command line names them.
pub fn diff(workspace: &Workspace, before: &str, after: &str, events: &dyn Events) -> Result<DiffReport, Failure> {
    let old = place::look_into(workspace, before, events)?;
    let new = place::look_into(workspace, after, events)?;
    let (files, rows) = files::compare(&old.inventory, &new.inventory);
    Ok(DiffReport {
        schema: 1,
        tool: Tool::this(),
        command: "diff".to_owned(),
        before: side(before, &old),
        after: side(after, &new),
        layers: layers(&old, &new),
        packages: packages::compare(&old.inventory, &new.inventory),
        files,
        paths: rows,
        config: config::compare(&old.image, &new.image),
        owners: owners(&old.inventory, &new.inventory),
    })
}

fn side(name: &str, opened: &Known) -> Side {
    let config = &opened.image.config;
    Side {
        subject: name.to_owned(),
        digest: opened.image.descriptor.digest.clone(),
        platform: format!("{}/{}", config.os, config.architecture),
        size_bytes: opened.layers.iter().map(|layer| layer.size).sum(),
        compressed_bytes: opened.image.layers.iter().map(|layer| layer.descriptor.size).sum(),
        file_bytes: opened.inventory.total_size(),
        files: opened.inventory.files_count() as u64,
        layers: opened.image.layers.len(),
        packages: opened.inventory.packages.len(),
    }
}

/// Tells which layers both images have.
fn layers(old: &Known, new: &Known) -> LayerChange {
    let ids =
        |opened: &Known| -> HashSet<Digest> { opened.image.layers.iter().map(|layer| layer.diff_id.clone()).collect() };
    let (known, kept) = (ids(old), ids(new));
    let mut change = LayerChange::default();
    for (number, (layer, index)) in new.image.layers.iter().zip(&new.layers).enumerate() {
        if known.contains(&layer.diff_id) {
            change.shared += 1;
            change.shared_bytes += index.size;
            change.shared_compressed_bytes += layer.descriptor.size;
        } else {
            change.new_compressed_bytes += layer.descriptor.size;
            change.new.push(NewLayer {
                layer: number + 1,
                diff_id: layer.diff_id.clone(),
                size_bytes: index.size,
                compressed_bytes: layer.descriptor.size,
                created_by: layer.created_by.clone(),
            });
        }
    }
    change.gone = old.image.layers.iter().filter(|layer| !kept.contains(&layer.diff_id)).count();
    change
}

/// Compares bytes by owner; the largest differences first.
fn owners(old: &Inventory, new: &Inventory) -> Vec<OwnerChange> {
    let mut all: BTreeMap<(Option<String>, String), (u64, u64)> = BTreeMap::new();
    for row in analyze::owners(old, &old.size_by_owner()) {
        all.entry((row.kind, row.name)).or_default().0 += row.bytes;
    }
    for row in analyze::owners(new, &new.size_by_owner()) {
        all.entry((row.kind, row.name)).or_default().1 += row.bytes;
    }
    let mut rows: Vec<OwnerChange> = all
        .into_iter()
        .filter(|(_, (before, after))| before != after)
        .map(|((kind, name), (before, after))| OwnerChange { name, kind, before, after })
        .collect();
    rows.sort_by(|a, b| b.before.abs_diff(b.after).cmp(&a.before.abs_diff(a.after)).then_with(|| a.name.cmp(&b.name)));
    rows.truncate(OWNERS);
    rows
}
