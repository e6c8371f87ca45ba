//! The mounts of a RUN.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bstr::{BStr, BString, ByteSlice as _};
use plim_dockerfile::Run;
use plim_dockerfile::mount::{MountType, RunMount};
use plim_dockerfile::words::{Lexer, WordError};
use plim_oci::Digest;
use plim_oci::lock::Lock;
use plim_sandbox::{Isolation, Mount, MountSource, Secret};

use super::cache_mount::CacheDir;
use super::empty_dir;
use crate::cache::Op;
use crate::copy;
use crate::error::BuildError;
use crate::files::{self, FilesError, Source};
use crate::graph::{Origin, Step};
use crate::paths;
use crate::shared::Shared;
use crate::snapshot::{self, Chain, View};
use crate::ssh::{AgentSocket, SshAgent};
use crate::stack::Stack;
use crate::stage::Building;
use crate::travel::{CacheMount, First, PortableInput, first_content};

/// The namespace of cache mounts, so that builds of different owners on one machine do not share them.
const CACHE_NAMESPACE_ARG: &str = "BUILDKIT_CACHE_MOUNT_NS";
/// The mode of a secret that names none.
const SECRET_MODE: u32 = 0o400;
/// The id of an agent that names none.
const DEFAULT_AGENT: &str = "default";
/// Where agents are that name no place, with their number behind it.
const AGENT_TARGET: &str = "/run/buildkit/ssh_agent.";
/// The mode of an agent's socket that names none.
const AGENT_MODE: u32 = 0o600;
/// The mode of a tmpfs.
const TMPFS_MODE: u32 = 0o1777;

/// The mounts of a RUN, read and checked.
pub(super) struct Mounts {
    list: Vec<Planned>,
    failed: Box<dyn Fn(FilesError) -> BuildError>,
}

/// What is mounted while the step runs.
#[derive(Default)]
pub(super) struct Prepared {
    /// The mounts.
    pub(super) mounts: Vec<Mount>,
    /// Where the step finds the first of its agents.
    pub(super) agent: Option<String>,
    /// They answer while they live.
    pub(super) agents: Vec<AgentSocket>,
    /// Secrets that the step sees as variables.
    pub(super) env: Vec<(String, Secret)>,
    /// What must not appear in the output.
    pub(super) masks: Vec<Secret>,
    /// Keeps others out of caches until the step is over.
    pub(super) locks: Vec<Lock>,
}

struct Planned {
    /// What the files of a context held when the key was made.
    content: OnceLock<Digest>,
    mount: RunMount,
    /// Absolute; empty for a secret that is only a variable.
    target: String,
    source: PlannedSource,
}

enum PlannedSource {
    /// Files of a context.
    Context { named: Option<usize>, path: String },
    /// Files of a stage or an image.
    Stack { stack: Stack, path: String },
    /// A cache directory; `path` within it; the stack that gives its first content.
    Cache { dir: CacheDir, path: String, seed: Option<Stack> },
    /// Memory.
    Tmpfs,
    /// A secret.
    Secret(Secret),
    /// An agent; none where it is neither given nor required.
    Ssh(Option<Arc<SshAgent>>),
}

impl Mounts {
    /// Reads the mounts of a RUN with the variables of its stage.
    pub(super) fn read(building: &Building<'_>, step: &Step, run: &Run) -> Result<Self, BuildError> {
        let lexer = Lexer::new(building.shared.plan.escape);
        let mut list = Vec::new();
        for (flag, origin) in run.mounts.iter().zip(&step.origins) {
            let mut expand =
                |text: &str| -> Result<String, WordError> { Ok(lexer.process_word(text, building.scope.vars())?.text) };
            let mount =
                flag.resolve(&mut expand).map_err(|error| building.fail(step, error.to_string(), error.hint()))?;
            let agents =
                list.iter().filter(|planned: &&Planned| matches!(planned.source, PlannedSource::Ssh(_))).count();
            list.extend(plan(building, step, mount, origin.as_ref(), agents)?);
        }
        Ok(Self { list, failed: Box::new(building.files_failed(step)) })
    }

    /// Says whether the mounts read files of stages or images, whose content is not looked at without need.
    pub(super) fn read_stacks(&self) -> bool {
        self.list.iter().any(|planned| matches!(planned.source, PlannedSource::Stack { .. }))
    }

