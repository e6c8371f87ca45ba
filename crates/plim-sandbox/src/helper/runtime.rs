//! Handing the command over to another runtime (crun, runc, youki), as an OCI bundle.
//!
//! The root and all mounts are ready by now, as for a command that plim starts itself, so there is one place that
//! knows how a step's files look, and nothing of them is left in the layer. What the runtime does is to change the root,
//! drop rights, filter system calls and execute: those parts of the runtime specification (config.md, config-linux.md).
//! The runtime is process 1 of the namespace of process ids, and the command that of one inside it.

use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice as _};
use rustix::fs::Mode;
use rustix::mount::MountFlags;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::account::{self, Account};
use super::place::{Tree, name_of};
use super::workshop::{Workshop, open_dir};
use super::{privileges, seccomp, setup, system};
use crate::error::{Fault, ProgramFault, Step};
use crate::idmap;
use crate::spec::{RootFs, Spec};
use crate::sys;

/// Everything that the runtime needs, on its own file system in memory.
pub(super) struct Bundle {
    runtime: PathBuf,
    args: Vec<CString>,
    env: Vec<CString>,
}

impl Bundle {
    /// Writes the bundle for a command in a tree that is mounted and complete.
    pub(super) fn new(spec: &Spec, runtime: &Path, tree: &Tree, workshop: &mut Workshop) -> Result<Self, Fault> {
        let root = path_of(tree.root()).step(|| "find the root directory")?;
        let account = inside(tree, || {
            if spec.create_cwd {
                setup::create_directories(spec.cwd.as_bstr())?;
            }
            account::look_up(&spec.user)
        })?;
        let bundle = path_of(&workshop.directory()?).step(|| "find the bundle")?;
        let state = path_of(&workshop.directory()?).step(|| "find the runtime's directory")?;
        let config = config(spec, &root, &account)?;
        std::fs::write(bundle.join("config.json"), config.to_string()).step(|| "write the runtime's config.json")?;
        let mut args: Vec<OsString> = vec![runtime.into(), "--root".into(), state.into()];
        if runtime.file_name().is_some_and(|name| name == "crun") {
            // root of the machine needs a control group, which keeps the command from devices; in a user namespace none work
            let manager = if idmap::in_user_namespace() { "disabled" } else { "cgroupfs" };
            args.push(format!("--cgroup-manager={manager}").into());
            show_one_cgroup_hierarchy();
        }
        args.extend(["run".into(), "--bundle".into(), bundle.into(), name(&spec.root).into()]);
        let terminated = |text: OsString| CString::new(text.into_vec()).map_err(|_| invalid());
        Ok(Self {
            runtime: runtime.to_owned(),
            args: args.into_iter().map(terminated).collect::<Result<_, _>>()?,
            env: vec![c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()],
        })
    }

    /// Becomes the runtime; returns only when that cannot be.
    pub(super) fn execute(&self) -> Result<Infallible, Fault> {
        let program = CString::new(self.runtime.as_os_str().as_bytes()).map_err(|_| invalid())?;
        let error = sys::execute(&program, &self.args, &self.env);
        let fault = match error.raw_os_error() {
            Some(libc::ENOENT) => ProgramFault::NotFound,
            Some(libc::EACCES) => ProgramFault::NotExecutable,
            Some(libc::ENOEXEC) => ProgramFault::WrongFormat,
            errno => {
                let step = format!("execute the runtime {}", self.runtime.display());
                return Err(Fault::System { step, errno: errno.unwrap_or(libc::EIO) });
            }
        };
        Err(Fault::Program { program: self.runtime.display().to_string(), fault })
    }
}

/// Shows the runtime the processes by the numbers that it knows them by.
pub(super) fn mount_proc() -> Result<(), Fault> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount(c"proc", c"/proc", c"proc", flags, c"").step(|| "mount proc for the runtime")
}

/// Ties the process to its helper and lets nothing of the host through to the runtime.
pub(super) fn prepare_process() -> Result<(), Fault> {
    rustix::process::umask(Mode::from(0o022));
    sys::reset_signals();
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).step(|| "tie process 1 to its helper")?;
    sys::close_on_execute().step(|| "close files of the host")
}

