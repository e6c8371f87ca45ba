//! `plim analyze`.

use clap::Args;

use super::Output;

/// Show what is in an image: layers, packages, the largest owners and paths.
#[derive(Debug, Args)]
pub(crate) struct Analyze {
    /// The image: a name in the local store or a registry, oci:DIR, oci-archive:FILE, docker-archive:FILE,
    /// docker-daemon:NAME, podman:NAME, rootfs:DIR.
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// Judge dive's figures by the rules of .dive-ci, if it is there; exit code 1 when one is broken.
    #[arg(long)]
    pub(crate) ci: bool,
    /// The file with those rules [default: .dive-ci].
    #[arg(long, value_name = "FILE", requires = "ci")]
    pub(crate) ci_config: Option<camino::Utf8PathBuf>,
    /// Rows of each table; 0 shows all.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) rows: usize,
    /// Report format, optionally into a file; may be repeated: text, json, json=FILE.
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    pub(crate) output: Vec<Output>,
}
