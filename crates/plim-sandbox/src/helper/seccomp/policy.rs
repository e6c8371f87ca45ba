//! Which system calls a container may make.
//!
//! The numbers come from the kernel's tables by way of `libc`. What is missing here reaches beyond the container: mounts
//! and namespaces, modules, tracing of the kernel, keys, clocks, swap, handles of other file systems, memory policy.

/// A system call: its name, which other runtimes go by, and its number.
pub(super) type Call = (&'static str, u32);

/// Calls that every machine has, by name.
#[rustfmt::skip]
pub(super) const ALLOWED: &[Call] = &[
    call("accept", libc::SYS_accept), call("accept4", libc::SYS_accept4), call("adjtimex", libc::SYS_adjtimex),
    call("bind", libc::SYS_bind), call("brk", libc::SYS_brk), call("capget", libc::SYS_capget),
    call("capset", libc::SYS_capset), call("chdir", libc::SYS_chdir), call("chroot", libc::SYS_chroot),
    call("clock_adjtime", libc::SYS_clock_adjtime), call("clock_getres", libc::SYS_clock_getres),
    call("clock_gettime", libc::SYS_clock_gettime), call("clock_nanosleep", libc::SYS_clock_nanosleep),
    call("close", libc::SYS_close), call("connect", libc::SYS_connect),
    call("copy_file_range", libc::SYS_copy_file_range), call("dup", libc::SYS_dup), call("dup3", libc::SYS_dup3),
    call("epoll_create1", libc::SYS_epoll_create1), call("epoll_ctl", libc::SYS_epoll_ctl),
    call("epoll_pwait", libc::SYS_epoll_pwait), call("eventfd2", libc::SYS_eventfd2),
    call("execve", libc::SYS_execve), call("execveat", libc::SYS_execveat), call("exit", libc::SYS_exit),
    call("exit_group", libc::SYS_exit_group), call("faccessat", libc::SYS_faccessat),
    call("fadvise64", libc::SYS_fadvise64), call("fallocate", libc::SYS_fallocate),
    call("fanotify_mark", libc::SYS_fanotify_mark), call("fchdir", libc::SYS_fchdir),
    call("fchmod", libc::SYS_fchmod), call("fchmodat", libc::SYS_fchmodat), call("fchown", libc::SYS_fchown),
    call("fchownat", libc::SYS_fchownat), call("fcntl", libc::SYS_fcntl), call("fdatasync", libc::SYS_fdatasync),
    call("fgetxattr", libc::SYS_fgetxattr), call("flistxattr", libc::SYS_flistxattr), call("flock", libc::SYS_flock),
    call("fremovexattr", libc::SYS_fremovexattr), call("fsetxattr", libc::SYS_fsetxattr),
    call("fstat", libc::SYS_fstat), call("fstatfs", libc::SYS_fstatfs), call("fsync", libc::SYS_fsync),
    call("ftruncate", libc::SYS_ftruncate), call("futex", libc::SYS_futex),
    call("get_robust_list", libc::SYS_get_robust_list), call("getcpu", libc::SYS_getcpu),
    call("getcwd", libc::SYS_getcwd), call("getdents64", libc::SYS_getdents64), call("getegid", libc::SYS_getegid),
    call("geteuid", libc::SYS_geteuid), call("getgid", libc::SYS_getgid), call("getgroups", libc::SYS_getgroups),
    call("getitimer", libc::SYS_getitimer), call("getpeername", libc::SYS_getpeername),
    call("getpgid", libc::SYS_getpgid), call("getpid", libc::SYS_getpid), call("getppid", libc::SYS_getppid),
    call("getpriority", libc::SYS_getpriority), call("getrandom", libc::SYS_getrandom),
    call("getresgid", libc::SYS_getresgid), call("getresuid", libc::SYS_getresuid),
    call("getrusage", libc::SYS_getrusage), call("getsid", libc::SYS_getsid),
    call("getsockname", libc::SYS_getsockname), call("getsockopt", libc::SYS_getsockopt),
    call("gettid", libc::SYS_gettid), call("gettimeofday", libc::SYS_gettimeofday), call("getuid", libc::SYS_getuid),
    call("getxattr", libc::SYS_getxattr), call("inotify_add_watch", libc::SYS_inotify_add_watch),
    call("inotify_init1", libc::SYS_inotify_init1), call("inotify_rm_watch", libc::SYS_inotify_rm_watch),
    call("io_cancel", libc::SYS_io_cancel), call("io_destroy", libc::SYS_io_destroy),
    call("io_getevents", libc::SYS_io_getevents), call("io_setup", libc::SYS_io_setup),
    call("io_submit", libc::SYS_io_submit), call("ioctl", libc::SYS_ioctl), call("ioprio_get", libc::SYS_ioprio_get),
    call("ioprio_set", libc::SYS_ioprio_set), call("kill", libc::SYS_kill), call("lgetxattr", libc::SYS_lgetxattr),
    call("linkat", libc::SYS_linkat), call("listen", libc::SYS_listen), call("listxattr", libc::SYS_listxattr),
    call("llistxattr", libc::SYS_llistxattr), call("lremovexattr", libc::SYS_lremovexattr),
    call("lseek", libc::SYS_lseek), call("lsetxattr", libc::SYS_lsetxattr), call("madvise", libc::SYS_madvise),
    call("membarrier", libc::SYS_membarrier), call("memfd_create", libc::SYS_memfd_create),
    call("mincore", libc::SYS_mincore), call("mkdirat", libc::SYS_mkdirat), call("mknodat", libc::SYS_mknodat),
    call("mlock", libc::SYS_mlock), call("mlock2", libc::SYS_mlock2), call("mlockall", libc::SYS_mlockall),
    call("mmap", libc::SYS_mmap), call("mprotect", libc::SYS_mprotect),
    call("mq_getsetattr", libc::SYS_mq_getsetattr), call("mq_notify", libc::SYS_mq_notify),
    call("mq_open", libc::SYS_mq_open), call("mq_timedreceive", libc::SYS_mq_timedreceive),
    call("mq_timedsend", libc::SYS_mq_timedsend), call("mq_unlink", libc::SYS_mq_unlink),
    call("mremap", libc::SYS_mremap), call("msgctl", libc::SYS_msgctl), call("msgget", libc::SYS_msgget),
    call("msgrcv", libc::SYS_msgrcv), call("msgsnd", libc::SYS_msgsnd), call("msync", libc::SYS_msync),
    call("munlock", libc::SYS_munlock), call("munlockall", libc::SYS_munlockall), call("munmap", libc::SYS_munmap),
    call("name_to_handle_at", libc::SYS_name_to_handle_at), call("nanosleep", libc::SYS_nanosleep),
    call("newfstatat", libc::SYS_newfstatat), call("openat", libc::SYS_openat), call("pipe2", libc::SYS_pipe2),
    call("pkey_alloc", libc::SYS_pkey_alloc), call("pkey_free", libc::SYS_pkey_free),
    call("pkey_mprotect", libc::SYS_pkey_mprotect), call("ppoll", libc::SYS_ppoll), call("prctl", libc::SYS_prctl),
    call("pread64", libc::SYS_pread64), call("preadv", libc::SYS_preadv), call("preadv2", libc::SYS_preadv2),
    call("prlimit64", libc::SYS_prlimit64), call("process_vm_readv", libc::SYS_process_vm_readv),
    call("process_vm_writev", libc::SYS_process_vm_writev), call("pselect6", libc::SYS_pselect6),
    call("ptrace", libc::SYS_ptrace), call("pwrite64", libc::SYS_pwrite64), call("pwritev", libc::SYS_pwritev),
    call("pwritev2", libc::SYS_pwritev2), call("read", libc::SYS_read), call("readahead", libc::SYS_readahead),
    call("readlinkat", libc::SYS_readlinkat), call("readv", libc::SYS_readv), call("recvfrom", libc::SYS_recvfrom),
    call("recvmmsg", libc::SYS_recvmmsg), call("recvmsg", libc::SYS_recvmsg),
    call("remap_file_pages", libc::SYS_remap_file_pages), call("removexattr", libc::SYS_removexattr),
    call("renameat2", libc::SYS_renameat2), call("restart_syscall", libc::SYS_restart_syscall),
    call("rseq", libc::SYS_rseq), call("rt_sigaction", libc::SYS_rt_sigaction),
    call("rt_sigpending", libc::SYS_rt_sigpending), call("rt_sigprocmask", libc::SYS_rt_sigprocmask),
    call("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo), call("rt_sigreturn", libc::SYS_rt_sigreturn),
    call("rt_sigsuspend", libc::SYS_rt_sigsuspend), call("rt_sigtimedwait", libc::SYS_rt_sigtimedwait),
    call("rt_tgsigqueueinfo", libc::SYS_rt_tgsigqueueinfo),
    call("sched_get_priority_max", libc::SYS_sched_get_priority_max),
    call("sched_get_priority_min", libc::SYS_sched_get_priority_min),
    call("sched_getaffinity", libc::SYS_sched_getaffinity), call("sched_getattr", libc::SYS_sched_getattr),
    call("sched_getparam", libc::SYS_sched_getparam), call("sched_getscheduler", libc::SYS_sched_getscheduler),
    call("sched_rr_get_interval", libc::SYS_sched_rr_get_interval),
    call("sched_setaffinity", libc::SYS_sched_setaffinity), call("sched_setattr", libc::SYS_sched_setattr),
    call("sched_setparam", libc::SYS_sched_setparam), call("sched_setscheduler", libc::SYS_sched_setscheduler),
    call("sched_yield", libc::SYS_sched_yield), call("seccomp", libc::SYS_seccomp), call("semctl", libc::SYS_semctl),
    call("semget", libc::SYS_semget), call("semop", libc::SYS_semop), call("semtimedop", libc::SYS_semtimedop),
    call("sendfile", libc::SYS_sendfile), call("sendmmsg", libc::SYS_sendmmsg), call("sendmsg", libc::SYS_sendmsg),
    call("sendto", libc::SYS_sendto), call("set_robust_list", libc::SYS_set_robust_list),
    call("set_tid_address", libc::SYS_set_tid_address), call("setfsgid", libc::SYS_setfsgid),
    call("setfsuid", libc::SYS_setfsuid), call("setgid", libc::SYS_setgid), call("setgroups", libc::SYS_setgroups),
    call("setitimer", libc::SYS_setitimer), call("setpgid", libc::SYS_setpgid),
    call("setpriority", libc::SYS_setpriority), call("setregid", libc::SYS_setregid),
    call("setresgid", libc::SYS_setresgid), call("setresuid", libc::SYS_setresuid),
    call("setreuid", libc::SYS_setreuid), call("setsid", libc::SYS_setsid), call("setsockopt", libc::SYS_setsockopt),
    call("setuid", libc::SYS_setuid), call("setxattr", libc::SYS_setxattr), call("shmat", libc::SYS_shmat),
    call("shmctl", libc::SYS_shmctl), call("shmdt", libc::SYS_shmdt), call("shmget", libc::SYS_shmget),
    call("shutdown", libc::SYS_shutdown), call("sigaltstack", libc::SYS_sigaltstack),
    call("signalfd4", libc::SYS_signalfd4), call("socketpair", libc::SYS_socketpair),
    call("splice", libc::SYS_splice), call("statfs", libc::SYS_statfs), call("statx", libc::SYS_statx),
    call("symlinkat", libc::SYS_symlinkat), call("sync", libc::SYS_sync), call("syncfs", libc::SYS_syncfs),
    call("sysinfo", libc::SYS_sysinfo), call("tee", libc::SYS_tee), call("tgkill", libc::SYS_tgkill),
    call("timer_create", libc::SYS_timer_create), call("timer_delete", libc::SYS_timer_delete),
    call("timer_getoverrun", libc::SYS_timer_getoverrun), call("timer_gettime", libc::SYS_timer_gettime),
    call("timer_settime", libc::SYS_timer_settime), call("timerfd_create", libc::SYS_timerfd_create),
    call("timerfd_gettime", libc::SYS_timerfd_gettime), call("timerfd_settime", libc::SYS_timerfd_settime),
    call("times", libc::SYS_times), call("tkill", libc::SYS_tkill), call("truncate", libc::SYS_truncate),
    call("umask", libc::SYS_umask), call("uname", libc::SYS_uname), call("unlinkat", libc::SYS_unlinkat),
    call("utimensat", libc::SYS_utimensat), call("vmsplice", libc::SYS_vmsplice), call("wait4", libc::SYS_wait4),
    call("waitid", libc::SYS_waitid), call("write", libc::SYS_write), call("writev", libc::SYS_writev),
];

/// Older forms of the same, which only x86-64 has.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
pub(super) const ALLOWED_HERE: &[Call] = &[
    call("access", libc::SYS_access), call("alarm", libc::SYS_alarm), call("arch_prctl", libc::SYS_arch_prctl),
    call("chmod", libc::SYS_chmod), call("chown", libc::SYS_chown), call("creat", libc::SYS_creat),
    call("dup2", libc::SYS_dup2), call("epoll_create", libc::SYS_epoll_create),
    call("epoll_wait", libc::SYS_epoll_wait), call("eventfd", libc::SYS_eventfd), call("fork", libc::SYS_fork),
    call("futimesat", libc::SYS_futimesat), call("get_thread_area", libc::SYS_get_thread_area),
    call("getdents", libc::SYS_getdents), call("getpgrp", libc::SYS_getpgrp),
    call("inotify_init", libc::SYS_inotify_init), call("lchown", libc::SYS_lchown), call("link", libc::SYS_link),
    call("lstat", libc::SYS_lstat), call("mkdir", libc::SYS_mkdir), call("mknod", libc::SYS_mknod),
    call("modify_ldt", libc::SYS_modify_ldt), call("open", libc::SYS_open), call("pause", libc::SYS_pause),
    call("pipe", libc::SYS_pipe), call("poll", libc::SYS_poll), call("readlink", libc::SYS_readlink),
    call("rename", libc::SYS_rename), call("rmdir", libc::SYS_rmdir), call("select", libc::SYS_select),
    call("set_thread_area", libc::SYS_set_thread_area), call("signalfd", libc::SYS_signalfd),
    call("stat", libc::SYS_stat), call("symlink", libc::SYS_symlink), call("time", libc::SYS_time),
    call("unlink", libc::SYS_unlink), call("utime", libc::SYS_utime), call("utimes", libc::SYS_utimes),
    call("vfork", libc::SYS_vfork), call("getrlimit", libc::SYS_getrlimit), call("renameat", libc::SYS_renameat),
    call("setrlimit", libc::SYS_setrlimit), SYNC_FILE_RANGE, ("io_pgetevents", 333),
];
/// Calls of the common table that `libc` does not name on this machine.
#[cfg(target_arch = "aarch64")]
#[rustfmt::skip]
pub(super) const ALLOWED_HERE: &[Call] = &[
    ("renameat", 38), SYNC_FILE_RANGE, ("getrlimit", 163), ("setrlimit", 164), ("io_pgetevents", 292),
];

#[cfg(target_arch = "x86_64")]
const SYNC_FILE_RANGE: Call = ("sync_file_range", 277);
#[cfg(target_arch = "aarch64")]
const SYNC_FILE_RANGE: Call = ("sync_file_range", 84);

/// From here on all machines share one table, which grows.
pub(super) const RECENT: u32 = 424;

/// What is allowed of it.
pub(super) const ALLOWED_RECENT: [Call; 26] = [
    ("pidfd_send_signal", 424),
    ("pidfd_open", 434),
    ("close_range", 436),
    ("openat2", 437),
    ("faccessat2", 439),
    ("epoll_pwait2", 441),
    ("landlock_create_ruleset", 444),
    ("landlock_add_rule", 445),
    ("landlock_restrict_self", 446),
    ("memfd_secret", 447),
    ("process_mrelease", 448),
    ("futex_waitv", 449),
    ("cachestat", 451),
    ("fchmodat2", 452),
    ("map_shadow_stack", 453),
    ("futex_wake", 454),
    ("futex_wait", 455),
    ("futex_requeue", 456),
    ("lsm_get_self_attr", 459),
    ("lsm_list_modules", 461),
    ("mseal", 462),
    ("setxattrat", 463),
    ("getxattrat", 464),
    ("listxattrat", 465),
    ("removexattrat", 466),
    ("file_getattr", 468),
];

/// Makes data reach the disk.
pub(super) const SYNCING: [Call; 6] = [
    call("fdatasync", libc::SYS_fdatasync),
    call("fsync", libc::SYS_fsync),
    call("msync", libc::SYS_msync),
    call("sync", libc::SYS_sync),
    SYNC_FILE_RANGE,
    call("syncfs", libc::SYS_syncfs),
];

const fn call(name: &'static str, number: libc::c_long) -> Call {
    (name, number as u32)
}

/// The table of i386, by number: `libc` has it on that machine only.
///
/// Old programs open sockets by `socketcall`, which hides the address family in memory that a filter cannot read; it
/// stays allowed, as in other runtimes.
pub(super) mod compat {
    pub(in super::super) const CLONE: u32 = 120;
    pub(in super::super) const PERSONALITY: u32 = 136;
    pub(in super::super) const SOCKET: u32 = 359;

    /// sync, fsync, msync, fdatasync, sync_file_range, syncfs.
    pub(in super::super) const SYNCING: [u32; 6] = [36, 118, 144, 148, 314, 344];

    /// What is refused.
    pub(in super::super) const REFUSED: [u32; 47] = [
        21,  // mount
        22,  // umount
        25,  // stime
        51,  // acct
        52,  // umount2
        74,  // sethostname
        79,  // settimeofday
        86,  // uselib
        87,  // swapon
        88,  // reboot
        101, // ioperm
        103, // syslog
        110, // iopl
        111, // vhangup
        113, // vm86old
        115, // swapoff
        121, // setdomainname
        127, // create_module
        128, // init_module
        129, // delete_module
        130, // get_kernel_syms
        131, // quotactl
        149, // _sysctl
        166, // vm86
        167, // query_module
        169, // nfsservctl
        217, // pivot_root
        253, // lookup_dcookie
        264, // clock_settime
        274, // mbind
        275, // get_mempolicy
        276, // set_mempolicy
        283, // kexec_load
        286, // add_key
        287, // request_key
        288, // keyctl
        294, // migrate_pages
        310, // unshare
        317, // move_pages
        336, // perf_event_open
        338, // fanotify_init
        342, // open_by_handle_at
        346, // setns
        349, // kcmp
        350, // finit_module
        357, // bpf
        374, // userfaultfd
    ];
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{ALLOWED, ALLOWED_HERE, ALLOWED_RECENT, RECENT, compat};

    #[test]
    fn lists_hold_no_number_twice() {
        let all = [ALLOWED, ALLOWED_HERE, &ALLOWED_RECENT].concat();
        let numbers: BTreeSet<u32> = all.iter().map(|(_, number)| *number).collect();
        let names: BTreeSet<&str> = all.iter().map(|(name, _)| *name).collect();
        assert_eq!((numbers.len(), names.len()), (all.len(), all.len()));
        assert!(ALLOWED.iter().chain(ALLOWED_HERE).all(|(_, number)| *number < RECENT));
        assert!(compat::REFUSED.is_sorted() && ALLOWED_RECENT.is_sorted_by_key(|(_, number)| *number));
    }
}
