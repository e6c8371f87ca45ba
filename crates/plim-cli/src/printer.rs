//! Every decision about standard output and standard error is made here.
//!
//! Standard output carries the answer and nothing else; progress, warnings and errors go to standard error.

use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use plim_diag::plain;

use crate::args::{ColorChoice, Global, ProgressStyle};
use crate::env;

const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();

/// Where further lines of a warning begin: below its text, where nothing else does.
pub(crate) const BELOW_WARNING: &str = "         ";

/// How progress looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Not at all; warnings are printed.
    Silent,
    /// A line for what took long.
    Brief,
    /// A line for each event.
    Plain,
    /// A line of JSON for each event.
    RawJson,
    /// Drawn in place.
    Live,
}

/// Knows how much to print, where, and with which colours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    quiet: u8,
    verbose: u8,
    progress: ProgressStyle,
    unicode: bool,
}

#[expect(
    clippy::unused_self,
    reason = "whoever prints holds the printer, whether or not this stream looks at its settings"
)]
impl Printer {
    /// Decides from the flags and the terminal; also sets the colour choice of the whole process.
    pub(crate) fn new(global: &Global, unicode: bool) -> Self {
        match global.color {
            ColorChoice::Auto => {}
            ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
            ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
        }
        let quiet = if global.progress == ProgressStyle::Quiet { global.quiet.max(1) } else { global.quiet };
        Self { quiet, verbose: global.verbose, progress: global.progress, unicode }
    }

    /// Says whether lines for people are printed besides the answer.
    fn shows_progress(self) -> bool {
        self.quiet == 0 && !matches!(self.progress, ProgressStyle::None | ProgressStyle::Rawjson)
    }

    /// Returns how progress is shown; `log` is how it is where nobody asked and standard error is no terminal.
    pub(crate) fn manner(self, log: Manner) -> Manner {
        // the log of the program itself would be written across what is drawn
        let draws = std::io::stderr().is_terminal() && self.verbose < 2 && !env::dumb_terminal();
        match self.progress {
            _ if self.quiet > 0 => Manner::Silent,
            ProgressStyle::None | ProgressStyle::Quiet => Manner::Silent,
            ProgressStyle::Auto | ProgressStyle::Tty if draws => Manner::Live,
            ProgressStyle::Auto => log,
            ProgressStyle::Plain | ProgressStyle::Tty => Manner::Plain,
            ProgressStyle::Rawjson => Manner::RawJson,
        }
    }

    /// Says whether the summary and the next step are printed.
    pub(crate) fn shows_summary(self) -> bool {
        self.quiet == 0 && self.progress != ProgressStyle::Rawjson
    }

    /// Returns the number of -v.
    pub(crate) fn verbose(self) -> u8 {
        self.verbose
    }

    /// Says whether standard output shows colours.
    pub(crate) fn colours(self) -> bool {
        anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
    }

    /// Says whether standard output takes UTF-8.
    pub(crate) fn unicode(self) -> bool {
        self.unicode
    }

    /// Returns the mark of a finished task.
    pub(crate) fn mark(self, good: bool) -> String {
        let (style, sign) = match (good, self.unicode) {
            (true, true) => (GREEN, "✓"),
            (true, false) => (GREEN, "ok"),
            (false, true) => (RED, "✗"),
            (false, false) => (RED, "failed"),
        };
        format!("{style}{sign}{style:#}")
    }

    /// Prints lines of progress.
    pub(crate) fn log(self, text: &str) {
        if self.shows_progress() {
            let _ = writeln!(anstream::stderr(), "{}", plain::lines(text));
        }
    }

    /// Prints the answer. A reader that went away is no error.
    pub(crate) fn answer(self, text: &str) -> std::io::Result<()> {
        let mut out = anstream::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Prints a warning.
    pub(crate) fn warning(self, text: &str) {
        if self.quiet < 2 {
            let _ = anstream::stderr().write_all(self.warning_line(text).as_bytes());
        }
    }

    /// Returns the line of a warning; see [`indented`](plain::indented) for what becomes of further lines.
    pub(crate) fn warning_line(self, text: &str) -> String {
        format!("{YELLOW}warning:{YELLOW:#} {}\n", plain::indented(text, BELOW_WARNING))
    }

    /// Prints the one suggestion that a command ends with.
    pub(crate) fn next_step(self, command: &str) {
        if self.shows_summary() {
            let _ = writeln!(anstream::stderr(), "next: {CYAN}{command}{CYAN:#}");
        }
    }

    /// Prints an error with its causes, what was printed by the thing that failed, and what to do.
    pub(crate) fn error(self, message: &str, causes: &[String], detail: Option<&str>, hint: Option<&str>) {
        let _ = anstream::stderr().write_all(error_text(message, causes, detail, hint).as_bytes());
    }
}

/// The lines of an error. All of its parts may quote what others wrote: a Dockerfile, a server, a container.
fn error_text(message: &str, causes: &[String], detail: Option<&str>, hint: Option<&str>) -> String {
    let mut text = format!("{RED}error:{RED:#} {}\n", plain::indented(message, "       "));
    for cause in causes {
        text.push_str(&format!("  caused by: {}\n", plain::indented(cause, "             ")));
    }
    if let Some(detail) = detail {
        text.push_str(&format!("\n{}\n", plain::output_lines(detail.trim_end())));
    }
    if let Some(hint) = hint {
        text.push_str(&format!("\n{CYAN}hint:{CYAN:#} {}\n", plain::off_margin(hint, "      ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_what_it_quotes_and_the_terminal_obeys_none_of_it() {
        let text = error_text(
            "failed to run `: \u{1b}]0;title\u{7}; false`\nerror: another one",
            &["the server said \u{1b}[2J\u{202e}".to_owned(), "two\nlines".to_owned()],
            Some("    | \u{1b}[31mred\u{1b}[0m \u{1b}[3A\n    | bell\u{7}\n\n"),
            Some("see /\u{9b}2J\n#1 DONE"),
        );
        assert!(text.starts_with("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m failed"), "colours of its own stay: {text:?}");
        insta::assert_snapshot!(anstream::adapter::strip_str(&text));
    }

    #[test]
    fn a_warning_is_one_whatever_its_text() {
        let printer = Printer { quiet: 0, verbose: 0, progress: ProgressStyle::Plain, unicode: true };
        let line = printer.warning_line("user `a\u{1b}[2J\n#1 DONE 0.0s\n\nwarning: x` is not in the image");
        insta::assert_snapshot!(anstream::adapter::strip_str(&line));
    }
}
