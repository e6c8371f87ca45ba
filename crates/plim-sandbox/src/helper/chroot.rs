//! A command without namespaces: only its root directory is its own.
//!
//! Nothing can be mounted, so what would be mounted is put into the root for the time of the run ([`room`]). The helper
//! ends all processes that the command leaves behind, and then takes everything out again. Network, host name and process
//! ids are those of the helper's surroundings; root inside a chroot can leave it.

mod devices;
pub(super) mod null;
mod replica;
mod room;

use std::convert::Infallible;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use bstr::ByteSlice;
use rustix::fs::Mode;
use rustix::process::Signal;
use rustix::thread::CapabilitySet;

use super::privileges::{self, Rights};
use super::{Watch, account, command, limits, processes, seccomp, setup};
use crate::error::{Fault, Step};
use crate::spec::{Exit, Spec};
use crate::sys::{self, Forked};
use crate::wire::Report;
use room::Room;

/// Runs the spec to its end.
pub(super) fn supervise(mut spec: Spec, control: &mut UnixStream, null: &File) -> Result<Exit, Fault> {
    let child_events = sys::child_events().step(|| "watch for the end of processes")?;
    processes::adopt_orphans().step(|| "adopt the processes of the command")?;
    rustix::process::umask(Mode::empty());
    // whatever happens from here on, it is taken out again when it is dropped
    let mut room = Room::furnish(&spec)?;
    let (told, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).step(|| "make a pipe")?;
    let child = match sys::fork().step(|| "start the command")? {
        Forked::Child => {
            drop(told);
            main(&spec, room.root(), File::from(tell))
        }
        Forked::Parent(child) => child,
    };
    drop(tell);
    // the child has its copy of the secrets; these are overwritten now
    spec.forget_secrets();
    // the pipes must end with the command, not with the helper
    for number in [1, 2] {
        sys::redirect(null.as_fd(), number).step(|| "close the output")?;
    }
    let mut watch = Watch::new(child, File::from(told));
    watch.null = room.take_null();
    let exit = watch.until_end(control, &child_events);
    processes::end_all();
    room.clear();
    watch.judge(exit?)
}

/// Runs in the forked child and never returns.
fn main(spec: &Spec, root: &OwnedFd, mut tell: File) -> ! {
    let Err(fault) = become_command(spec, root, &mut tell);
    // without a helper this process is about to be killed
    let _ = tell.write_all(&Report::Failed(fault).line());
    sys::exit_now(127)
}

fn become_command(spec: &Spec, root: &OwnedFd, tell: &mut File) -> Result<Infallible, Fault> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).step(|| "tie the command to its helper")?;
    let _ = rustix::process::setsid();
    let step = || "change the root directory";
    rustix::process::fchdir(root).step(step)?;
    rustix::process::chroot(c".").step(step)?;
    rustix::process::chdir(c"/").step(step)?;
    if spec.create_cwd {
        setup::create_directories(spec.cwd.as_bstr())?;
    }
    // keys of the host must not be readable; containers mostly have none to read
    let _ = sys::leave_keyring();
    let account = account::look_up(&spec.user)?;
    let command = command::Command::new(spec, &account)?;
    setup::enter_directory(spec.cwd.as_bstr())?;
    setup::take_terminal(spec)?;

    rustix::process::umask(Mode::from(0o022));
    limits::set(None, &spec.ulimits)?;
    privileges::drop(&account, spec.no_new_privs, Rights::Some, || filter(spec))?;
    sys::reset_signals();
    // changing the user has cut the tie
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).step(|| "tie the command to its helper")?;
    sys::close_on_execute().step(|| "close files of the host")?;
    // without a helper this process is about to be killed
    let _ = tell.write_all(&Report::Executing.line());
    Err(command.execute())
}

/// Installs the system call filter where that is allowed; elsewhere the filter of the surrounding container holds.
fn filter(spec: &Spec) -> Result<(), Fault> {
    let sets = rustix::thread::capabilities(None).step(|| "read capabilities")?;
    if !spec.no_new_privs && !sets.effective.contains(CapabilitySet::SYS_ADMIN) {
        return Ok(());
    }
    match seccomp::install(spec.skip_fsync) {
        Err(Fault::System { errno: libc::EPERM | libc::EACCES | libc::ENOSYS, .. }) => Ok(()),
        other => other,
    }
}
