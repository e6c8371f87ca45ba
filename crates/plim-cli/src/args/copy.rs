//! `plim copy`, `plim save` and `plim load`.

use clap::Args;

use super::Output;

/// Copy an image from one place to another.
///
/// A place is NAME[:TAG][@DIGEST] (from the local store, else from its registry; as the destination: the store),
/// store:NAME, registry:NAME, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], rootfs:DIR or -.
#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// From where.
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    /// To where.
    #[arg(value_name = "DESTINATION")]
    pub(crate) destination: String,
    /// Of an image for several platforms only the one for this, such as linux/arm64.
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
    /// Leave signatures, attestations and the like behind.
    #[arg(long)]
    pub(crate) no_referrers: bool,
    /// Write nothing; say how much would be.
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    /// Report format, optionally into a file: text, json, json=FILE.
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    pub(crate) output: Vec<Output>,
}

/// Write an image into a file that `docker load` and `podman load` take.
#[derive(Debug, Args)]
pub(crate) struct Save {
    /// The image.
    pub(crate) image: String,
    /// The file.
    pub(crate) file: camino::Utf8PathBuf,
}

/// Bring an image from a file of `docker save`, `podman save` or an OCI archive into the store.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// The file; - is standard input.
    pub(crate) file: String,
    /// Its name in the store [default: the one in the file].
    #[arg(short, long, value_name = "NAME")]
    pub(crate) tag: Option<String>,
}
