//! Which system calls a container may make.
//!
//! The numbers come from the kernel's tables by way of `libc`. What is missing here reaches beyond the container: mounts
//! and namespaces, modules, tracing of the kernel, keys, clocks, swap, handles of other file systems, memory policy.

/// Calls that every machine has, by name.
#[rustfmt::skip]
pub(super) const ALLOWED: &[u32] = &[
    call(libc::SYS_accept), call(libc::SYS_accept4), call(libc::SYS_adjtimex), call(libc::SYS_bind),
    call(libc::SYS_brk), call(libc::SYS_capget), call(libc::SYS_capset), call(libc::SYS_chdir),
    call(libc::SYS_chroot), call(libc::SYS_clock_adjtime), call(libc::SYS_clock_getres),
    call(libc::SYS_clock_gettime), call(libc::SYS_clock_nanosleep), call(libc::SYS_close), call(libc::SYS_connect),
    call(libc::SYS_copy_file_range), call(libc::SYS_dup), call(libc::SYS_dup3), call(libc::SYS_epoll_create1),
    call(libc::SYS_epoll_ctl), call(libc::SYS_epoll_pwait), call(libc::SYS_eventfd2), call(libc::SYS_execve),
    call(libc::SYS_execveat), call(libc::SYS_exit), call(libc::SYS_exit_group), call(libc::SYS_faccessat),
    call(libc::SYS_fadvise64), call(libc::SYS_fallocate), call(libc::SYS_fanotify_mark), call(libc::SYS_fchdir),
    call(libc::SYS_fchmod), call(libc::SYS_fchmodat), call(libc::SYS_fchown), call(libc::SYS_fchownat),
    call(libc::SYS_fcntl), call(libc::SYS_fdatasync), call(libc::SYS_fgetxattr), call(libc::SYS_flistxattr),
    call(libc::SYS_flock), call(libc::SYS_fremovexattr), call(libc::SYS_fsetxattr), call(libc::SYS_fstat),
    call(libc::SYS_fstatfs), call(libc::SYS_fsync), call(libc::SYS_ftruncate), call(libc::SYS_futex),
    call(libc::SYS_get_robust_list), call(libc::SYS_getcpu), call(libc::SYS_getcwd), call(libc::SYS_getdents64),
    call(libc::SYS_getegid), call(libc::SYS_geteuid), call(libc::SYS_getgid), call(libc::SYS_getgroups),
    call(libc::SYS_getitimer), call(libc::SYS_getpeername), call(libc::SYS_getpgid), call(libc::SYS_getpid),
    call(libc::SYS_getppid), call(libc::SYS_getpriority), call(libc::SYS_getrandom), call(libc::SYS_getresgid),
    call(libc::SYS_getresuid), call(libc::SYS_getrusage), call(libc::SYS_getsid),
    call(libc::SYS_getsockname), call(libc::SYS_getsockopt), call(libc::SYS_gettid), call(libc::SYS_gettimeofday),
    call(libc::SYS_getuid), call(libc::SYS_getxattr), call(libc::SYS_inotify_add_watch),
    call(libc::SYS_inotify_init1), call(libc::SYS_inotify_rm_watch), call(libc::SYS_io_cancel),
    call(libc::SYS_io_destroy), call(libc::SYS_io_getevents), call(libc::SYS_io_setup), call(libc::SYS_io_submit),
    call(libc::SYS_ioctl), call(libc::SYS_ioprio_get), call(libc::SYS_ioprio_set), call(libc::SYS_kill),
    call(libc::SYS_lgetxattr), call(libc::SYS_linkat), call(libc::SYS_listen), call(libc::SYS_listxattr),
    call(libc::SYS_llistxattr), call(libc::SYS_lremovexattr), call(libc::SYS_lseek), call(libc::SYS_lsetxattr),
    call(libc::SYS_madvise), call(libc::SYS_membarrier), call(libc::SYS_memfd_create), call(libc::SYS_mincore),
    call(libc::SYS_mkdirat), call(libc::SYS_mknodat), call(libc::SYS_mlock), call(libc::SYS_mlock2),
    call(libc::SYS_mlockall), call(libc::SYS_mmap), call(libc::SYS_mprotect), call(libc::SYS_mq_getsetattr),
    call(libc::SYS_mq_notify), call(libc::SYS_mq_open), call(libc::SYS_mq_timedreceive), call(libc::SYS_mq_timedsend),
    call(libc::SYS_mq_unlink), call(libc::SYS_mremap), call(libc::SYS_msgctl), call(libc::SYS_msgget),
    call(libc::SYS_msgrcv), call(libc::SYS_msgsnd), call(libc::SYS_msync), call(libc::SYS_munlock),
    call(libc::SYS_munlockall), call(libc::SYS_munmap), call(libc::SYS_name_to_handle_at), call(libc::SYS_nanosleep),
    call(libc::SYS_newfstatat), call(libc::SYS_openat), call(libc::SYS_pipe2), call(libc::SYS_pkey_alloc),
    call(libc::SYS_pkey_free), call(libc::SYS_pkey_mprotect), call(libc::SYS_ppoll), call(libc::SYS_prctl),
    call(libc::SYS_pread64), call(libc::SYS_preadv), call(libc::SYS_preadv2), call(libc::SYS_prlimit64),
    call(libc::SYS_process_vm_readv), call(libc::SYS_process_vm_writev), call(libc::SYS_pselect6),
    call(libc::SYS_ptrace), call(libc::SYS_pwrite64), call(libc::SYS_pwritev), call(libc::SYS_pwritev2),
    call(libc::SYS_read), call(libc::SYS_readahead), call(libc::SYS_readlinkat), call(libc::SYS_readv),
    call(libc::SYS_recvfrom), call(libc::SYS_recvmmsg), call(libc::SYS_recvmsg), call(libc::SYS_remap_file_pages),
    call(libc::SYS_removexattr), call(libc::SYS_renameat2), call(libc::SYS_restart_syscall),
    call(libc::SYS_rseq), call(libc::SYS_rt_sigaction), call(libc::SYS_rt_sigpending), call(libc::SYS_rt_sigprocmask),
    call(libc::SYS_rt_sigqueueinfo), call(libc::SYS_rt_sigreturn), call(libc::SYS_rt_sigsuspend),
    call(libc::SYS_rt_sigtimedwait), call(libc::SYS_rt_tgsigqueueinfo), call(libc::SYS_sched_get_priority_max),
    call(libc::SYS_sched_get_priority_min), call(libc::SYS_sched_getaffinity), call(libc::SYS_sched_getattr),
    call(libc::SYS_sched_getparam), call(libc::SYS_sched_getscheduler), call(libc::SYS_sched_rr_get_interval),
    call(libc::SYS_sched_setaffinity), call(libc::SYS_sched_setattr), call(libc::SYS_sched_setparam),
    call(libc::SYS_sched_setscheduler), call(libc::SYS_sched_yield), call(libc::SYS_seccomp), call(libc::SYS_semctl),
    call(libc::SYS_semget), call(libc::SYS_semop), call(libc::SYS_semtimedop), call(libc::SYS_sendfile),
    call(libc::SYS_sendmmsg), call(libc::SYS_sendmsg), call(libc::SYS_sendto), call(libc::SYS_set_robust_list),
    call(libc::SYS_set_tid_address), call(libc::SYS_setfsgid), call(libc::SYS_setfsuid), call(libc::SYS_setgid),
    call(libc::SYS_setgroups), call(libc::SYS_setitimer), call(libc::SYS_setpgid), call(libc::SYS_setpriority),
    call(libc::SYS_setregid), call(libc::SYS_setresgid), call(libc::SYS_setresuid), call(libc::SYS_setreuid),
    call(libc::SYS_setsid), call(libc::SYS_setsockopt), call(libc::SYS_setuid),
    call(libc::SYS_setxattr), call(libc::SYS_shmat), call(libc::SYS_shmctl), call(libc::SYS_shmdt),
    call(libc::SYS_shmget), call(libc::SYS_shutdown), call(libc::SYS_sigaltstack), call(libc::SYS_signalfd4),
    call(libc::SYS_socketpair), call(libc::SYS_splice), call(libc::SYS_statfs), call(libc::SYS_statx),
    call(libc::SYS_symlinkat), call(libc::SYS_sync), call(libc::SYS_syncfs),
    call(libc::SYS_sysinfo), call(libc::SYS_tee), call(libc::SYS_tgkill), call(libc::SYS_timer_create),
    call(libc::SYS_timer_delete), call(libc::SYS_timer_getoverrun), call(libc::SYS_timer_gettime),
    call(libc::SYS_timer_settime), call(libc::SYS_timerfd_create), call(libc::SYS_timerfd_gettime),
    call(libc::SYS_timerfd_settime), call(libc::SYS_times), call(libc::SYS_tkill), call(libc::SYS_truncate),
    call(libc::SYS_umask), call(libc::SYS_uname), call(libc::SYS_unlinkat), call(libc::SYS_utimensat),
    call(libc::SYS_vmsplice), call(libc::SYS_wait4), call(libc::SYS_waitid), call(libc::SYS_write),
    call(libc::SYS_writev),
];

