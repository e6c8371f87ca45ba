//! The system call filter: what build steps and servers need is allowed, the rest is refused.
//!
//! Refused calls give EPERM, as every container shows it; calls newer than the list give ENOSYS, upon which programs
//! fall back to older ones. 32-bit x86 programs run under a second list, a short one of what is refused: they are
//! ordinary in build steps (game servers, emulators), and without capabilities the rest of that table is harmless.

mod policy;
mod program;

use program::Filter;
use serde_json::json;

use crate::error::{Fault, Step};
use crate::sys;

/// Flags of `clone` that make namespaces.
const NAMESPACES: u32 = 0x7e02_0000;

/// `personality` values that change neither address randomisation nor memory protection: Linux, 32-bit Linux, both with
/// the kernel version of old programs, and the question for the current value.
const PERSONALITIES: [u32; 5] = [0, 0x0008, 0x0002_0000, 0x0002_0008, 0xffff_ffff];

/// Reaches the hypervisor's host, past all network namespaces.
const AF_VSOCK: u32 = 40;
/// The kernel's crypto interface: much code that no build step needs.
const AF_ALG: u32 = 38;

/// Installs the filter for the command and all that it starts.
pub(super) fn install(skip_fsync: bool) -> Result<(), Fault> {
    let mut program = filter(skip_fsync).program();
    sys::install_filter(&mut program).step(|| "install the system call filter")
}

fn filter(skip_fsync: bool) -> Filter {
    let mut native = program::Table::refusing(libc::EPERM);
    if skip_fsync {
        native.pretend(&numbers(&policy::SYNCING));
    }
    native.refuse_if_flags(libc::SYS_clone as u32, NAMESPACES, libc::EPERM);
    native.allow_values(libc::SYS_personality as u32, &PERSONALITIES);
    native.refuse_values(libc::SYS_socket as u32, &[(AF_VSOCK, libc::EPERM), (AF_ALG, libc::EAFNOSUPPORT)]);
    for calls in [policy::ALLOWED, policy::ALLOWED_HERE, &policy::ALLOWED_RECENT] {
        native.allow(&numbers(calls));
    }
    native.unknown_from(policy::RECENT);

    let mut compatible = program::Table::allowing();
    if skip_fsync {
        compatible.pretend(&policy::compat::SYNCING);
    }
    compatible.refuse_if_flags(policy::compat::CLONE, NAMESPACES, libc::EPERM);
    compatible.allow_values(policy::compat::PERSONALITY, &PERSONALITIES);
    compatible.refuse_values(policy::compat::SOCKET, &[(AF_VSOCK, libc::EPERM), (AF_ALG, libc::EAFNOSUPPORT)]);
    compatible.refuse(&policy::compat::REFUSED);
    compatible.allow(&numbers(&policy::ALLOWED_RECENT));
    compatible.unknown_from(policy::RECENT);
    Filter { native, compatible }
}

fn numbers(calls: &[policy::Call]) -> Vec<u32> {
    calls.iter().map(|(_, number)| *number).collect()
}

