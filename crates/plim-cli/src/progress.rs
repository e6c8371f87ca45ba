//! Shows progress on standard error, in the way that was asked for.
//!
//! What happens is kept in one place ([`tasks`]); how it looks is a [`View`] each: a live region on a terminal, lines for a
//! log, JSON for programs. A view turns events into text and writes nothing itself, so that all of them can be tested with
//! a clock of the test's own.

mod brief;
mod plain;
mod rawjson;
mod tasks;
mod tty;

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use plim_engine::{Events, TaskId};

use crate::printer::{Manner, Printer};
use tasks::{Clock, Event, Stream, Tasks, View};

/// Set by the signal handler; every long task asks for it.
pub(crate) static CANCELLED: AtomicBool = AtomicBool::new(false);

/// How often the live region is drawn again.
const TICK: Duration = Duration::from_millis(100);

/// A listener that prints.
#[derive(Debug)]
pub(crate) struct Progress {
    shared: Arc<Shared>,
    ticker: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    printer: Printer,
    state: Mutex<State>,
    over: AtomicBool,
}

#[derive(Debug)]
struct State {
    clock: Clock,
    tasks: Tasks,
    view: Option<Box<dyn View>>,
    /// Something else has the terminal.
    suspended: bool,
}

impl Progress {
    /// Returns a listener that shows in this manner.
    pub(crate) fn new(printer: Printer, manner: Manner) -> Self {
        let marks = tty::Marks::of(printer);
        let view: Option<Box<dyn View>> = match manner {
            Manner::Silent => None,
            Manner::Brief => Some(Box::new(brief::Brief::new(printer))),
            Manner::Plain => Some(Box::new(plain::Plain::default())),
            Manner::RawJson => Some(Box::new(rawjson::RawJson::default())),
            Manner::Live => Some(Box::new(tty::Live::new(marks, Box::new(tty::size_of_stderr)))),
        };
        let state = State { clock: Clock::system(), tasks: Tasks::default(), view, suspended: false };
        let shared = Arc::new(Shared { printer, state: Mutex::new(state), over: AtomicBool::new(false) });
        let ticker = (manner == Manner::Live).then(|| tick(Arc::clone(&shared))).flatten();
        Self { shared, ticker }
    }
}

/// Draws the live region again and again. A machine that has no thread left goes without.
fn tick(shared: Arc<Shared>) -> Option<JoinHandle<()>> {
    let run = move || {
        while !shared.over.load(Ordering::Relaxed) {
            std::thread::park_timeout(TICK);
            shared.tell(&Event::Tick);
        }
    };
    std::thread::Builder::new().name("plim-progress".to_owned()).spawn(run).ok()
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: &Event<'_>) {
        self.state().tell(event, self.printer);
    }
}

impl State {
    fn tell(&mut self, event: &Event<'_>, printer: Printer) {
        let now = self.clock.now();
        if let Some(view) = &mut self.view {
            if self.suspended && !matches!(event, Event::Warn(_) | Event::Note(_)) {
                return;
            }
            let text = view.show(event, &self.tasks, now);
            if view.draws() {
                // the cursor is moved: nothing may be taken out on the way
                let _ = std::io::stderr().write_all(text.as_bytes());
            } else if !text.is_empty() {
                let _ = anstream::stderr().write_all(text.as_bytes());
            }
        } else if let Event::Warn(text) = event {
            printer.warning(text);
        }
    }
}

impl Events for Progress {
    fn start(&self, title: &str, total: Option<u64>) -> TaskId {
        let mut state = self.shared.state();
        let now = state.clock.now();
        let id = state.tasks.add(title, total, now);
        state.tell(&Event::Start(id), self.shared.printer);
        id
    }

    fn advance(&self, task: TaskId, bytes: u64) {
        let mut state = self.shared.state();
        if let Some(task) = state.tasks.get_mut(task) {
            task.done += bytes;
        }
        state.tell(&Event::Advance(task), self.shared.printer);
    }

    fn output(&self, task: TaskId, line: &str) {
        self.said(task, Stream::Stdout, line);
    }

    fn error_output(&self, task: TaskId, line: &str) {
        self.said(task, Stream::Stderr, line);
    }

    fn finish(&self, task: TaskId, detail: &str, failed: bool) {
        let mut state = self.shared.state();
        state.tell(&Event::Finish { task, detail, failed }, self.shared.printer);
        state.tasks.remove(task, detail);
    }

    fn note(&self, text: &str) {
        self.shared.tell(&Event::Note(text));
    }

    fn warn(&self, text: &str) {
        self.shared.tell(&Event::Warn(text));
    }

    fn cancelled(&self) -> bool {
        CANCELLED.load(Ordering::Relaxed)
    }

    fn suspended(&self, run: &mut dyn FnMut()) {
        {
            let mut state = self.shared.state();
            state.tell(&Event::Pause, self.shared.printer);
            state.suspended = true;
        }
        run();
        self.shared.state().suspended = false;
    }
}

impl Progress {
    fn said(&self, task: TaskId, stream: Stream, line: &str) {
        let mut state = self.shared.state();
        state.tasks.said(task, line);
        state.tell(&Event::Output { task, stream, line }, self.shared.printer);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(ticker) = self.ticker.take() {
            ticker.thread().unpark();
            let _ = ticker.join();
        }
        self.shared.tell(&Event::Pause);
    }
}
