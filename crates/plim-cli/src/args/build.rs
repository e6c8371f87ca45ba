//! `plim build`.

use camino::Utf8PathBuf;
use clap::Args;

use super::{Bases, IsolationFlag, NetworkFlags};

const EXAMPLES: &str = "\x1b[1mExamples:\x1b[0m
  plim build -t shop:1 .                                         into the local store
  plim build --output type=oci,dest=shop.tar .                   an OCI archive
  plim build --secret id=token,env=TOKEN -t shop:1 .             a secret that stays out of every layer
  plim build --build-context docs=../docs --target web -t web .  a second context, one stage
  plim build --output site --target export .                     the files of a stage, in a folder
  plim build --push -t registry.example/shop:1 .                 into the store and the registry
  git archive HEAD | plim build -t shop:1 -                      a context from standard input";

/// Build an image from a Dockerfile, without a daemon.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_field_names, reason = "the flags have the names that users know")]
pub(crate) struct Build {
    /// The build context: a folder, a repository (URL.git#REF:FOLDER), the address of an archive, or `-` for an archive or
    /// a Dockerfile on standard input.
    #[arg(value_name = "CONTEXT", default_value = ".")]
    pub(crate) context: String,
    /// The Dockerfile; `-` reads standard input [default: CONTEXT/Dockerfile].
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) file: Option<Utf8PathBuf>,
    /// Name of the image in the local store; may be repeated.
    #[arg(short, long, value_name = "NAME[:TAG]")]
    pub(crate) tag: Vec<String>,
    /// Build this stage and stop.
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,
    /// Value of an ARG; without `=` it is taken from the environment. May be repeated.
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) build_arg: Vec<String>,
    /// Label of the image; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) label: Vec<String>,
    /// Annotation of the image's manifest; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) annotation: Vec<String>,
    /// Secret for RUN --mount=type=secret: id=NAME,src=FILE or id=NAME,env=VARIABLE.
    #[arg(long, value_name = "SPEC")]
    pub(crate) secret: Vec<String>,
    /// Agent for RUN --mount=type=ssh: default (that of SSH_AUTH_SOCK), ID=SOCKET or ID=KEYFILE[,KEYFILE]; may be repeated.
    #[arg(long, value_name = "SPEC")]
    pub(crate) ssh: Vec<String>,
    /// A further context for FROM and COPY --from=NAME: a folder, docker-image://REF, oci-layout://FOLDER, store:REF.
    #[arg(long, value_name = "NAME=PLACE")]
    pub(crate) build_context: Vec<String>,
    /// Ignore what earlier builds left.
    #[arg(long, overrides_with = "no_cache")]
    pub(crate) no_cache: bool,
    /// Do the steps of this stage again, and those that stand on them; may be repeated.
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    pub(crate) no_cache_filter: Vec<String>,
    /// Say of each step whether a cache answered for it, and what made it necessary if not: the files that changed, for one.
    #[arg(long, help_heading = "Caches")]
    pub(crate) explain: bool,
    /// Ask a cache for what this machine has not got; may be repeated: a name in a registry, type=local,src=FOLDER.
    #[arg(long, value_name = "SPEC", help_heading = "Caches")]
    pub(crate) cache_from: Vec<String>,
    /// Write a cache for other machines; may be repeated: type=registry,ref=NAME, type=local,dest=FOLDER, type=inline;
    /// mode=max has the steps of all stages, compression=KIND, ignore-error=true.
    #[arg(long, value_name = "SPEC", help_heading = "Caches")]
    pub(crate) cache_to: Vec<String>,
    /// Where the directories of RUN --mount=type=cache that are not on this machine yet get their content: as --cache-from.
    #[arg(long, value_name = "SPEC", help_heading = "Caches")]
    pub(crate) cache_mounts_from: Vec<String>,
    /// Send the directories of RUN --mount=type=cache elsewhere: type=registry,ref=NAME, type=local,dest=FOLDER;
    /// ignore-error=true.
    #[arg(long, value_name = "SPEC", help_heading = "Caches")]
    pub(crate) cache_mounts_to: Vec<String>,
    /// Gigabytes that unpacked layers, and that blobs, may take after this build; what was not used for longest goes first
    /// [default: `cap-gb` of plim.toml, or 20].
    #[arg(long, value_name = "GB", env = "PLIM_CAP_GB", help_heading = "Caches")]
    pub(crate) cap_gb: Option<u64>,
    /// Where a RUN fails: open a shell in it, with its files, mounts, variables and user.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) on_error: Option<OnError>,
    /// Put one layer in the place of all that the steps make; those of the base stay.
    #[arg(long)]
    pub(crate) squash: bool,
    /// Build nothing: check the Dockerfile as `plim lint` does.
    #[arg(long)]
    pub(crate) check: bool,
    /// Platforms of the image, with commas; RUN steps of others than this machine's need an emulator (binfmt_misc). Several make an
    /// index.
    #[arg(long, value_name = "OS/ARCH", value_delimiter = ',', env = "PLIM_PLATFORM")]
    pub(crate) platform: Vec<String>,
    /// Write the result, besides to the store; may be repeated: FOLDER for its files, type=local|tar|oci|docker,dest=PLACE
    /// (`-` is standard output), type=oci,tar=false,dest=FOLDER, type=registry,name=REF, type=image,name=REF,push=true.
    #[arg(short, long, value_name = "SPEC")]
    pub(crate) output: Vec<String>,
    /// Push the image under its names: --output type=registry.
    #[arg(long)]
    pub(crate) push: bool,
    /// Layer compression: gzip, gzip:LEVEL, zstd, zstd:LEVEL, none.
    #[arg(long, value_name = "KIND", default_value = "gzip")]
    pub(crate) compression: String,
    /// Write the image's digest to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) iidfile: Option<Utf8PathBuf>,
    /// Write digests, names and the descriptor as JSON to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) metadata_file: Option<Utf8PathBuf>,
    /// Extra line of /etc/hosts in RUN steps: NAME:ADDRESS.
    #[arg(long, value_name = "NAME:ADDRESS")]
    pub(crate) add_host: Vec<String>,
    #[command(flatten)]
    pub(crate) network: NetworkFlags,
    #[command(flatten)]
    pub(crate) isolation: IsolationFlag,
    /// Have another OCI runtime start the commands of RUN steps: crun, runc or the path of one. It gets the same mounts and
    /// rights.
    #[arg(long, value_name = "NAME|PATH", env = "PLIM_RUNTIME", help_heading = "Sandbox")]
    pub(crate) runtime: Option<Utf8PathBuf>,
    #[command(flatten)]
    pub(crate) bases: Bases,
}

/// `--on-error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OnError {
    /// A shell on this terminal.
    Shell,
}
