//! `plim images`.

use clap::Args;

use super::Output;

/// List the images in the local store.
#[derive(Debug, Args)]
pub(crate) struct Images {
    /// Report format, optionally into a file: text, json, json=FILE.
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    pub(crate) output: Vec<Output>,
}