/// Returns the same as a table of names, for runtimes that make their own filter of it (OCI runtime specification,
/// "Seccomp"). Calls newer than the list give EPERM there, but for those whose absence programs know how to deal with.
pub(super) fn table(skip_fsync: bool) -> serde_json::Value {
    let names = |calls: &[&[policy::Call]]| -> Vec<&str> {
        let skipped = |name: &&str| skip_fsync && policy::SYNCING.iter().any(|(known, _)| known == name);
        calls.iter().copied().flatten().map(|(name, _)| *name).filter(|name| !skipped(name)).collect()
    };
    let allowed = names(&[policy::ALLOWED, policy::ALLOWED_HERE, &policy::ALLOWED_RECENT]);
    let argument = |value: u64, op: &str| json!([{ "index": 0, "value": value, "op": op }]);
    let mut calls = vec![
        json!({ "names": allowed, "action": "SCMP_ACT_ALLOW" }),
        json!({ "names": ["clone"], "action": "SCMP_ACT_ALLOW",
            "args": [{ "index": 0, "value": NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ" }] }),
        json!({ "names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": argument(u64::from(AF_ALG) - 1, "SCMP_CMP_LE") }),
        json!({ "names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": argument(u64::from(AF_ALG) + 1, "SCMP_CMP_EQ") }),
        json!({ "names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": argument(u64::from(AF_VSOCK) + 1, "SCMP_CMP_GE") }),
        json!({ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::ENOSYS }),
    ];
    for value in PERSONALITIES {
        calls.push(json!({ "names": ["personality"], "action": "SCMP_ACT_ALLOW",
            "args": argument(value.into(), "SCMP_CMP_EQ") }));
    }
    if skip_fsync {
        let syncing: Vec<&str> = policy::SYNCING.iter().map(|(name, _)| *name).collect();
        calls.push(json!({ "names": syncing, "action": "SCMP_ACT_ERRNO", "errnoRet": 0 }));
    }
    let architectures: &[&str] =
        if cfg!(target_arch = "x86_64") { &["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"] } else { &["SCMP_ARCH_AARCH64"] };
    json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": libc::EPERM, "architectures": architectures,
        "syscalls": calls })
}

#[cfg(test)]
mod tests {
    use super::program::{ARCH, ARCH_COMPATIBLE, run};
    use super::{AF_VSOCK, filter};

    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

    fn errno(number: i32) -> u32 {
        libc::SECCOMP_RET_ERRNO | number as u32
    }

    fn native(skip_fsync: bool, call: i64, arg: u64) -> u32 {
        run(&filter(skip_fsync).program(), ARCH, call as u32, arg)
    }

    #[test]
    fn ordinary_calls_are_allowed_and_dangerous_ones_refused() {
        for call in [libc::SYS_read, libc::SYS_execve, libc::SYS_chroot, libc::SYS_getrandom, libc::SYS_capset] {
            assert_eq!(native(true, call, 0), ALLOW, "{call}");
        }
        for call in [
            libc::SYS_mount,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_bpf,
            libc::SYS_keyctl,
            libc::SYS_kexec_load,
            libc::SYS_init_module,
            libc::SYS_pivot_root,
            libc::SYS_perf_event_open,
            libc::SYS_reboot,
            libc::SYS_open_by_handle_at,
            libc::SYS_userfaultfd,
        ] {
            assert_eq!(native(true, call, 0), errno(libc::EPERM), "{call}");
        }
    }

    #[test]
    fn newer_calls_do_not_exist() {
        for call in [libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_open_tree, 499, 100_000] {
            assert_eq!(native(true, call, 0), errno(libc::ENOSYS), "{call}");
        }
        assert_eq!(native(true, 439, 0), ALLOW, "faccessat2");
    }

    #[test]
    fn arguments_decide() {
        assert_eq!(native(true, libc::SYS_clone, libc::SIGCHLD as u64), ALLOW);
        assert_eq!(native(true, libc::SYS_clone, libc::CLONE_NEWUSER as u64), errno(libc::EPERM));
        assert_eq!(native(true, libc::SYS_personality, 0xffff_ffff), ALLOW);
        assert_eq!(native(true, libc::SYS_personality, 0x0040_0000), errno(libc::EPERM));
        assert_eq!(native(true, libc::SYS_socket, 2), ALLOW);
        assert_eq!(native(true, libc::SYS_socket, u64::from(AF_VSOCK)), errno(libc::EPERM));
    }

    #[test]
    fn syncing_is_skipped_only_on_demand() {
        for call in [libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_syncfs, libc::SYS_msync] {
            assert_eq!(native(true, call, 0), errno(0), "{call}");
            assert_eq!(native(false, call, 0), ALLOW, "{call}");
        }
    }

    #[test]
    fn other_tables_are_not_a_way_around() {
        let program = filter(true).program();
        let other = |arch, call| run(&program, arch, call, 0);
        assert_eq!(other(0xdead_beef, 0), errno(libc::ENOSYS));
        if cfg!(target_arch = "x86_64") {
            assert_eq!(other(ARCH_COMPATIBLE, 3), ALLOW, "read");
            assert_eq!(other(ARCH_COMPATIBLE, 21), errno(libc::EPERM), "mount");
            assert_eq!(other(ARCH_COMPATIBLE, 118), errno(0), "fsync");
            assert_eq!(other(ARCH_COMPATIBLE, 435), errno(libc::ENOSYS), "clone3");
            assert_eq!(other(ARCH, 0x4000_0000), errno(libc::ENOSYS), "x32");
        } else {
            assert_eq!(other(ARCH_COMPATIBLE, 3), errno(libc::ENOSYS));
        }
    }
}