    /// Adds to a key what of the mounts the result depends on: not the content, identity or sharing of caches
    /// and not the values of secrets.
    pub(super) fn describe(&self, op: &mut Op) {
        for planned in &self.list {
            let mount = &planned.mount;
            op.list("mount", [mount.kind.name(), &planned.target, if mount.read_only { "ro" } else { "rw" }]);
            match &planned.source {
                PlannedSource::Context { path, .. }
                | PlannedSource::Stack { path, .. }
                | PlannedSource::Cache { path, .. } => {
                    op.field("source", path);
                }
                PlannedSource::Tmpfs => {
                    op.field("size", mount.size.unwrap_or(0).to_le_bytes());
                }
                PlannedSource::Secret(_) => {
                    op.option("env", mount.env.as_ref()).field("id", mount.secret_id());
                    op.list("owner", [mount.mode, mount.uid, mount.gid].map(|number| format!("{number:?}")));
                }
                // whether there is one, and what it knows, is the user's affair
                PlannedSource::Ssh(_) => {
                    op.field("id", mount.id.as_deref().unwrap_or(DEFAULT_AGENT));
                    op.list("owner", [mount.mode, mount.uid, mount.gid].map(|number| format!("{number:?}")));
                }
            }
        }
    }

    /// Returns digests of what the mounts read: of content for contexts, of the definition for stages.
    pub(super) fn inputs(&self, shared: &Shared<'_>) -> Result<Vec<(String, Digest)>, BuildError> {
        self.digests(shared, false)
    }

    /// Returns what other machines know the [`inputs`](Self::inputs) by.
    pub(super) fn sources(&self, inputs: &[(String, Digest)]) -> Vec<PortableInput> {
        let reading = self
            .list
            .iter()
            .filter(|planned| matches!(planned.source, PlannedSource::Context { .. } | PlannedSource::Stack { .. }));
        let source = |(planned, (_, digest)): (&Planned, &(String, Digest))| match &planned.source {
            PlannedSource::Stack { stack, .. } => PortableInput::Stack(stack.clone()),
            _ => PortableInput::Content(digest.clone()),
        };
        reading.zip(inputs).map(source).collect()
    }

    /// Returns digests of the content that the mounts read.
    pub(super) fn content(&self, shared: &Shared<'_>) -> Result<Vec<(String, Digest)>, BuildError> {
        self.digests(shared, true)
    }

    fn digests(&self, shared: &Shared<'_>, look: bool) -> Result<Vec<(String, Digest)>, BuildError> {
        let mut digests = Vec::new();
        for planned in &self.list {
            let name = format!("the mount on {}", planned.target);
            match &planned.source {
                PlannedSource::Context { named, path } => {
                    let digest =
                        content_of(&copy::context(shared, *named), path, true, shared).map_err(&self.failed)?;
                    digests.push((name, planned.content.get_or_init(|| digest).clone()));
                }
                PlannedSource::Stack { stack, path } if look => {
                    let view = stack.view(shared)?;
                    let digest = content_of(&Source::View(&view), path, false, shared);
                    digests.push((name, digest.map_err(&self.failed)?));
                }
                PlannedSource::Stack { stack, .. } => digests.push((name, stack.id().clone())),
                PlannedSource::Cache { .. }
                | PlannedSource::Tmpfs
                | PlannedSource::Secret(_)
                | PlannedSource::Ssh(_) => {}
            }
        }
        Ok(digests)
    }

    /// Makes everything ready for the step. `scratch` is a directory that lives as long as the step.
    pub(super) fn prepare(&self, shared: &Shared<'_>, scratch: &Path) -> Result<Prepared, BuildError> {
        let mut prepared = Prepared::default();
        let mut list: Vec<&Planned> = self.list.iter().collect();
        if is_copied(shared) {
            // each cache is waited for, so that all steps must wait in the same order
            list.sort_by_key(|planned| planned.cache());
            if let Some(pair) =
                list.windows(2).find(|pair| pair[0].cache().is_some() && pair[0].cache() == pair[1].cache())
            {
                let (one, other) = (&pair[0].target, &pair[1].target);
                return Err((self.failed)(FilesError::Subject(format!(
                    "without namespaces {one} and {other} cannot be the same cache"
                ))));
            }
        }
        for planned in list {
            let source = self.source_of(planned, shared, scratch, &mut prepared)?;
            if let Some(source) = source {
                prepared.mounts.push(Mount { target: BString::from(planned.target.as_str()), source });
            }
        }
        Ok(prepared)
    }

