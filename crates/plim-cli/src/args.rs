//! The command line as clap types: what was typed, nothing decided yet.

pub(crate) mod analyze;
pub(crate) mod base;
pub(crate) mod build;
pub(crate) mod copy;
pub(crate) mod diff;
pub(crate) mod images;
pub(crate) mod lint;
pub(crate) mod optimize;
pub(crate) mod pull;
pub(crate) mod run;
pub(crate) mod why;

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\x1b[1mExamples:\x1b[0m
  plim optimize .                       write a small image's Dockerfile, build it, prove that it works
  plim build -t shop:1 .                build a Dockerfile without a daemon
  plim analyze shop:1                   what is in an image, and what it costs
  plim copy shop:1 oci:out              hand an image to any other OCI tool

Exit codes: 0 fine, 1 the project or image failed, 2 plim could not answer, 130 interrupted.";

/// Minimal, fast, secure container images, without a daemon.
#[derive(Debug, Parser)]
#[command(name = "plim", version, about = "Minimal, fast, secure container images, without a daemon", after_help = EXAMPLES, disable_help_subcommand = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Less output: -q no progress, no summary; -qq only errors.
    #[arg(short, long, action = clap::ArgAction::Count, global = true, conflicts_with = "verbose", help_heading = "Global")]
    pub(crate) quiet: u8,
    /// More output: -v every step, -vv debug log.
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = "Global")]
    pub(crate) verbose: u8,
    /// When to use colour.
    #[arg(long, value_enum, default_value_t, global = true, env = "PLIM_COLOR", help_heading = "Global")]
    pub(crate) color: ColorChoice,
    /// How to show progress.
    #[arg(long, value_enum, default_value_t, global = true, env = "PLIM_PROGRESS", help_heading = "Global")]
    pub(crate) progress: ProgressStyle,
    /// Configuration file [default: the nearest plim.toml from the project upwards].
    #[arg(long, value_name = "FILE", global = true, env = "PLIM_CONFIG", help_heading = "Global")]
    pub(crate) config: Option<Utf8PathBuf>,
    /// Where images and unpacked layers live [default: $XDG_DATA_HOME/plimsoll].
    #[arg(long, value_name = "DIR", global = true, env = "PLIM_DATA", help_heading = "Global")]
    pub(crate) data: Option<Utf8PathBuf>,
    /// Where downloads and build caches live [default: $XDG_CACHE_HOME/plimsoll].
    #[arg(long, value_name = "DIR", global = true, env = "PLIM_CACHE", help_heading = "Global")]
    pub(crate) cache: Option<Utf8PathBuf>,
    /// Never open a network connection; use what is cached. RUN steps that must run get no network either.
    #[arg(long, global = true, env = "PLIM_OFFLINE", help_heading = "Global")]
    pub(crate) offline: bool,
}

/// `--color`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `--progress`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressStyle {
    /// `tty` on a terminal; elsewhere `plain` for a build, and a line for what takes long for other commands.
    #[default]
    Auto,
    /// What runs, with its last output, drawn in place; `plain` where standard error is no terminal.
    Tty,
    /// One line for each thing that begins, speaks or ends, with the number of its task.
    Plain,
    /// One JSON object a line, as buildx has it.
    Rawjson,
    /// Nothing but the answer, as -q.
    Quiet,
    /// No progress, but the summary.
    None,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Optimize(optimize::Optimize),
    Build(build::Build),
    Lint(lint::Lint),
    Analyze(analyze::Analyze),
    Diff(diff::Diff),
    Why(why::Why),
    Run(run::Run),
    Images(images::Images),
    Inspect(images::Inspect),
    Pull(pull::Pull),
    Push(pull::Push),
    Copy(copy::Copy),
    Save(copy::Save),
    Load(copy::Load),
    Tag(images::Tag),
    Rm(images::Rm),
    Prune(images::Prune),
    Base(base::Base),
    /// Machinery for plim's own tests.
    #[command(hide = true)]
    Debug(Debug),
}

