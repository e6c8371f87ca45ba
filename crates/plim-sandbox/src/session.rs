//! The conversation with one helper: output and reports in, the end of the command out.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::PidfdFlags;

use crate::error::{Fault, SandboxError, Step};
use crate::helper::processes;
use crate::isolation::Isolation;
use crate::launch::{self, Helper};
use crate::spec::{Exit, Spec, Stream};
use crate::stubs::{Grounds, Trace};
use crate::wire::{Report, Reports, Request};

/// As much as a pipe holds.
const CHUNK: usize = 64 << 10;

/// How long a process that is being killed may take; longer only if the disk hangs.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// One running sandbox as seen by its parent.
#[derive(Debug)]
pub(crate) struct Session {
    helper: Helper,
    reports: Reports,
    /// What the helper would clean; the parent does it if the helper dies.
    grounds: Grounds,
    trace: Trace,
    isolation: Isolation,
    started: Option<i32>,
    fault: Option<Fault>,
    exit: Option<Exit>,
    open: Open,
}

/// Which channels have not ended yet.
#[derive(Debug)]
struct Open {
    control: bool,
    stdout: bool,
    stderr: bool,
}

impl Session {
    /// Starts the helper on a spec.
    pub(crate) fn open(spec: &Spec) -> Result<Self, SandboxError> {
        Self::open_on(spec, None)
    }

