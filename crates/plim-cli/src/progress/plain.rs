//! `--progress plain`: every event is a line that begins with the number of its task, so that a log of stages that run at
//! the same time can be taken apart again (`grep '^#7 '`).

use std::collections::HashMap;

use jiff::Timestamp;
use plim_diag::plain::{indented, off_margin, one_line, output_line};
use plim_engine::TaskId;

use super::tasks::{Event, Task, Tasks, View, is_cached};
use crate::numbers::bytes;
use crate::printer::BELOW_WARNING;

/// Seconds between two lines about the bytes of one task.
const BETWEEN: f64 = 10.0;

/// Shows all.
#[derive(Debug, Default)]
pub(super) struct Plain {
    /// The task that the last line was about, while it is not over.
    current: Option<TaskId>,
    /// Something was written before.
    began: bool,
    /// When the bytes of a task were told last, in seconds since its beginning.
    told: HashMap<TaskId, f64>,
}

impl Plain {
    /// Leaves the task that the last line was about and, if `to` was begun before, says which it is.
    fn turn(&mut self, to: Option<TaskId>, tasks: &Tasks) -> String {
        let mut text = String::new();
        if self.current == to && to.is_some() {
            return text;
        }
        if let Some(left) = self.current.and_then(|id| tasks.get(id)) {
            text.push_str(&format!("#{} ...\n", left.number));
        }
        if self.began {
            text.push('\n');
        }
        self.began = true;
        self.current = to;
        if let Some(task) = to.and_then(|id| tasks.get(id)) {
            text.push_str(&format!("#{} {}\n", task.number, one_line(&task.title)));
        }
        text
    }

    fn about(&mut self, id: TaskId, tasks: &Tasks, line: impl FnOnce(&Task) -> String) -> String {
        let Some(task) = tasks.get(id) else { return String::new() };
        let mut text = self.turn(Some(id), tasks);
        text.push_str(&format!("#{} {}\n", task.number, line(task)));
        text
    }

    /// Says what belongs to no task: only its first line begins at the margin, where numbers of tasks stand.
    fn apart(&mut self, said: &str, tasks: &Tasks) -> String {
        let mut text = self.turn(None, tasks);
        text.push_str(&off_margin(said, "  "));
        text.push('\n');
        text
    }
}

impl View for Plain {
    fn show(&mut self, event: &Event<'_>, tasks: &Tasks, now: Timestamp) -> String {
        match event {
            Event::Start(id) => self.turn(Some(*id), tasks),
            Event::Advance(id) => {
                let Some(Task { total: Some(total), done, .. }) = tasks.get(*id) else { return String::new() };
                let seconds = tasks.get(*id).map_or(0.0, |task| task.seconds(now));
                let told = self.told.entry(*id).or_insert(0.0);
                if seconds - *told < BETWEEN {
                    return String::new();
                }
                *told = seconds;
                self.about(*id, tasks, |_| format!("{} / {}  {seconds:.1}s", bytes(*done), bytes(*total)))
            }
            Event::Output { task, line, .. } => {
                self.about(*task, tasks, |task| format!("{:.3} {}", task.seconds(now), output_line(line)))
            }
            Event::Finish { task: id, detail, failed } => {
                let text = self.about(*id, tasks, |task| {
                    let seconds = task.seconds(now);
                    match (failed, is_cached(detail), detail.is_empty()) {
                        (true, ..) => format!("ERROR: {} {seconds:.1}s", one_line(detail)),
                        (false, true, _) => format!("CACHED{}", one_line(&detail[plim_engine::CACHED.len()..])),
                        (false, false, true) => format!("DONE {seconds:.1}s"),
                        (false, false, false) => format!("DONE {seconds:.1}s ({})", one_line(detail)),
                    }
                });
                self.current = None;
                self.told.remove(id);
                text
            }
            Event::Note(text) => self.apart(text, tasks),
            Event::Warn(text) => self.apart(&format!("warning: {}", indented(text, BELOW_WARNING)), tasks),
            Event::Pause if std::mem::take(&mut self.began) => {
                self.current = None;
                "\n".to_owned()
            }
            Event::Tick | Event::Pause => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::tasks::story::{Player, build};

    #[test]
    fn every_line_bears_the_number_of_its_task() {
        let mut view = Plain::default();
        let mut player = Player::new(&mut view);
        build(&mut player);
        player.tell(&Event::Pause);
        insta::assert_snapshot!(player.text);
    }

    #[test]
    fn output_cannot_pass_for_another_task_or_move_the_cursor() {
        let mut view = Plain::default();
        let mut player = Player::new(&mut view);
        let task = player.start("[1/1] RUN evil\u{1b}[2J", None);
        player.output(task, "a\u{1b}[1Ab\n#9 DONE");
        assert_eq!(player.text, "#1 [1/1] RUN evil\\u{1b}[2J\n#1 0.000 ab #9 DONE\n");
    }

    #[test]
    fn no_line_of_a_warning_or_note_can_pass_for_that_of_a_task() {
        let mut view = Plain::default();
        let mut player = Player::new(&mut view);
        player.start("[1/1] RUN make", None);
        player.tell(&Event::Warn("user `a\u{1b}[2J\n#1 DONE 0.0s\n` is not in the image"));
        player.tell(&Event::Note("the build context has 121 MB\n60 MB  \u{9b}2J/"));
        insta::assert_snapshot!(player.text);
    }
}
