//! The report as an HTML page: what the template `analyze.html` shows.

use plim_engine::Failure;
use plim_engine::analyze::ci::Verdict;
use plim_engine::analyze::{AnalyzeReport, Sized, WasteRow};
use serde::Serialize;

use super::map::{self, Cell, Node};
use super::{assumption_words, base_words, dive_figures, files, kind_name, place, share, split, unusual_form};
use crate::numbers::{bytes, count, plural, seconds};
use crate::show::html::{page, percent};
use crate::show::instruction::clean;
use crate::show::names::{fit, fit_path};

/// Rows of waste, owners, layers and files, beyond which a page says how many there are.
const ROWS: usize = 200;
/// Packages in the page.
const PACKAGES: usize = 5_000;
/// Columns of a name; with it and the number of rows the page is bounded.
const NAME: usize = 160;
/// Columns of a sentence.
const SENTENCE: usize = 300;
/// Paths below a row of waste.
const PATHS: usize = 12;
/// Colours of layers that are not the base's.
const COLOURS: usize = 8;
/// Shades of the base's layers.
const SHADES: usize = 3;

#[derive(Debug, Serialize)]
struct View {
    subject: String,
    digest: String,
    platform: String,
    tool: String,
    cards: Vec<Card>,
    gauge: Vec<Segment>,
    facts: Vec<Named>,
    dive: Vec<Named>,
    verdicts: Vec<Ruled>,
    waste: Vec<Waste>,
    layers: Vec<Layer>,
    cells: Vec<Cell>,
    owners: Vec<Owner>,
    largest: Vec<File>,
    packages: Vec<Package>,
    cost: Vec<Named>,
    assumptions: String,
    /// What is left out: waste, layers, owners, packages.
    left: [usize; 4],
}

#[derive(Debug, Serialize)]
struct Card {
    label: &'static str,
    value: String,
    unit: String,
    note: String,
}

#[derive(Debug, Serialize)]
struct Segment {
    class: &'static str,
    x: String,
    w: String,
    label: String,
}

#[derive(Debug, Serialize)]
struct Named {
    name: &'static str,
    value: String,
}

#[derive(Debug, Serialize)]
struct Ruled {
    rule: String,
    verdict: &'static str,
    message: String,
}

#[derive(Debug, Serialize)]
struct Waste {
    kind: &'static str,
    risk: bool,
    what: String,
    bytes: String,
    download: String,
    bar: String,
    place: String,
    created_by: String,
    hint: String,
    files: String,
    paths: Vec<File>,
}

#[derive(Debug, Serialize)]
struct Layer {
    number: usize,
    base: bool,
    class: String,
    bytes: String,
    raw: u64,
    download: String,
    raw_download: u64,
    form: String,
    files: String,
    raw_files: u64,
    bar: String,
    part: String,
    made: String,
}

#[derive(Debug, Serialize)]
struct Owner {
    name: String,
    kind: String,
    bytes: String,
    raw: u64,
    files: String,
    raw_files: u64,
    bar: String,
}

#[derive(Debug, Serialize)]
struct File {
    name: String,
    bytes: String,
    raw: u64,
    bar: String,
}

#[derive(Debug, Serialize)]
struct Package {
    kind: String,
    name: String,
    version: String,
    layer: usize,
    bytes: String,
    raw: u64,
    location: String,
}

/// What the script reads: the tree, and what its numbers mean.
#[derive(Debug, Serialize)]
struct Data {
    tree: Node,
    owners: Vec<String>,
    /// The class of each layer's colour, and what made it.
    layers: Vec<(String, String)>,
}

/// Returns the page.
pub(crate) fn render(report: &AnalyzeReport, verdicts: Option<&[Verdict]>) -> Result<String, Failure> {
    let (tree, owners) = map::bounded(&report.tree);
    let base = report.base.as_ref().map_or(0, |base| base.layers);
    let cells = map::cells(&tree, &owners, &|layer| colour(layer, base));
    let view = View { cells, ..view(report, verdicts.unwrap_or_default()) };
    let layers = view.layers.iter().map(|layer| (layer.class.clone(), layer.made.clone())).collect();
    page("analyze.html", &view, &Data { tree, owners: owners.names, layers })
}

