//! What keeps a command apart from the machine, and which of the ways works here.

use std::io::Read;

use rustix::process::WaitOptions;
use rustix::thread::CapabilitySet;
use serde::{Deserialize, Serialize};

use crate::error::{SandboxError, Step};
use crate::helper::probing;
use crate::probe::Support;
use crate::sys::{self, Forked};
use crate::userns;

/// What keeps a command apart from the rest of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Isolation {
    /// Namespaces with mounts, processes and, on demand, a network of their own.
    #[default]
    Namespaces,
    /// A root directory, and no more. Network, processes and host name are those of the surroundings, and a command that
    /// is root can leave: this tidies up after honest commands, and guards against no others.
    Chroot,
}

/// Decides how commands are kept apart and prepares this process for it; without a wish it takes the best that works.
///
/// As an ordinary user, and as root that may not mount, it enters a user namespace ([`userns::enter_if_needed`]). It is to
/// be called at the start of the program, before it has a second thread.
pub fn choose(wish: Option<Isolation>) -> Result<Isolation, SandboxError> {
    match wish {
        Some(Isolation::Namespaces) => userns::enter_if_needed().map(|_| Isolation::Namespaces),
        Some(Isolation::Chroot) => {
            if may_change_root() {
                return Ok(Isolation::Chroot);
            }
            let reason = "only root with the capability CAP_SYS_CHROOT can change the root directory";
            Err(SandboxError::NoIsolation { reason: reason.to_owned() })
        }
        None => choose_best(),
    }
}

fn choose_best() -> Result<Isolation, SandboxError> {
    // an ordinary user has no other way, and root of a machine, whom nothing restricts, needs no other
    if !rustix::process::geteuid().is_root() || userns::may_mount() && !is_confined() {
        return userns::enter_if_needed().map(|_| Isolation::Namespaces);
    }
    let support = try_out()?;
    if support.namespaces && support.overlay {
        return userns::enter_if_needed().map(|_| Isolation::Namespaces);
    }
    if may_change_root() {
        tracing::debug!(reason = support.reason, "no namespaces: commands run in a chroot");
        return Ok(Isolation::Chroot);
    }
    Err(SandboxError::NoIsolation { reason: support.reason.unwrap_or_default() })
}

fn may_change_root() -> bool {
    rustix::process::geteuid().is_root()
        && rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_CHROOT))
}

/// Whether a filter of system calls or a security module may refuse what the capabilities allow.
fn is_confined() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let filtered = !status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "0"]));
    let profile = std::fs::read_to_string("/proc/self/attr/current").unwrap_or_default();
    let profile = profile.trim_end_matches(['\0', '\n']);
    filtered || !(profile.is_empty() || profile == "unconfined" || profile.contains("unconfined_t"))
}

/// Does in a child what every sandbox does first: some of it cannot be undone.
fn try_out() -> Result<Support, SandboxError> {
    let (mut answer, tell) = std::io::pipe().step(|| "make a pipe")?;
    let child = match sys::fork().step(|| "start a process to try namespaces")? {
        Forked::Child => {
            drop(answer);
            let support = match userns::enter_if_needed() {
                Ok(_) => probing::probe(),
                Err(error) => Support { reason: Some(crate::probe::with_cause(&error)), ..Support::default() },
            };
            // a parent that cannot read it says so itself
            let _ = rustix::io::write(&tell, &serde_json::to_vec(&support).unwrap_or_default());
            sys::exit_now(0)
        }
        Forked::Parent(child) => child,
    };
    drop(tell);
    let mut text = Vec::new();
    answer.read_to_end(&mut text).step(|| "read what a try of namespaces gave")?;
    rustix::process::waitpid(Some(child), WaitOptions::empty()).step(|| "wait for a try of namespaces")?;
    serde_json::from_slice(&text).map_err(|_| SandboxError::Helper("no answer about namespaces".to_owned()))
}
