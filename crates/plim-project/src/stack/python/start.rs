//! How the program is started.
//!
//! What people say comes first (flag, Dockerfile, Procfile), then what the sources show. The result is a command for the
//! interpreter: console scripts become `python3 -m module`, because their first line names the interpreter of the build
//! stage, which the image does not have.

mod form;
mod guess;
mod script;

use camino::Utf8PathBuf;
use plim_dockerfile::Command;

use super::install::Plan;
use super::sources::Sources;
use super::{Context, Layout};
use crate::command::{self, NeedsShell, Plain};
use crate::error::DetectError;
use crate::project::Finding;

/// The start command and what goes with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Start {
    /// The interpreter as `python3`, and its arguments.
    pub(super) words: Vec<String>,
    /// How many of the words are fixed.
    pub(super) entrypoint: usize,
    /// Where it comes from.
    pub(super) origin: String,
    /// Environment set in front of the command.
    pub(super) env: Vec<(String, String)>,
    /// The command that serves in the end, where a shell starts it: as `words` without the shell.
    pub(super) serves: Vec<String>,
    /// Programs of the build that the script calls, which only run what follows (`poetry run`).
    pub(super) runners: Vec<String>,
    /// The folder with the modules, relative to the working directory, when Python would not look there by itself.
    pub(super) search_path: Option<String>,
    /// Debian packages that it needs, with what for.
    pub(super) packages: Vec<(String, String)>,
    /// The script that it is, in the project and in the image.
    pub(super) script: Option<(Utf8PathBuf, String)>,
    pub(super) found: Vec<Finding>,
}

impl Start {
    /// The module that is run with `-m`.
    pub(super) fn module(&self) -> Option<&str> {
        let words = self.served();
        let at = words.iter().position(|word| word == "-m")?;
        words.get(at + 1).map(String::as_str)
    }

    /// The command that serves in the end.
    pub(super) fn served(&self) -> &[String] {
        if self.serves.is_empty() { &self.words } else { &self.serves }
    }
}

/// What a start command is made from.
pub(super) struct Scope<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) plan: &'a Plan,
    pub(super) layout: &'a Layout,
    pub(super) sources: &'a Sources,
    pub(super) workdir: &'a str,
}

/// Finds the start command.
pub(super) fn find(
    context: &Context<'_>,
    plan: &Plan,
    layout: &Layout,
    sources: &Sources,
    workdir: &str,
) -> Result<Start, DetectError> {
    let scope = Scope { context, plan, layout, sources, workdir };
    let mut start = match said(&scope)? {
        Some(start) => start,
        None => guess::guess(&scope)?,
    };
    start.search_path = form::search_path(&scope, &start);
    start.found.insert(0, Finding::new(format!("start {}", command::quote(&start.words)), start.origin.clone()));
    Ok(start)
}

