//! `plim debug`: machinery for plim's own tests.

use plim_engine::{Failure, analyze, diff, lint, optimize, why};

use super::{Context, json};
use crate::Outcome;
use crate::args::{Debug, DebugCommand, SchemaOf};

/// Runs the command.
pub(crate) fn run(context: &Context<'_>, args: &Debug) -> Result<Outcome, Failure> {
    let answer = match &args.command {
        DebugCommand::ParseDump { file } => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| Failure::caused(format!("failed to read {file}"), &error))?;
            lint::syntax_tree(file.as_str(), &text)?
        }
        DebugCommand::Schema { report } => json(&match report {
            SchemaOf::Optimize => optimize::json_schema(),
            SchemaOf::Analyze => analyze::json_schema(),
            SchemaOf::Diff => diff::json_schema(),
            SchemaOf::Why => why::json_schema(),
        })?,
    };
    context.printer.answer(&answer).map_err(|error| Failure::caused("failed to write to standard output", &error))?;
    Ok(Outcome::Good)
}
