//! `plim why`.

use plim_diag::plain::one_line;
use plim_engine::Failure;
use plim_engine::why::{self, WhyReport};

use super::Context;
use crate::Outcome;
use crate::args::why::Why;
use crate::numbers::{Table, bytes, count, plural};
use crate::show::instruction::clean;

/// Names of packages and files that a line shows.
const NAMES: usize = 8;

/// Runs the command.
pub(crate) fn run(context: &Context<'_>, args: &Why) -> Result<Outcome, Failure> {
    let workspace = context.workspace(".".into())?;
    let report = why::why(&workspace, &args.image, &args.path, &context.progress())?;
    context.write(&args.output, &report, || text(&report))?;
    Ok(Outcome::Good)
}

fn text(report: &WhyReport) -> String {
    let mut out = report.path.clone();
    for link in &report.links {
        out.push_str(&format!(" -> {link}"));
    }
    match report.files {
        _ if !report.present => out.push_str("  is in layers, and hidden from the container\n"),
        Some(files) => out.push_str(&format!("  {} in {}\n", bytes(report.bytes), plural(files as usize, "file"))),
        None => out.push_str(&format!("  {}\n", bytes(report.bytes))),
    }
    for brought in &report.layers {
        let made = made(brought.line.as_deref(), brought.created_by.as_deref());
        out.push_str(&format!("  layer {}, {}: {made}\n", brought.layer, bytes(brought.bytes)));
    }
    for copy in &report.hidden {
        let files = if copy.files > 1 { format!(" in {} files", count(copy.files)) } else { String::new() };
        let lower = made(copy.line.as_deref(), copy.created_by.as_deref());
        let upper = made(copy.hidden_by_line.as_deref(), copy.hidden_by_created.as_deref());
        out.push_str(&format!("  layer {} has {}{files}, still downloaded: {lower}\n", copy.layer, bytes(copy.bytes)));
        out.push_str(&format!("    {} by layer {}: {upper}\n", copy.how, copy.hidden_by));
    }
    if let Some(package) = &report.package {
        out.push_str(&format!("  package {package}\n"));
    }
    if report.package_chain.len() > 2 {
        out.push_str(&format!("  came by {}\n", report.package_chain.join(" -> ")));
    }
    for (what, names) in [
        ("package needed by", &report.package_needed_by),
        ("library of", &report.library_of),
        ("interpreter of", &report.interpreter_of),
    ] {
        if !names.is_empty() {
            out.push_str(&format!("  {what} {}\n", some(names)));
        }
    }
    if let [first, rest @ ..] = &report.needed_by[..] {
        out.push_str(&format!("  needed by {} ({})", first.path, how(&first.how)));
        for need in rest {
            out.push_str(&format!(" -> {} ({})", need.path, how(&need.how)));
        }
        out.push('\n');
    }
    let mut table = Table::new(0);
    for found in &report.matches {
        table.row([&bytes(found.bytes), &format!("layer {}", found.layer)]);
    }
    for (line, found) in table.render().lines().zip(&report.matches) {
        let package = found.package.as_ref().filter(|_| report.package.is_none());
        let package = package.map_or(String::new(), |package| format!("  ({package})"));
        out.push_str(&format!("{line}  {}{package}\n", found.path));
    }
    let all = report.files.unwrap_or(0) as usize;
    if !report.matches.is_empty() && all > report.matches.len() {
        out.push_str(&format!("  … {} more\n", all - report.matches.len()));
    }
    out
}

/// The first of many names.
fn some(names: &[String]) -> String {
    let shown = names.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES { format!("{shown} and more") } else { shown }
}

fn how(how: &str) -> &str {
    match how {
        "start" => "start command",
        "argument" => "argument of the start command",
        "mentioned" => "may be loaded",
        other => other,
    }
}

/// The instruction behind a layer.
fn made_by(created_by: Option<&str>) -> String {
    created_by.map_or_else(
        || "(the image does not say by what)".to_owned(),
        |created_by| one_line(&clean(created_by)).into_owned(),
    )
}

/// The instruction behind a layer, with its line where that is known.
fn made(line: Option<&str>, created_by: Option<&str>) -> String {
    let line = line.map_or(String::new(), |line| format!("{line}  "));
    format!("{line}{}", made_by(created_by))
}
