//! `plim copy`, `plim save` and `plim load`.

use clap::Args;
use plim_engine::LayerForm;
use plim_engine::recompress::Recompression;

use super::Output;

/// Copy an image from one place to another.
///
/// A place is NAME[:TAG][@DIGEST] (from the local store, else from its registry; as the destination: the store),
/// store:NAME, registry:NAME, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], docker-daemon:NAME,
/// podman:NAME, rootfs:DIR or -.
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
    #[command(flatten)]
    pub(crate) layers: Layers,
    /// Write nothing; say how much would be.
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    /// Report format, optionally into a file: text, json, json=FILE.
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    pub(crate) output: Vec<Output>,
}

/// How layers are stored at the destination; shared by `copy`, `save` and `push`.
#[derive(Debug, Args)]
pub(crate) struct Layers {
    /// Compress the layers anew: zstd, gzip, estargz (gzip out of which single files can be fetched) or none, with an
    /// optional level. Those that are so already stay.
    #[arg(long, value_name = "FORM[:LEVEL]")]
    pub(crate) compression: Option<LayerForm>,
    /// Compress those anew, too, that are so already.
    #[arg(long, requires = "compression")]
    pub(crate) force_compression: bool,
}

impl Layers {
    /// Returns what is asked for.
    pub(crate) fn wanted(&self) -> Option<Recompression> {
        self.compression.map(|form| Recompression { form, force: self.force_compression })
    }
}

/// Write an image into a file that `docker load` and `podman load` take.
///
/// With --compression the file is an OCI archive, which Podman and Docker from version 25 on load.
#[derive(Debug, Args)]
pub(crate) struct Save {
    /// The image.
    pub(crate) image: String,
    /// The file.
    pub(crate) file: camino::Utf8PathBuf,
    #[command(flatten)]
    pub(crate) layers: Layers,
}

/// Bring an image from a file of `docker save`, `podman save` or an OCI archive, or from an engine, into the store.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// The file; - is standard input. Or docker-daemon:NAME, podman:NAME.
    pub(crate) file: String,
    /// Its name in the store [default: the one in the file].
    #[arg(short, long, value_name = "NAME")]
    pub(crate) tag: Option<String>,
}
