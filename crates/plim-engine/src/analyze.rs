//! `plim analyze`: what is in an image, and what it weighs.

pub mod ci;

use std::collections::HashMap;
use std::sync::Arc;

use plim_index::{Inventory, LayerIndex};
use plim_oci::{Digest, Events, Image};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Failure, Tool, Workspace, place};

/// Paths of dive's list in the report.
const WASTED: usize = 50;

/// The report.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AnalyzeReport {
    /// Version of this format; fields are only ever added.
    pub schema: u32,
    /// Who wrote it.
    pub tool: Tool,
    /// Always `analyze`.
    pub command: String,
    /// The image as it was named.
    pub subject: String,
    /// Digest of the manifest.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// `os/architecture`.
    pub platform: String,
    /// Bytes of the uncompressed layer tars.
    pub size_bytes: u64,
    /// Bytes of the compressed layers.
    pub compressed_bytes: u64,
    /// Files that a container sees.
    pub files: u64,
    /// Bytes of files that a later layer replaced or deleted: downloaded, never seen.
    pub hidden_bytes: u64,
    /// dive's figures.
    pub dive: Dive,
    /// The user it runs as.
    pub user: String,
    /// Shells in the image.
    pub shells: Vec<String>,
    /// Package managers in the image.
    pub package_managers: Vec<String>,
    /// The layers, lowest first.
    pub layers: Vec<LayerRow>,
    /// Bytes by package, largest first.
    pub owners: Vec<Sized>,
    /// The largest files.
    pub largest: Vec<Sized>,
    /// The packages, largest first.
    pub packages: Vec<PackageRow>,
}

/// The figures of dive, by its definitions. They count all copies of a path that several layers have, the one that stays
/// included, and no directory that a later layer deletes; `hidden_bytes` is what could be saved.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Dive {
    /// Smallest size of each path over the sum of its sizes, 0 to 1.
    pub efficiency: f64,
    /// Bytes of all copies of paths that several layers have.
    pub wasted_bytes: u64,
    /// Those bytes over the bytes of all layers but the lowest, 0 to 1 and above; nothing for an image of one layer.
    pub user_wasted: Option<f64>,
    /// The paths, most bytes first.
    pub wasted: Vec<WastedRow>,
}

/// A path that several layers have.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WastedRow {
    /// The path.
    pub path: String,
    /// How many layers have it.
    pub count: usize,
    /// Bytes of all its copies.
    pub bytes: u64,
}

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

/// One layer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LayerRow {
    /// Digest of the uncompressed tar.
    #[schemars(with = "String")]
    pub diff_id: Digest,
    /// Bytes of the uncompressed tar.
    pub size_bytes: u64,
    /// Bytes of the compressed blob.
    pub compressed_bytes: u64,
    /// Files in it.
    pub files: u64,
    /// The instruction that made it.
    pub created_by: Option<String>,
}

/// A name and its bytes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Sized {
    /// The name.
    pub name: String,
    /// The bytes.
    pub bytes: u64,
}

/// One package.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PackageRow {
    /// `deb`, `apk`, `rpm`, `python`, `npm`, `gem`, `java`, `go` or `cargo`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, where it has one.
    pub architecture: Option<String>,
    /// Bytes of its files in the image.
    pub bytes: u64,
    /// The layer it came with, from 1.
    pub layer: usize,
    /// Where its metadata is.
    pub location: String,
}

/// Returns the JSON schema of the report.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(AnalyzeReport).to_value()
}

/// Reads an image's indexes, making those that are missing, and folds them.
pub fn analyze(workspace: &Workspace, name: &str, events: &dyn Events) -> Result<AnalyzeReport, Failure> {
    let opened = place::open(workspace, name, events)?;
    let image = opened.image()?;
    let layers = workspace
        .indexes
        .ensure_all(&image, &*opened.blobs, events)
        .map_err(|error| Failure::caused(format!("failed to read {name}"), &error))?;
    let inventory = plim_index::fold(&image.config, &layers);
    Ok(report(name, &image, &layers, &inventory))
}

fn report(name: &str, image: &Image, layers: &[Arc<LayerIndex>], inventory: &Inventory) -> AnalyzeReport {
    let owned = inventory.size_by_owner();
    let bytes: HashMap<usize, u64> =
        owned.iter().filter_map(|size| size.package.map(|package| (package, size.bytes))).collect();
    let mut packages: Vec<PackageRow> = inventory
        .packages
        .iter()
        .enumerate()
        .map(|(number, package)| PackageRow {
            kind: package.kind.name().to_owned(),
            name: package.name.clone(),
            version: package.version.clone(),
            architecture: package.architecture.clone(),
            bytes: bytes.get(&number).copied().unwrap_or(0),
            layer: package.layer + 1,
            location: package.location.to_string(),
        })
        .collect();
    packages.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    let config = &image.config.config;
    AnalyzeReport {
        schema: 1,
        tool: Tool::this(),
        command: "analyze".to_owned(),
        subject: name.to_owned(),
        digest: image.descriptor.digest.clone(),
        platform: format!("{}/{}", image.config.os, image.config.architecture),
        size_bytes: layers.iter().map(|layer| layer.size).sum(),
        compressed_bytes: image.layers.iter().map(|layer| layer.descriptor.size).sum(),
        files: inventory.files_count() as u64,
        hidden_bytes: inventory.hidden_bytes(),
        dive: Dive::of(layers),
        user: if config.user.is_empty() { "root".to_owned() } else { config.user.clone() },
        shells: inventory.shells().iter().map(ToString::to_string).collect(),
        package_managers: inventory.package_managers().iter().map(ToString::to_string).collect(),
        layers: image
            .layers
            .iter()
            .zip(&inventory.layers)
            .map(|(layer, summary)| LayerRow {
                diff_id: layer.diff_id.clone(),
                size_bytes: summary.size,
                compressed_bytes: layer.descriptor.size,
                files: summary.files as u64,
                created_by: layer.created_by.clone().or_else(|| summary.created_by.clone()),
            })
            .collect(),
        owners: owned
            .iter()
            .map(|size| Sized {
                name: size.name.clone().unwrap_or_else(|| "(no package)".to_owned()),
                bytes: size.bytes,
            })
            .collect(),
        largest: inventory
            .largest(50)
            .iter()
            .map(|file| Sized { name: format!("/{}", file.path), bytes: file.bytes })
            .collect(),
        packages,
    }
}
