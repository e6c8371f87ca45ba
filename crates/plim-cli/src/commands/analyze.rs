//! `plim analyze`.

use plim_engine::Failure;
use plim_engine::analyze::ci::{self, Rules, Verdict};
use plim_engine::analyze::{self, AnalyzeReport};

use super::Context;
use crate::Outcome;
use crate::args::analyze::Analyze;
use crate::numbers::{Table, bytes, count};

/// Runs the command.
pub(crate) fn run(context: &Context<'_>, args: &Analyze) -> Result<Outcome, Failure> {
    let workspace = context.workspace(".".into())?;
    let rules = if args.ci { Some(rules(args)?) } else { None };
    let report = analyze::analyze(&workspace, &args.image, &analyze::AnalyzeOptions::default(), &context.progress())?;
    let Some(rules) = rules else {
        context.write(&args.output, &report, || text(&report, args.rows))?;
        return Ok(Outcome::Good);
    };
    let verdicts = rules.judge(&report.dive);
    context.write(&args.output, &report, || verdict(&report, &verdicts, args.rows))?;
    let good = verdicts.iter().all(|verdict| verdict.passed != Some(false));
    Ok(if good { Outcome::Good } else { Outcome::Findings })
}

/// Reads the rules. A file that was named must be there.
fn rules(args: &Analyze) -> Result<Rules, Failure> {
    let file = args.ci_config.as_deref().unwrap_or(camino::Utf8Path::new(ci::FILE));
    match std::fs::read_to_string(file) {
        Ok(text) => Rules::parse(&text, file.as_str()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && args.ci_config.is_none() => Ok(Rules::default()),
        Err(error) => Err(Failure::caused(format!("failed to read {file}"), &error)),
    }
}

fn verdict(report: &AnalyzeReport, verdicts: &[Verdict], rows: usize) -> String {
    let mut out = String::new();
    let mut table = Table::new(1);
    for path in report.dive.wasted.iter().take(if rows == 0 { usize::MAX } else { rows }) {
        table.row([path.count.to_string().as_str(), &bytes(path.bytes)]);
    }
    for (line, path) in table.render().lines().zip(&report.dive.wasted) {
        out.push_str(&format!("{line}  {}\n", path.path));
    }
    let word = |passed: Option<bool>| match passed {
        Some(true) => "PASS",
        Some(false) => "FAIL",
        None => "SKIP",
    };
    for verdict in verdicts {
        out.push_str(&format!("{}: {}: {}\n", word(verdict.passed), verdict.rule, verdict.message));
    }
    let number = |wanted: Option<bool>| verdicts.iter().filter(|verdict| verdict.passed == wanted).count();
    out.push_str(&format!(
        "Result:{} [Total:{}] [Passed:{}] [Failed:{}] [Warn:0] [Skipped:{}]\n",
        if number(Some(false)) == 0 { "PASS" } else { "FAIL" },
        verdicts.len(),
        number(Some(true)),
        number(Some(false)),
        number(None),
    ));
    out
}

fn text(report: &AnalyzeReport, rows: usize) -> String {
    let rows = if rows == 0 { usize::MAX } else { rows };
    let mut out = format!("{}\n{}, {}\n\n", report.subject, report.digest, report.platform);
    let mut totals = Table::new(1);
    totals.row(["size", &bytes(report.size_bytes)]);
    totals.row(["download", &bytes(report.compressed_bytes)]);
    totals.row(["files", &count(report.files)]);
    totals.row(["packages", &count(report.packages.len() as u64)]);
    totals.row(["hidden by later layers", &bytes(report.hidden_bytes)]);
    totals.row(["dive: efficiency", &format!("{:.4} %", report.dive.efficiency * 100.0)]);
    totals.row(["dive: wasted", &bytes(report.dive.wasted_bytes)]);
    if let Some(part) = report.dive.user_wasted {
        totals.row(["dive: wasted of the user's layers", &format!("{:.4} %", part * 100.0)]);
    }
    totals.row(["runs as", &report.user]);
    totals.row(["shell", report.shells.first().map_or("no", String::as_str)]);
    totals.row(["package manager", report.package_managers.first().map_or("no", String::as_str)]);
    out.push_str(&totals.render());

    out.push_str("\nlayers\n");
    let mut layers = Table::new(0);
    for (number, layer) in report.layers.iter().enumerate() {
        layers.row([
            &(number + 1).to_string(),
            &bytes(layer.size_bytes),
            &bytes(layer.compressed_bytes),
            &format!("{} files", count(layer.files)),
            "",
        ]);
    }
    for (line, layer) in layers.render().lines().zip(&report.layers) {
        let made: String = layer.created_by.as_deref().unwrap_or("").chars().take(90).collect();
        out.push_str(&format!("{line}  {made}\n"));
    }
    let owners: Vec<analyze::Sized> =
        report.owners.iter().map(|row| analyze::Sized { name: row.name.clone(), bytes: row.bytes }).collect();
    section(&mut out, "size by owner", &owners, rows);
    section(&mut out, "largest files", &report.largest, rows);

    out.push_str("\npackages\n");
    let mut packages = Table::new(3);
    for package in report.packages.iter().take(rows) {
        packages.row([package.kind.as_str(), &package.name, &package.version, &bytes(package.bytes)]);
    }
    out.push_str(&packages.render());
    rest(&mut out, report.packages.len(), rows);
    out
}

fn section(out: &mut String, title: &str, rows: &[analyze::Sized], shown: usize) {
    out.push_str(&format!("\n{title}\n"));
    let mut table = Table::new(0);
    for row in rows.iter().take(shown) {
        table.row([bytes(row.bytes).as_str()]);
    }
    for (line, row) in table.render().lines().zip(rows) {
        out.push_str(&format!("{line}  {}\n", row.name));
    }
    rest(out, rows.len(), shown);
}

fn rest(out: &mut String, all: usize, shown: usize) {
    if all > shown {
        out.push_str(&format!("  … {} more, --rows 0 shows all\n", all - shown));
    }
}