    /// Starts the helper on a spec; with a terminal the command gets that one, and no output passes through here.
    pub(crate) fn open_on(spec: &Spec, terminal: Option<OwnedFd>) -> Result<Self, SandboxError> {
        launch::check(spec)?;
        let grounds = Grounds::of(&spec.root);
        let helper = launch::launch(&Request::Run(spec), terminal)?;
        let nonblocking = |fd: rustix::fd::BorrowedFd<'_>| {
            let flags = rustix::fs::fcntl_getfl(fd)?;
            rustix::fs::fcntl_setfl(fd, flags | rustix::fs::OFlags::NONBLOCK)
        };
        let outputs = [helper.stdout.as_ref().map(AsFd::as_fd), helper.stderr.as_ref().map(AsFd::as_fd)];
        for fd in [helper.control.as_fd()].into_iter().chain(outputs.into_iter().flatten()) {
            nonblocking(fd).step(|| "make a pipe non-blocking")?;
        }
        let open = Open { control: true, stdout: helper.stdout.is_some(), stderr: helper.stderr.is_some() };
        Ok(Self {
            helper,
            reports: Reports::default(),
            grounds,
            trace: Trace::default(),
            isolation: spec.isolation,
            started: None,
            fault: None,
            exit: None,
            open,
        })
    }

    /// A second handle of the channel to the helper, for signals.
    pub(crate) fn control(&self) -> io::Result<UnixStream> {
        self.helper.control.try_clone()
    }

    /// The helper's process id; the process exists until [`Session::finish`].
    pub(crate) fn helper_pid(&self) -> u32 {
        self.helper.process.id()
    }

    /// The command's process id, once it runs.
    pub(crate) fn started(&self) -> Option<i32> {
        self.started
    }

    /// Whether the helper has nothing more to say.
    pub(crate) fn is_over(&self) -> bool {
        !self.open.control
    }

    /// Waits up to `timeout` for output or reports and takes what is there.
    pub(crate) fn step(
        &mut self,
        timeout: Option<Duration>,
        output: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<(), SandboxError> {
        self.wait(timeout)?;
        let mut chunk = vec![0; CHUNK];
        self.take_output(&mut chunk, output);
        self.take_reports(&mut chunk);
        Ok(())
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<(), SandboxError> {
        let timeout =
            timeout.map(|time| Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) });
        let (helper, open) = (&self.helper, &self.open);
        let mut fds = Vec::with_capacity(3);
        for (fd, open) in [
            (Some(helper.control.as_fd()), open.control),
            (helper.stdout.as_ref().map(AsFd::as_fd), open.stdout),
            (helper.stderr.as_ref().map(AsFd::as_fd), open.stderr),
        ] {
            if let Some(fd) = fd.filter(|_| open) {
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            }
        }
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error).step(|| "wait for the command").map_err(SandboxError::from),
        }
    }

    /// One chunk of each stream, so that neither starves the other or the reports.
    fn take_output(&mut self, chunk: &mut [u8], output: &mut dyn FnMut(Stream, &[u8])) {
        if let Some(stdout) = self.helper.stdout.as_mut().filter(|_| self.open.stdout) {
            self.open.stdout = take(stdout, chunk, &mut |bytes| output(Stream::Stdout, bytes));
        }
        if let Some(stderr) = self.helper.stderr.as_mut().filter(|_| self.open.stderr) {
            self.open.stderr = take(stderr, chunk, &mut |bytes| output(Stream::Stderr, bytes));
        }
    }

    fn take_reports(&mut self, chunk: &mut [u8]) {
        let mut found = Vec::new();
        let reports = &mut self.reports;
        self.open.control = take(&mut self.helper.control, chunk, &mut |bytes| found = reports.feed(bytes));
        for report in found {
            match report {
                Report::Trace(trace) => self.trace.extend(trace),
                Report::Started { pid } => self.started = Some(pid),
                Report::Failed(fault) => self.fault = Some(fault),
                Report::Ended(exit) => self.exit = Some(exit),
                Report::Executing | Report::Support(_) => {}
            }
        }
    }

    /// Collects the rest once the helper has nothing more to say, and tells how the command ended.
    pub(crate) fn finish(&mut self, output: &mut dyn FnMut(Stream, &[u8])) -> Result<Exit, SandboxError> {
        let status = self.helper.process.wait().step(|| "wait for the sandbox's helper process")?;
        // every process that could write is dead: read until nothing is left
        let mut chunk = vec![0; CHUNK];
        loop {
            let mut some = false;
            self.take_output(&mut chunk, &mut |stream, bytes| {
                some = true;
                output(stream, bytes);
            });
            if !some {
                break;
            }
        }
        match (self.fault.take(), self.exit) {
            (Some(fault), _) => Err(fault.into()),
            (None, Some(exit)) => Ok(exit),
            (None, None) => {
                self.outlive_command();
                if let (Isolation::Chroot, Some(leader)) = (self.isolation, self.started) {
                    processes::end_session(leader);
                }
                self.grounds.clean(&self.trace);
                Err(SandboxError::Helper(status.to_string()))
            }
        }
    }

    /// Waits until the command of a dead helper is dead too: the kernel kills it, but not at once.
    fn outlive_command(&self) {
        let pid = self.started.and_then(rustix::process::Pid::from_raw);
        let Some(Ok(process)) = pid.map(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty())) else { return };
        let limit = Timespec { tv_sec: LAST_BREATH.as_secs() as i64, tv_nsec: 0 };
        // cleaning goes ahead in any case
        let _ = rustix::event::poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit));
    }

    /// Tells the helper to kill the command.
    pub(crate) fn kill(&self) {
        // if the helper is gone already, so is the command
        let _ = self.helper.control.shutdown(Shutdown::Write);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.kill();
        // without this the helper would stay a zombie; after `finish` it returns at once
        let _ = self.helper.process.wait();
    }
}

/// Sends a signal to the command by way of the helper, which alone knows whether the process still is the command.
pub(crate) fn send_signal(mut control: &UnixStream, signal: u8) -> io::Result<()> {
    control.write_all(&[signal])
}

/// Reads once; whether more may follow.
fn take(from: &mut impl Read, chunk: &mut [u8], each: &mut dyn FnMut(&[u8])) -> bool {
    match from.read(chunk) {
        Ok(0) => false,
        Ok(count) => {
            each(&chunk[..count]);
            true
        }
        Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
    }
}
