//! `plim why`.

use clap::Args;

use super::Output;

/// Say what brought a path or a package into an image: layer, instruction, line of the Dockerfile, package, and who needs it.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The image: a name in the local store, oci:DIR, oci-archive:FILE or docker-archive:FILE.
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// The path in the image, also one that a later layer hides; a pattern (`*.so`, `/usr/**/test`); or a package: pkg:NAME, or its
    /// name where there is no such path.
    #[arg(value_name = "PATH")]
    pub(crate) path: String,
    /// Report format, optionally into a file; may be repeated: text, json, json=FILE.
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "text")]
    pub(crate) output: Vec<Output>,
}
