//! `plim copy`.

use clap::Args;

/// Copy an image between the store, OCI layouts and archives.
///
/// A place is NAME[:TAG] or store:NAME (the local store), oci:DIR[:TAG], oci-archive:FILE or
/// docker-archive:FILE[:NAME].
#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// From where.
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    /// To where.
    #[arg(value_name = "DESTINATION")]
    pub(crate) destination: String,
}
