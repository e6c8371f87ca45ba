//! `plim lint`.

use camino::Utf8PathBuf;
use clap::Args;

use super::Output;

/// Check a Dockerfile; --fix mends what can be mended safely.
#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Dockerfiles, or folders that hold one; `-` reads standard input.
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) paths: Vec<Utf8PathBuf>,
    /// Apply the safe fixes.
    #[arg(long)]
    pub(crate) fix: bool,
    /// Apply unsafe fixes too: they may change what the image does.
    #[arg(long)]
    pub(crate) unsafe_fixes: bool,
    /// Show what the fixes would change and change nothing.
    #[arg(long)]
    pub(crate) diff: bool,
    /// Report format, optionally into a file; may be repeated: text, short, json, sarif, json=FILE.
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    pub(crate) output: Vec<Output>,
}
