//! The report as GitHub Flavored Markdown, for the summary of a CI run.

use plim_engine::analyze::ci::Verdict;
use plim_engine::analyze::{AnalyzeReport, LayerRow};

use super::{assumption_words, base_words, cost_words, dive_figures, kind_name, place, share, split, unusual_form};
use crate::numbers::{bytes, count, plural};
use crate::show::instruction::clean;
use crate::show::markdown::{Table, code, plain};

/// Rows of a folded list. A summary of GitHub Actions may have 1 MiB; three lists of this length stay below a fifth of that.
const FOLDED: usize = 200;
/// Columns of what is said of the base.
const BASE: usize = 160;

/// Returns the report with `rows` rows of each table in sight and others behind a fold; and how dive's rules were kept, if they
/// were asked.
pub(crate) fn render(report: &AnalyzeReport, verdicts: Option<&[Verdict]>, rows: usize) -> String {
    let more = if rows == usize::MAX { usize::MAX } else { FOLDED };
    let mut out = format!(
        "## {}\n\n**{}**, {} to download, {} in {}\n\n",
        code(&report.subject),
        bytes(report.size_bytes),
        bytes(report.compressed_bytes),
        plural(report.packages.len(), "package"),
        plural(report.layers.len(), "layer"),
    );
    if let Some(verdicts) = verdicts {
        section(&mut out, "Rules of `.dive-ci`", &rules(verdicts));
    }
    out.push_str(&totals(report));
    section(&mut out, "Waste", &waste(report, rows, more));
    section(&mut out, "Layers", &layers(report, rows, more));
    let mut owners = Table::new(&[">size", ">files", "package", "kind"]);
    for row in &report.owners {
        owners.row([
            bytes(row.bytes),
            count(row.files),
            code(&row.name),
            plain(row.kind.as_deref().unwrap_or_default()),
        ]);
    }
    section(&mut out, "Size by owner", &owners.render(rows, more));
    let mut largest = Table::new(&[">size", "path"]);
    for file in &report.largest {
        largest.row([bytes(file.bytes), code(&file.name)]);
    }
    section(&mut out, "Largest files", &largest.render(rows, more));
    out.push_str(&format!(
        "### Cost\n\n{}.\n\nAssumed: {}.\n\n",
        capital(&plain(&cost_words(&report.cost))),
        plain(&assumption_words(&report.cost.assumptions))
    ));
    let mut packages = Table::new(&[">size", ">layer", "kind", "name", "version"]);
    for package in &report.packages {
        packages.row([
            bytes(package.bytes),
            package.layer.to_string(),
            plain(&package.kind),
            code(&package.name),
            code(&package.version),
        ]);
    }
    // names and versions: of interest to few, long for all
    section(&mut out, "Packages", &packages.render(0, more));
    out.push_str(&format!(
        "<sub>{} {}, {}</sub>\n",
        report.tool.name,
        report.tool.version,
        code(&report.digest.to_string())
    ));
    out
}

