//! A command and its words.

use std::ops::Range;

/// What stands before a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Separator {
    /// Nothing: it is the first of its list.
    Start,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `;`, `;;` or a newline
    Sequence,
    /// `|` or `|&`
    Pipe,
    /// `&`
    Background,
}

/// A word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellWord {
    /// The word without quotes and escapes; variables and substitutions as written.
    pub text: String,
    /// Where it stands in the script.
    pub range: Range<usize>,
    /// Whether the shell leaves it as [`ShellWord::text`]: no variable, substitution or unquoted pattern in it.
    pub literal: bool,
    /// Whether some of it is in quotes.
    pub quoted: bool,
}

/// A simple command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellCommand {
    /// What stands before it.
    pub before: Separator,
    /// `NAME=value` in front of the program; the whole command where there is no program.
    pub assignments: Vec<ShellWord>,
    /// The program and its arguments. Redirections are not among them.
    pub words: Vec<ShellWord>,
    /// Targets of redirections: operator (`>`, `2>>`, `<`) and file.
    pub redirections: Vec<(String, ShellWord)>,
    /// From the first assignment, word or redirection to the last.
    pub range: Range<usize>,
    /// Whether it stands inside of `$(…)`, `<(…)` or backquotes.
    pub nested: bool,
    /// How many groups, branches and loops are around it.
    pub depth: usize,
}

/// Programs that run their arguments, and those of their flags that take a value.
const WRAPPERS: [(&str, &[&str]); 8] = [
    ("sudo", &["-u", "-g", "-h", "-p", "-C", "-r", "-t"]),
    ("env", &["-u", "-C", "-S"]),
    ("exec", &["-a"]),
    ("command", &[]),
    ("time", &[]),
    ("nohup", &[]),
    ("eatmydata", &[]),
    ("chronic", &[]),
];

impl ShellCommand {
    /// Returns program and arguments behind wrappers such as `sudo`, `env A=b` and `exec`.
    pub fn unwrapped(&self) -> &[ShellWord] {
        let mut words = self.words.as_slice();
        while let Some((first, rest)) = words.split_first() {
            let Some((_, with_value)) = WRAPPERS.iter().find(|(name, _)| *name == first.text) else { break };
            let mut rest = rest;
            while let Some((word, after)) = rest.split_first() {
                let is_flag = word.text.starts_with('-');
                let is_variable = first.text == "env" && word.text.contains('=');
                if !(is_flag || is_variable) {
                    break;
                }
                let takes_value = with_value.contains(&word.text.as_str());
                rest = if takes_value { after.get(1..).unwrap_or_default() } else { after };
            }
            if rest.is_empty() {
                break;
            }
            words = rest;
        }
        words
    }

    /// Returns the program behind wrappers.
    pub fn program(&self) -> Option<&str> {
        self.unwrapped().first().map(|word| word.text.as_str())
    }

    /// Returns the arguments of [`ShellCommand::program`].
    pub fn args(&self) -> &[ShellWord] {
        self.unwrapped().get(1..).unwrap_or_default()
    }

    /// Returns the arguments that are no flags, and all behind `--`. Values of flags that stand apart are among them.
    pub fn operands(&self) -> impl Iterator<Item = &ShellWord> {
        let mut only = false;
        self.args().iter().filter(move |word| {
            if word.text == "--" && !only {
                only = true;
                return false;
            }
            only || !word.text.starts_with('-') || word.text == "-"
        })
    }

    /// Returns whether the flag `-short` (alone or bundled, `\0` for none) or `--long` (with or without value) is given.
    pub fn has_flag(&self, short: char, long: &str) -> bool {
        self.args().iter().map(|word| word.text.as_str()).take_while(|word| *word != "--").any(|word| {
            match word.strip_prefix("--") {
                Some(name) => !long.is_empty() && name.split('=').next() == Some(long),
                None => word.strip_prefix('-').is_some_and(|letters| {
                    letters.split('=').next().is_some_and(|letters| short != '\0' && letters.contains(short))
                }),
            }
        })
    }
}
