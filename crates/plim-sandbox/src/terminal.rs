//! A command on the user's terminal.
//!
//! It does not get that terminal itself, into which it could write commands for the user's own shell (TIOCSTI), but one of
//! its own; what passes between the two is copied here.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, Termios};

use crate::error::{SandboxError, Step};
use crate::session::Session;
use crate::spec::{Exit, Spec};

/// How often the size of the window, and whether to stop, is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// As much as is copied at once.
const CHUNK: usize = 16 << 10;

/// The terminal of the user.
#[derive(Debug)]
pub struct Terminal {
    input: OwnedFd,
    output: OwnedFd,
    /// The value of TERM; the command gets it where it has none.
    pub kind: Option<String>,
}

impl Terminal {
    /// Returns the terminal behind two open files. Fails when one of them is none.
    pub fn new(input: impl AsFd, output: impl AsFd, kind: Option<String>) -> io::Result<Self> {
        let (input, output) = (input.as_fd(), output.as_fd());
        if !rustix::termios::isatty(input) || !rustix::termios::isatty(output) {
            return Err(Errno::NOTTY.into());
        }
        Ok(Self { input: input.try_clone_to_owned()?, output: output.try_clone_to_owned()?, kind })
    }

    /// Passes the size of the window on.
    fn resize(&self, inner: &OwnedFd) {
        // a terminal without a size leaves the other as it is
        if let Ok(size) = rustix::termios::tcgetwinsize(&self.output)
            && rustix::termios::tcgetwinsize(inner).is_ok_and(|known| known != size)
        {
            let _ = rustix::termios::tcsetwinsize(inner, size);
        }
    }
}

/// Runs a command on a terminal of its own, connected with the user's, to its end.
///
/// Meanwhile the user's terminal passes every key on, Ctrl-C too; afterwards it is as it was.
pub fn run_on_terminal(spec: &Spec, terminal: &Terminal, cancelled: &dyn Fn() -> bool) -> Result<Exit, SandboxError> {
    let mut spec = spec.clone();
    spec.terminal = true;
    if let Some(kind) = &terminal.kind
        && !spec.env.iter().any(|pair| pair.starts_with(b"TERM="))
    {
        spec.env.push(format!("TERM={kind}").into());
    }
    let outer = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
        .step(|| "open a terminal")?;
    rustix::pty::grantpt(&outer).step(|| "open a terminal")?;
    rustix::pty::unlockpt(&outer).step(|| "open a terminal")?;
    let inner = rustix::pty::ioctl_tiocgptpeer(&outer, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
        .step(|| "open a terminal")?;
    terminal.resize(&inner);
    let raw = Raw::enter(terminal).step(|| "prepare the terminal")?;
    let mut session = Session::open_on(&spec, Some(inner))?;
    let phase = Phase::default();
    let exit = std::thread::scope(|scope| {
        let copying = scope.spawn(|| copy(terminal, &outer, &phase));
        let exit = watch(&mut session, &phase, cancelled);
        phase.over.store(true, Ordering::Relaxed);
        // a panic of the copier is passed on by the scope
        let _ = copying.join();
        exit
    });
    drop(raw);
    exit
}

/// How far the command is.
#[derive(Default)]
struct Phase {
    /// It runs. What is typed before that is left for whatever reads next, should it never run.
    runs: AtomicBool,
    over: AtomicBool,
}

fn watch(session: &mut Session, phase: &Phase, cancelled: &dyn Fn() -> bool) -> Result<Exit, SandboxError> {
    let mut killed = false;
    while !session.is_over() {
        session.step(Some(LOOK_AGAIN), &mut |_, _| {})?;
        if session.started().is_some() {
            phase.runs.store(true, Ordering::Relaxed);
        }
        if !killed && cancelled() {
            session.kill();
            killed = true;
        }
    }
    session.finish(&mut |_, _| {})
}

/// Copies both ways until the command is over and all that it wrote was passed on.
fn copy(terminal: &Terminal, outer: &OwnedFd, phase: &Phase) {
    let mut chunk = vec![0; CHUNK];
    let mut input_open = true;
    loop {
        terminal.resize(outer);
        let was_over = phase.over.load(Ordering::Relaxed);
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(LOOK_AGAIN.subsec_nanos()) };
        let mut fds = vec![PollFd::new(outer, PollFlags::IN)];
        if input_open && !was_over && phase.runs.load(Ordering::Relaxed) {
            fds.push(PollFd::new(&terminal.input, PollFlags::IN));
        }
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(0) if was_over => return,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        let ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
        let (said, typed) = (ready(0), ready(1));
        if said {
            match rustix::io::read(outer, &mut chunk) {
                Ok(count @ 1..) => {
                    if write_all(&terminal.output, &chunk[..count]).is_err() {
                        return;
                    }
                }
                Err(Errno::INTR | Errno::AGAIN) => {}
                // nobody has the other side open: the command is over, or has not opened it yet
                Ok(_) | Err(_) if was_over => return,
                Ok(_) | Err(_) => std::thread::sleep(LOOK_AGAIN / 10),
            }
        }
        if typed {
            match rustix::io::read(&terminal.input, &mut chunk) {
                Ok(count @ 1..) => {
                    if write_all(outer, &chunk[..count]).is_err() {
                        input_open = false;
                    }
                }
                Err(Errno::INTR | Errno::AGAIN) => {}
                Ok(_) | Err(_) => input_open = false,
            }
        }
    }
}

fn write_all(to: &OwnedFd, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let _ = rustix::event::poll(&mut [PollFd::new(to, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The user's terminal in raw mode, for as long as this value lives.
struct Raw<'a> {
    terminal: &'a Terminal,
    before: Termios,
}

impl<'a> Raw<'a> {
    fn enter(terminal: &'a Terminal) -> rustix::io::Result<Self> {
        let before = rustix::termios::tcgetattr(&terminal.input)?;
        let mut raw = before.clone();
        raw.make_raw();
        // what was typed ahead is not lost
        rustix::termios::tcsetattr(&terminal.input, OptionalActions::Now, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        // a terminal that is gone needs no mode
        let _ = rustix::termios::tcsetattr(&self.terminal.input, OptionalActions::Now, &self.before);
    }
}