/// The class of a layer's colour: the base in greys, what was put on it in colours.
fn colour(layer: usize, base: usize) -> String {
    match layer {
        0 => "none".to_owned(),
        layer if layer <= base => format!("b{}", (layer - 1) % SHADES),
        layer => format!("c{}", (layer - base - 1) % COLOURS),
    }
}

fn view(report: &AnalyzeReport, verdicts: &[Verdict]) -> View {
    let base = report.base.as_ref().map_or(0, |base| base.layers);
    let name = |text: &str| fit_path(text, NAME, "…");
    let words = |text: &str| fit(text, SENTENCE, "…");
    let most = |sizes: &mut dyn Iterator<Item = u64>| sizes.max().unwrap_or(0);
    let heaviest = most(&mut report.waste.iter().map(|row| row.weight.bytes));
    let largest_layer = most(&mut report.layers.iter().map(|row| row.size_bytes));
    let largest_owner = most(&mut report.owners.iter().map(|row| row.bytes));
    View {
        subject: name(&report.subject),
        digest: report.digest.to_string(),
        platform: words(&report.platform),
        tool: format!("{} {}", report.tool.name, report.tool.version),
        cards: cards(report),
        gauge: gauge(report),
        facts: facts(report),
        dive: dive_figures(report).into_iter().map(|(name, value)| Named { name, value }).collect(),
        verdicts: verdicts.iter().map(ruled).collect(),
        waste: report.waste.iter().take(ROWS).map(|row| waste(row, heaviest)).collect(),
        layers: report
            .layers
            .iter()
            .take(ROWS)
            .enumerate()
            .map(|(number, layer)| Layer {
                number: number + 1,
                base: number < base,
                class: colour(number + 1, base),
                bytes: bytes(layer.size_bytes),
                raw: layer.size_bytes,
                download: bytes(layer.compressed_bytes),
                raw_download: layer.compressed_bytes,
                form: fit(unusual_form(layer).unwrap_or_default(), 24, "…"),
                files: count(layer.files),
                raw_files: layer.files,
                bar: percent(layer.size_bytes, largest_layer),
                // the compressed part of the bar
                part: percent(layer.compressed_bytes.min(layer.size_bytes), largest_layer),
                made: words(&clean(layer.created_by.as_deref().unwrap_or_default())),
            })
            .collect(),
        cells: Vec::new(),
        owners: report
            .owners
            .iter()
            .take(ROWS)
            .map(|row| Owner {
                name: name(&row.name),
                kind: words(row.kind.as_deref().unwrap_or_default()),
                bytes: bytes(row.bytes),
                raw: row.bytes,
                files: count(row.files),
                raw_files: row.files,
                bar: percent(row.bytes, largest_owner),
            })
            .collect(),
        largest: sized(&report.largest, ROWS),
        packages: report
            .packages
            .iter()
            .take(PACKAGES)
            .map(|row| Package {
                kind: fit(&row.kind, 24, "…"),
                name: fit_path(&row.name, 80, "…"),
                version: fit(&row.version, 60, "…"),
                layer: row.layer,
                bytes: bytes(row.bytes),
                raw: row.bytes,
                location: fit_path(&row.location, 100, "…"),
            })
            .collect(),
        cost: cost(report),
        assumptions: assumption_words(&report.cost.assumptions),
        left: [
            report.waste.len().saturating_sub(ROWS),
            report.layers.len().saturating_sub(ROWS),
            report.owners.len().saturating_sub(ROWS),
            report.packages.len().saturating_sub(PACKAGES),
        ],
    }
}

/// A number and its unit apart: the unit is set smaller.
fn card(label: &'static str, value: &str, note: String) -> Card {
    let (value, unit) = value.split_once(' ').unwrap_or((value, ""));
    Card { label, value: value.to_owned(), unit: unit.to_owned(), note }
}

