//! The report on a terminal: the totals, then what matters most first; 100 columns.

use anstyle::{AnsiColor, Style};
use plim_engine::analyze::{AnalyzeReport, Base, LayerRow, OwnerRow, Sized, WasteRow};

use super::{
    assumption_words, base_words, cost_words, dive_figures, kind_name, place, share, split, tree, unusual_form,
};
use crate::numbers::{Table, bytes, count, plural};
use crate::show::Look;
use crate::show::instruction::clean;
use crate::show::names::{column, fit, fit_path, width};

/// Columns of a line.
const LINE: usize = 100;

const TITLE: Style = Style::new().bold();
const ACCENT: Style = AnsiColor::Cyan.on_default();
const DIM: Style = Style::new().dimmed();

/// Returns the report; its colours are for a terminal to show and for everything else to strip.
pub(crate) fn render(report: &AnalyzeReport, look: Look) -> String {
    let mut out = format!(
        "{TITLE}{}{TITLE:#}\n{}, {}\n\n",
        fit_path(&report.subject, LINE, look.ellipsis()),
        report.digest,
        fit(&report.platform, 24, look.ellipsis())
    );
    out.push_str(&totals(report, look));
    waste(&mut out, report, look);
    layers(&mut out, report, look);
    owners(&mut out, &report.owners, look);
    largest(&mut out, &report.largest, look);
    if look.depth > 0 {
        title(&mut out, "tree", "");
        out.push_str(&tree::render(&report.tree, look));
    }
    title(&mut out, "cost", "");
    for line in cost_words(&report.cost).split("; ") {
        out.push_str(&format!("  {line}\n"));
    }
    let assumed = format!("assumed: {}", assumption_words(&report.cost.assumptions));
    out.push_str(&format!("  {DIM}{}{DIM:#}\n", fit(&assumed, LINE - 2, look.ellipsis())));
    packages(&mut out, report, look);
    out
}

fn title(out: &mut String, name: &str, about: &str) {
    out.push_str(&format!("\n{TITLE}{name}{TITLE:#}"));
    if !about.is_empty() {
        out.push_str(&format!("  {DIM}{about}{DIM:#}"));
    }
    out.push('\n');
}

/// What stands behind a row of the totals, in the room that its figures leave.
enum Note<'a> {
    Words(String),
    Base(&'a Base),
}

fn totals(report: &AnalyzeReport, look: Look) -> String {
    let mut notes = Vec::new();
    let mut table = Table::new(1);
    table.row(["", "size", "download"]);
    notes.push(Note::Words(String::new()));
    table.row(["image", &bytes(report.size_bytes), &bytes(report.compressed_bytes)]);
    notes.push(Note::Words(plural(report.layers.len(), "layer")));
    if let (Some(base), Some(split)) = (&report.base, split(report)) {
        table.row(["  base", &bytes(split.base.1), &bytes(split.base.2)]);
        notes.push(Note::Base(base));
        table.row(["  yours", &bytes(split.yours.1), &bytes(split.yours.2)]);
        notes.push(Note::Words(plural(split.yours.0, "layer")));
    }
    table.row(["reclaimable", &bytes(report.reclaimable.bytes), &about(report.reclaimable.compressed_bytes)]);
    notes.push(Note::Words(match share(report.reclaimable.compressed_bytes, report.compressed_bytes) {
        part if part.is_empty() || report.reclaimable.bytes == 0 => String::new(),
        part => format!("{part} of the download"),
    }));
    let mut out = String::new();
    for (number, (line, note)) in table.render().lines().zip(&notes).enumerate() {
        let style = if number == 1 { ACCENT } else { Style::new() };
        let room = LINE.saturating_sub(width(line) + 2);
        let note = match note {
            Note::Words(words) => fit(words, room, look.ellipsis()),
            Note::Base(base) => base_words(base, room, look.ellipsis()),
        };
        out.push_str(
            format!("{style}{line}{style:#}  {DIM}{note}{DIM:#}").trim_end_matches(&format!("  {DIM}{DIM:#}")),
        );
        out.push('\n');
    }
    out.push('\n');
    let mut facts = Table::new(2);
    facts.row(["files", &count(report.files)]);
    facts.row(["packages", &count(report.packages.len() as u64)]);
    facts.row(["runs as", &fit(&report.user, 60, look.ellipsis())]);
    let first = |names: &[String]| names.first().map_or("no".to_owned(), |name| fit_path(name, 60, look.ellipsis()));
    facts.row(["shell", &first(&report.shells)]);
    facts.row(["package manager", &first(&report.package_managers)]);
    let dive: Vec<String> = dive_figures(report).into_iter().map(|(name, value)| format!("{name} {value}")).collect();
    facts.row(["as dive counts", &dive.join(", ")]);
    out.push_str(&facts.render());
    out
}

