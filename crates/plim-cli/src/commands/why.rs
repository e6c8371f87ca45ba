//! `plim why`.

use plim_diag::plain::one_line;
use plim_engine::Failure;
use plim_engine::why::{self, WhyReport};

use super::Context;
use crate::Outcome;
use crate::args::why::Why;
use crate::numbers::{bytes, count};
use crate::show::instruction::clean;

/// Runs the command.
pub(crate) fn run(context: &Context<'_>, args: &Why) -> Result<Outcome, Failure> {
    let workspace = context.workspace(".".into())?;
    let report = why::why(&workspace, &args.image, &args.path, &context.progress())?;
    context.write(&args.output, &report, || text(&report))?;
    Ok(Outcome::Good)
}

fn text(report: &WhyReport) -> String {
    let mut out = report.path.clone();
    if let Some(target) = &report.target {
        out.push_str(&format!(" -> {target}"));
    }
    match report.files {
        Some(files) => out.push_str(&format!("  {} in {} files\n", bytes(report.bytes), count(files))),
        None => out.push_str(&format!("  {}\n", bytes(report.bytes))),
    }
    for brought in &report.layers {
        let line = brought.line.as_ref().map_or(String::new(), |line| format!("{line}  "));
        let made = brought.created_by.as_deref().map_or_else(
            || "(the image does not say by what)".to_owned(),
            |created_by| one_line(&clean(created_by)).into_owned(),
        );
        out.push_str(&format!("  layer {}, {}: {line}{made}\n", brought.layer, bytes(brought.bytes)));
    }
    if let Some(package) = &report.package {
        out.push_str(&format!("  package {package}\n"));
    }
    for (what, names) in [
        ("package needed by", &report.package_needed_by),
        ("library of", &report.library_of),
        ("interpreter of", &report.interpreter_of),
    ] {
        if !names.is_empty() {
            out.push_str(&format!("  {what} {}\n", names.join(", ")));
        }
    }
    out
}
