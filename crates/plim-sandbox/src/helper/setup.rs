//! Process 1: builds the sandbox around itself, step by step, and becomes the command.

use std::convert::Infallible;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use bstr::{BStr, ByteSlice};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::process::Signal;
use rustix::thread::UnshareFlags;

use super::place::{Recorder, Tree};
use super::sources::{Root, Sources};
use super::workshop::{Workshop, open_dir};
use super::{account, command, limits, mounts, overlay, privileges, runtime, seccomp, system};
use crate::error::{Fault, Step};
use crate::spec::{RootFs, Spec};
use crate::stubs::{self, Grounds, Trace};
use crate::sys;
use crate::wire::Report;

/// Runs in the forked child and never returns.
pub(super) fn main(spec: &Spec, grounds: &Grounds, tell: File) -> ! {
    let mut teller = Teller { pipe: tell, trace: Trace::default(), base: None };
    let Err(fault) = become_command(spec, grounds, &mut teller);
    teller.tell(&Report::Failed(fault));
    sys::exit_now(127)
}

fn become_command(spec: &Spec, grounds: &Grounds, teller: &mut Teller) -> Result<Infallible, Fault> {
    // a helper that was killed cannot end this namespace, so the kernel has to
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).step(|| "tie process 1 to its helper")?;
    // as process 1 of a new namespace this cannot be a group leader yet
    let _ = rustix::process::setsid();
    let files = limits::raise_files();
    rustix::process::umask(Mode::empty());
    sys::unshare(UnshareFlags::NEWNS).step(|| "create namespaces")?;
    rustix::mount::mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .step(|| "detach the mounts from the host's")?;

    let sources = Sources::open(spec)?;
    teller.base = grounds.base().map(open_dir).transpose().step(|| "open the root directory")?;
    let mut workshop = Workshop::open(match &spec.root {
        RootFs::Dir(path) | RootFs::Overlay { upper: path, .. } => path,
        // `Session::open` has made sure that there is one
        RootFs::ReadOnly { lower } => lower.first().map_or(std::path::Path::new("/"), std::path::PathBuf::as_path),
    })?;
    let tree = Tree::new(mount_root(&sources.root, &mut workshop)?);
    system::mount(spec, &sources, &tree, teller)?;
    mounts::mount(spec, &sources, &tree, &mut workshop, teller)?;
    system::protect(&sources, &tree)?;
    teller.settle(&tree);
    if let Some(runtime) = &spec.runtime {
        let bundle = runtime::Bundle::new(spec, runtime, &tree, &mut workshop)?;
        rustix::system::sethostname(spec.hostname.as_bytes()).step(|| "set the host name")?;
        let _ = sys::leave_keyring();
        limits::set(files, &[])?;
        runtime::mount_proc()?;
        runtime::prepare_process()?;
        teller.tell(&Report::Executing);
        return bundle.execute();
    }

    enter(&tree, matches!(spec.root, RootFs::ReadOnly { .. }), spec.cwd.as_bstr(), spec.create_cwd)?;
    rustix::system::sethostname(spec.hostname.as_bytes()).step(|| "set the host name")?;
    // keys of the host must not be readable; kernels without keyrings have none
    let _ = sys::leave_keyring();
    let account = account::look_up(&spec.user)?;
    let command = command::Command::new(spec, &account)?;
    enter_directory(spec.cwd.as_bstr())?;
    take_terminal(spec)?;

    rustix::process::umask(Mode::from(0o022));
    limits::set(files, &spec.ulimits)?;
    privileges::drop(&account, spec.no_new_privs, privileges::Rights::All, || seccomp::install(spec.skip_fsync))?;
    sys::reset_signals();
    // changing the user has cut the tie
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).step(|| "tie process 1 to its helper")?;
    sys::close_on_execute().step(|| "close files of the host")?;
    teller.tell(&Report::Executing);
    Err(command.execute())
}

/// Mounts the root in the workshop and opens it.
fn mount_root(root: &Root, workshop: &mut Workshop) -> Result<OwnedFd, Fault> {
    match root {
        Root::Dir(dir) => {
            let root = workshop.mounted(|below| mounts::bind(dir, below).map(drop))?;
            mounts::restrict(&root, MountFlags::NODEV)?;
            Ok(root)
        }
        Root::Overlay { lower, upper, work } => {
            if let Some(top) = lower.first() {
                adopt_look(upper, top)?;
            }
            workshop.mounted(|below| overlay::mount(lower, Some(&overlay::Upper { upper, work }), below))
        }
        // mount points must be made somewhere: in memory
        Root::ReadOnly { lower } => {
            let (upper, work) = (workshop.directory()?, workshop.directory()?);
            if let Some(top) = lower.first() {
                adopt_look(&upper, top)?;
            }
            workshop.mounted(|below| overlay::mount(lower, Some(&overlay::Upper { upper: &upper, work: &work }), below))
        }
    }
}

