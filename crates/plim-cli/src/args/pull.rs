//! `plim pull` and `plim push`.

use clap::Args;

use super::Output;
use super::copy::Layers;

/// Bring an image from its registry into the local store.
#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// The image: NAME[:TAG][@DIGEST].
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The image for this platform, such as linux/arm64 [default: this machine's].
    #[arg(long, value_name = "PLATFORM", conflicts_with = "all_platforms")]
    pub(crate) platform: Option<String>,
    /// The images for all platforms.
    #[arg(long)]
    pub(crate) all_platforms: bool,
    /// Leave signatures, attestations and the like behind.
    #[arg(long)]
    pub(crate) no_referrers: bool,
    /// Report format, optionally into a file: text, json, json=FILE.
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    pub(crate) output: Vec<Output>,
}

/// Send an image from the local store to a registry.
#[derive(Debug, Args)]
pub(crate) struct Push {
    /// The image in the store.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Its name there [default: the same].
    #[arg(value_name = "DESTINATION")]
    pub(crate) destination: Option<String>,
    /// Leave signatures, attestations and the like behind.
    #[arg(long)]
    pub(crate) no_referrers: bool,
    #[command(flatten)]
    pub(crate) layers: Layers,
    /// Report format, optionally into a file: text, json, json=FILE.
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    pub(crate) output: Vec<Output>,
}