/// What the user, the author's Dockerfile or a Procfile says.
fn said(scope: &Scope<'_>) -> Result<Option<Start>, DetectError> {
    let context = scope.context;
    if let Some(words) = &context.choices.start {
        let plain = Plain { words: words.clone(), ..Plain::default() };
        return form::interpreted(scope, &plain, 0, context.choices.start_origin()).map(Some);
    }
    let declared = context.declared;
    if let Some(script) = &declared.entry_script
        && let Some(start) = script::start(scope, script)?
    {
        return Ok(Some(start));
    }
    match (&declared.entrypoint, &declared.cmd) {
        (Some(entrypoint), cmd) => {
            let origin = context.at(entrypoint.line);
            match &entrypoint.value {
                Command::Shell(text) => return shell_form(scope, &text.value, &origin).map(Some),
                Command::Exec(words) if words.is_empty() => {}
                Command::Exec(words) => {
                    let mut all: Vec<String> = words.iter().map(|word| word.value.clone()).collect();
                    let fixed = all.len();
                    match cmd.as_ref().map(|cmd| &cmd.value) {
                        Some(Command::Exec(words)) => all.extend(words.iter().map(|word| word.value.clone())),
                        Some(Command::Shell(text)) => all.extend(plain(scope, &text.value, &origin)?.words),
                        None => {}
                    }
                    return exec_form(scope, all, fixed, &origin);
                }
            }
        }
        (None, Some(cmd)) => {
            let origin = context.at(cmd.line);
            match &cmd.value {
                Command::Shell(text) => return shell_form(scope, &text.value, &origin).map(Some),
                Command::Exec(words) if words.is_empty() => {}
                Command::Exec(words) => {
                    let all: Vec<String> = words.iter().map(|word| word.value.clone()).collect();
                    if let Some(start) = exec_form(scope, all, 0, &origin)? {
                        return Ok(Some(start));
                    }
                }
            }
        }
        (None, None) => {}
    }
    let Some(text) = context.folder.text("Procfile") else { return Ok(None) };
    let web = text.lines().enumerate().find_map(|(index, line)| Some((index + 1, line.strip_prefix("web:")?)));
    match web {
        Some((line, text)) => shell_form(scope, text, &format!("Procfile:{line}")).map(Some),
        None => Ok(None),
    }
}

fn exec_form(scope: &Scope<'_>, words: Vec<String>, fixed: usize, origin: &str) -> Result<Option<Start>, DetectError> {
    if let [shell, flag, text] = words.as_slice()
        && matches!(shell.rsplit('/').next(), Some("sh" | "bash" | "dash" | "ash"))
        && flag.starts_with('-')
        && flag.ends_with('c')
    {
        let interpreter = if shell.ends_with("bash") { "bash" } else { "sh" };
        return shell_text(scope, text, interpreter, origin).map(Some);
    }
    // what the base image starts when nobody says anything
    if matches!(words.as_slice(), [one] if matches!(one.as_str(), "python" | "python3" | "bash" | "sh" | "/bin/bash" | "/bin/sh"))
    {
        return Ok(None);
    }
    form::interpreted(scope, &Plain { words, ..Plain::default() }, fixed, origin).map(Some)
}

fn shell_form(scope: &Scope<'_>, text: &str, origin: &str) -> Result<Start, DetectError> {
    shell_text(scope, text, "sh", origin)
}

/// A command for a shell: without one if that can be, or else with it, if it is a list that ends in a server.
fn shell_text(scope: &Scope<'_>, text: &str, interpreter: &str, origin: &str) -> Result<Start, DetectError> {
    match plain(scope, text, origin) {
        Ok(plain) => form::interpreted(scope, &plain, 0, origin),
        Err(error) => match &error {
            DetectError::Shell { reason: NeedsShell::Operator('&' | ';' | '\n'), .. } => {
                script::list(scope, text, interpreter, origin).ok_or(error)
            }
            _ => Err(error),
        },
    }
}

/// Splits the shell form, with the variables that the author's Dockerfile or a flag gives a value.
fn plain(scope: &Scope<'_>, text: &str, origin: &str) -> Result<Plain, DetectError> {
    let port = scope.context.choices.port.map(|port| port.to_string());
    let value = |name: &str| {
        port.clone().filter(|_| name == "PORT").or_else(|| {
            let told = scope.context.declared.env.iter().find(|told| told.value.0 == name)?;
            Some(told.value.1.clone())
        })
    };
    // platforms that set PORT say which one; without them any will do
    let guess = |name: &str| value(name).or_else(|| (name == "PORT").then(|| "8080".to_owned()));
    let known = match command::plain(text, &value) {
        Err(NeedsShell::Variable(name)) if name == "PORT" => command::plain(text, &guess),
        known => known,
    };
    known.map_err(|reason| {
        let last = command::last_of_list(text);
        let suggestion = command::plain(last, &guess).ok().map(|plain| command::quote(&plain.words));
        DetectError::Shell { command: text.trim().to_owned(), origin: origin.to_owned(), reason, suggestion }
    })
}
