//! The report of `plim analyze`: what its text, Markdown and HTML say in the same words.

pub(crate) mod html;
pub(crate) mod markdown;
pub(crate) mod text;

#[cfg(test)]
mod sample;

mod map;
mod tree;

use plim_engine::analyze::{AnalyzeReport, Assumptions, Base, BaseEvidence, Cost, LayerRow, WasteKind, WasteRow};

use crate::numbers::{bytes, count, plural, seconds};
use crate::show::names::{fit_path, shell_word, width};

/// Returns the name of a kind of waste, in a word or two.
pub(crate) fn kind_name(kind: WasteKind) -> &'static str {
    match kind {
        WasteKind::Deleted => "deleted",
        WasteKind::Replaced => "replaced",
        WasteKind::Rewritten => "rewritten",
        WasteKind::Duplicate => "duplicate",
        WasteKind::Leftover => "leftover",
        WasteKind::Droppable => "droppable",
        WasteKind::Debug => "debug data",
        WasteKind::BuildTool => "build tool",
        WasteKind::Setuid => "setuid",
        WasteKind::HiddenSecret => "hidden secret",
    }
}

/// Returns a part of a whole: `25 %`, `< 1 %`; nothing where there is no whole.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    if part > 0 && percent < 1.0 { "< 1 %".to_owned() } else { format!("{percent:.0} %") }
}

/// Returns a number of files: `1 file`, `31,204 files`.
fn files(number: u64) -> String {
    format!("{} {}", count(number), if number == 1 { "file" } else { "files" })
}

/// Returns where waste comes from: `Dockerfile:7`, or the layer; and the layer that hides it.
fn place(row: &WasteRow) -> String {
    let from = row.line.clone().unwrap_or_else(|| format!("layer {}", row.layer));
    match row.hidden_by {
        Some(by) => format!("{from}, gone in layer {by}"),
        None => from,
    }
}

/// Returns what the base is called, in at most so many columns, and what tells. Of a name that is too long the middle is left
/// out: the end is its tag, and what tells is never cut.
fn base_words(base: &Base, room: usize, ellipsis: &str) -> String {
    let name = match (&base.name, &base.digest) {
        (Some(name), _) => name.as_str(),
        (None, Some(digest)) => digest.as_str(),
        (None, None) => "unknown",
    };
    let evidence = match base.evidence {
        BaseEvidence::Build => "plim built on it",
        BaseEvidence::Annotation => "by its annotation",
        BaseEvidence::KnownImage => "known by its layers",
        BaseEvidence::History => "guessed from the history",
    };
    let rest = format!("; {}, {evidence}", plural(base.layers, "layer"));
    format!("{}{rest}", fit_path(name, room.saturating_sub(width(&rest)), ellipsis))
}

/// Returns how a layer is compressed, where that is not as most are.
fn unusual_form(layer: &LayerRow) -> Option<&str> {
    Some(layer.compression.as_str()).filter(|form| *form != "gzip")
}

/// What belongs to the base and what was put on top of it: layers, bytes, bytes of the download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Split {
    base: (usize, u64, u64),
    yours: (usize, u64, u64),
}

/// Returns the two parts of an image whose base is known.
fn split(report: &AnalyzeReport) -> Option<Split> {
    let base = report.base.as_ref()?;
    Some(Split {
        base: (base.layers, base.size_bytes, base.compressed_bytes),
        yours: (
            report.layers.len().saturating_sub(base.layers),
            report.size_bytes.saturating_sub(base.size_bytes),
            report.compressed_bytes.saturating_sub(base.compressed_bytes),
        ),
    })
}

/// Returns the cost of moving the image about, in a sentence.
fn cost_words(cost: &Cost) -> String {
    format!(
        "a new node waits {} for the download and {} for unpacking; {} pods pull {}; each build pushes {}, {} a day",
        seconds(cost.pull_seconds),
        seconds(cost.unpack_seconds),
        count(cost.assumptions.pods),
        bytes(cost.scale_out_bytes),
        bytes(cost.new_bytes_per_build),
        bytes(cost.registry_bytes_per_day),
    )
}

