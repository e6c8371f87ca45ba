//! `plim copy`.

use plim_engine::{Failure, copy};

use super::Context;
use crate::Outcome;
use crate::args::copy::Copy;

/// Runs the command.
pub(crate) fn run(context: &Context<'_>, args: &Copy) -> Result<Outcome, Failure> {
    let workspace = context.workspace(".".into())?;
    let report = copy::copy(&workspace, &args.source, &args.destination, &context.progress())?;
    context
        .printer
        .answer(&format!("{}\n", report.digest))
        .map_err(|error| Failure::caused("failed to write to standard output", &error))?;
    context.printer.next_step(&format!("plim analyze {}", report.destination));
    Ok(Outcome::Good)
}
