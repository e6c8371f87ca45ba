//! `plim diff`.

mod html;
mod markdown;
mod text;

use plim_engine::Failure;
use plim_engine::diff::{self, Change, ConfigChange, DiffReport};

use super::{Context, check_formats};
use crate::Outcome;
use crate::args::diff::Diff;
use crate::args::{Format, Output};
use crate::numbers::{bytes, change};

/// The formats of its report.
const FORMATS: &[Format] = &[Format::Text, Format::Json, Format::Markdown, Format::Html];

/// Runs the command.
pub(crate) fn run(context: &Context<'_>, args: &Diff) -> Result<Outcome, Failure> {
    show(context, &args.before, &args.after, args.rows, &args.output)
}

/// Shows what is different between two images.
pub(super) fn show(
    context: &Context<'_>,
    before: &str,
    after: &str,
    rows: usize,
    outputs: &[Output],
) -> Result<Outcome, Failure> {
    check_formats(outputs, FORMATS)?;
    let workspace = context.workspace(".".into())?;
    let report = diff::diff(&workspace, before, after, &context.progress())?;
    context.write_rendered(outputs, &report, |format| match format {
        Format::Markdown => Ok(markdown::render(&report, shown(rows))),
        Format::Html => html::render(&report),
        _ => Ok(text::render(&report, shown(rows))),
    })?;
    Ok(Outcome::Good)
}

/// How many rows `--rows` shows.
fn shown(rows: usize) -> usize {
    if rows == 0 { usize::MAX } else { rows }
}

/// The rows of numbers at the top: what, before, after.
fn totals(report: &DiffReport) -> [(&'static str, u64, u64); 6] {
    let (before, after) = (&report.before, &report.after);
    [
        ("size", before.size_bytes, after.size_bytes),
        ("download", before.compressed_bytes, after.compressed_bytes),
        ("files' bytes", before.file_bytes, after.file_bytes),
        ("files", before.files, after.files),
        ("packages", before.packages as u64, after.packages as u64),
        ("layers", before.layers as u64, after.layers as u64),
    ]
}

/// Whether a row of [`totals`] is of bytes.
fn is_bytes(what: &str) -> bool {
    matches!(what, "size" | "download" | "files' bytes")
}

/// A change in percent; empty where there is none.
fn percent(before: u64, after: u64) -> String {
    if before == after { String::new() } else { change(before as f64, after as f64) }
}

/// Text of an image on one line, without what terminals obey.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The sign of a change: `+`, `-`, `~`, and `m` where only metadata is different.
fn sign(change: Change) -> &'static str {
    match change {
        Change::Added => "+",
        Change::Removed => "-",
        Change::Changed => "~",
        Change::Metadata => "m",
    }
}

/// A difference of bytes with its sign: `+1.2 MB`, `-40 kB`, `0 B`.
fn difference(before: u64, after: u64) -> String {
    let sign = match before.cmp(&after) {
        std::cmp::Ordering::Less => "+",
        std::cmp::Ordering::Equal => "",
        std::cmp::Ordering::Greater => "-",
    };
    format!("{sign}{}", bytes(before.abs_diff(after)))
}

/// The change of versions: `1.2 -> 1.3`.
fn versions(before: &[String], after: &[String]) -> String {
    match (before, after) {
        ([], after) => after.join(", "),
        (before, []) => before.join(", "),
        (before, after) => format!("{} -> {}", before.join(", "), after.join(", ")),
    }
}

/// The setting with its name: `env PATH`.
fn setting(change: &ConfigChange) -> String {
    match &change.name {
        Some(name) => format!("{} {name}", change.setting),
        None => change.setting.clone(),
    }
}

/// What layers say in one sentence.
fn layers(report: &DiffReport) -> String {
    let layers = &report.layers;
    format!(
        "{} of {} layers are those of the first image ({} of the download); {} are new ({} to download)",
        layers.shared,
        report.after.layers,
        bytes(layers.shared_compressed_bytes),
        layers.new.len(),
        bytes(layers.new_compressed_bytes),
    )
}

/// The sums of files: what, how many, bytes before, bytes after.
fn sums(report: &DiffReport) -> [(&'static str, diff::FileSum); 5] {
    let files = &report.files;
    [
        ("added", files.added),
        ("removed", files.removed),
        ("changed", files.changed),
        ("only metadata", files.metadata),
        ("the same", files.same),
    ]
}
