//! Progress and cancellation, without knowing who shows it.

/// Names a running task between `start` and `finish`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub u64);

/// Begins the result of a task for which nothing had to be done, because it was done before.
pub const CACHED: &str = "cached";

/// Receives progress. The terminal draws it, tests record it, `Silent` drops it.
pub trait Events: Sync {
    /// A task begins; `total` is its size in bytes where it is known. The title of a step of a Dockerfile begins with its
    /// place in brackets: `[build 2/5] RUN make`.
    fn start(&self, title: &str, total: Option<u64>) -> TaskId;
    /// `bytes` more are done.
    fn advance(&self, task: TaskId, bytes: u64);
    /// A line of output of the task (a RUN step's stdout), without its newline.
    fn output(&self, task: TaskId, line: &str);
    /// The same, of what the task wrote to its standard error.
    fn error_output(&self, task: TaskId, line: &str) {
        self.output(task, line);
    }
    /// The task is over; `detail` is a short result (`12.3 MB`, [`CACHED`]) or, when it `failed`, what went wrong.
    fn finish(&self, task: TaskId, detail: &str, failed: bool);
    /// A remark worth a line of its own.
    fn note(&self, text: &str);
    /// A warning: plim goes on, but the user should know.
    fn warn(&self, text: &str);
    /// The user asked to stop.
    fn cancelled(&self) -> bool {
        false
    }
    /// Runs something that needs the terminal for itself.
    fn suspended(&self, run: &mut dyn FnMut()) {
        run();
    }
}

/// Drops all events.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Events for Silent {
    fn start(&self, _title: &str, _total: Option<u64>) -> TaskId {
        TaskId(0)
    }
    fn advance(&self, _task: TaskId, _bytes: u64) {}
    fn output(&self, _task: TaskId, _line: &str) {}
    fn finish(&self, _task: TaskId, _detail: &str, _failed: bool) {}
    fn note(&self, _text: &str) {}
    fn warn(&self, _text: &str) {}
}
