//! Shows progress on standard error: redrawn lines on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use plim_engine::{Events, TaskId};

use crate::printer::Printer;

/// Set by the signal handler; every long task asks for it.
pub(crate) static CANCELLED: AtomicBool = AtomicBool::new(false);

/// Tasks shorter than this leave no line on a plain log unless -v asks for all.
const WORTH_A_LINE: Duration = Duration::from_millis(500);

/// A listener that prints.
#[derive(Debug)]
pub(crate) struct Progress {
    printer: Printer,
    bars: Option<MultiProgress>,
    tasks: Mutex<HashMap<TaskId, Task>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Task {
    title: String,
    began: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Returns a listener; `redraw` uses the terminal's cursor, otherwise lines are only added.
    pub(crate) fn new(printer: Printer, redraw: bool) -> Self {
        let bars = (redraw && printer.shows_progress()).then(MultiProgress::new);
        Self { printer, bars, tasks: Mutex::default(), next: AtomicU64::new(1) }
    }

    fn line(&self, text: &str) {
        match &self.bars {
            // MultiProgress::println draws above the live lines
            Some(bars) => {
                let _ = bars.println(self.printer.styled(text));
            }
            None => self.printer.log(text),
        }
    }
}

impl Events for Progress {
    fn start(&self, title: &str, total: Option<u64>) -> TaskId {
        let id = TaskId(self.next.fetch_add(1, Ordering::Relaxed));
        let bar = self.bars.as_ref().map(|bars| {
            let (bar, template) = match total {
                Some(total) if total > 0 => (
                    ProgressBar::new(total),
                    "  {spinner} {wide_msg} {bytes:>10}/{total_bytes} {bytes_per_sec:>12} {elapsed:>4}",
                ),
                _ => (ProgressBar::new_spinner(), "  {spinner} {wide_msg} {elapsed:>4}"),
            };
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = bars.add(bar.with_style(style).with_message(title.to_owned()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let task = Task { title: title.to_owned(), began: Instant::now(), bar };
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).insert(id, task);
        id
    }

    fn advance(&self, task: TaskId, bytes: u64) {
        if let Some(Task { bar: Some(bar), .. }) = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).get(&task)
        {
            bar.inc(bytes);
        }
    }

    fn output(&self, task: TaskId, line: &str) {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Task { bar: Some(bar), title, .. }) = tasks.get(&task) {
            bar.set_message(format!("{title}  {}", line.trim_end()));
        }
        drop(tasks);
        if self.printer.verbose() > 0 {
            self.line(&format!("    | {line}"));
        }
    }

    fn finish(&self, task: TaskId, detail: &str, failed: bool) {
        let Some(task) = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).remove(&task) else { return };
        if let Some(bar) = &task.bar {
            bar.finish_and_clear();
        }
        let took = task.began.elapsed();
        if !self.printer.shows_progress() || (!failed && took < WORTH_A_LINE && self.printer.verbose() == 0) {
            return;
        }
        let mark = self.printer.mark(!failed);
        let detail = if detail.is_empty() { String::new() } else { format!("  {detail}") };
        self.line(&format!("  {mark} {}{detail}  {:.1} s", task.title, took.as_secs_f64()));
    }

    fn note(&self, text: &str) {
        if self.printer.shows_progress() {
            self.line(&format!("  {text}"));
        }
    }

    fn warn(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| self.printer.warning(text)),
            None => self.printer.warning(text),
        }
    }

    fn cancelled(&self) -> bool {
        CANCELLED.load(Ordering::Relaxed)
    }
}
