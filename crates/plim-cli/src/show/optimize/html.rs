//! The report as an HTML page: what the template `optimize.html` shows.

use plim_engine::Failure;
use plim_engine::optimize::{OptimizeReport, Side};
use serde::Serialize;

use super::{compare, proof_lines, verdict};
use crate::numbers::{bytes, seconds};
use crate::show::html::versus::Bar;
use crate::show::html::{page, percent};
use crate::show::names::{fit, fit_path};

/// Columns of a sentence.
const SENTENCE: usize = 400;
/// Rows of a table.
const ROWS: usize = 500;

#[derive(Debug, Serialize)]
struct View {
    subject: String,
    verdict: &'static str,
    passed: bool,
    digest: String,
    tool: String,
    bars: Vec<Bar>,
    rows: Vec<Row>,
    saved: Vec<Saved>,
    failures: Vec<String>,
    proof: Vec<String>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    before: String,
    after: String,
    change: String,
}

#[derive(Debug, Serialize)]
struct Saved {
    bytes: String,
    raw: u64,
    bar: String,
    what: String,
    step: String,
}

/// Returns the page.
pub(crate) fn render(report: &OptimizeReport) -> Result<String, Failure> {
    let words = |text: &String| fit(text, SENTENCE, "…");
    let most = report.saved.iter().map(|saving| saving.bytes).max().unwrap_or(0);
    let view = View {
        subject: fit_path(&report.outputs.name, 160, "…"),
        verdict: verdict(report),
        passed: report.proof.passed,
        digest: report.after.digest.to_string(),
        tool: format!("{} {}", report.tool.name, report.tool.version),
        bars: report.before.as_ref().map_or_else(Vec::new, |before| bars(before, &report.after)),
        rows: compare(report.before.as_ref(), &report.after)
            .into_iter()
            .map(|row| Row {
                name: row.name.trim_start(),
                before: words(&row.before),
                after: words(&row.after),
                change: row.change,
            })
            .collect(),
        saved: report
            .saved
            .iter()
            .take(ROWS)
            .map(|saving| Saved {
                bytes: bytes(saving.bytes),
                raw: saving.bytes,
                bar: percent(saving.bytes, most),
                what: words(&saving.what),
                step: words(&saving.step),
            })
            .collect(),
        failures: report.proof.failures.iter().map(words).collect(),
        proof: proof_lines(&report.proof).iter().map(words).collect(),
        notes: report.notes.iter().map(words).collect(),
    };
    page("optimize.html", &view, &serde_json::Value::Null)
}

fn bars(before: &Side, after: &Side) -> Vec<Bar> {
    let mut bars = vec![
        Bar::of_bytes("Size", before.size_bytes, after.size_bytes),
        Bar::of_bytes("Download", before.compressed_bytes, after.compressed_bytes),
        Bar::of_things("Files", before.files, after.files),
        Bar::of_things("Packages", before.packages as u64, after.packages as u64),
    ];
    if let (Some(old), Some(new)) = (before.rebuild_seconds, after.rebuild_seconds) {
        bars.push(Bar::new("Rebuild after a one-line change", seconds, old, new));
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::optimize::sample;

    #[test]
    fn both_images_stand_side_by_side() {
        let page = render(&sample::report()).unwrap();
        let (_, body) = page.split_once("<body>").unwrap();
        let (body, _) = body.split_once("<script type=\"application/json\"").unwrap();
        insta::assert_snapshot!("html_body", body);
    }

    #[test]
    fn names_of_strangers_are_no_markup_and_no_comparison_needs_two() {
        let mut report = sample::report();
        report.before = None;
        report.notes = vec!["</script><img src=x onerror=alert(1)>\u{1b}[2J".to_owned()];
        let page = render(&report).unwrap();
        assert!(!page.contains("<img") && !page.contains('\u{1b}'));
        assert!(page.contains("&lt;/script&gt;") && !page.contains("class=\"versus\""));
    }
}
