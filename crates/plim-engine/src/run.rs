//! `plim run`: a command in an image, in the sandbox; and how an image's configuration becomes a sandbox spec.

use bstr::BString;
use plim_build::snapshot::{Chain, Snapshots, WorkingCopy};
use plim_oci::{Events, Image};
pub use plim_sandbox::helper_main;
use plim_sandbox::{Isolation, Mount, MountSource, Network, ResolvConf, RootFs, Spec, Stream};

use crate::{Failure, Workspace, isolation, place};

/// What `plim run` is asked to do.
#[derive(Debug, Default)]
pub struct RunRequest {
    /// The image.
    pub image: String,
    /// How it is run.
    pub overrides: Overrides,
}

/// What differs from the image's own configuration.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Arguments in place of CMD.
    pub args: Vec<String>,
    /// Program in place of ENTRYPOINT.
    pub entrypoint: Option<String>,
    /// `NAME=value` over the image's environment.
    pub env: Vec<String>,
    /// User in place of the image's.
    pub user: Option<String>,
    /// Working directory in place of the image's.
    pub workdir: Option<String>,
    /// Host paths to mount.
    pub volumes: Vec<Volume>,
    /// Read-only root with a tmpfs on /tmp.
    pub read_only: bool,
    /// Loopback only.
    pub isolated: bool,
}

/// A path of the host in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// On the host.
    pub source: camino::Utf8PathBuf,
    /// In the container.
    pub target: String,
    /// Not to be written.
    pub read_only: bool,
}

/// Runs the command and returns its exit code; `output` gets what it writes, standard error marked.
pub fn run(
    workspace: &Workspace,
    request: &RunRequest,
    output: &mut dyn FnMut(bool, &[u8]),
    events: &dyn Events,
) -> Result<i32, Failure> {
    let opened = place::open(workspace, &request.image, events)?;
    let image = opened.image()?;
    // unpacking wants the blobs in the store; those that are there already are not copied
    plim_oci::copy::copy(
        &*opened.blobs,
        &workspace.store,
        &image.descriptor,
        plim_oci::copy::Options::default(),
        events,
    )?;
    let not_enforced = isolation::not_enforced(workspace.host.isolation, &request.overrides);
    if !not_enforced.is_empty() {
        events.warn(&format!("--isolation chroot: not enforced here: {}", not_enforced.join(", ")));
    }
    let prepared = prepare(workspace, &image, None, &request.overrides, events)?;
    let exit = plim_sandbox::run(&prepared.spec, &mut |stream, bytes| output(stream == Stream::Stderr, bytes), &|| {
        events.cancelled()
    })
    .map_err(|error| sandbox_failure(&request.image, &error))?;
    Ok(exit.signal.map_or(exit.code, |signal| 128 + signal))
}

/// A sandbox spec and the directories that it lives on.
pub(crate) struct Prepared {
    /// What to run.
    pub(crate) spec: Spec,
    /// Removed with this value.
    _scratch: Scratch,
}

/// What is removed when the command has ended.
#[expect(dead_code, reason = "held for being dropped")]
enum Scratch {
    Draft(plim_build::snapshot::Draft),
    Copy(WorkingCopy),
}