/// Older forms of the same, which only x86-64 has.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
pub(super) const ALLOWED_HERE: &[u32] = &[
    call(libc::SYS_access), call(libc::SYS_alarm), call(libc::SYS_arch_prctl), call(libc::SYS_chmod),
    call(libc::SYS_chown), call(libc::SYS_creat), call(libc::SYS_dup2), call(libc::SYS_epoll_create),
    call(libc::SYS_epoll_wait), call(libc::SYS_eventfd), call(libc::SYS_fork), call(libc::SYS_futimesat),
    call(libc::SYS_get_thread_area), call(libc::SYS_getdents), call(libc::SYS_getpgrp), call(libc::SYS_inotify_init),
    call(libc::SYS_lchown), call(libc::SYS_link), call(libc::SYS_lstat),
    call(libc::SYS_mkdir), call(libc::SYS_mknod), call(libc::SYS_modify_ldt), call(libc::SYS_open),
    call(libc::SYS_pause), call(libc::SYS_pipe), call(libc::SYS_poll), call(libc::SYS_readlink),
    call(libc::SYS_rename), call(libc::SYS_rmdir), call(libc::SYS_select), call(libc::SYS_set_thread_area),
    call(libc::SYS_signalfd), call(libc::SYS_stat), call(libc::SYS_symlink), call(libc::SYS_time),
    call(libc::SYS_unlink), call(libc::SYS_utime), call(libc::SYS_utimes), call(libc::SYS_vfork),
    call(libc::SYS_getrlimit), call(libc::SYS_renameat), call(libc::SYS_setrlimit), SYNC_FILE_RANGE,
    333, // io_pgetevents
];
/// Calls of the common table that `libc` does not name on this machine.
#[cfg(target_arch = "aarch64")]
#[rustfmt::skip]
pub(super) const ALLOWED_HERE: &[u32] = &[
    38, // renameat
    SYNC_FILE_RANGE,
    163, // getrlimit
    164, // setrlimit
    292, // io_pgetevents
];

