//! A start that is a shell script of the project, or a list of commands: it is kept, with the shell and the programs that it calls.

use camino::{Utf8Path, Utf8PathBuf};
use plim_dockerfile::Command;

use crate::command::{self, NeedsShell, Plain};
use crate::error::DetectError;
use crate::evidence::{self, Declared, EntryScript};
use crate::project::{Choices, Finding};

/// The script that the author's image starts with.
pub(super) struct Entry<'a> {
    pub(super) script: &'a EntryScript,
    declared: &'a Declared,
    /// What it is called with.
    pub(super) arguments: Vec<String>,
    /// Where it is said.
    pub(super) origin: String,
}

/// A script as the new image starts it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeptScript {
    /// The shell, the script, its arguments.
    pub(super) words: Vec<String>,
    /// Debian packages of the programs that it calls, with what for.
    pub(super) packages: Vec<(String, String)>,
    /// Where it is in the project and in the image.
    pub(super) path: Utf8PathBuf,
    pub(super) in_image: String,
    pub(super) found: Vec<Finding>,
}

/// A list of commands such as `migrate && serve` as the new image starts it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeptList {
    /// The shell, `-c`, the list.
    pub(super) words: Vec<String>,
    /// Debian packages of the programs that it calls, with what for.
    pub(super) packages: Vec<(String, String)>,
    /// The list as a script.
    pub(super) script: EntryScript,
    /// The list as written.
    text: String,
    /// Why it needs a shell.
    reason: Option<NeedsShell>,
}

impl KeptList {
    /// Returns the list, of which `last` is the last command, if it is certain what it does.
    pub(super) fn of(
        declared: &Declared,
        text: &str,
        interpreter: &str,
        last: &Plain,
        reason: &NeedsShell,
    ) -> Option<Self> {
        let script = evidence::inline(declared, text, interpreter);
        if script.opaque || script.commands.len() < 2 {
            return None;
        }
        // the server takes the place of the shell, so that it hears of the end
        let written = command::last_of_list(text);
        let before = text.strip_suffix(written)?;
        let exec = last.env.is_empty() && !written.starts_with("exec ");
        let kept = if exec { format!("{before}exec {written}") } else { text.to_owned() };
        let packages =
            script.packages().into_iter().map(|(_, package)| (package.to_owned(), "the start command".to_owned()));
        Some(Self {
            words: vec![shell_of(interpreter).to_owned(), "-c".to_owned(), kept],
            packages: packages.collect(),
            script,
            text: text.to_owned(),
            reason: Some(reason.clone()),
        })
    }

    /// Says what the list costs; `last` is what it ends with.
    pub(super) fn found(&self, last: &[String], origin: &str) -> Finding {
        let shown = shown(&self.script.packages());
        let last = command::quote(last).replace('\'', "\"");
        Finding::new(
            format!(
                "the list of commands that starts the program keeps {shown} in the image: --start '{last}' would do without, and without what comes before"
            ),
            origin,
        )
    }

    /// The error for a list that ends with something that is no program of the project.
    pub(super) fn refused(self, last: &[String], origin: String) -> DetectError {
        DetectError::Shell {
            command: self.text,
            origin,
            reason: self.reason.unwrap_or(NeedsShell::Empty),
            suggestion: Some(command::quote(last)),
        }
    }
}

fn shell_of(interpreter: &str) -> &'static str {
    if interpreter == "bash" { "/bin/bash" } else { "/bin/sh" }
}

/// Programs with the packages that they are from, for people.
fn shown<P: std::fmt::Display>(packages: &[(P, &str)]) -> String {
    let shown: Vec<String> = packages.iter().map(|(program, package)| format!("{program} ({package})")).collect();
    shown.join(", ")
}

impl<'a> Entry<'a> {
    /// Returns the script, unless the user says how to start.
    pub(super) fn of(declared: &'a Declared, dockerfile: &Utf8Path, choices: &Choices) -> Option<Self> {
        let script = declared.entry_script.as_ref().filter(|_| choices.start.is_none())?;
        let mut arguments = script.arguments.clone();
        let cmd = declared.cmd.as_ref().filter(|_| !script.by_cmd);
        match cmd.map(|told| &told.value) {
            Some(Command::Exec(words)) => arguments.extend(words.iter().map(|word| word.value.clone())),
            Some(Command::Shell(text)) => {
                arguments.extend(["/bin/sh", "-c"].map(ToOwned::to_owned));
                arguments.push(text.value.clone());
            }
            None => {}
        }
        Some(Self { script, declared, arguments, origin: format!("{dockerfile}:{}", script.line) })
    }

    /// Whether the image can start what the script is called with: all that it does is to become another user, and the image
    /// runs as one without rights in any case.
    pub(super) fn is_needless(&self) -> bool {
        self.script.only_changes_user() && !self.arguments.is_empty()
    }

    /// Says that the script is left out.
    pub(super) fn left_out(&self) -> Finding {
        Finding::new(
            format!("{} is left out: the image runs as a user without rights from the start", self.script.path),
            format!("it ends with {}", self.script.last.as_deref().map(command::quote).unwrap_or_default()),
        )
    }

    /// The command that stays running: what the script ends with.
    pub(super) fn last(&self) -> Vec<String> {
        if self.script.ends_with_exec_args {
            self.arguments.clone()
        } else {
            self.script.last.clone().unwrap_or_default()
        }
    }

    /// Returns the script as the new image starts it; `below` is its place in the working directory, where that is known.
    /// Programs of the `language` come with it and not from Debian.
    pub(super) fn keep(&self, workdir: &str, below: Option<&Utf8Path>, language: &[&str]) -> KeptScript {
        let script = self.script;
        let old = self.declared.workdir.as_ref().map_or("", |told| told.value.trim_end_matches('/'));
        let in_image = match (below, script.in_image.strip_prefix(old)) {
            (Some(below), _) => format!("{}/{below}", workdir.trim_end_matches('/')),
            (None, Some(rest)) if !old.is_empty() && rest.starts_with('/') => {
                format!("{}{rest}", workdir.trim_end_matches('/'))
            }
            _ => script.in_image.clone(),
        };
        let mut words = vec![shell_of(&script.interpreter).to_owned(), in_image.clone()];
        words.extend(self.arguments.iter().cloned());
        let mut packages = script.packages();
        packages.retain(|(program, _)| !language.contains(&program.as_str()));
        let instead = script.last.as_deref().filter(|last| !script.ends_with_exec_args && !last.is_empty());
        let instead = instead.map_or_else(
            || "a start command without it".to_owned(),
            |last| format!("--start '{}'", command::quote(last).replace('\'', "\"")),
        );
        let name = &script.path;
        let mut found = vec![Finding::new(
            format!("the entry script {name} keeps {} in the image: {instead} would do without", shown(&packages)),
            self.origin.clone(),
        )];
        let root = script.needs_root();
        if !root.is_empty() {
            found.push(Finding::new(
                format!("the entry script {name} calls {}, which only root may: that fails, because the image runs as a user without rights", root.join(", ")),
                self.origin.clone(),
            ));
        }
        if script.opaque {
            found.push(Finding::new(
                format!("the entry script {name} was not understood to its end: it may call programs that the image does not have"),
                self.origin.clone(),
            ));
        }
        let why = format!("the entry script {name}");
        let packages = packages.into_iter().map(|(_, package)| (package.to_owned(), why.clone())).collect();
        KeptScript { words, packages, path: name.clone(), in_image, found }
    }
}
