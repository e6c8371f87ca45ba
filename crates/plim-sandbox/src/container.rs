//! Running to the end, and running in the background.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::thread::LinkNameSpaceType;

use crate::error::{Fault, SandboxError, Step, SystemError};
use crate::isolation::Isolation;
use crate::session::{Session, send_signal};
use crate::spec::{Exit, Network, Spec, Stream};

/// How often a running command is checked for cancellation.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How much of the output of a [`Container`] is kept.
const LOG_LIMIT: usize = 256 << 10;

/// Runs a command to its end and hands its output over as it comes.
///
/// Background processes of the command are killed when it ends. When `cancelled` says so the command is killed, which
/// is seen as `Exit { signal: Some(9), .. }`.
pub fn run(
    spec: &Spec,
    output: &mut dyn FnMut(Stream, &[u8]),
    cancelled: &dyn Fn() -> bool,
) -> Result<Exit, SandboxError> {
    let mut session = Session::open(spec)?;
    let mut killed = false;
    while !session.is_over() {
        session.step(Some(LOOK_AGAIN), output)?;
        if !killed && cancelled() {
            session.kill();
            killed = true;
        }
    }
    session.finish(output)
}

/// Starts a command and returns as soon as it runs.
pub fn start(spec: &Spec) -> Result<Container, SandboxError> {
    let mut session = Session::open(spec)?;
    let shared = Arc::new(Shared::default());
    let mut log = |_: Stream, bytes: &[u8]| shared.log(bytes);
    let pid = loop {
        if let Some(pid) = session.started() {
            break pid;
        }
        if session.is_over() {
            // a command that ends at once may be over before it was seen to run
            let exit = session.finish(&mut log)?;
            shared.end(Ok(exit));
            let network = match network(spec) {
                Network::Host => Reach::Host,
                Network::None => Reach::Gone,
            };
            return Ok(Container { shared, pid: 0, control: None, network, pump: None });
        }
        session.step(None, &mut log)?;
    };
    let network = match network(spec) {
        Network::Host => Reach::Host,
        // the helper shares the container's network, and its number cannot be used again before it is waited for;
        // a helper that is done already has no network any more
        Network::None => File::open(format!("/proc/{}/ns/net", session.helper_pid())).map_or(Reach::Gone, Reach::Own),
    };
    let control = session.control().step(|| "copy a socket")?;
    let theirs = Arc::clone(&shared);
    let pump = std::thread::Builder::new()
        .name("plim-container".to_owned())
        .spawn(move || theirs.pump(session))
        .step(|| "start a thread")?;
    Ok(Container { shared, pid, control: Some(control), network, pump: Some(pump) })
}

/// What the command really sees of the network.
fn network(spec: &Spec) -> Network {
    match spec.isolation {
        Isolation::Namespaces => spec.network,
        Isolation::Chroot => Network::Host,
    }
}

/// A command running in the background. Dropping it kills the command and all its children.
#[derive(Debug)]
pub struct Container {
    shared: Arc<Shared>,
    pid: i32,
    control: Option<UnixStream>,
    network: Reach,
    pump: Option<JoinHandle<()>>,
}

/// How the container's network is reached.
#[derive(Debug)]
enum Reach {
    /// It is the host's.
    Host,
    /// Through this namespace.
    Own(File),
    /// Not at all: the container had ended before its network was seen.
    Gone,
}

/// What the thread that reads the output shares with the [`Container`].
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    log: VecDeque<u8>,
    end: Option<Result<Exit, SandboxError>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // nothing that holds the lock can leave a half-made state behind
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, bytes: &[u8]) {
        let mut state = self.state();
        state.log.extend(bytes);
        let excess = state.log.len().saturating_sub(LOG_LIMIT);
        state.log.drain(..excess);
    }

    fn end(&self, end: Result<Exit, SandboxError>) {
        self.state().end = Some(end);
        self.changed.notify_all();
    }

    fn pump(&self, mut session: Session) {
        let mut log = |_: Stream, bytes: &[u8]| self.log(bytes);
        while !session.is_over() {
            if let Err(error) = session.step(None, &mut log) {
                return self.end(Err(error));
            }
        }
        let end = session.finish(&mut log);
        self.end(end);
    }
}

impl State {
    /// How the command ended, if it has; an error is handed out once.
    fn ended(&mut self) -> Result<Option<Exit>, SandboxError> {
        match self.end.take() {
            None => Ok(None),
            Some(Ok(exit)) => {
                self.end = Some(Ok(exit));
                Ok(Some(exit))
            }
            Some(Err(error)) => {
                self.end = Some(Err(SandboxError::Helper("reported before".to_owned())));
                Err(error)
            }
        }
    }
}

impl Container {
    /// The command's process id as seen from outside; 0 if it had ended before it was seen.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends a signal to the command. It is not an error when the command has ended.
    ///
    /// The command is process 1 of its namespace: signals that it does not handle have no effect, except SIGKILL.
    pub fn signal(&self, signal: i32) -> Result<(), SandboxError> {
        let Ok(number @ 1..=64) = u8::try_from(signal) else {
            return Err(SandboxError::Invalid(format!("there is no signal {signal}")));
        };
        match self.control.as_ref().map(|control| send_signal(control, number)) {
            None | Some(Ok(())) => Ok(()),
            Some(Err(error)) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                Ok(())
            }
            Some(Err(error)) => {
                Err(SandboxError::Setup { step: "signal the command".to_owned(), source: SystemError::from(error) })
            }
        }
    }

    /// How the command ended, if it has.
    pub fn try_wait(&mut self) -> Result<Option<Exit>, SandboxError> {
        self.shared.state().ended()
    }

    /// Waits for the command to end, at most so long.
    pub fn wait_timeout(&mut self, limit: Duration) -> Result<Option<Exit>, SandboxError> {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.state();
        loop {
            if state.end.is_some() {
                return state.ended();
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return Ok(None) };
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The last 256 KiB of standard output and error, in the order in which they arrived.
    pub fn logs(&self) -> Vec<u8> {
        self.shared.state().log.iter().copied().collect()
    }

    /// Runs `f` on a thread inside the container's network: what it connects to on 127.0.0.1 is the container.
    pub fn in_network<T: Send>(&self, f: impl FnOnce() -> T + Send) -> Result<T, SandboxError> {
        let network = match &self.network {
            Reach::Host => return Ok(f()),
            Reach::Own(network) => network,
            Reach::Gone => return Err(SandboxError::ended()),
        };
        let inside = || {
            rustix::thread::move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
                .step(|| "enter the container's network")?;
            Ok::<T, Fault>(f())
        };
        std::thread::scope(|scope| match scope.spawn(inside).join() {
            Ok(result) => result.map_err(SandboxError::from),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Some(control) = &self.control {
            // end of file tells the helper to kill; if it is gone there is nothing to kill
            let _ = control.shutdown(Shutdown::Write);
        }
        if let Some(pump) = self.pump.take() {
            let _ = pump.join();
        }
    }
}