/// crun refuses machines that have control groups of both versions. In this process's own mount namespace the second version
/// alone is to be seen, which is enough to watch over devices.
fn show_one_cgroup_hierarchy() {
    let unified = Path::new("/sys/fs/cgroup/unified");
    if unified.is_dir() {
        // where that is refused crun says what it does not like
        let _ = rustix::mount::mount_bind(unified, "/sys/fs/cgroup");
    }
}

/// Does something with the tree as the root directory, and comes back.
fn inside<T>(tree: &Tree, work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    let step = || "change the root directory";
    let outside = open_dir(Path::new("/")).step(step)?;
    rustix::process::fchdir(tree.root()).step(step)?;
    rustix::process::chroot(c".").step(step)?;
    let result = work();
    rustix::process::fchdir(&outside).step(step)?;
    rustix::process::chroot(c".").step(step)?;
    result
}

fn path_of(fd: &OwnedFd) -> std::io::Result<PathBuf> {
    std::fs::read_link(name_of(fd))
}

/// The container's name. It is that of the directory with the changes, which no other container uses at the time.
fn name(root: &RootFs) -> String {
    let mut hasher = DefaultHasher::new();
    match root {
        RootFs::Dir(path) | RootFs::Overlay { upper: path, .. } => path.hash(&mut hasher),
        RootFs::ReadOnly { lower } => lower.hash(&mut hasher),
    }
    format!("plim-{:016x}", hasher.finish())
}

/// Removes the control groups that a runtime leaves when it fails; those in use stay.
pub(super) fn clean(root: &RootFs) {
    let name = name(root);
    let groups = Path::new("/sys/fs/cgroup");
    let hierarchies = std::fs::read_dir(groups).into_iter().flatten().flatten().map(|entry| entry.path());
    for hierarchy in hierarchies.chain([groups.to_owned()]) {
        let _ = std::fs::remove_dir(hierarchy.join(&name));
    }
}

fn invalid() -> Fault {
    Fault::Invalid("a path contains a zero byte".to_owned())
}

/// The runtime's configuration.
fn config(spec: &Spec, root: &Path, account: &Account) -> Result<Value, Fault> {
    let mut env = spec.env.iter().map(variable).collect::<Result<Vec<_>, _>>()?;
    if !env.iter().any(|variable| variable.starts_with("HOME=")) {
        env.push(format!("HOME={}", account.home));
    }
    let kept = privileges::kept_names();
    let held: &[String] = if account.uid == 0 { &kept } else { &[] };
    let limits: Vec<Value> = spec
        .ulimits
        .iter()
        .map(|limit| json!({ "type": format!("RLIMIT_{}", limit.name.to_uppercase()), "soft": limit.soft, "hard": limit.hard }))
        .collect();
    let dev = root.join("dev");
    Ok(json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": account.uid, "gid": account.gid, "umask": 0o022, "additionalGids": account.groups },
            "args": spec.args.iter().map(|one| text("an argument", one)).collect::<Result<Vec<_>, _>>()?,
            "env": env,
            "cwd": text("the working directory", &spec.cwd)?,
            "capabilities": { "bounding": kept, "effective": held, "permitted": held },
            "rlimits": limits,
            "noNewPrivileges": spec.no_new_privs,
        },
        "root": { "path": root.to_string_lossy(), "readonly": matches!(spec.root, RootFs::ReadOnly { .. }) },
        "mounts": [
            // it is there already: a runtime makes devices unless it finds it mounted by its configuration
            { "destination": "/dev", "type": "bind", "source": dev.to_string_lossy(), "options": ["rbind", "nosuid", "nodev"] },
            { "destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "nodev", "noexec"] },
        ],
        "linux": {
            "resources": { "devices": devices() },
            // with the command everything ends that it leaves, and the runtime is not among what it sees
            "namespaces": [{ "type": "mount" }, { "type": "pid" }],
            "maskedPaths": system::MASKED,
            "readonlyPaths": system::READ_ONLY,
            "seccomp": seccomp::table(spec.skip_fsync),
        },
    }))
}