fn cards(report: &AnalyzeReport) -> Vec<Card> {
    let part = share(report.reclaimable.compressed_bytes, report.compressed_bytes);
    let note = if report.reclaimable.bytes == 0 {
        String::new()
    } else {
        format!("~{} of the download, {part}", bytes(report.reclaimable.compressed_bytes))
    };
    vec![
        card("Size", &bytes(report.size_bytes), plural(report.layers.len(), "layer")),
        card("Download", &bytes(report.compressed_bytes), format!("{} to fetch", seconds(report.cost.pull_seconds))),
        card("Reclaimable", &bytes(report.reclaimable.bytes), note),
        card("Files", &count(report.files), String::new()),
        card("Packages", &count(report.packages.len() as u64), String::new()),
    ]
}

/// The hull: how much of the image is the base, how much was put on it.
fn gauge(report: &AnalyzeReport) -> Vec<Segment> {
    let Some(split) = split(report) else { return Vec::new() };
    let whole = report.size_bytes;
    let base = split.base.1.min(whole);
    vec![
        Segment {
            class: "base",
            x: "0%".to_owned(),
            w: percent(base, whole),
            label: format!("base {} ({})", bytes(split.base.1), share(base, whole)),
        },
        Segment {
            class: "yours",
            x: percent(base, whole),
            w: percent(whole - base, whole),
            label: format!("yours {} ({})", bytes(split.yours.1), share(whole - base, whole)),
        },
    ]
}

fn facts(report: &AnalyzeReport) -> Vec<Named> {
    let first = |names: &[String]| names.first().map_or("none".to_owned(), |name| fit_path(name, NAME, "…"));
    let mut facts = Vec::new();
    if let Some(base) = &report.base {
        facts.push(Named { name: "Base", value: base_words(base, SENTENCE, "…") });
    }
    facts.push(Named { name: "Runs as", value: fit(&report.user, NAME, "…") });
    facts.push(Named { name: "Shell", value: first(&report.shells) });
    facts.push(Named { name: "Package manager", value: first(&report.package_managers) });
    facts
}

fn ruled(verdict: &Verdict) -> Ruled {
    Ruled {
        rule: fit(&verdict.rule, NAME, "…"),
        verdict: match verdict.passed {
            Some(true) => "pass",
            Some(false) => "fail",
            None => "skipped",
        },
        message: fit(&verdict.message, SENTENCE, "…"),
    }
}

fn waste(row: &WasteRow, heaviest: u64) -> Waste {
    let weight = row.weight.bytes > 0;
    Waste {
        kind: kind_name(row.kind),
        risk: !weight,
        what: fit(&row.what, SENTENCE, "…"),
        bytes: if weight { bytes(row.weight.bytes) } else { String::new() },
        download: if weight { format!("~{} download", bytes(row.weight.compressed_bytes)) } else { String::new() },
        bar: percent(row.weight.bytes, heaviest),
        place: fit_path(&place(row), NAME, "…"),
        created_by: fit(&clean(row.created_by.as_deref().unwrap_or_default()), SENTENCE, "…"),
        hint: fit(&row.hint, SENTENCE, "…"),
        files: files(row.files),
        paths: sized(&row.paths, PATHS),
    }
}

fn sized(list: &[Sized], rows: usize) -> Vec<File> {
    let largest = list.iter().map(|file| file.bytes).max().unwrap_or(0);
    list.iter()
        .take(rows)
        .map(|file| File {
            name: fit_path(&file.name, NAME, "…"),
            bytes: bytes(file.bytes),
            raw: file.bytes,
            bar: percent(file.bytes, largest),
        })
        .collect()
}

fn cost(report: &AnalyzeReport) -> Vec<Named> {
    let cost = &report.cost;
    vec![
        Named { name: "download on a new node", value: seconds(cost.pull_seconds) },
        Named { name: "unpacking", value: seconds(cost.unpack_seconds) },
        Named { name: "pushed by each build", value: bytes(cost.new_bytes_per_build) },
        Named { name: "to the registry a day", value: bytes(cost.registry_bytes_per_day) },
        Named { name: "downloaded when scaled out", value: bytes(cost.scale_out_bytes) },
    ]
}

#[cfg(test)]
mod tests;
