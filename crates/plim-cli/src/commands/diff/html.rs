//! The difference of two images as an HTML page: what the template `diff.html` shows.

use plim_engine::Failure;
use plim_engine::diff::{Change, DiffReport};
use serde::Serialize;

use super::{difference, layers, setting, sums, versions};
use crate::numbers::{bytes, count};
use crate::show::html::page;
use crate::show::html::versus::Bar;
use crate::show::instruction;
use crate::show::names::{fit, fit_path};

/// Rows of each table but that of packages.
const ROWS: usize = 500;
/// Packages in the page.
const PACKAGES: usize = 5_000;
/// Columns of a name; with it and the number of rows the page is bounded.
const NAME: usize = 160;
/// Columns of a sentence.
const SENTENCE: usize = 300;

#[derive(Debug, Serialize)]
struct View {
    before: String,
    after: String,
    before_digest: String,
    after_digest: String,
    before_platform: String,
    after_platform: String,
    tool: String,
    bars: Vec<Bar>,
    layers: String,
    new_layers: Vec<Layer>,
    settings: Vec<Setting>,
    packages: Vec<Package>,
    sums: Vec<Sum>,
    owners: Vec<Owner>,
    paths: Vec<Place>,
    /// What is left out: layers, settings, packages, owners, paths.
    left: [usize; 5],
}

#[derive(Debug, Serialize)]
struct Layer {
    number: usize,
    bytes: String,
    raw: u64,
    download: String,
    raw_download: u64,
    made: String,
}

#[derive(Debug, Serialize)]
struct Setting {
    name: String,
    before: String,
    after: String,
}

#[derive(Debug, Serialize)]
struct Package {
    change: &'static str,
    kind: String,
    name: String,
    versions: String,
}

#[derive(Debug, Serialize)]
struct Sum {
    name: &'static str,
    files: String,
    bytes: String,
}

#[derive(Debug, Serialize)]
struct Owner {
    name: String,
    kind: String,
    before: String,
    raw_before: u64,
    after: String,
    raw_after: u64,
    change: String,
    raw_change: i128,
}

#[derive(Debug, Serialize)]
struct Place {
    change: &'static str,
    bytes: String,
    raw: i128,
    path: String,
    details: String,
}

/// Returns the page.
pub(super) fn render(report: &DiffReport) -> Result<String, Failure> {
    let name = |text: &str| fit_path(text, NAME, "…");
    let words = |text: &str| fit(text, SENTENCE, "…");
    // ports and volumes have no values
    let value = |value: &Option<String>| match value.as_deref() {
        None => String::new(),
        Some("") => "set".to_owned(),
        Some(text) => words(text),
    };
    let new = &report.layers.new;
    let view = View {
        before: name(&report.before.subject),
        after: name(&report.after.subject),
        before_digest: report.before.digest.to_string(),
        after_digest: report.after.digest.to_string(),
        before_platform: words(&report.before.platform),
        after_platform: words(&report.after.platform),
        tool: format!("{} {}", report.tool.name, report.tool.version),
        bars: bars(report),
        layers: layers(report),
        new_layers: new
            .iter()
            .take(ROWS)
            .map(|layer| Layer {
                number: layer.layer,
                bytes: bytes(layer.size_bytes),
                raw: layer.size_bytes,
                download: bytes(layer.compressed_bytes),
                raw_download: layer.compressed_bytes,
                made: words(&instruction::clean(layer.created_by.as_deref().unwrap_or_default())),
            })
            .collect(),
        settings: report
            .config
            .iter()
            .take(ROWS)
            .map(|change| Setting {
                name: name(&setting(change)),
                before: value(&change.before),
                after: value(&change.after),
            })
            .collect(),
        packages: report
            .packages
            .iter()
            .take(PACKAGES)
            .map(|package| Package {
                change: word(package.change),
                kind: fit(&package.kind, 24, "…"),
                name: fit_path(&package.name, 80, "…"),
                versions: fit(&versions(&package.before, &package.after).replace("->", "→"), SENTENCE, "…"),
            })
            .collect(),
        sums: sums(report)
            .into_iter()
            .map(|(name, sum)| Sum { name, files: count(sum.files), bytes: difference(sum.before, sum.after) })
            .collect(),
        owners: report
            .owners
            .iter()
            .take(ROWS)
            .map(|owner| Owner {
                name: name(&owner.name),
                kind: words(owner.kind.as_deref().unwrap_or_default()),
                before: bytes(owner.before),
                raw_before: owner.before,
                after: bytes(owner.after),
                raw_after: owner.after,
                change: difference(owner.before, owner.after),
                raw_change: i128::from(owner.after) - i128::from(owner.before),
            })
            .collect(),
        paths: report
            .paths
            .iter()
            .take(ROWS)
            .map(|path| Place {
                change: word(path.change),
                bytes: difference(path.before, path.after),
                raw: i128::from(path.after) - i128::from(path.before),
                path: name(&path.path),
                details: words(&path.details.join(", ").replace("->", "→")),
            })
            .collect(),
        left: [
            new.len().saturating_sub(ROWS),
            report.config.len().saturating_sub(ROWS),
            report.packages.len().saturating_sub(PACKAGES),
            report.owners.len().saturating_sub(ROWS),
            report.paths.len().saturating_sub(ROWS),
        ],
    };
    page("diff.html", &view, &serde_json::Value::Null)
}

fn bars(report: &DiffReport) -> Vec<Bar> {
    let (before, after) = (&report.before, &report.after);
    vec![
        Bar::of_bytes("Size", before.size_bytes, after.size_bytes),
        Bar::of_bytes("Download", before.compressed_bytes, after.compressed_bytes),
        Bar::of_things("Files", before.files, after.files),
        Bar::of_things("Packages", before.packages as u64, after.packages as u64),
    ]
}

/// The word for a change; that of metadata is short, for it stands in every row of a `chown`.
fn word(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Changed => "changed",
        Change::Metadata => "metadata",
    }
}

#[cfg(test)]
mod tests;
