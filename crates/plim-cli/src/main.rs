//! The `plim` command: arguments, configuration discovery, colours, progress, exit codes.

mod args;
mod commands;
mod env;
mod numbers;
mod printer;
mod progress;
mod show;

use std::process::ExitCode;

use clap::Parser as _;
use plim_engine::{Failure, Kind};

use crate::args::{Cli, Command};
use crate::commands::Context;
use crate::printer::Printer;

/// How a command ended, besides failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Fine.
    Good,
    /// The subject failed: findings, a proof that failed.
    Findings,
    /// The exit code of a command that was run for the user.
    Exit(i32),
}

fn main() -> ExitCode {
    // the sandbox starts this program again as its helper; that one never comes back
    plim_engine::run::helper_main();
    let cli = Cli::parse();
    let printer = Printer::new(&cli.global, env::unicode());
    start_log(&cli);
    match dispatch(&cli, printer) {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Ok(Outcome::Exit(code)) => ExitCode::from(u8::try_from(code).unwrap_or(255)),
        Err(failure) => {
            printer.error(&failure.message, &failure.causes, failure.detail.as_deref(), failure.hint.as_deref());
            if env::interrupted() {
                return ExitCode::from(130);
            }
            ExitCode::from(match failure.kind {
                Kind::Subject => 1,
                Kind::Tool => 2,
            })
        }
    }
}

fn dispatch(cli: &Cli, printer: Printer) -> Result<Outcome, Failure> {
    let context = Context { global: &cli.global, printer };
    match &cli.command {
        Command::Optimize(args) => commands::optimize::run(&context, args),
        Command::Build(args) => commands::build::run(&context, args),
        Command::Lint(args) => commands::lint::run(&context, args),
        Command::Analyze(args) => commands::analyze::run(&context, args),
        Command::Diff(args) => commands::diff::run(&context, args),
        Command::Why(args) => commands::why::run(&context, args),
        Command::Run(args) => commands::run::run(&context, args),
        Command::Images(args) => commands::images::run(&context, args),
        Command::Inspect(args) => commands::images::inspect(&context, args),
        Command::Pull(args) => commands::pull::pull(&context, args),
        Command::Push(args) => commands::pull::push(&context, args),
        Command::Copy(args) => commands::copy::run(&context, args),
        Command::Save(args) => commands::copy::save(&context, args),
        Command::Load(args) => commands::copy::load(&context, args),
        Command::Tag(args) => commands::images::tag(&context, args),
        Command::Rm(args) => commands::images::rm(&context, args),
        Command::Prune(args) => commands::images::prune(&context, args),
        Command::Base(args) => commands::base::run(&context, args),
        Command::Debug(args) => commands::debug::run(&context, args),
    }
}

/// Sends the log to standard error: with -vv, or as `PLIM_LOG` filters it.
fn start_log(cli: &Cli) {
    let filter = env::log_filter().unwrap_or_else(|| {
        if cli.global.verbose >= 2 {
            "plim=debug,plim_oci=debug,plim_build=debug,plim_debian=debug,plim_sandbox=debug,plim_engine=debug"
        } else {
            "off"
        }
        .to_owned()
    });
    if filter == "off" {
        return;
    }
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .try_init();
}