    fn source_of(
        &self,
        planned: &Planned,
        shared: &Shared<'_>,
        scratch: &Path,
        prepared: &mut Prepared,
    ) -> Result<Option<MountSource>, BuildError> {
        let mount = &planned.mount;
        Ok(Some(match &planned.source {
            PlannedSource::Tmpfs => MountSource::Tmpfs { size: mount.size.filter(|size| *size > 0), mode: TMPFS_MODE },
            PlannedSource::Secret(value) => {
                prepared.masks.push(value.clone());
                prepared.env.extend(mount.env.clone().map(|name| (name, value.clone())));
                if planned.target.is_empty() {
                    return Ok(None);
                }
                MountSource::Content {
                    bytes: value.clone(),
                    mode: mount.mode.unwrap_or(SECRET_MODE),
                    uid: mount.uid.unwrap_or(0),
                    gid: mount.gid.unwrap_or(0),
                }
            }
            PlannedSource::Ssh(None) => return Ok(None),
            PlannedSource::Ssh(Some(agent)) => {
                let target = &planned.target;
                let broken = |error| BuildError::io(format!("open a socket for the agent on {target}"), error);
                let dir = scratch.join("agents");
                std::fs::create_dir_all(&dir).map_err(broken)?;
                let (mode, owner) =
                    (mount.mode.unwrap_or(AGENT_MODE), (mount.uid.unwrap_or(0), mount.gid.unwrap_or(0)));
                let name = prepared.agents.len().to_string();
                let socket = AgentSocket::open(Arc::clone(agent), &dir, &name, mode, owner).map_err(broken)?;
                let path = socket.path().to_owned();
                prepared.agents.push(socket);
                prepared.agent.get_or_insert_with(|| target.clone());
                MountSource::Moved { path, back: true }
            }
            PlannedSource::Context { named, path } => {
                let expected = planned.content.get();
                let path = materialise(&copy::context(shared, *named), path, expected, shared, &self.failed)?;
                if mount.read_only {
                    MountSource::Bind { path, read_only: true }
                } else {
                    MountSource::Scratch { path }
                }
            }
            PlannedSource::Stack { stack, path } => {
                let lower = stack.chain(shared)?.lower;
                if lower.is_empty() {
                    let path = empty_dir(scratch)?;
                    return Ok(Some(MountSource::Scratch { path }));
                }
                if is_copied(shared) {
                    let path = copy_of(stack, path, &scratch.join(prepared.mounts.len().to_string()), shared);
                    return Ok(Some(MountSource::Moved { path: path.map_err(&self.failed)?, back: false }));
                }
                MountSource::Union { lower, path: BString::from(path.as_str()), writable: !mount.read_only }
            }
            PlannedSource::Cache { dir, path, seed } => {
                let broken = |error| BuildError::io(format!("use the cache for {}", planned.target), error);
                let sources = &shared.request.cache_mounts_from;
                let mut first = |new: &Path| match first_content(sources, dir.name(), new, shared.events)? {
                    First::Filled => Ok(true),
                    First::Spoilt => Ok(false),
                    First::Nothing => {
                        seed.as_ref().map_or(Ok(()), |seed| fill(new, seed, shared, &self.failed))?;
                        Ok(true)
                    }
                };
                let open = dir.open(&shared.state.mounts, is_copied(shared), &mut first)?;
                let path = within(&open.path, path).map_err(broken)?.ok_or_else(|| {
                    (self.failed)(FilesError::Subject(format!("the cache for {} has no {path}", planned.target)))
                })?;
                prepared.locks.push(open.lock);
                if mount.read_only {
                    MountSource::Bind { path, read_only: true }
                } else {
                    MountSource::Moved { path, back: true }
                }
            }
        }))
    }
}

impl Planned {
    /// The cache that it shows.
    fn cache(&self) -> Option<&str> {
        match &self.source {
            PlannedSource::Cache { dir, .. } => Some(dir.name()),
            _ => None,
        }
    }
}

/// Says whether mounts are copied or moved to their places.
fn is_copied(shared: &Shared<'_>) -> bool {
    shared.request.isolation == Isolation::Chroot
}

/// Says what a mount shows. `None`: nothing, such as a secret that is neither given nor required. `agents` come before it in
/// the instruction.
fn plan(
    building: &Building<'_>,
    step: &Step,
    mount: RunMount,
    origin: Option<&Origin>,
    agents: usize,
) -> Result<Option<Planned>, BuildError> {
    let shared = building.shared;
    let workdir = &building.config.config.working_dir;
    let target = || {
        mount.target_in(workdir).ok_or_else(|| {
            building.fail(step, "a mount cannot be put over the root directory", Some("add `target=…`".to_owned()))
        })
    };
    let path = paths::clean(mount.source.as_deref().unwrap_or_default());
    let (target, source) = match mount.kind {
        MountType::Bind => {
            let source = match origin {
                None => PlannedSource::Context { named: None, path },
                Some(Origin::Dir(index)) => PlannedSource::Context { named: Some(*index), path },
                Some(origin) => PlannedSource::Stack { stack: building.stack_of(origin)?, path },
            };
            (target()?, source)
        }
        MountType::Cache => {
            let seed = origin.map(|origin| building.stack_of(origin)).transpose()?;
            let namespace = shared.globals.build_arg(CACHE_NAMESPACE_ARG);
            let dir = CacheDir::of(&mount, namespace, seed.as_ref().map(Stack::id));
            shared.cache_mounts().insert(CacheMount { name: dir.name().to_owned(), id: dir.id().to_owned() });
            (target()?, PlannedSource::Cache { dir, path, seed })
        }
        MountType::Tmpfs => (target()?, PlannedSource::Tmpfs),
        MountType::Secret => {
            let id = mount.secret_id();
            let Some(secret) = shared.request.secrets.iter().find(|secret| secret.id == id) else {
                if !mount.required {
                    return Ok(None);
                }
                return Err(building.fail(
                    step,
                    format!("the secret `{id}` is required and not given"),
                    Some(format!("give it with --secret id={id},src=FILE or --secret id={id},env=NAME")),
                ));
            };
            let target = mount.secret_target().map(|target| paths::join("/", &target)).unwrap_or_default();
            (target, PlannedSource::Secret(secret.value.clone()))
        }
        MountType::Ssh => {
            let id = mount.id.as_deref().unwrap_or(DEFAULT_AGENT);
            let agent = shared.request.ssh.iter().find(|(known, _)| known == id).map(|(_, agent)| Arc::clone(agent));
            if agent.is_none() && mount.required {
                return Err(building.fail(
                    step,
                    format!("the agent `{id}` is required and not given"),
                    Some(format!("--ssh {id} offers the agent of SSH_AUTH_SOCK, --ssh {id}=FILE a key")),
                ));
            }
            let target = if mount.target.is_some() { target()? } else { format!("{AGENT_TARGET}{agents}") };
            (target, PlannedSource::Ssh(agent))
        }
    };
    Ok(Some(Planned { content: OnceLock::new(), mount, target, source }))
}

