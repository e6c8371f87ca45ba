//! The lines of the live region: pure, so that any size of window can be tried.

use jiff::Timestamp;
use plim_diag::plain::output_line;

use super::{Marks, Size, WIDEST};
use crate::numbers::bytes;
use crate::progress::tasks::{Task, Tasks};
use crate::show::names::{fit, width};

/// The most lines of output shown of each task.
const OUTPUT: usize = 6;
/// A narrower window has no room for times beside titles.
const NARROW: usize = 30;
/// What turns while something runs.
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// The same for terminals that know ASCII only.
const PLAIN_SPINNER: [&str; 4] = ["-", "\\", "|", "/"];

/// A line of the region.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    /// Columns that it takes.
    pub(super) width: usize,
}

/// Returns the lines for a window: never more than fit, each narrower than it.
pub(super) fn lines(tasks: &Tasks, now: Timestamp, elapsed: f64, turn: usize, size: Size, marks: Marks) -> Vec<Line> {
    // one row for the cursor below the region
    let rows = size.rows.saturating_sub(1).max(1);
    let room = size.columns.saturating_sub(1).clamp(1, WIDEST);
    let mut lines = vec![line(&fit(&head(tasks, elapsed), room, marks.ellipsis()), str::to_owned)];
    let left = rows.saturating_sub(1);
    let running = tasks.running().len();
    let shown = if running > left { left.saturating_sub(1) } else { running };
    let speaking = tasks.running().take(shown).filter(|task| !task.tail.is_empty()).count();
    let each = left.saturating_sub(shown).checked_div(speaking).unwrap_or(0).min(OUTPUT);
    let spinner = if marks.unicode { SPINNER[turn % SPINNER.len()] } else { PLAIN_SPINNER[turn % PLAIN_SPINNER.len()] };
    for task in tasks.running().take(shown) {
        lines.push(line(&title(task, now, spinner, room, marks), str::to_owned));
        for said in task.tail.iter().skip(task.tail.len().saturating_sub(each)) {
            let text = fit(&format!("    | {}", output_line(said)), room, marks.ellipsis());
            lines.push(line(&text, |text| marks.dim(text)));
        }
    }
    if running > shown && left > 0 {
        let text = fit(&format!("  {} {} more", marks.ellipsis(), running - shown), room, marks.ellipsis());
        lines.push(line(&text, str::to_owned));
    }
    lines.truncate(rows);
    lines
}

fn line(text: &str, style: impl FnOnce(&str) -> String) -> Line {
    Line { width: width(text), text: style(text) }
}

fn head(tasks: &Tasks, elapsed: f64) -> String {
    let mut text = format!("{elapsed:.1} s");
    if tasks.over > 0 {
        text.push_str(&format!(", {} done", tasks.over));
        if tasks.cached > 0 {
            text.push_str(&format!(" ({} cached)", tasks.cached));
        }
    }
    format!("{text}, {} running", tasks.running().len())
}

fn title(task: &Task, now: Timestamp, spinner: &str, room: usize, marks: Marks) -> String {
    let seconds = task.seconds(now);
    let mut end = String::new();
    if room >= NARROW {
        if let Some(total) = task.total {
            end.push_str(&format!("  {} / {}", bytes(task.done.min(total)), bytes(total)));
            if seconds >= 1.0 && room >= 2 * NARROW {
                end.push_str(&format!("  {}/s", bytes((task.done as f64 / seconds) as u64)));
            }
        }
        end.push_str(&format!("  {seconds:.1} s"));
    }
    let title = fit(&task.title, room.saturating_sub(4 + width(&end)), marks.ellipsis());
    let gap = " ".repeat(room.saturating_sub(4 + width(&title) + width(&end)));
    fit(&format!("  {spinner} {title}{gap}{end}"), room, marks.ellipsis())
}
