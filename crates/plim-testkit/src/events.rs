//! Events, written down.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use plim_oci::{Events, TaskId};

/// One thing that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A task began.
    Start {
        /// Which.
        task: TaskId,
        /// Its title.
        title: String,
        /// Its size in bytes.
        total: Option<u64>,
    },
    /// A line of output.
    Output {
        /// Of which task.
        task: TaskId,
        /// The line.
        line: String,
    },
    /// A task ended.
    Finish {
        /// Which.
        task: TaskId,
        /// Its result.
        detail: String,
        /// It went wrong.
        failed: bool,
    },
    /// A remark.
    Note(String),
    /// A warning.
    Warn(String),
}

/// Records events; progress is added up.
#[derive(Debug, Default)]
pub struct Recorder {
    events: Mutex<Vec<Event>>,
    next: AtomicU64,
    advanced: AtomicU64,
    cancelled: AtomicBool,
}

impl Recorder {
    /// Returns a recorder that has heard nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns all events so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().expect("no test panics while it records").clone()
    }

    /// Returns the titles of the tasks, in the order of their beginning.
    pub fn titles(&self) -> Vec<String> {
        self.pick(|event| match event {
            Event::Start { title, .. } => Some(title),
            _ => None,
        })
    }

    /// Returns the lines of output of all tasks.
    pub fn lines(&self) -> Vec<String> {
        self.pick(|event| match event {
            Event::Output { line, .. } => Some(line),
            _ => None,
        })
    }

    /// Returns the remarks.
    pub fn notes(&self) -> Vec<String> {
        self.pick(|event| match event {
            Event::Note(text) => Some(text),
            _ => None,
        })
    }

    /// Returns the warnings.
    pub fn warnings(&self) -> Vec<String> {
        self.pick(|event| match event {
            Event::Warn(text) => Some(text),
            _ => None,
        })
    }

    /// Returns the bytes of progress of all tasks together.
    pub fn advanced(&self) -> u64 {
        self.advanced.load(Ordering::Relaxed)
    }

    /// Plays the user who asks to stop.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    fn pick(&self, choose: impl Fn(Event) -> Option<String>) -> Vec<String> {
        self.events().into_iter().filter_map(choose).collect()
    }

    fn push(&self, event: Event) {
        self.events.lock().expect("no test panics while it records").push(event);
    }
}

impl Events for Recorder {
    fn start(&self, title: &str, total: Option<u64>) -> TaskId {
        let task = TaskId(self.next.fetch_add(1, Ordering::Relaxed));
        self.push(Event::Start { task, title: title.to_owned(), total });
        task
    }

    fn advance(&self, _task: TaskId, bytes: u64) {
        self.advanced.fetch_add(bytes, Ordering::Relaxed);
    }

    fn output(&self, task: TaskId, line: &str) {
        self.push(Event::Output { task, line: line.to_owned() });
    }

    fn finish(&self, task: TaskId, detail: &str, failed: bool) {
        self.push(Event::Finish { task, detail: detail.to_owned(), failed });
    }

    fn note(&self, text: &str) {
        self.push(Event::Note(text.to_owned()));
    }

    fn warn(&self, text: &str) {
        self.push(Event::Warn(text.to_owned()));
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}
