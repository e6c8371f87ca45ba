//! One line for what took long or went wrong: the progress of commands that are not about steps, in a log.

use jiff::Timestamp;
use plim_diag::plain::output_line;

use super::tasks::{Event, Tasks, View};
use crate::printer::Printer;

/// Tasks shorter than this leave no line unless -v asks for all.
pub(super) const WORTH_A_LINE: f64 = 0.5;

/// Shows little.
#[derive(Debug)]
pub(super) struct Brief {
    printer: Printer,
}

impl Brief {
    pub(super) fn new(printer: Printer) -> Self {
        Self { printer }
    }
}

impl View for Brief {
    fn show(&mut self, event: &Event<'_>, tasks: &Tasks, now: Timestamp) -> String {
        match event {
            Event::Output { line, .. } if self.printer.verbose() > 0 => format!("    | {}\n", output_line(line)),
            Event::Finish { task, detail, failed } => {
                let Some(task) = tasks.get(*task) else { return String::new() };
                let seconds = task.seconds(now);
                if !failed && seconds < WORTH_A_LINE && self.printer.verbose() == 0 {
                    return String::new();
                }
                let mark = self.printer.mark(!failed);
                let detail = if detail.is_empty() { String::new() } else { format!("  {detail}") };
                format!("  {mark} {}{detail}  {seconds:.1} s\n", task.title)
            }
            Event::Note(text) => format!("  {text}\n"),
            Event::Warn(text) => self.printer.warning_line(text),
            _ => String::new(),
        }
    }
}