/// Gives an empty upper directory the mode, owner and time of the layer below it: it is what `/` looks like inside.
fn adopt_look(upper: &OwnedFd, lower: &OwnedFd) -> Result<(), Fault> {
    let step = || "prepare the upper directory";
    let entries = std::fs::read_dir(super::place::name_of(upper)).step(step)?;
    if entries.count() > 0 {
        return Ok(());
    }
    let stat = rustix::fs::fstat(lower).step(step)?;
    let owner = rustix::fs::Uid::from_raw(stat.st_uid);
    let group = rustix::fs::Gid::from_raw(stat.st_gid);
    match rustix::fs::chownat(upper, c".", Some(owner), Some(group), rustix::fs::AtFlags::empty()) {
        // a number that this user namespace does not know
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => return Err(error).step(step),
    }
    rustix::fs::chmodat(upper, c".", Mode::from_raw_mode(stat.st_mode & 0o7777), rustix::fs::AtFlags::empty())
        .step(step)?;
    let time = rustix::fs::Timespec { tv_sec: stat.st_mtime as _, tv_nsec: stat.st_mtime_nsec as _ };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(upper, c".", &times, rustix::fs::AtFlags::empty()).step(step)
}

/// Makes the tree the root of this process and lets go of everything else.
fn enter(tree: &Tree, read_only: bool, cwd: &BStr, create_cwd: bool) -> Result<(), Fault> {
    let step = || "change the root directory";
    rustix::process::fchdir(tree.root()).step(step)?;
    // both arguments the same: the old root ends up on top of the new one, from where it is unmounted
    rustix::process::pivot_root(c".", c".").step(step)?;
    rustix::mount::unmount(c".", UnmountFlags::DETACH).step(step)?;
    rustix::process::chdir(c"/").step(step)?;
    if create_cwd {
        create_directories(cwd)?;
    }
    if read_only {
        let root = open_dir(std::path::Path::new("/")).step(step)?;
        mounts::restrict(&root, MountFlags::RDONLY)?;
    }
    let null =
        rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).step(|| "open /dev/null")?;
    sys::redirect(null.as_fd(), 0).step(|| "redirect standard input")
}

/// Makes the terminal behind standard output the one that this session is controlled by, and reads from it, too.
pub(super) fn take_terminal(spec: &Spec) -> Result<(), Fault> {
    if !spec.terminal {
        return Ok(());
    }
    let stdout = std::io::stdout();
    rustix::process::ioctl_tiocsctty(&stdout).step(|| "take the terminal")?;
    sys::redirect(stdout.as_fd(), 0).step(|| "read from the terminal")
}

/// Makes a missing working directory, 0755 and root's. The root is the container's by now, links lead nowhere else.
pub(super) fn create_directories(cwd: &BStr) -> Result<(), Fault> {
    let ends = cwd.find_iter(b"/").filter(|end| *end > 0).chain([cwd.len()]);
    for end in ends {
        match rustix::fs::mkdir(cwd[..end].as_bytes(), Mode::from(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(directory_fault(cwd, error)),
        }
    }
    Ok(())
}

pub(super) fn enter_directory(cwd: &BStr) -> Result<(), Fault> {
    rustix::process::chdir(cwd.as_bytes()).map_err(|error| directory_fault(cwd, error))?;
    // a directory reached through a descriptor of the host would have no path inside (CVE-2024-21626)
    match rustix::process::getcwd(Vec::new()) {
        Ok(path) if path.as_bytes().starts_with(b"/") => Ok(()),
        _ => Err(directory_fault(cwd, Errno::NOENT)),
    }
}

fn directory_fault(cwd: &BStr, error: Errno) -> Fault {
    Fault::WorkingDirectory { path: cwd.to_string(), errno: error.raw_os_error() }
}

/// The way back to the helper.
struct Teller {
    pipe: File,
    trace: Trace,
    /// The directory that gets the changes; none if they are thrown away.
    base: Option<OwnedFd>,
}

impl Teller {
    fn tell(&mut self, report: &Report) {
        // without a helper this process is about to be killed
        let _ = self.pipe.write_all(&report.line());
    }

    /// Puts back the times of the touched directories, and notes how these look now that only the command can change
    /// them.
    fn settle(&mut self, tree: &Tree) {
        for touched in &self.trace.touched {
            if let Ok(place) = tree.find(touched.path.as_bstr()) {
                stubs::set_modified(&place.fd, touched.modified);
            }
        }
        if let Some(base) = &self.base {
            let settled = stubs::settle(base, &self.trace);
            self.tell(&Report::Trace(settled));
        }
    }
}

impl Recorder for Teller {
    fn record(&mut self, trace: Trace) -> rustix::io::Result<()> {
        self.pipe.write_all(&Report::Trace(trace.clone()).line()).map_err(|_| Errno::PIPE)?;
        self.trace.extend(trace);
        Ok(())
    }

    fn so_far(&self) -> &Trace {
        &self.trace
    }

    fn owns(&self, directory: &BStr) -> Option<bool> {
        self.base.as_ref().map(|base| stubs::has(base, directory))
    }
}