/// A variable as text. Its value may be a secret, which no message shows.
fn variable(pair: &BString) -> Result<String, Fault> {
    let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().as_bstr();
    text(&format!("the variable {name}"), pair)
}

/// Bytes as the text that the configuration takes. The message does not show them: arguments, too, may hold what is not
/// for everyone's eyes.
fn text(what: &str, bytes: &BString) -> Result<String, Fault> {
    let readable = bytes.to_str().map(str::to_owned);
    readable.map_err(|_| Fault::Invalid(format!("{what} is not UTF-8, which other runtimes need")))
}

/// Which devices the command may use: those that every container has. Files of all others may be made, as package managers
/// do, and none of them be opened. Where plim starts commands the mount of the root sees to that, whose flags not every
/// runtime keeps.
fn devices() -> Value {
    let mut rules = vec![json!({ "allow": false, "access": "rwm" })];
    rules.extend(["c", "b"].map(|kind| json!({ "allow": true, "type": kind, "access": "m" })));
    // null, zero, full, random, urandom, tty, ptmx, terminals
    let usual =
        [(1, Some(3)), (1, Some(5)), (1, Some(7)), (1, Some(8)), (1, Some(9)), (5, Some(0)), (5, Some(2)), (136, None)];
    rules.extend(usual.map(|(major, minor): (u32, Option<u32>)| match minor {
        Some(minor) => json!({ "allow": true, "type": "c", "major": major, "minor": minor, "access": "rwm" }),
        None => json!({ "allow": true, "type": "c", "major": major, "access": "rwm" }),
    }));
    Value::Array(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_says_what_the_step_may_do() {
        let mut spec = Spec::new(RootFs::Dir("/x".into()));
        spec.args = vec!["sh".into(), "-c".into(), "true".into()];
        spec.env = vec!["A=b".into()];
        let account = Account { uid: 7, gid: 8, groups: vec![8, 9], home: "/home/a".into() };
        let config = config(&spec, Path::new("/r"), &account).unwrap();
        let process = &config["process"];
        assert_eq!(process["env"], json!(["A=b", "HOME=/home/a"]));
        assert_eq!(process["user"], json!({ "uid": 7, "gid": 8, "umask": 18, "additionalGids": [8, 9] }));
        assert_eq!(process["capabilities"]["effective"], json!([]));
        assert_eq!(process["capabilities"]["bounding"].as_array().unwrap().len(), 14);
        assert!(process["capabilities"]["bounding"].as_array().unwrap().contains(&json!("CAP_SETFCAP")));
        assert_eq!(config["linux"]["seccomp"]["defaultAction"], "SCMP_ACT_ERRNO");
        spec.args.push(BString::from(&b"\xff"[..]));
        assert!(matches!(super::config(&spec, Path::new("/r"), &account), Err(Fault::Invalid(_))));
    }

    #[test]
    fn what_is_not_utf8_is_named_and_not_shown() {
        let account = Account { uid: 0, gid: 0, groups: Vec::new(), home: "/root".into() };
        let message = |change: &dyn Fn(&mut Spec)| {
            let mut spec = Spec::new(RootFs::Dir("/x".into()));
            change(&mut spec);
            let Err(Fault::Invalid(message)) = config(&spec, Path::new("/r"), &account) else { panic!("it is taken") };
            message
        };
        let secret = |name: &str| BString::from([name.as_bytes(), b"hunter2\xff"].concat());
        let variable = message(&|spec| spec.env = vec!["A=b".into(), secret("TOKEN=")]);
        assert!(variable.contains("the variable TOKEN is not UTF-8") && !variable.contains("hunter"), "{variable}");
        let argument = message(&|spec| spec.args = vec![secret("--token=")]);
        assert!(argument.contains("an argument is not UTF-8") && !argument.contains("hunter"), "{argument}");
    }
}
