//! `plim lint`.

use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};
use plim_diag::Summary;
use plim_diag::render::{self, Envelope, TextOptions};
use plim_engine::lint::{self, FixMode, LintFile, LintReport};
use plim_engine::{Failure, lint::RULES};

use super::Context;
use crate::args::lint::Lint;
use crate::args::{Format, Output};
use crate::numbers::plural;
use crate::{Outcome, env};

/// The name of standard input in messages.
const STDIN: &str = "<stdin>";

/// Runs the command; findings are exit 1.
pub(crate) fn run(context: &Context<'_>, args: &Lint) -> Result<Outcome, Failure> {
    let mut files = Vec::new();
    for path in &args.paths {
        read(path, &mut files)?;
    }
    let mode = match (args.fix || args.diff, args.unsafe_fixes) {
        (_, true) => FixMode::Unsafe,
        (true, false) => FixMode::Safe,
        (false, false) => FixMode::None,
    };
    let report = lint::lint(&files, mode, !args.diff)?;
    if args.diff {
        let text: String = report.changed.iter().map(lint::patch).collect();
        context.printer.answer(&text).map_err(|error| Failure::caused("failed to write to standard output", &error))?;
        return Ok(if report.changed.is_empty() { Outcome::Good } else { Outcome::Findings });
    }
    // standard input has no file to write back to: the mended text is the answer, the findings go to standard error
    if mode != FixMode::None && args.paths.iter().any(|path| path == "-") {
        let text = report.sources.get(STDIN).map(String::as_str).unwrap_or_default();
        context.printer.answer(text).map_err(|error| Failure::caused("failed to write to standard output", &error))?;
        let left = Summary::of(&report.diagnostics);
        context.printer.log(&format!("mended {} of the findings, {left} left", report.fixed));
        return Ok(if report.diagnostics.is_empty() { Outcome::Good } else { Outcome::Findings });
    }
    let subject = args.paths.iter().map(|path| path.as_str()).collect::<Vec<_>>().join(" ");
    for output in &args.output {
        let rendered = render_as(context, output, &report, &subject)?;
        context.write_one(output, &rendered)?;
    }
    if report.fixed > 0 {
        context.printer.log(&format!("mended {}", plural(report.fixed, "finding")));
    }
    if report.diagnostics.is_empty() {
        context.printer.log("nothing to complain about");
        return Ok(Outcome::Good);
    }
    let summary = Summary::of(&report.diagnostics);
    context.printer.log(&format!("found {summary}"));
    if summary.fixable > 0 && subject != "-" {
        context.printer.next_step(&format!("plim lint --fix {subject}"));
    }
    Ok(Outcome::Findings)
}

fn read(path: &Utf8Path, files: &mut Vec<LintFile>) -> Result<(), Failure> {
    if path == "-" {
        let mut text = Vec::new();
        std::io::stdin()
            .take(9 << 20)
            .read_to_end(&mut text)
            .map_err(|error| Failure::caused("failed to read standard input", &error))?;
        files.push(LintFile { name: STDIN.to_owned(), path: None, text });
        return Ok(());
    }
    let file = if path.is_dir() { path.join("Dockerfile") } else { path.to_owned() };
    let text = std::fs::read(&file).map_err(|error| {
        Failure::caused(format!("failed to read {file}"), &error)
            .hint("plim lint takes Dockerfiles and folders that hold one")
    })?;
    let name = Utf8PathBuf::from(file.as_str().trim_start_matches("./")).into_string();
    files.push(LintFile { name, path: Some(file), text });
    Ok(())
}

fn render_as(context: &Context<'_>, output: &Output, report: &LintReport, subject: &str) -> Result<String, Failure> {
    let mut out = Vec::new();
    let version = env!("CARGO_PKG_VERSION");
    let findings = &report.diagnostics;
    let sources = &report.sources;
    let written = match output.format {
        Format::Text => {
            let color = output.path.is_none() && context.printer.colours();
            let options = TextOptions { color, unicode: env::unicode(), ..TextOptions::default() };
            render::text(findings, sources, RULES, &options, &mut out)
        }
        Format::Short => render::short(findings, sources, RULES, &mut out),
        Format::Json => {
            let data = serde_json::json!({ "fixed": report.fixed });
            let envelope = Envelope { version, command: "lint", subject, data };
            render::json(findings, sources, RULES, &envelope, &mut out)
        }
        Format::Sarif => render::sarif(findings, sources, RULES, version, &mut out),
        Format::Markdown => return Err(Failure::tool("this report has the formats text, short, json and sarif")),
    };
    written.map_err(|error| Failure::caused("failed to render the findings", &error))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}
