//! Starting the helper: the program executed again, from a file that nobody can write to.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use rustix::fs::{CWD, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::mount::OpenTreeFlags;

use crate::error::{Fault, SandboxError, Step};
use crate::isolation::Isolation;
use crate::spec::{MountSource, RootFs, Spec};
use crate::sys;
use crate::wire::{self, Request};

/// The name under which the helper is started; `helper_main` knows it by this.
pub(crate) const HELPER_NAME: &str = "plim-sandbox-helper";

static HELPER: OnceLock<PathBuf> = OnceLock::new();

/// Names the program that is started as helper, which must call [`crate::helper_main`] first thing in `main`.
///
/// Without this call it is the running program itself. Only the first call counts.
pub fn set_helper(path: impl Into<PathBuf>) {
    // a second call would change nothing for helpers that already run
    let _ = HELPER.set(path.into());
}

/// A started helper and the ends of its channels.
#[derive(Debug)]
pub(crate) struct Helper {
    pub(crate) process: Child,
    pub(crate) control: UnixStream,
    /// None where the command writes to a terminal.
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) stderr: Option<ChildStderr>,
}

/// Starts a helper and hands it the request. Output goes to pipes, or to a terminal that is given.
pub(crate) fn launch(request: &Request<&Spec>, terminal: Option<OwnedFd>) -> Result<Helper, SandboxError> {
    let (mut control, theirs) = UnixStream::pair().step(|| "make a socket pair")?;
    let mut process = spawn(OwnedFd::from(theirs), terminal).step(|| "start the sandbox's helper process")?;
    let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
    if let Err(error) = wire::send(request, &mut control) {
        let status = process.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        return Err(SandboxError::Helper(format!("{status}, {error}")));
    }
    Ok(Helper { process, control, stdout, stderr })
}

fn spawn(control: OwnedFd, terminal: Option<OwnedFd>) -> io::Result<Child> {
    let program = program()?;
    let (stdout, stderr) = match terminal {
        Some(terminal) => (Stdio::from(terminal.try_clone()?), Stdio::from(terminal)),
        None => (Stdio::piped(), Stdio::piped()),
    };
    Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()))
        .arg0(HELPER_NAME)
        .env_clear()
        .stdin(Stdio::from(control))
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
}

/// The helper's program, opened so that `/proc/self/exe` inside a container cannot be used to overwrite it.
///
/// Process 1 of a container is this program until it executes the command, and an image can name `/proc/self/exe` as
/// interpreter of a script: with a writable file, root in the container could replace plim on the host (CVE-2019-5736).
fn program() -> io::Result<&'static OwnedFd> {
    static PROGRAM: OnceLock<OwnedFd> = OnceLock::new();
    if let Some(program) = PROGRAM.get() {
        return Ok(program);
    }
    let path = HELPER.get().map_or(Path::new("/proc/self/exe"), PathBuf::as_path);
    let program = read_only_mount(path).or_else(|_| sealed_copy(path))?;
    Ok(PROGRAM.get_or_init(|| program))
}

/// The file seen through a read-only mount of its own, which costs nothing (since Linux 5.12).
fn read_only_mount(path: &Path) -> io::Result<OwnedFd> {
    let open = |path: &Path| rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let mut file = open(path)?;
    if let Ok(real) = std::fs::read_link(path) {
        // `/proc/self/exe` leads to a mount of before this process got a mount namespace of its own, which cannot be
        // copied; the same file has to be reached through the new one
        let (of_link, of_path) = (rustix::fs::fstat(&file)?, open(&real)?);
        let stat = rustix::fs::fstat(&of_path)?;
        if (stat.st_dev, stat.st_ino) == (of_link.st_dev, of_link.st_ino) {
            file = of_path;
        }
    }
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = rustix::mount::open_tree(&file, c"", flags)?;
    sys::set_mount_read_only(tree.as_fd(), false)?;
    Ok(tree)
}

/// A copy in memory that can no longer be changed.
fn sealed_copy(path: &Path) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // kernels before 6.3 do not know that such a file may be meant for execution, and never forbid it
    let copy = rustix::fs::memfd_create(HELPER_NAME, flags | MemfdFlags::EXEC)
        .or_else(|_| rustix::fs::memfd_create(HELPER_NAME, flags))?;
    let mut copy = std::fs::File::from(copy);
    io::copy(&mut std::fs::File::open(path)?, &mut copy)?;
    rustix::fs::fcntl_add_seals(&copy, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    // a file open for writing cannot be executed
    let read_only = rustix::fs::open(
        format!("/proc/self/fd/{}", copy.as_raw_fd()),
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    Ok(read_only)
}

/// Turns a spec that nothing could run away before any process is started.
pub(crate) fn check(spec: &Spec) -> Result<(), Fault> {
    let invalid = |text: &str| Err(Fault::Invalid(text.to_owned()));
    if spec.args.first().is_none_or(|program| program.is_empty()) {
        return invalid("no command was given");
    }
    let words =
        spec.args.iter().chain(&spec.env).chain([&spec.cwd]).chain(spec.mounts.iter().map(|mount| &mount.target));
    if words.into_iter().any(|word| word.contains(&0)) {
        return invalid("an argument, variable or path contains a zero byte");
    }
    if !spec.cwd.starts_with(b"/") {
        return invalid("the working directory is not absolute");
    }
    for mount in &spec.mounts {
        if !mount.target.starts_with(b"/") {
            return Err(Fault::Invalid(format!("the mount target `{}` is not absolute", mount.target)));
        }
        if mount.target.split(|byte| *byte == b'/').all(|part| part.is_empty() || part == b"." || part == b"..") {
            return invalid("a mount cannot replace the root directory");
        }
    }
    if spec.runtime.as_ref().is_some_and(|runtime| !runtime.is_absolute()) {
        return invalid("the path of the runtime is not absolute");
    }
    if spec.isolation == Isolation::Chroot {
        if spec.runtime.is_some() {
            return invalid("another runtime needs namespaces");
        }
        if !matches!(spec.root, RootFs::Dir(_)) {
            return invalid("without namespaces a root file system must be one directory");
        }
        for mount in &spec.mounts {
            if matches!(mount.source, MountSource::Union { .. }) {
                return invalid("without namespaces directories cannot be shown merged");
            }
        }
    }
    let lowers = |root: &RootFs| match root {
        RootFs::Dir(_) => 1,
        RootFs::Overlay { lower, .. } | RootFs::ReadOnly { lower } => lower.len(),
    };
    match lowers(&spec.root) {
        0 => invalid("the root file system has no directory"),
        // the kernel's OVL_MAX_STACK
        501.. => invalid("the root file system has more than 500 layers, which overlayfs cannot stack"),
        _ => Ok(()),
    }
}
