//! `plim diff`.

use clap::Args;

use super::Output;

const EXAMPLES: &str = "\x1b[1mExamples:\x1b[0m
  plim diff shop:1 shop:2                         what a new version changes
  plim diff registry:shop:1 oci:out               against what is deployed
  plim diff -o markdown=summary.md shop:1 shop:2  for the summary of a CI run
  plim diff -o html=changes.html shop:1 shop:2    as a page for the browser";

/// Compare two images: sizes, layers that both have, packages, files, how a container is run.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Diff {
    /// The first image: a name in the local store or a registry, oci:DIR, oci-archive:FILE, docker-archive:FILE, rootfs:DIR.
    #[arg(value_name = "BEFORE")]
    pub(crate) before: String,
    /// The second image.
    #[arg(value_name = "AFTER")]
    pub(crate) after: String,
    /// Rows of each table; 0 shows all.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) rows: usize,
    /// Report format, optionally into a file; may be repeated: text, json, markdown, html, html=FILE.
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    pub(crate) output: Vec<Output>,
}
