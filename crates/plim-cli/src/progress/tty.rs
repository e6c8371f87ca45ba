//! `--progress tty`: what is running stands in a region at the end of the terminal that is drawn again and again; what is
//! over leaves one line above it.
//!
//! Each line of the region is narrower than the window, so that the terminal breaks none. Before it draws again it goes up
//! by as many rows as the last region takes *now*: a window that became narrower in the meantime has broken its lines.

mod region;

use jiff::Timestamp;
use plim_diag::plain::{indented, one_line, output_line};

use super::brief::WORTH_A_LINE;
use super::tasks::{Event, Tasks, View, is_cached};
use crate::printer::{BELOW_WARNING, Printer};
use crate::show::names::{fit, width};

/// Rows of a terminal that does not tell.
const ROWS: usize = 24;
/// Columns of a terminal that does not tell.
const COLUMNS: usize = 80;
/// Times stand at the end of the line, but not further to the right than this.
const WIDEST: usize = 120;

/// How marks and styles look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    unicode: bool,
    colours: bool,
    printer: Option<Printer>,
}

impl Marks {
    pub(super) fn of(printer: Printer) -> Self {
        let colours = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        Self { unicode: printer.unicode(), colours, printer: Some(printer) }
    }

    fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    fn over(self, good: bool) -> String {
        let mark = match (good, self.unicode) {
            (true, true) => "✓",
            (true, false) => "+",
            (false, true) => "✗",
            (false, false) => "!",
        };
        self.styled(if good { "32" } else { "31;1" }, mark)
    }

    fn dim(self, text: &str) -> String {
        self.styled("2", text)
    }

    /// Puts a text into an SGR style (ECMA-48, 8.3.117).
    fn styled(self, style: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn warning(self, text: &str) -> String {
        match self.printer {
            Some(printer) if self.colours => printer.warning_line(text),
            Some(printer) => anstream::adapter::strip_str(&printer.warning_line(text)).to_string(),
            None => format!("warning: {}\n", indented(text, BELOW_WARNING)),
        }
    }
}

/// Rows and columns of a terminal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// Asks the terminal behind standard error for its size.
pub(super) fn size_of_stderr() -> Size {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    let known = |value: u16, default: usize| if value == 0 { default } else { usize::from(value) };
    Size {
        rows: size.as_ref().map_or(ROWS, |size| known(size.ws_row, ROWS)),
        columns: size.as_ref().map_or(COLUMNS, |size| known(size.ws_col, COLUMNS)),
    }
}

/// Draws the region.
pub(super) struct Live {
    marks: Marks,
    size: Box<dyn Fn() -> Size + Send>,
    /// When the first task began.
    began: Option<Timestamp>,
    /// The widths of the lines that stand on the terminal.
    drawn: Vec<usize>,
    turn: usize,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("drawn", &self.drawn).finish_non_exhaustive()
    }
}

impl Live {
    pub(super) fn new(marks: Marks, size: Box<dyn Fn() -> Size + Send>) -> Self {
        Self { marks, size, began: None, drawn: Vec::new(), turn: 0 }
    }

    /// Goes back to where the region begins, and removes it.
    fn erase(&mut self, size: Size) -> String {
        let rows: usize = self.drawn.iter().map(|width| width.div_ceil(size.columns).max(1)).sum();
        self.drawn.clear();
        match rows {
            0 => String::new(),
            // more rows than there are have left the window, from where nothing comes back
            rows => format!("\u{1b}[{}A\r\u{1b}[J", rows.min(size.rows.saturating_sub(1).max(1))),
        }
    }

    fn draw(&mut self, tasks: &Tasks, now: Timestamp, size: Size) -> String {
        let mut text = self.erase(size);
        if tasks.running().len() == 0 {
            return text;
        }
        self.turn += 1;
        let elapsed = self.began.map_or(0.0, |began| now.duration_since(began).as_secs_f64());
        for line in region::lines(tasks, now, elapsed, self.turn, size, self.marks) {
            self.drawn.push(line.width);
            text.push_str(&line.text);
            text.push('\n');
        }
        text
    }

    /// Puts lines above the region, which is drawn again at the next tick.
    fn above(&mut self, lines: &str, size: Size) -> String {
        let mut text = self.erase(size);
        text.push_str(lines);
        text
    }

    /// The line that a task leaves.
    fn left(
        &self,
        task: &super::tasks::Task,
        detail: &str,
        failed: bool,
        now: Timestamp,
        size: Size,
    ) -> Option<String> {
        let seconds = task.seconds(now);
        if !failed && !task.is_step() && seconds < WORTH_A_LINE {
            return None;
        }
        let cached = !failed && is_cached(detail);
        let room = size.columns.saturating_sub(1).min(WIDEST);
        let mut end = if detail.is_empty() { String::new() } else { format!("  {}", output_line(detail)) };
        if !cached {
            end.push_str(&format!("  {seconds:.1} s"));
        }
        // of what went wrong the beginning must be seen, whatever the width
        let end = fit(&end, room.saturating_sub(12).max(8), self.marks.ellipsis());
        let title_room = room.saturating_sub(4 + width(&end)).max(8);
        let title = fit(&task.title, title_room, self.marks.ellipsis());
        let gap = " ".repeat(room.saturating_sub(4 + width(&title) + width(&end)));
        let end = if cached { self.marks.dim(&end) } else { end };
        Some(format!("  {} {title}{gap}{end}\n", self.marks.over(!failed)))
    }
}

impl View for Live {
    fn show(&mut self, event: &Event<'_>, tasks: &Tasks, now: Timestamp) -> String {
        let size = (self.size)();
        match event {
            Event::Start(_) => {
                self.began.get_or_insert(now);
                String::new()
            }
            Event::Finish { task, detail, failed } => {
                let line = tasks.get(*task).and_then(|task| self.left(task, detail, *failed, now, size));
                line.map_or_else(String::new, |line| self.above(&line, size))
            }
            Event::Note(text) => {
                let mut lines = String::new();
                for line in text.lines() {
                    lines.push_str(&format!("  {}\n", one_line(line)));
                }
                self.above(&lines, size)
            }
            Event::Warn(text) => {
                let line = self.marks.warning(text);
                self.above(&line, size)
            }
            Event::Tick => self.draw(tasks, now, size),
            Event::Pause => self.erase(size),
            Event::Advance(_) | Event::Output { .. } => String::new(),
        }
    }

    fn draws(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
