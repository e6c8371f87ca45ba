//! The helper process: starts the command as process 1 of new namespaces, watches over it, cleans up.
//!
//! It stays in the mount namespace of the caller, so that it can clean up by the caller's paths, and is the only one
//! that knows for certain which process the command is: signals go through it.

mod account;
mod chroot;
mod command;
mod limits;
mod mounts;
mod overlay;
mod place;
mod privileges;
pub(crate) mod probing;
pub(crate) mod processes;
mod runtime;
mod seccomp;
mod setup;
mod sources;
mod system;
mod workshop;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use rustix::thread::UnshareFlags;

use crate::error::{Fault, Step};
use crate::isolation::Isolation;
use crate::launch::HELPER_NAME;
use crate::spec::{Exit, Network, Spec};
use crate::stubs::{Grounds, Trace};
use crate::sys::{self, Forked};
use crate::wire::{self, Report, Reports, Request};
use chroot::null::EmulatedNull;

/// Must be the first call of `main`: in the helper process it does the helper's work and never returns.
pub fn helper_main() {
    if std::env::args_os().next().is_some_and(|name| name == HELPER_NAME) {
        let code = i32::from(serve().is_err());
        sys::exit_now(code);
    }
}

fn serve() -> io::Result<()> {
    sys::close_inherited()?;
    // what process lists show; the name of the file would be that of a descriptor
    rustix::thread::set_name(c"plim-sandbox")?;
    let control = rustix::io::fcntl_dupfd_cloexec(io::stdin().as_fd(), 3)?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    sys::redirect(null.as_fd(), 0)?;
    // a terminal's Ctrl-C must reach the caller only, which then decides
    let _ = rustix::process::setsid();
    let mut control = UnixStream::from(control);
    let report = match wire::receive(&mut control)? {
        Request::Probe => Report::Support(probing::probe()),
        Request::Run(spec) => {
            let exit = match spec.isolation {
                Isolation::Namespaces => supervise(*spec, &mut control, &null),
                Isolation::Chroot => chroot::supervise(*spec, &mut control, &null),
            };
            exit.map_or_else(Report::Failed, Report::Ended)
        }
    };
    control.write_all(&report.line())
}

