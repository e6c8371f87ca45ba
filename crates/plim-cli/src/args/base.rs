//! `plim base`.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};

use super::{IsolationFlag, Output};

/// Build and list base images made from Debian packages.
#[derive(Debug, Args)]
pub(crate) struct Base {
    #[command(subcommand)]
    pub(crate) command: BaseCommand,
}

/// What `plim base` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum BaseCommand {
    /// Build a base image from its recipe: every package verified up to the archive's signature.
    Build {
        /// The recipe, such as python3 or debian-slim; `plim base list` names them.
        #[arg(value_name = "RECIPE")]
        recipe: String,
        /// A further name for the image in the local store.
        #[arg(short, long, value_name = "NAME[:TAG]")]
        tag: Vec<String>,
        /// Write the lock: every package with its version and digest.
        #[arg(long, value_name = "FILE")]
        lock: Option<Utf8PathBuf>,
        /// Debian mirror, such as the URI in your apt sources [default: the host's apt configuration].
        #[arg(long, value_name = "URL", env = "PLIM_MIRROR", hide_env_values = true)]
        mirror: Option<String>,
        #[command(flatten)]
        isolation: IsolationFlag,
    },
    /// List the recipes.
    List {
        /// Report format, optionally into a file: text, json, json=FILE.
        #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
        output: Vec<Output>,
    },
}