fn about(size: u64) -> String {
    if size == 0 { bytes(0) } else { format!("~{}", bytes(size)) }
}

fn waste(out: &mut String, report: &AnalyzeReport, look: Look) {
    if report.waste.is_empty() {
        return;
    }
    title(out, "waste", "size, share of the download, what, where it comes from");
    let rows = &report.waste[..look.rows.min(report.waste.len())];
    let mut table = Table::new(0);
    for row in rows {
        // what has no bytes is a risk, not a weight
        let weight = row.weight.bytes > 0;
        let size = if weight { bytes(row.weight.bytes) } else { String::new() };
        let part = if weight { about(row.weight.compressed_bytes) } else { String::new() };
        table.row([&size, &part, "."]);
    }
    for (line, row) in table.render().lines().zip(rows) {
        waste_row(out, line.trim_end_matches('.').trim_end_matches(' '), row, width(line) + 1, look);
    }
    rest(out, report.waste.len(), look);
}

fn waste_row(out: &mut String, numbers: &str, row: &WasteRow, indent: usize, look: Look) {
    let kind = kind_name(row.kind);
    let place = fit_path(&place(row), 36, look.ellipsis());
    // numbers, kind, what, place: two columns between them
    let room = LINE.saturating_sub(indent - 2 + 15 + 2 + width(&place));
    let what = fit(&row.what, room, look.ellipsis());
    let gap = " ".repeat(room.saturating_sub(width(&what)));
    let pad = " ".repeat((indent - 2).saturating_sub(width(numbers)));
    out.push_str(&format!("{ACCENT}{numbers}{ACCENT:#}{pad}{kind:<13}  {what}{gap}  {place}\n"));
    for hint in wrap(&row.hint, LINE - (indent - 2)) {
        let hint = fit(&hint, LINE - (indent - 2), look.ellipsis());
        out.push_str(&format!("{}{DIM}{hint}{DIM:#}\n", " ".repeat(indent - 2)));
    }
}

/// Breaks a sentence into lines of at most so many columns; a longer word has a line of its own.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn layers(out: &mut String, report: &AnalyzeReport, look: Look) {
    let base = report.base.as_ref().map_or(0, |base| base.layers);
    title(out, "layers", "size, download, files, what made it; lowest first");
    let rows = &report.layers[..look.rows.min(report.layers.len())];
    let mut table = Table::new(0);
    for (number, layer) in rows.iter().enumerate() {
        table.row([
            &(number + 1).to_string(),
            &bytes(layer.size_bytes),
            &bytes(layer.compressed_bytes),
            &count(layer.files),
        ]);
    }
    for (number, (line, layer)) in table.render().lines().zip(rows).enumerate() {
        let mut part = if number < base { "base  ".to_owned() } else { String::new() };
        if let Some(form) = unusual_form(layer) {
            part.push_str(&format!("{}  ", fit(form, 16, look.ellipsis())));
        }
        let made = fit(&made_by(layer), LINE.saturating_sub(width(line) + 2 + width(&part)), look.ellipsis());
        out.push_str(&format!("{line}  {DIM}{part}{DIM:#}{made}\n"));
    }
    rest(out, report.layers.len(), look);
}