/// Runs the spec to its end.
fn supervise(mut spec: Spec, control: &mut UnixStream, null: &File) -> Result<Exit, Fault> {
    let grounds = Grounds::of(&spec.root);
    // what an earlier run that was killed may have left
    grounds.clean(&Trace::default());
    let child_events = sys::child_events().step(|| "watch for the end of processes")?;
    enter_namespaces(spec.network)?;
    if let Some(scratch) = Grounds::scratch(&spec) {
        std::fs::create_dir(&scratch).step(|| format!("create {}", scratch.display()))?;
    }
    let (told, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).step(|| "make a pipe")?;
    let child = match sys::fork().step(|| "start process 1")? {
        Forked::Child => {
            drop(told);
            setup::main(&spec, &grounds, File::from(tell))
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
    let exit = watch.until_end(control, &child_events);
    if spec.runtime.is_some() {
        runtime::clean(&spec.root);
    }
    grounds.clean(&watch.trace);
    watch.judge(exit?)
}

/// Makes the namespaces that this process shares with the command; the process ids are those of children only.
fn enter_namespaces(network: Network) -> Result<(), Fault> {
    let mut flags = UnshareFlags::NEWPID | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    if network == Network::None {
        flags |= UnshareFlags::NEWNET;
    }
    sys::unshare(flags).step(|| "create namespaces")?;
    // only hides the name of the control group; kernels without it work as well
    let _ = sys::unshare(UnshareFlags::NEWCGROUP);
    if network == Network::None {
        sys::loopback_up().step(|| "switch on the loopback device")?;
        // as Docker and containerd have it: ports belong to the container, whoever opens them. Where this cannot be said,
        // only the ports below 1024 of ordinary users are missing
        let _ = std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    }
    Ok(())
}

/// The command as seen by the helper.
struct Watch {
    child: Pid,
    /// What process 1 tells until it becomes the command.
    told: Option<File>,
    reports: Reports,
    trace: Trace,
    executing: bool,
    /// The caller wanted the end.
    killed: bool,
    fault: Option<Fault>,
    /// What stands in for `/dev/null`.
    null: Option<EmulatedNull>,
}

impl Watch {
    fn new(child: Pid, told: File) -> Self {
        Self {
            child,
            told: Some(told),
            reports: Reports::default(),
            trace: Trace::default(),
            executing: false,
            killed: false,
            fault: None,
            null: None,
        }
    }

    /// Whether the end was that of the command.
    fn judge(self, exit: Exit) -> Result<Exit, Fault> {
        match self.fault {
            Some(fault) => Err(fault),
            None if self.executing || self.killed => Ok(exit),
            None => Err(Fault::Helper(format!("process 1, exit code {}", exit.code))),
        }
    }

    fn until_end(&mut self, control: &mut UnixStream, child_events: &OwnedFd) -> Result<Exit, Fault> {
        let mut caller_lives = true;
        loop {
            let ready = self.wait(control, child_events, caller_lives)?;
            if ready.told {
                self.listen(control);
            }
            if ready.null
                && let Some(null) = &self.null
            {
                null.empty();
            }
            if ready.control {
                caller_lives = self.obey(control);
            }
            if ready.child
                && let Some(exit) = self.reap(child_events)?
            {
                // all that it said is in the pipe already
                while self.told.is_some() {
                    self.listen(control);
                }
                return Ok(exit);
            }
        }
    }

    /// Waits until something happens. A descriptor that has ended is always ready, so it is not asked again.
    fn wait(&self, control: &UnixStream, child_events: &OwnedFd, caller_lives: bool) -> Result<Ready, Fault> {
        let mut fds = vec![PollFd::from_borrowed_fd(child_events.as_fd(), PollFlags::IN)];
        if caller_lives {
            fds.push(PollFd::from_borrowed_fd(control.as_fd(), PollFlags::IN));
        }
        if let Some(told) = &self.told {
            fds.push(PollFd::from_borrowed_fd(told.as_fd(), PollFlags::IN));
        }
        let null = fds.len();
        if let Some(null) = &self.null {
            fds.push(PollFd::from_borrowed_fd(null.changes(), PollFlags::IN));
        }
        match rustix::event::poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).step(|| "wait for the command"),
        }
        let ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
        Ok(Ready {
            child: ready(0),
            control: caller_lives && ready(1),
            told: self.told.is_some() && ready(1 + usize::from(caller_lives)),
            null: ready(null),
        })
    }

    /// Takes what process 1 tells, passes it on, and notices when it has become the command.
    fn listen(&mut self, control: &mut UnixStream) {
        let mut chunk = [0; 4096];
        let count = self.told.as_mut().map_or(0, |told| told.read(&mut chunk).unwrap_or(0));
        if count == 0 {
            self.told = None;
            if self.executing && self.fault.is_none() {
                pass_on(control, &Report::Started { pid: self.child.as_raw_pid() });
            }
            return;
        }
        for report in self.reports.feed(&chunk[..count]) {
            match report {
                Report::Executing => self.executing = true,
                Report::Failed(fault) => self.fault = Some(fault),
                Report::Trace(trace) => {
                    pass_on(control, &Report::Trace(trace.clone()));
                    self.trace.extend(trace);
                }
                _ => {}
            }
        }
    }

    /// Sends the signals that the caller asks for; whether the caller is still there.
    fn obey(&mut self, control: &mut UnixStream) -> bool {
        let mut wanted = [0; 16];
        match control.read(&mut wanted) {
            Ok(0) | Err(_) => {
                self.killed = true;
                self.signal(Signal::KILL);
                false
            }
            Ok(count) => {
                for number in &wanted[..count] {
                    if let Some(signal) = Signal::from_named_raw(i32::from(*number)) {
                        self.signal(signal);
                    }
                }
                true
            }
        }
    }

    fn signal(&self, signal: Signal) {
        // the child is not reaped yet, so the number is still its own
        let _ = rustix::process::kill_process(self.child, signal);
    }

    /// The end of the child, if it has ended. By then the kernel has ended all other processes of its namespace.
    fn reap(&self, child_events: &OwnedFd) -> Result<Option<Exit>, Fault> {
        let mut event = [0; 128];
        // the content says nothing that waiting does not say better
        let _ = rustix::io::read(child_events, &mut event);
        // where there is no namespace of process ids, orphans of the command become children of this process
        while let Some((pid, status)) = rustix::process::wait(WaitOptions::NOHANG).step(|| "wait for process 1")? {
            if pid == self.child {
                return Ok(Some(exit_of(status)));
            }
        }
        Ok(None)
    }
}

/// What there is to do.
struct Ready {
    child: bool,
    control: bool,
    told: bool,
    null: bool,
}

fn pass_on(control: &mut UnixStream, report: &Report) {
    // a caller that is gone needs no report, and the end of file on the way back is noticed anyway
    let _ = control.write_all(&report.line());
}

fn exit_of(status: WaitStatus) -> Exit {
    match status.terminating_signal() {
        Some(signal) => Exit { code: 128 + signal, signal: Some(signal) },
        None => Exit { code: status.exit_status().unwrap_or(-1), signal: None },
    }
}
