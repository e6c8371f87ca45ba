//! `plim run`.

use clap::Args;

use super::{IsolationFlag, NetworkMode};

/// Run a command in an image, in plim's sandbox; what it writes is thrown away.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The image: a name in the local store, oci:DIR, oci-archive:FILE or docker-archive:FILE.
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// Arguments in place of the image's CMD.
    #[arg(value_name = "ARG", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<String>,
    /// Program in place of the image's ENTRYPOINT.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) entrypoint: Option<String>,
    /// Environment variable; may be repeated.
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// User in place of the image's.
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// Working directory in place of the image's.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// Folder or file of the host to mount: SOURCE:TARGET[:ro].
    #[arg(short = 'V', long, value_name = "SPEC")]
    pub(crate) volume: Vec<String>,
    /// Read-only root, with a tmpfs on /tmp.
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Network.
    #[arg(long, value_enum, value_name = "MODE", default_value = "host")]
    pub(crate) network: NetworkMode,
    #[command(flatten)]
    pub(crate) isolation: IsolationFlag,
}
