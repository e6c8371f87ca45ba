//! `plim analyze`.

use plim_engine::Failure;
use plim_engine::analyze::ci::{self, Rules, Verdict};
use plim_engine::analyze::{self, AnalyzeOptions, AnalyzeReport};

use super::{Context, check_formats};
use crate::Outcome;
use crate::args::Format;
use crate::args::analyze::Analyze;
use crate::numbers::{Table, bytes};
use crate::show::Look;
use crate::show::analyze as show;
use crate::show::names::fit_path;

/// The formats of its report.
const FORMATS: &[Format] = &[Format::Text, Format::Json, Format::Markdown, Format::Html];

/// Runs the command.
pub(crate) fn run(context: &Context<'_>, args: &Analyze) -> Result<Outcome, Failure> {
    if let Some(second) = &args.second {
        return super::diff::show(context, &args.image, second, args.rows, &args.output);
    }
    check_formats(&args.output, FORMATS)?;
    let workspace = context.workspace(".".into())?;
    let rules = if args.ci { Some(rules(args)?) } else { None };
    let options = AnalyzeOptions { assumptions: args.cost.given() };
    let report = analyze::analyze(&workspace, &args.image, &options, &context.progress())?;
    let verdicts = rules.map(|rules| rules.judge(&report.dive));
    let rows = if args.rows == 0 { usize::MAX } else { args.rows };
    context.write_rendered(&args.output, &report, |format| match format {
        Format::Markdown => Ok(show::markdown::render(&report, verdicts.as_deref(), rows)),
        Format::Html => show::html::render(&report, verdicts.as_deref()),
        _ => Ok(match &verdicts {
            Some(verdicts) => verdict(&report, verdicts, rows),
            None => show::text::render(&report, Look { rows, depth: args.depth, unicode: context.printer.unicode() }),
        }),
    })?;
    let Some(verdicts) = verdicts else {
        if let Some(command) = show::next_command(&report) {
            context.printer.next_step(&command);
        }
        return Ok(Outcome::Good);
    };
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
    for path in report.dive.wasted.iter().take(rows) {
        table.row([path.count.to_string().as_str(), &bytes(path.bytes)]);
    }
    for (line, path) in table.render().lines().zip(&report.dive.wasted) {
        out.push_str(&format!("{line}  {}\n", fit_path(&path.path, 200, "…")));
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