/// Returns what the cost assumes, in a sentence.
fn assumption_words(assumed: &Assumptions) -> String {
    let reused = match assumed.reused_layers {
        0 => "no layer reused".to_owned(),
        1 => "the lowest layer reused".to_owned(),
        layers => format!("the lowest {layers} layers reused"),
    };
    format!(
        "{}/s down, {}/s unpacked, {} builds a day, {} pods, {reused}",
        bytes(assumed.pull_bytes_per_second),
        bytes(assumed.unpack_bytes_per_second),
        count(assumed.builds_per_day),
        count(assumed.pods)
    )
}

/// dive's three figures in its own words: name and value.
fn dive_figures(report: &AnalyzeReport) -> Vec<(&'static str, String)> {
    let mut figures = vec![
        ("efficiency", format!("{:.4} %", report.dive.efficiency * 100.0)),
        ("wastedBytes", bytes(report.dive.wasted_bytes)),
    ];
    if let Some(part) = report.dive.user_wasted {
        figures.push(("userWastedPercent", format!("{:.4} %", part * 100.0)));
    }
    figures
}

/// Returns the command to go on with: what brought the largest thing that a container could do without, or a smaller image where
/// only another Dockerfile helps.
pub(crate) fn next_command(report: &AnalyzeReport) -> Option<String> {
    let seen = |row: &&WasteRow| row.hidden_by.is_none() && row.weight.bytes > 0;
    let path = |row: &WasteRow| row.paths.first().map(|path| path.name.clone());
    let hidden: u64 =
        report.waste.iter().filter(|row| row.hidden_by.is_some()).map(|row| row.weight.bytes).max().unwrap_or(0);
    let wasteful = report.waste.iter().find(seen).filter(|row| row.weight.bytes >= hidden);
    if wasteful.is_none() && hidden > 0 {
        return Some("plim optimize .".to_owned());
    }
    let target = wasteful.and_then(path).or_else(|| report.largest.first().map(|file| file.name.clone()))?;
    Some(format!("plim why {} {}", shell_word(&report.subject)?, shell_word(&target)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_whole_percents() {
        assert_eq!([share(0, 10), share(1, 1000), share(1, 4), share(3, 0)], ["0 %", "< 1 %", "25 %", ""]);
    }

    #[test]
    fn a_long_name_of_a_base_leaves_room_for_what_tells() {
        let mut base = sample::rich().base.unwrap();
        base.evidence = BaseEvidence::History;
        assert_eq!(base_words(&base, 60, "…"), "docker.…python:3.13-slim; 3 layers, guessed from the history");
        base.name = Some(format!("registry.example/{}python:3.13", "team/".repeat(60)));
        for room in [59, 100] {
            let words = base_words(&base, room, "…");
            assert!(words.ends_with("; 3 layers, guessed from the history"), "{words}");
            assert_eq!(width(&words), room, "{words}");
        }
        assert!(base_words(&base, 0, "...").ends_with("history"));
        (base.name, base.digest) = (None, None);
        assert_eq!(base_words(&base, 60, "…"), "unknown; 3 layers, guessed from the history");
    }

    #[test]
    fn the_base_is_taken_off_the_whole() {
        let report = sample::rich();
        let split = split(&report).unwrap();
        assert_eq!(split.base.0 + split.yours.0, report.layers.len());
        assert_eq!(split.base.1 + split.yours.1, report.size_bytes);
        assert_eq!(split.base.2 + split.yours.2, report.compressed_bytes);
    }

    #[test]
    fn what_is_visible_is_explained_and_what_is_hidden_wants_another_dockerfile() {
        let mut report = sample::rich();
        assert_eq!(next_command(&report).as_deref(), Some("plim optimize ."));
        report.waste.retain(|row| row.hidden_by.is_none());
        assert_eq!(next_command(&report).as_deref(), Some("plim why shop:1 /usr/lib/x86_64-linux-gnu/libLLVM.so.19.1"));
        report.waste.clear();
        report.largest[0].name = "/app/data.bin".to_owned();
        assert_eq!(next_command(&report).as_deref(), Some("plim why shop:1 /app/data.bin"));
        report.largest[0].name = "/\u{1b}[2J".to_owned();
        assert_eq!(next_command(&report), None);
    }
}
