//! `plim images`, `plim inspect`, `plim tag`, `plim rm` and `plim prune`.

use clap::Args;

use super::Output;

/// List the images in the local store.
#[derive(Debug, Args)]
pub(crate) struct Images {
    /// Report format, optionally into a file: text, json, json=FILE.
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    pub(crate) output: Vec<Output>,
}

/// Show an image's manifest and configuration.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The image, in the store, a registry, a layout or an archive.
    pub(crate) image: String,
    /// The manifest or index, byte for byte.
    #[arg(long, conflicts_with = "image_config")]
    pub(crate) raw: bool,
    /// The configuration, byte for byte.
    #[arg(long)]
    pub(crate) image_config: bool,
    /// Of an image for several platforms the one for this [default: this machine's].
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
}

/// Give an image in the store another name.
#[derive(Debug, Args)]
pub(crate) struct Tag {
    /// The image.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The other name.
    #[arg(value_name = "NEW_NAME")]
    pub(crate) new_name: String,
}

/// Take names of images out of the store; what nothing needs then is removed.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// The names.
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
}

/// Remove what no image needs, and what was not used for long.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Keep unpacked layers up to so many gigabytes [default: 0].
    #[arg(long, value_name = "GB", default_value_t = 0)]
    pub(crate) keep_gb: u64,
}
