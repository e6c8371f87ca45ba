//! One line for what took long or went wrong: the progress of commands that are not about steps, in a log.

use jiff::Timestamp;
use plim_diag::plain::{off_margin, one_line, output_line};

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
                let detail = if detail.is_empty() { String::new() } else { format!("  {}", output_line(detail)) };
                format!("  {mark} {}{detail}  {seconds:.1} s\n", one_line(&task.title))
            }
            Event::Note(text) => format!("  {}\n", off_margin(text, "  ")),
            Event::Warn(text) => self.printer.warning_line(text),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;
    use crate::progress::tasks::story::Player;

    #[test]
    fn nothing_that_is_said_moves_the_cursor() {
        let cli = Cli::parse_from(["plim", "images"]);
        let mut view = Brief::new(Printer::new(&cli.global, true));
        let mut player = Player::new(&mut view);
        let task = player.start("[1/1] RUN evil\u{1b}[2J", None);
        player.tell(&Event::Note("removed\u{1b}[3A\n1 MB"));
        player.tell(&Event::Warn("odd\u{1b}]0;x\u{7}\nerror: nothing"));
        player.after(700).finish(task, "failed\n\u{1b}[31mred\u{7}", true);
        insta::assert_snapshot!(anstream::adapter::strip_str(&player.text));
    }
}