fn content_of(source: &Source<'_>, path: &str, from_context: bool, shared: &Shared<'_>) -> Result<Digest, FilesError> {
    files::select(source, &copy::single(path, from_context))?.digest(&shared.digests)
}

/// Returns a directory or file with what is at a path of a context, as steps may see it: without what is
/// ignored, with root as the owner. It is kept among the snapshots under the digest of its content.
///
/// It is an error if it is not what was `expected`.
fn materialise(
    source: &Source<'_>,
    path: &str,
    expected: Option<&Digest>,
    shared: &Shared<'_>,
    failed: &dyn Fn(FilesError) -> BuildError,
) -> Result<PathBuf, BuildError> {
    let op = copy::single(path, true);
    let mut selection = files::select(source, &op).map_err(failed)?;
    let digest = selection.digest(&shared.digests).map_err(failed)?;
    if expected.is_some_and(|expected| *expected != digest) {
        return Err(failed(FilesError::Changed { path: format!("{path} in the build context") }));
    }
    let mut key = Op::new("mounted-context");
    key.field("path", path).field("content", digest.as_str());
    let key = key.finish();
    if let Some(dir) = shared.snapshots.get(&key) {
        return Ok(dir.join(copy::MOUNTED));
    }
    let draft = shared.snapshots.begin().map_err(failed)?;
    files::apply(&selection, &op, &View::new(&Chain::scratch()), &draft.fs).map_err(failed)?;
    let dir = shared.snapshots.commit(draft, &key).map_err(failed)?;
    Ok(dir.join(copy::MOUNTED))
}

/// Copies what is at a path of a stage into a directory that is made; returns the copy.
fn copy_of(stack: &Stack, path: &str, dir: &Path, shared: &Shared<'_>) -> Result<PathBuf, FilesError> {
    let view = stack.view(shared).map_err(|error| FilesError::Subject(error.to_string()))?;
    // an earlier step of the same stage may have left one
    let _ = std::fs::remove_dir_all(dir);
    std::fs::create_dir(dir).map_err(|source| FilesError::io("create", dir, source))?;
    if !snapshot::extract(&view, path.into(), dir, copy::MOUNTED.into())? {
        return Err(FilesError::Subject(format!("there is no {path} to mount")));
    }
    Ok(dir.join(copy::MOUNTED))
}

/// Gives a new cache directory its first content: the whole of a stage or image.
fn fill(
    dir: &Path,
    seed: &Stack,
    shared: &Shared<'_>,
    failed: &dyn Fn(FilesError) -> BuildError,
) -> Result<(), BuildError> {
    let mut op = copy::single("/", false);
    op.dest = BString::from("/");
    let view = seed.view(shared)?;
    let selection = files::select(&Source::View(&view), &op).map_err(failed)?;
    files::apply(&selection, &op, &View::new(&Chain::scratch()), dir).map(|_| ()).map_err(failed)
}

/// Returns the path inside a directory, symbolic links followed inside it only.
fn within(dir: &Path, path: &str) -> std::io::Result<Option<PathBuf>> {
    if path == "/" {
        return Ok(Some(dir.to_owned()));
    }
    let view = View::new(&Chain::scratch().push(Digest::of(b"cache"), dir.to_owned()));
    let path: &BStr = path.as_bytes().as_bstr();
    Ok(view.resolve(path)?.map(|path| dir.join(path.to_path_lossy())))
}