fn section(out: &mut String, title: &str, body: &str) {
    if !body.is_empty() {
        out.push_str(&format!("### {title}\n\n{body}"));
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn rules(verdicts: &[Verdict]) -> String {
    let mut table = Table::new(&["", "rule", ""]);
    for verdict in verdicts {
        let word = match verdict.passed {
            Some(true) => "pass",
            Some(false) => "**fail**",
            None => "skipped",
        };
        table.row([word.to_owned(), code(&verdict.rule), plain(&verdict.message)]);
    }
    table.render(usize::MAX, 0)
}

fn totals(report: &AnalyzeReport) -> String {
    let mut table = Table::new(&["", ">size", ">download", ""]);
    table.row([
        "image".into(),
        bytes(report.size_bytes),
        bytes(report.compressed_bytes),
        plural(report.layers.len(), "layer"),
    ]);
    if let (Some(base), Some(split)) = (&report.base, split(report)) {
        table.row(["base".into(), bytes(split.base.1), bytes(split.base.2), plain(&base_words(base, BASE, "…"))]);
        table.row(["yours".into(), bytes(split.yours.1), bytes(split.yours.2), plural(split.yours.0, "layer")]);
    }
    let part = share(report.reclaimable.compressed_bytes, report.compressed_bytes);
    table.row([
        "**reclaimable**".into(),
        format!("**{}**", bytes(report.reclaimable.bytes)),
        format!("~{}", bytes(report.reclaimable.compressed_bytes)),
        if part.is_empty() { part } else { format!("{part} of the download") },
    ]);
    let first = |names: &[String]| names.first().map_or("no".to_owned(), |name| code(name));
    let mut out = table.render(usize::MAX, 0);
    out.push_str(&format!(
        "{} files, runs as {}, shell: {}, package manager: {}.\n",
        count(report.files),
        code(&report.user),
        first(&report.shells),
        first(&report.package_managers)
    ));
    let dive: Vec<String> = dive_figures(report).into_iter().map(|(name, value)| format!("{name} {value}")).collect();
    out.push_str(&format!("As dive counts: {}.\n\n", dive.join(", ")));
    out
}

fn waste(report: &AnalyzeReport, rows: usize, more: usize) -> String {
    let mut table = Table::new(&[">size", ">download", "kind", "what, and what to do", "where"]);
    for row in &report.waste {
        let weight = row.weight.bytes > 0;
        table.row([
            if weight { bytes(row.weight.bytes) } else { String::new() },
            if weight { format!("~{}", bytes(row.weight.compressed_bytes)) } else { String::new() },
            kind_name(row.kind).to_owned(),
            if row.hint.is_empty() {
                plain(&row.what)
            } else {
                format!("{}<br><sub>{}</sub>", plain(&row.what), plain(&row.hint))
            },
            plain(&place(row)),
        ]);
    }
    table.render(rows, more)
}

fn layers(report: &AnalyzeReport, rows: usize, more: usize) -> String {
    let base = report.base.as_ref().map_or(0, |base| base.layers);
    let mut table = Table::new(&[">#", ">size", ">download", ">files", "made by", ""]);
    for (number, layer) in report.layers.iter().enumerate() {
        table.row([
            (number + 1).to_string(),
            bytes(layer.size_bytes),
            bytes(layer.compressed_bytes),
            count(layer.files),
            code(&clean(layer.created_by.as_deref().unwrap_or_default())),
            notes(layer, number < base),
        ]);
    }
    table.render(rows, more)
}

/// What is to be said of a layer besides.
fn notes(layer: &LayerRow, base: bool) -> String {
    let form = unusual_form(layer).map(plain);
    base.then(|| "base".to_owned()).into_iter().chain(form).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::analyze::sample;

    #[test]
    fn a_summary_has_tables_and_folds() {
        insta::assert_snapshot!("markdown", render(&sample::rich(), None, 4));
    }

    #[test]
    fn verdicts_come_first() {
        let verdicts = [
            Verdict {
                rule: "lowestEfficiency".to_owned(),
                passed: Some(false),
                message: "image efficiency is too low".to_owned(),
            },
            Verdict { rule: "highestWastedBytes".to_owned(), passed: None, message: "rule disabled".to_owned() },
        ];
        insta::assert_snapshot!("markdown_small", render(&sample::small(), Some(&verdicts), 10));
    }

    #[test]
    fn names_of_strangers_stay_in_their_cell() {
        let text = render(&sample::hostile(), None, usize::MAX);
        insta::assert_snapshot!("markdown_hostile", text);
        let mut columns = 0;
        for line in text.lines() {
            assert!(!line.chars().any(char::is_control), "{line:?}");
            // what is in a code span is text
            let outside: String = line.replace("\\`", "").split('`').step_by(2).collect();
            assert!(
                !outside.contains("<script") && !outside.contains("<img") && !outside.contains("</script"),
                "{line}"
            );
            // the rows of a table have as many cells as its head
            let cells = line.replace("\\|", "").matches('|').count();
            columns = if cells == 0 {
                0
            } else if columns == 0 {
                cells
            } else {
                columns
            };
            assert_eq!(cells, columns, "{line}");
        }
    }

    #[test]
    fn a_large_image_has_a_summary_that_ci_takes() {
        let text = render(&sample::large(3_000), None, 10);
        assert!(text.len() < 200_000, "{} bytes", text.len());
        assert!(text.contains("more in `-o json`"));
    }
}