/// `plim debug`.
#[derive(Debug, Args)]
pub(crate) struct Debug {
    #[command(subcommand)]
    pub(crate) command: DebugCommand,
}

/// What `plim debug` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum DebugCommand {
    /// Print a Dockerfile's syntax tree in BuildKit's test notation.
    ParseDump {
        /// The Dockerfile.
        file: Utf8PathBuf,
    },
    /// Print the JSON schema of a report.
    Schema {
        /// Whose report.
        #[arg(value_enum)]
        report: SchemaOf,
    },
}

/// The reports that have a JSON schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// `plim optimize -o json`.
    Optimize,
    /// `plim analyze -o json`.
    Analyze,
    /// `plim diff -o json`.
    Diff,
    /// `plim why -o json`.
    Why,
}

/// Where base images come from; shared by `optimize`, `build` and `base`.
#[derive(Debug, Args)]
pub(crate) struct Bases {
    /// Map well-known base names (python, debian, gcr.io/distroless/python3-…) to plim's own recipes.
    #[arg(long, value_enum, env = "PLIM_BASES", help_heading = "Bases")]
    pub(crate) bases: Option<BasesFrom>,
    /// Debian mirror, such as the URI in your apt sources [default: the host's apt configuration].
    #[arg(long, value_name = "URL", env = "PLIM_MIRROR", hide_env_values = true, help_heading = "Bases")]
    pub(crate) mirror: Option<String>,
}

/// `--bases`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BasesFrom {
    /// plim's recipes, made from Debian packages.
    Plim,
}

/// How RUN steps reach the network.
#[derive(Debug, Args)]
pub(crate) struct NetworkFlags {
    /// Network of RUN steps.
    #[arg(long, value_enum, value_name = "MODE", env = "PLIM_NETWORK", help_heading = "Sandbox")]
    pub(crate) network: Option<NetworkMode>,
    /// CA certificates for RUN steps: a PEM file, `auto` (the host's, when it has added some) or `none`.
    #[arg(long, value_name = "FILE|auto|none", env = "PLIM_CA_BUNDLE", help_heading = "Sandbox")]
    pub(crate) ca_bundle: Option<String>,
}

/// What keeps commands apart from the machine.
#[derive(Debug, Args)]
pub(crate) struct IsolationFlag {
    /// What keeps commands apart from this machine.
    #[arg(long, value_enum, value_name = "MODE", env = "PLIM_ISOLATION", help_heading = "Sandbox")]
    pub(crate) isolation: Option<IsolationMode>,
}

/// `--isolation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IsolationMode {
    /// Namespaces, or else a chroot.
    Auto,
    /// Namespaces: mounts, processes and network of their own.
    Namespaces,
    /// A root directory only, for root in a container that refuses namespaces.
    Chroot,
}

impl IsolationMode {
    /// Returns its name in configuration files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Namespaces => "namespaces",
            Self::Chroot => "chroot",
        }
    }
}

/// `--network`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NetworkMode {
    /// The host's network.
    Host,
    /// Loopback only.
    None,
}

/// Output of a report: `text`, or a format with an optional file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    /// The format.
    pub(crate) format: Format,
    /// The file; none is standard output.
    pub(crate) path: Option<Utf8PathBuf>,
}

/// The formats of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One line a finding.
    Short,
    /// For programs.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// GitHub Flavored Markdown, for the summary of a CI run.
    Markdown,
    /// One file for a browser; nothing in it is loaded from elsewhere.
    Html,
}

impl Format {
    /// Returns its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Short => "short",
            Self::Json => "json",
            Self::Sarif => "sarif",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }
}

impl std::str::FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, path) = match text.split_once('=') {
            Some((_, "")) => return Err("no file after `=`".to_owned()),
            Some((format, path)) => (format, Some(path.into())),
            None => (text, None),
        };
        Ok(Self { format: Format::from_str(format, true)?, path })
    }
}
