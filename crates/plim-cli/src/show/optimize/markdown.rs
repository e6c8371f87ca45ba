//! The report as GitHub Flavored Markdown, for the summary of a CI run.

use plim_engine::optimize::OptimizeReport;

use super::{compare, proof_lines, verdict};
use crate::numbers::bytes;
use crate::show::markdown::{Table, code, plain};

/// Rows of "what saved most" in sight.
const SHOWN: usize = 6;
/// Rows of it behind a fold.
const FOLDED: usize = 100;

/// Returns the report.
pub(crate) fn render(report: &OptimizeReport) -> String {
    let bold = if report.proof.passed { "" } else { "**" };
    let mut out = format!("## {}\n\n{bold}{}{bold}\n\n", code(&report.outputs.name), verdict(report));
    let mut table = Table::new(&["", ">before", ">after", ">change"]);
    for row in compare(report.before.as_ref(), &report.after) {
        table.row([plain(row.name.trim_start()), plain(&row.before), plain(&row.after), row.change]);
    }
    out.push_str(&table.render(usize::MAX, 0));
    let mut saved = Table::new(&[">size", "what", "by"]);
    for saving in &report.saved {
        saved.row([bytes(saving.bytes), plain(&saving.what), plain(&saving.step)]);
    }
    let saved = saved.render(SHOWN, FOLDED);
    if !saved.is_empty() {
        out.push_str(&format!("### What saved most\n\n{saved}"));
    }
    out.push_str("### Proof\n\n");
    for line in report.proof.failures.iter().map(|line| format!("**{}**", plain(line))) {
        out.push_str(&format!("- {line}\n"));
    }
    for line in proof_lines(&report.proof) {
        out.push_str(&format!("- {}\n", plain(&line)));
    }
    if !report.notes.is_empty() {
        out.push_str("\n### Notes\n\n");
        for note in &report.notes {
            out.push_str(&format!("- {}\n", plain(note)));
        }
    }
    out.push_str(&format!(
        "\n<sub>{} {}, {}</sub>\n",
        report.tool.name,
        report.tool.version,
        code(&report.after.digest.to_string())
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::optimize::sample;

    #[test]
    fn a_summary_compares_both_images() {
        insta::assert_snapshot!("markdown", render(&sample::report()));
    }

    #[test]
    fn a_failed_proof_says_so_first() {
        let mut report = sample::report();
        report.proof.passed = false;
        report.proof.failures = vec!["GET /<b> | answers 500".to_owned()];
        report.before = None;
        report.saved.clear();
        report.notes.clear();
        insta::assert_snapshot!("markdown_failed", render(&report));
    }
}
