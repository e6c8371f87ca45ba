//! From root of the sandbox to what the command may do.

use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::account::Account;
use crate::error::{Fault, Step};

/// What containers have everywhere: enough for package managers, nothing that reaches the host.
const KEPT_BY_NAME: [(&str, CapabilitySet); 14] = [
    ("CHOWN", CapabilitySet::CHOWN),
    ("DAC_OVERRIDE", CapabilitySet::DAC_OVERRIDE),
    ("FOWNER", CapabilitySet::FOWNER),
    ("FSETID", CapabilitySet::FSETID),
    ("KILL", CapabilitySet::KILL),
    ("SETGID", CapabilitySet::SETGID),
    ("SETUID", CapabilitySet::SETUID),
    ("SETPCAP", CapabilitySet::SETPCAP),
    ("NET_BIND_SERVICE", CapabilitySet::NET_BIND_SERVICE),
    ("NET_RAW", CapabilitySet::NET_RAW),
    ("SYS_CHROOT", CapabilitySet::SYS_CHROOT),
    ("MKNOD", CapabilitySet::MKNOD),
    ("AUDIT_WRITE", CapabilitySet::AUDIT_WRITE),
    ("SETFCAP", CapabilitySet::SETFCAP),
];

/// The same as a set.
const KEPT: CapabilitySet = {
    let (mut set, mut at) = (CapabilitySet::empty(), 0);
    while at < KEPT_BY_NAME.len() {
        set = set.union(KEPT_BY_NAME[at].1);
        at += 1;
    }
    set
};

/// The names of the capabilities that root in a container has, as other runtimes write them.
pub(super) fn kept_names() -> Vec<String> {
    KEPT_BY_NAME.iter().map(|(name, _)| format!("CAP_{name}")).collect()
}

/// What a process that is to become the command may do so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rights {
    /// Everything.
    All,
    /// What its container allows; what cannot be dropped is not there or stays.
    Some,
}

/// Gives up everything but the usual capabilities and becomes the user. `filter` installs the system call filter at the
/// one moment at which it can be: while the right to is still there, and before the user changes.
pub(super) fn drop(
    account: &Account,
    no_new_privs: bool,
    rights: Rights,
    filter: impl FnOnce() -> Result<(), Fault>,
) -> Result<(), Fault> {
    limit_bounding_set(rights)?;
    // older kernels have no ambient set
    let _ = rustix::thread::clear_ambient_capability_set();
    if no_new_privs {
        rustix::thread::set_no_new_privs(true).step(|| "set no_new_privs")?;
    }
    let step = || format!("switch to user {}:{}", account.uid, account.gid);
    let groups: Vec<Gid> = account.groups.iter().map(|group| Gid::from_raw(*group)).collect();
    match rustix::thread::set_thread_groups(&groups) {
        // forbidden where a single user is mapped, and then there are no other groups to lose or gain
        Err(Errno::PERM) if account.groups == [account.gid] && setgroups_denied() => {}
        other => other.step(step)?,
    }
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    rustix::thread::set_thread_res_gid(gid, gid, gid).step(step)?;
    filter()?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).step(step)?;
    let mut kept = if account.uid == 0 { KEPT } else { CapabilitySet::empty() };
    if rights == Rights::Some {
        kept = kept.intersection(rustix::thread::capabilities(None).step(|| "read capabilities")?.permitted);
    }
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).step(|| "drop capabilities")
}

fn limit_bounding_set(rights: Rights) -> Result<(), Fault> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if KEPT.contains(capability) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // beyond the last one that this kernel knows
            Err(Errno::INVAL) => break,
            Err(Errno::PERM) if rights == Rights::Some => break,
            Err(error) => return Err(error).step(|| "drop capabilities"),
        }
    }
    Ok(())
}

fn setgroups_denied() -> bool {
    std::fs::read("/proc/self/setgroups").is_ok_and(|text| text.starts_with(b"deny"))
}

#[cfg(test)]
mod tests {
    use super::KEPT;

    #[test]
    fn the_kept_set_is_that_of_other_runtimes() {
        assert_eq!(KEPT.bits(), 0xa804_25fb);
    }
}