fn made_by(layer: &LayerRow) -> String {
    clean(layer.created_by.as_deref().unwrap_or_default())
}

fn owners(out: &mut String, owners: &[OwnerRow], look: Look) {
    if owners.is_empty() {
        return;
    }
    title(out, "size by owner", "size, files, package");
    let rows = &owners[..look.rows.min(owners.len())];
    let mut table = Table::new(0);
    for row in rows {
        table.row([&bytes(row.bytes), &count(row.files)]);
    }
    for (line, row) in table.render().lines().zip(rows) {
        let kind = row
            .kind
            .as_deref()
            .map_or(String::new(), |kind| format!("  {DIM}{}{DIM:#}", fit(kind, 8, look.ellipsis())));
        out.push_str(&format!("{line}  {}{kind}\n", fit_path(&row.name, 70, look.ellipsis())));
    }
    rest(out, owners.len(), look);
}

fn largest(out: &mut String, files: &[Sized], look: Look) {
    if files.is_empty() {
        return;
    }
    title(out, "largest files", "");
    let rows = &files[..look.rows.min(files.len())];
    let mut table = Table::new(0);
    for row in rows {
        table.row([&bytes(row.bytes)]);
    }
    for (line, row) in table.render().lines().zip(rows) {
        let room = LINE.saturating_sub(width(line) + 2);
        out.push_str(&format!("{line}  {}\n", fit_path(&row.name, room, look.ellipsis())));
    }
    rest(out, files.len(), look);
}

fn packages(out: &mut String, report: &AnalyzeReport, look: Look) {
    if report.packages.is_empty() {
        return;
    }
    title(out, "packages", "size, layer, kind, name, version");
    let rows = &report.packages[..look.rows.min(report.packages.len())];
    let mut table = Table::new(0);
    for package in rows {
        table.row([&bytes(package.bytes), &package.layer.to_string(), "."]);
    }
    for (line, package) in table.render().lines().zip(rows) {
        let line = line.trim_end_matches('.');
        out.push_str(&format!(
            "{line}{}  {}  {DIM}{}{DIM:#}\n",
            column(&package.kind, 6, look.ellipsis()),
            fit_path(&package.name, 46, look.ellipsis()),
            fit(&package.version, 26, look.ellipsis()),
        ));
    }
    rest(out, report.packages.len(), look);
}

fn rest(out: &mut String, all: usize, look: Look) {
    if all > look.rows {
        out.push_str(&format!("  {} {} more, --rows 0 shows all\n", look.ellipsis(), count((all - look.rows) as u64)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::analyze::sample;

    fn plain(report: &AnalyzeReport, look: Look) -> String {
        anstream::adapter::strip_str(&render(report, look)).to_string()
    }

    #[test]
    fn the_totals_come_first_and_everything_has_its_rows() {
        let look = Look { rows: 10, depth: 2, unicode: true };
        insta::assert_snapshot!("text", plain(&sample::rich(), look));
    }

    #[test]
    fn a_small_image_has_a_short_report() {
        insta::assert_snapshot!("text_small", plain(&sample::small(), Look { rows: 10, depth: 0, unicode: true }));
    }

    #[test]
    fn names_of_strangers_neither_move_the_cursor_nor_widen_the_report() {
        for unicode in [true, false] {
            let text = plain(&sample::hostile(), Look { rows: usize::MAX, depth: 5, unicode });
            for line in text.lines() {
                assert!(width(line) <= LINE, "{} columns: {line}", width(line));
                assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
            }
            insta::assert_snapshot!(format!("text_hostile_{}", if unicode { "unicode" } else { "ascii" }), text);
        }
    }

    #[test]
    fn no_line_has_two_accents() {
        let text = render(&sample::rich(), Look { rows: usize::MAX, depth: 3, unicode: true });
        let accent = ACCENT.render().to_string();
        assert!(text.lines().all(|line| line.matches(&accent).count() <= 1));
        assert!(text.contains(&accent));
    }
}