#[cfg(target_arch = "x86_64")]
const SYNC_FILE_RANGE: u32 = 277;
#[cfg(target_arch = "aarch64")]
const SYNC_FILE_RANGE: u32 = 84;

/// From here on all machines share one table, which grows.
pub(super) const RECENT: u32 = 424;

/// What is allowed of it.
pub(super) const ALLOWED_RECENT: [u32; 26] = [
    424, // pidfd_send_signal
    434, // pidfd_open
    436, // close_range
    437, // openat2
    439, // faccessat2
    441, // epoll_pwait2
    444, // landlock_create_ruleset
    445, // landlock_add_rule
    446, // landlock_restrict_self
    447, // memfd_secret
    448, // process_mrelease
    449, // futex_waitv
    451, // cachestat
    452, // fchmodat2
    453, // map_shadow_stack
    454, // futex_wake
    455, // futex_wait
    456, // futex_requeue
    459, // lsm_get_self_attr
    461, // lsm_list_modules
    462, // mseal
    463, // setxattrat
    464, // getxattrat
    465, // listxattrat
    466, // removexattrat
    468, // file_getattr
];

/// Makes data reach the disk.
pub(super) const SYNCING: [u32; 6] = [
    call(libc::SYS_fdatasync),
    call(libc::SYS_fsync),
    call(libc::SYS_msync),
    call(libc::SYS_sync),
    SYNC_FILE_RANGE,
    call(libc::SYS_syncfs),
];

const fn call(number: libc::c_long) -> u32 {
    number as u32
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
    use super::{ALLOWED, ALLOWED_HERE, ALLOWED_RECENT, RECENT, compat};

    #[test]
    fn lists_hold_no_number_twice() {
        let mut all: Vec<u32> = [ALLOWED, ALLOWED_HERE, &ALLOWED_RECENT].concat();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(ALLOWED.iter().chain(ALLOWED_HERE).all(|call| *call < RECENT));
        assert!(compat::REFUSED.is_sorted() && ALLOWED_RECENT.is_sorted());
    }
}
