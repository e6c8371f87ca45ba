//! How the program is started.
//!
//! What people say comes first (flag, Dockerfile, Procfile), then what the sources show. The result is a command for the
//! interpreter: console scripts become `python3 -m module`, because their first line names the interpreter of the build
//! stage, which the image does not have.

mod form;
mod guess;
mod script;

use camino::Utf8PathBuf;

use super::install::Plan;
use super::sources::Sources;
use super::{Context, Layout};
use crate::command::{self, Plain};
use crate::error::DetectError;
use crate::project::Finding;
use crate::stack::said::{Places, Said};
use crate::stack::script::Entry;

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

/// Where a start command may be given.
fn places<'a>(scope: &Scope<'a>) -> Places<'a> {
    let context = scope.context;
    Places {
        folder: context.folder,
        declared: context.declared,
        dockerfile: context.dockerfile,
        choices: context.choices,
        idle: &["python", "python3", "bash", "sh", "/bin/bash", "/bin/sh"],
        suggestion: "",
        keeps_lists: true,
    }
}

/// What the user, the author's Dockerfile or a Procfile says.
fn said(scope: &Scope<'_>) -> Result<Option<Start>, DetectError> {
    let context = scope.context;
    if let Some(entry) = Entry::of(context.declared, context.dockerfile, context.choices)
        && let Some(start) = script::start(scope, &entry)?
    {
        return Ok(Some(start));
    }
    places(scope).said()?.map(|said| interpreted(scope, said)).transpose()
}

fn exec_form(scope: &Scope<'_>, words: Vec<String>, fixed: usize, origin: &str) -> Result<Option<Start>, DetectError> {
    places(scope).exec(words, fixed, origin)?.map(|said| interpreted(scope, said)).transpose()
}

/// Makes what is said a command of the interpreter, or of the shell that starts it.
fn interpreted(scope: &Scope<'_>, mut said: Said) -> Result<Start, DetectError> {
    if let Some(list) = said.list.take() {
        return script::list(scope, said, list);
    }
    let plain = Plain { words: said.words, env: said.env, replaced: Vec::new() };
    let mut start = form::interpreted(scope, &plain, said.fixed, &said.origin)?;
    start.found.splice(0..0, said.found);
    Ok(start)
}