/// Describes how to run an image of the store: on the directories of `root`, or else on its layers, unpacked.
pub(crate) fn prepare(
    workspace: &Workspace,
    image: &Image,
    root: Option<Chain>,
    overrides: &Overrides,
    events: &dyn Events,
) -> Result<Prepared, Failure> {
    let files = |error: &plim_build::files::FilesError| Failure::from_error(error).maybe_hint(error.hint());
    let snapshots = Snapshots::open(&workspace.build_state().snapshots).map_err(|error| files(&error))?;
    let chain = match root {
        Some(chain) => chain,
        None => snapshots.unpack(image, &workspace.store, events).map_err(|error| files(&error))?,
    };
    let (root, scratch) = match workspace.host.isolation {
        Isolation::Namespaces => overlay(&snapshots, &chain, overrides)?,
        Isolation::Chroot => {
            let copy = WorkingCopy::new(&snapshots, &chain, events).map_err(|error| files(&error))?;
            (RootFs::Dir(copy.root().to_owned()), Scratch::Copy(copy))
        }
    };
    let mut spec = spec(image, root, overrides)?;
    spec.isolation = workspace.host.isolation;
    if overrides.read_only {
        spec.mounts.push(Mount { target: "/tmp".into(), source: MountSource::Tmpfs { size: None, mode: 0o1777 } });
    }
    for volume in &overrides.volumes {
        spec.mounts.push(Mount {
            target: BString::from(volume.target.as_str()),
            source: MountSource::Bind { path: volume.source.clone().into(), read_only: volume.read_only },
        });
    }
    Ok(Prepared { spec, _scratch: scratch })
}

/// The directories of a chain for the kernel to join.
fn overlay(snapshots: &Snapshots, chain: &Chain, overrides: &Overrides) -> Result<(RootFs, Scratch), Failure> {
    // a draft is removed when it is dropped
    let scratch = snapshots.begin().map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))?;
    let mut lower = chain.lower.clone();
    if lower.is_empty() {
        // overlayfs wants a lower layer; an image without layers has none
        let empty = scratch.dir.join("empty");
        std::fs::create_dir(&empty).map_err(|error| Failure::caused("failed to make a scratch folder", &error))?;
        lower.push(empty);
    }
    let root = if overrides.read_only {
        RootFs::ReadOnly { lower }
    } else {
        RootFs::Overlay { lower, upper: scratch.fs.clone(), work: scratch.work.clone() }
    };
    Ok((root, Scratch::Draft(scratch)))
}

/// Docker's rules: arguments replace CMD; an entry point given here drops CMD too.
fn command(image: &Image, overrides: &Overrides) -> Vec<String> {
    let config = &image.config.config;
    let (mut command, cmd) = match &overrides.entrypoint {
        Some(program) => (vec![program.clone()], Vec::new()),
        None => (config.entrypoint.clone().unwrap_or_default(), config.cmd.clone().unwrap_or_default()),
    };
    command.extend(if overrides.args.is_empty() { cmd } else { overrides.args.clone() });
    command
}

fn spec(image: &Image, root: RootFs, overrides: &Overrides) -> Result<Spec, Failure> {
    let config = &image.config.config;
    let command = command(image, overrides);
    if command.is_empty() {
        return Err(Failure::subject("the image has neither ENTRYPOINT nor CMD, and no command was given")
            .hint("plim run IMAGE COMMAND…"));
    }
    let mut env = config.env.clone();
    for pair in &overrides.env {
        let name = pair.split('=').next().unwrap_or(pair);
        env.retain(|old| old.split('=').next() != Some(name));
        env.push(pair.clone());
    }
    if !env.iter().any(|pair| pair.starts_with("PATH=")) {
        env.push("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
    }
    let cwd = overrides.workdir.clone().unwrap_or_else(|| config.working_dir.clone());
    Ok(Spec {
        args: command.into_iter().map(BString::from).collect(),
        env: env.into_iter().map(BString::from).collect(),
        cwd: BString::from(if cwd.is_empty() { "/".to_owned() } else { cwd }),
        user: overrides.user.clone().unwrap_or_else(|| config.user.clone()),
        network: if overrides.isolated { Network::None } else { Network::Host },
        resolv_conf: if overrides.isolated { ResolvConf::None } else { ResolvConf::Host },
        ..Spec::new(root)
    })
}

/// Turns the sandbox's error into a failure about an image.
pub(crate) fn sandbox_failure(what: &str, error: &plim_sandbox::SandboxError) -> Failure {
    Failure::caused(format!("failed to run {what}"), error).maybe_hint(error.hint())
}
