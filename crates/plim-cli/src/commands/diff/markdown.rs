//! The difference of two images as GitHub Flavored Markdown.

use plim_engine::diff::DiffReport;

use super::{difference, is_bytes, layers, percent, setting, sign, sums, totals, versions};
use crate::numbers::{bytes, count};

/// Renders the report with at most so many rows in each table.
pub(super) fn render(report: &DiffReport, rows: usize) -> String {
    let mut out = format!("## {} → {}\n\n", code(&report.before.subject), code(&report.after.subject));
    table(&mut out, &["", "before", "after", "change"], "lrrr");
    for (what, before, after) in totals(report) {
        let show = |value| if is_bytes(what) { bytes(value) } else { count(value) };
        row(&mut out, &[what.to_owned(), show(before), show(after), percent(before, after)]);
    }
    out.push_str(&format!("\n{}.\n", layers(report)));
    if !report.config.is_empty() {
        out.push_str("\n### How a container is run\n\n");
        table(&mut out, &["setting", "before", "after"], "lll");
        for change in &report.config {
            // ports and volumes have no values
            let value = |value: &Option<String>| match value.as_deref() {
                None => String::new(),
                Some("") => "set".to_owned(),
                Some(text) => code(text),
            };
            row(&mut out, &[text(&setting(change)), value(&change.before), value(&change.after)]);
        }
    }
    if !report.packages.is_empty() {
        out.push_str("\n### Packages\n\n");
        table(&mut out, &["", "kind", "package", "version"], "llll");
        for package in report.packages.iter().take(rows) {
            let versions = text(&versions(&package.before, &package.after).replace("->", "→"));
            row(&mut out, &[sign(package.change).to_owned(), package.kind.clone(), code(&package.name), versions]);
        }
        rest(&mut out, report.packages.len(), rows);
    }
    out.push_str("\n### Files\n\n");
    table(&mut out, &["", "files", "bytes"], "lrr");
    for (what, sum) in sums(report) {
        row(&mut out, &[what.to_owned(), count(sum.files), difference(sum.before, sum.after)]);
    }
    if !report.paths.is_empty() {
        out.push('\n');
        table(&mut out, &["", "bytes", "path", "metadata"], "lrll");
        for path in report.paths.iter().take(rows) {
            let bytes = difference(path.before, path.after);
            let details = text(&path.details.join(", ").replace("->", "→"));
            row(&mut out, &[sign(path.change).to_owned(), bytes, code(&path.path), details]);
        }
        rest(&mut out, report.paths.len(), rows);
    }
    if !report.owners.is_empty() {
        out.push_str("\n### Size by owner\n\n");
        table(&mut out, &["owner", "before", "after", "change"], "lrrr");
        for owner in report.owners.iter().take(rows) {
            let (before, after) = (bytes(owner.before), bytes(owner.after));
            row(&mut out, &[text(&owner.name), before, after, difference(owner.before, owner.after)]);
        }
        rest(&mut out, report.owners.len(), rows);
    }
    out
}

/// Begins a table; a letter for each column says where it is aligned.
fn table(out: &mut String, heads: &[&str], align: &str) {
    row(out, &heads.iter().map(|head| (*head).to_owned()).collect::<Vec<_>>());
    let marks: Vec<String> = align.chars().map(|side| if side == 'r' { "--:" } else { "---" }.to_owned()).collect();
    row(out, &marks);
}

fn row(out: &mut String, cells: &[String]) {
    out.push_str(&format!("| {} |\n", cells.join(" | ")));
}

fn rest(out: &mut String, all: usize, shown: usize) {
    if all > shown {
        out.push_str(&format!("\n… {} more\n", all - shown));
    }
}

/// Text of an image as text of Markdown: nothing of it is markup, and it stays in its cell.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control() => {}
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '#' => {
                out.push('\\');
                out.push(c);
            }
            // an at sign before a letter would call somebody
            '@' => out.push_str("&#64;"),
            c => out.push(c),
        }
    }
    out
}

/// Text of an image as code. GitHub splits cells at bars even in code, unless a backslash stands before.
fn code(raw: &str) -> String {
    let clean: String = raw.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let longest = clean.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 { " " } else { "" };
    format!("{fence}{pad}{}{pad}{fence}", clean.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_an_image_are_no_markup() {
        assert_eq!(text("<b>|a_b|\n@me"), "&lt;b>\\|a\\_b\\| &#64;me");
        assert_eq!(code("a`b|c\u{1b}[31m"), "`` a`b\\|c [31m ``");
        assert_eq!(code("plain"), "`plain`");
    }
}
