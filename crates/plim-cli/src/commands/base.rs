//! `plim base`.

use plim_engine::Failure;
use plim_engine::base::{self, BaseListReport};

use super::Context;
use crate::Outcome;
use crate::args::base::{Base, BaseCommand};
use crate::numbers::{Table, bytes, plural};

/// Runs the command.
pub(crate) fn run(context: &Context<'_>, args: &Base) -> Result<Outcome, Failure> {
    match &args.command {
        BaseCommand::List { output } => {
            let report = base::list();
            context.write(output, &report, || text(&report))?;
            context.printer.next_step("plim base build NAME");
        }
        BaseCommand::Build { recipe, tag, lock, mirror, isolation } => {
            let workspace = context.workshop(".".into(), isolation)?;
            let report = base::build(&workspace, recipe, tag, mirror.as_deref(), &context.progress())?;
            if let Some(path) = lock {
                std::fs::write(path, &report.lock)
                    .map_err(|error| Failure::caused(format!("failed to write {path}"), &error))?;
            }
            context.printer.log(&format!(
                "{}: {}, {}, {} compressed",
                report.name,
                plural(report.packages, "package"),
                plural(report.layers, "layer"),
                bytes(report.compressed_bytes)
            ));
            context
                .printer
                .answer(&format!("{}\n", report.digest))
                .map_err(|error| Failure::caused("failed to write to standard output", &error))?;
            context.printer.next_step(&format!("plim analyze {}", report.name));
        }
    }
    Ok(Outcome::Good)
}

fn text(report: &BaseListReport) -> String {
    let mut table = Table::new(2);
    for recipe in &report.recipes {
        table.row([recipe.name.as_str(), recipe.summary.as_str()]);
    }
    format!("FROM …\n{}", table.render())
}
