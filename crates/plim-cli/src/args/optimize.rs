//! `plim optimize`.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};

use super::{Bases, IsolationFlag, NetworkFlags, Output};

const EXAMPLES: &str = "\x1b[1mExamples:\x1b[0m
  plim optimize .                                   try it: everything new lands in ./.plim
  plim optimize --write .                           put the Dockerfile and .dockerignore in place
  plim optimize --probe /api/items --probe /stats . compare more answers than the health check
  plim optimize -o json=report.json .               the report for a program";

/// Turn a project into a minimal image, prove that it still works, and show what was gained.
///
/// Detects the project, writes a multi-stage Dockerfile and a .dockerignore into DIR/.plim, builds the
/// project's own Dockerfile and the new one, starts both, compares their answers, and prints a table.
/// Nothing outside DIR/.plim changes unless --write is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Optimize {
    /// The project's folder.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: Utf8PathBuf,
    /// The project's Dockerfile, anywhere [default: DIR/Dockerfile, or the only one that is found].
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) file: Option<Utf8PathBuf>,
    /// The stage of it that is the image [default: the last].
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,
    /// Put the new Dockerfile and .dockerignore in place; the old ones are kept as *.before.
    #[arg(long)]
    pub(crate) write: bool,
    /// Also say for each line of the new Dockerfile where it comes from.
    #[arg(long)]
    pub(crate) explain: bool,
    /// Do not build the project's own Dockerfile; show the new image alone.
    #[arg(long)]
    pub(crate) no_before: bool,
    /// The project in DIR, where there are several: its folder.
    #[arg(long, value_name = "DIR", help_heading = "Project")]
    pub(crate) project: Option<Utf8PathBuf>,
    /// The stack, where it cannot be told: python, node, rust.
    #[arg(long, value_name = "NAME", help_heading = "Project")]
    pub(crate) stack: Option<String>,
    /// What becomes of a line of the project's Dockerfile that plim does not understand: LINE=drop does without it, LINE=build
    /// runs it in the build stage and keeps what it makes; may be repeated.
    #[arg(long, value_name = "LINE=CHOICE", help_heading = "Project")]
    pub(crate) carry: Vec<String>,
    /// The version of Python, such as 3.13 [default: the project's own].
    #[arg(long, value_name = "VERSION", value_parser = version, help_heading = "Project")]
    pub(crate) python: Option<String>,
    /// The version of Node.js, such as 20 [default: the project's own].
    #[arg(long, value_name = "VERSION", value_parser = version, help_heading = "Project")]
    pub(crate) node: Option<String>,
    /// The command that starts the application, as you would type it.
    #[arg(long, value_name = "COMMAND", help_heading = "Project")]
    pub(crate) start: Option<String>,
    /// The port on which it listens.
    #[arg(long, value_name = "PORT", help_heading = "Project")]
    pub(crate) port: Option<u16>,
    /// Path of its health check.
    #[arg(long, value_name = "PATH", help_heading = "Project")]
    pub(crate) health: Option<String>,
    /// How much is proved: that it starts and keeps running, listens on its port, answers as before; or nothing
    /// [default: http].
    #[arg(long, value_enum, value_name = "DEPTH", help_heading = "Proof")]
    pub(crate) prove: Option<Depth>,
    /// Another path whose answers must be the same; may be repeated.
    #[arg(long, value_name = "PATH", help_heading = "Proof")]
    pub(crate) probe: Vec<String>,
    /// Environment of both images while they are compared; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Proof")]
    pub(crate) probe_env: Vec<String>,
    /// Seconds until the application must listen.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, help_heading = "Proof")]
    pub(crate) start_timeout: u64,
    /// Build argument for both builds; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Build")]
    pub(crate) build_arg: Vec<String>,
    /// Secret for RUN --mount=type=secret in both builds: id=NAME,src=FILE or id=NAME,env=VARIABLE.
    #[arg(long, value_name = "SPEC", help_heading = "Build")]
    pub(crate) secret: Vec<String>,
    #[command(flatten)]
    pub(crate) network: NetworkFlags,
    #[command(flatten)]
    pub(crate) isolation: IsolationFlag,
    #[command(flatten)]
    pub(crate) bases: Bases,
    /// Report format, optionally into a file; may be repeated: text, json, markdown, html, html=FILE.
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    pub(crate) output: Vec<Output>,
}

/// `--prove`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Depth {
    /// It answers as before.
    Http,
    /// It listens on its port.
    Port,
    /// It starts and keeps running.
    Start,
    /// Nothing is started.
    None,
}

/// Numbers with dots between them.
fn version(text: &str) -> Result<String, String> {
    let good = text.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()));
    if good { Ok(text.to_owned()) } else { Err("a version is written as numbers and dots: 3.13".to_owned()) }
}
