//! Root without being root: the program moves into a user namespace, where mounting and changing owners is allowed.
//!
//! The process itself moves, so that terminal, signals and exit code stay its own. Only the writing of the id maps has
//! to happen from outside: a child that stays behind calls `newuidmap` and `newgidmap`, which check `/etc/subuid` and
//! `/etc/subgid`. Without them the namespace knows one user only, the caller, as root.

mod subid;

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};

use rustix::mount::MountPropagationFlags;
use rustix::process::{Pid, WaitOptions};
use rustix::thread::{CapabilitySet, UnshareFlags};

use crate::error::{SandboxError, Step, SystemError};
use crate::idmap::{self, Extent};
use crate::sys::{self, Forked};
use subid::Range;

/// As whom the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Root of the machine.
    Root,
    /// Root of a user namespace with this many user ids.
    Mapped {
        /// The number of user ids, the own one included.
        ids: u32,
    },
    /// Root of a user namespace that knows only this one user: commands cannot switch to another user, and files of
    /// other owners cannot be made.
    Single,
}

/// Enters a user namespace, with a mount namespace of its own, unless the process may mount already.
///
/// To be called at the start of the program, before it has a second thread: afterwards the whole program, not only its
/// sandboxes, is root of that namespace. Calling it again does nothing. Files of the caller seem to be root's from then
/// on; files of users that are not mapped seem to be nobody's.
pub fn enter_if_needed() -> Result<Mode, SandboxError> {
    if !may_mount() {
        enter()?;
    }
    Ok(mode(idmap::size(&idmap::own("uid_map"))))
}

pub(crate) fn may_mount() -> bool {
    rustix::process::geteuid().is_root()
        && rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

fn mode(ids: u32) -> Mode {
    match ids {
        u32::MAX => Mode::Root,
        0 | 1 => Mode::Single,
        ids => Mode::Mapped { ids },
    }
}

fn enter() -> Result<(), SandboxError> {
    let caller = Caller {
        pid: rustix::process::getpid(),
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    let (wait, go) = io::pipe().step(|| "make a pipe")?;
    let mapper = match sys::fork().step(|| "start a process outside the user namespace")? {
        Forked::Child => {
            drop(go);
            let mut wait = wait;
            // end of file means that the namespace was refused
            let done = if wait.read_exact(&mut [0]).is_ok() { caller.map_from_outside() } else { Done::default() };
            sys::exit_now(done.code())
        }
        Forked::Parent(mapper) => mapper,
    };
    drop(wait);
    let entered = sys::unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS);
    let mut go = go;
    if entered.is_ok() {
        // a mapper that is gone is noticed right below
        let _ = go.write_all(&[1]);
    }
    drop(go);
    let waited = rustix::process::waitpid(Some(mapper), WaitOptions::empty()).step(|| "wait for newuidmap")?;
    entered.map_err(|error| SandboxError::Refused { source: SystemError::from(error) })?;
    let done = Done::from_code(waited.and_then(|(_, status)| status.exit_status()).unwrap_or(0));
    caller.map_from_inside(done).map_err(|error| SandboxError::Refused { source: SystemError::from(error) })?;
    // AppArmor may let the namespace be made and then take all rights in it
    rustix::mount::mount_change(c"/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(|error| SandboxError::Refused { source: SystemError::from(error) })
}

/// The process that enters the namespace, as seen from outside.
#[derive(Debug, Clone, Copy)]
struct Caller {
    pid: Pid,
    uid: u32,
    gid: u32,
}

/// Which maps are written.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    users: bool,
    groups: bool,
}

impl Done {
    fn code(self) -> i32 {
        i32::from(self.users) | i32::from(self.groups) << 1
    }

    fn from_code(code: i32) -> Self {
        Self { users: code & 1 != 0, groups: code & 2 != 0 }
    }
}

impl Caller {
    /// Runs in the process that stayed outside.
    fn map_from_outside(self) -> Done {
        if self.uid == 0 {
            // root without the right to mount, as in a container: may pass all its own numbers on
            return Done { users: self.pass_on("uid_map"), groups: self.pass_on("gid_map") };
        }
        let passwd = std::fs::read("/etc/passwd").unwrap_or_default();
        let name = subid::user_name(&passwd, self.uid);
        let ranges = |file| subid::ranges(&std::fs::read(file).unwrap_or_default(), name.as_deref(), self.uid);
        let users = self.map_with("newuidmap", self.uid, &ranges("/etc/subuid"));
        // with one map of many and one of a single id, groups of the image could not be told apart
        let groups = users && self.map_with("newgidmap", self.gid, &ranges("/etc/subgid"));
        Done { users, groups }
    }

    fn pass_on(self, file: &str) -> bool {
        let line = |extent: &Extent| format!("{0} {0} {1}\n", extent.inside, extent.count);
        let map: Vec<String> = idmap::own(file).iter().map(line).collect();
        std::fs::write(format!("/proc/{}/{file}", self.pid.as_raw_pid()), map.concat()).is_ok()
    }

    fn map_with(self, tool: &str, own: u32, ranges: &[Range]) -> bool {
        let arguments = subid::map_arguments(own, ranges);
        if ranges.is_empty() {
            return false;
        }
        Command::new(tool)
            .arg(self.pid.as_raw_pid().to_string())
            .args(arguments.iter().map(u32::to_string))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Maps the caller alone, where no tool has mapped more.
    fn map_from_inside(self, done: Done) -> io::Result<()> {
        if !done.users {
            std::fs::write("/proc/self/uid_map", format!("0 {} 1\n", self.uid))?;
        }
        if !done.groups {
            // the kernel's condition for writing the map without rights outside
            std::fs::write("/proc/self/setgroups", "deny")?;
            std::fs::write("/proc/self/gid_map", format!("0 {} 1\n", self.gid))?;
        }
        Ok(())
    }
}
