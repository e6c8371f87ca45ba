//! The system calls that neither std nor rustix offers safely. All `unsafe` of the workspace is in this file.

#![allow(unsafe_code, reason = "the one place for raw system calls; every block says why it is sound")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::process::Pid;
use rustix::thread::UnshareFlags;

/// The two sides of [`fork`].
pub(crate) enum Forked {
    Child,
    Parent(Pid),
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn check_long(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Copies the process. Refused in a process with threads, in which the copy could wait for locks for ever.
pub(crate) fn fork() -> io::Result<Forked> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::from_raw_os_error(libc::EDEADLK));
    }
    // SAFETY: this is the only thread, so no lock is held by another and the child may do all that the parent may.
    match check(unsafe { libc::fork() })? {
        0 => Ok(Forked::Child),
        pid => Pid::from_raw(pid).map(Forked::Parent).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH)),
    }
}

/// Ends the process at once, without running anything that the parent of a fork registered for its own end.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` takes any number and touches no memory.
    unsafe { libc::_exit(code) }
}

/// Leaves namespaces; the table of open files must not be among them.
pub(crate) fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: unsound only with FILES, which is taken out.
    unsafe { rustix::thread::unshare_unsafe(flags.difference(UnshareFlags::FILES)) }
}

/// Replaces the process. Returns only when that fails.
pub(crate) fn execute(program: &CString, args: &[CString], env: &[CString]) -> io::Error {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (args, env) = (pointers(args), pointers(env));
    // SAFETY: both lists end with a null pointer, and their strings live until the call returns.
    unsafe { libc::execve(program.as_ptr(), args.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Makes `fd` the standard stream `number` (0, 1 or 2).
pub(crate) fn redirect(fd: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    debug_assert!((0..=2).contains(&number), "only standard streams are replaced");
    // SAFETY: std treats the standard streams as borrowed and never assumes what file is behind them.
    check(unsafe { libc::dup2(fd.as_raw_fd(), number) }).map(drop)
}

/// Closes all descriptors from 3 up; only for a process that has just started and opened none of them.
pub(crate) fn close_inherited() -> io::Result<()> {
    // SAFETY: called before this process opened anything, so no owner of these descriptors exists.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) };
    if check_long(result).is_ok() {
        return Ok(());
    }
    for fd in open_descriptors()? {
        // SAFETY: as above; the descriptor of the listing itself is closed twice, which only fails.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

/// Marks all descriptors from 3 up to be closed by [`execute`].
pub(crate) fn close_on_execute() -> io::Result<()> {
    // SAFETY: changes flags only.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if check_long(result).is_ok() {
        return Ok(());
    }
    for fd in open_descriptors()? {
        // SAFETY: changes the flags of a number only; one that is closed meanwhile gives an error.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}

/// The descriptors from 3 up, for kernels before 5.11.
fn open_descriptors() -> io::Result<Vec<RawFd>> {
    let names = std::fs::read_dir("/proc/self/fd")?;
    Ok(names.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter(|fd| *fd > 2).collect())
}

/// Holds SIGCHLD back and returns a descriptor that becomes readable when it arrives.
pub(crate) fn child_events() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised by `sigemptyset` before it is read; the returned descriptor is new and ours.
    unsafe {
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        check(libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()))?;
        let fd = check(libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Gives all signals their default meaning and lets all of them through, as a new program expects.
pub(crate) fn reset_signals() {
    // the kernel's own structure, with SIG_DFL and nothing else. The C library's `signal` keeps two numbers to itself, and
    // has the processes that it spawns ignore them
    let default = [0_u64; 4];
    for signal in 1..=64 {
        // SAFETY: SIG_DFL runs no code of ours, the structure is as long as the kernel's on any machine; numbers that
        // cannot be set give an error without effect.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                std::ptr::null_mut::<u64>(),
                size_of::<u64>(),
            )
        };
    }
    // SAFETY: the set is initialised by `sigemptyset` before it is read.
    unsafe {
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut());
    }
}

/// Makes a mount read-only, with all below it if `recursive`. ENOSYS before Linux 5.12.
pub(crate) fn set_mount_read_only(mount: BorrowedFd<'_>, recursive: bool) -> io::Result<()> {
    let attributes = libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: path and structure live until the call returns, and the size is that of the structure.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    check_long(result).map(drop)
}

/// Switches the loopback device of this network on.
pub(crate) fn loopback_up() -> io::Result<()> {
    // SAFETY: the request is zeroed, which is valid for this plain structure; its name is shorter than the field and
    // stays terminated; `ioctl` writes within it; the socket is new and ours.
    unsafe {
        let socket = check(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0))?;
        let socket = OwnedFd::from_raw_fd(socket);
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
            *to = *from as libc::c_char;
        }
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request))?;
        request.ifr_ifru.ifru_flags |= (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request)).map(drop)
    }
}

/// Leaves the caller's session keyring for an empty one, so that keys of the host cannot be read.
pub(crate) fn leave_keyring() -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: a null name asks for an anonymous keyring.
    check_long(unsafe {
        libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>())
    })
    .map(drop)
}

/// Installs a system call filter for this thread and all that comes of it.
pub(crate) fn install_filter(program: &mut [libc::sock_filter]) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = libc::sock_fprog { len, filter: program.as_mut_ptr() };
    // SAFETY: the program lives until the call returns, and the kernel checks it before use.
    check_long(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) })
        .map(drop)
}
