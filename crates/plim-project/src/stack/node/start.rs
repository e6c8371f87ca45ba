//! How the program is started.
//!
//! What people say comes first (flag, Dockerfile, Procfile), then the script `start` and the main file of `package.json`.
//! The result is a command for `node`: scripts of `package.json` are unwound, because npm is not in the image, and programs
//! of packages are named by their files, because no shell and no `env` would find them.

mod form;
mod program;
mod script;

use camino::{Utf8Path, Utf8PathBuf};
use plim_dockerfile::Command;

use super::Context;
use super::author::{Author, Build};
use super::manager::Manager;
use crate::command::{self, Plain};
use crate::error::DetectError;
use crate::project::Finding;
use crate::stack::script::Entry;

pub(crate) use script::COMES_WITH_NODE;

/// The start command and what goes with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Start {
    /// `node`, its options, a file and arguments.
    pub(super) words: Vec<String>,
    /// How many of the words are fixed.
    pub(super) entrypoint: usize,
    /// Where it comes from.
    pub(super) origin: String,
    /// Environment set in front of the command.
    pub(super) env: Vec<(String, String)>,
    /// The program of a package that is started: `next`, `pm2-runtime`.
    pub(super) program: Option<String>,
    /// The file of the project that is started, relative to it, as written.
    pub(super) file: Option<Utf8PathBuf>,
    /// Packages that the command needs: those for developers must stay.
    pub(super) packages: Vec<String>,
    /// The globally installed package that holds the program.
    pub(super) global: Option<String>,
    /// Commands before it that make files.
    pub(super) build: Vec<Build>,
    /// Debian packages that it needs, with what for.
    pub(super) system: Vec<(String, String)>,
    /// The script that it is, in the project and in the image.
    pub(super) script: Option<(Utf8PathBuf, String)>,
    pub(super) found: Vec<Finding>,
}

/// What a start command is made from.
pub(super) struct Scope<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) manager: &'a Manager,
    pub(super) author: &'a Author,
    pub(super) workdir: &'a str,
}

impl Scope<'_> {
    /// Returns the file of the project that node would load for a path, relative to the working directory.
    pub(super) fn source(&self, written: &str) -> Option<Utf8PathBuf> {
        let path = self.relative(written)?;
        let folder = self.context.folder;
        let candidates = ["", ".js", ".json", ".mjs", ".cjs", ".ts", ".mts", "/index.js", "/index.mjs", "/index.ts"];
        candidates
            .iter()
            .map(|end| Utf8PathBuf::from(format!("{path}{end}")))
            .find(|candidate| folder.has(candidate) && !folder.has_folder(candidate))
    }

    /// Returns a path relative to the project; nothing if it is elsewhere.
    pub(super) fn relative(&self, written: &str) -> Option<Utf8PathBuf> {
        let below = match written.strip_prefix(self.workdir) {
            Some(rest) if rest.starts_with('/') => rest.trim_start_matches('/'),
            _ => written,
        };
        crate::folder::resolve(Utf8Path::new("package.json"), below)
    }
}

/// Finds the start command.
pub(super) fn find(scope: &Scope<'_>) -> Result<Start, DetectError> {
    let mut start = match said(scope)? {
        Some(start) => start,
        None => of_manifest(scope)?,
    };
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
    if let Some(entry) = Entry::of(declared, context.dockerfile, context.choices)
        && let Some(start) = script::start(scope, &entry)?
    {
        return Ok(Some(start));
    }
    let exec =
        |words: &[plim_dockerfile::Spanned]| -> Vec<String> { words.iter().map(|word| word.value.clone()).collect() };
    match (&declared.entrypoint, &declared.cmd) {
        (Some(entrypoint), cmd) => {
            let origin = context.at(entrypoint.line);
            match &entrypoint.value {
                Command::Shell(text) => return form::shell(scope, &text.value, &origin).map(Some),
                Command::Exec(words) if words.is_empty() => {}
                Command::Exec(words) => {
                    let mut all = exec(words);
                    let fixed = all.len();
                    match cmd.as_ref().map(|cmd| &cmd.value) {
                        Some(Command::Exec(words)) => all.extend(exec(words)),
                        Some(Command::Shell(text)) => {
                            all.extend(["sh".to_owned(), "-c".to_owned(), text.value.clone()]);
                        }
                        None => {}
                    }
                    return exec_form(scope, &all, fixed, &origin);
                }
            }
        }
        (None, Some(cmd)) => {
            let origin = context.at(cmd.line);
            match &cmd.value {
                Command::Shell(text) => return form::shell(scope, &text.value, &origin).map(Some),
                Command::Exec(words) if words.is_empty() => {}
                Command::Exec(words) => {
                    // distroless images start node themselves
                    let distroless =
                        declared.base.as_ref().is_some_and(|base| base.value.contains("distroless/nodejs"));
                    let mut all = if distroless { vec!["node".to_owned()] } else { Vec::new() };
                    all.extend(exec(words));
                    if let Some(start) = exec_form(scope, &all, 0, &origin)? {
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
        Some((line, text)) => form::shell(scope, text, &format!("Procfile:{line}")).map(Some),
        None => Ok(None),
    }
}

fn exec_form(scope: &Scope<'_>, words: &[String], fixed: usize, origin: &str) -> Result<Option<Start>, DetectError> {
    // the entrypoint of the official image passes its arguments on
    let inherited = words.first().is_some_and(|word| {
        word.rsplit('/').next() == Some("docker-entrypoint.sh") && !scope.context.folder.has("docker-entrypoint.sh")
    });
    let skipped = usize::from(inherited);
    let (words, fixed) = (words[skipped..].to_vec(), fixed.saturating_sub(skipped));
    if let [shell, flag, text, ..] = words.as_slice()
        && matches!(shell.rsplit('/').next(), Some("sh" | "bash" | "dash" | "ash"))
        && flag.starts_with('-')
        && flag.ends_with('c')
    {
        return form::shell(scope, text, origin).map(Some);
    }
    // what the base image starts when nobody says anything
    if matches!(words.as_slice(), [] | [_] if words.first().is_none_or(|one| matches!(one.as_str(), "node" | "bash" | "sh" | "/bin/bash" | "/bin/sh")))
    {
        return Ok(None);
    }
    form::interpreted(scope, &Plain { words, ..Plain::default() }, fixed, origin).map(Some)
}

/// The script `start`, the main file, or a file with a usual name.
fn of_manifest(scope: &Scope<'_>) -> Result<Start, DetectError> {
    let manifest = scope.context.manifest;
    for name in ["start:prod", "start:production", "start"] {
        // a script for production is meant where `start` watches files
        let meant = name == "start" || manifest.scripts.get("start").is_some_and(|start| start.contains("nest start"));
        if let Some(text) = manifest.scripts.get(name).filter(|_| meant) {
            return form::shell(scope, text, &manifest.at(name));
        }
    }
    let node = |file: &str, origin: &str| {
        let words = vec!["node".to_owned(), file.to_owned()];
        form::interpreted(scope, &Plain { words, ..Plain::default() }, 0, origin)
    };
    if let Some(main) = &manifest.main
        && (scope.source(main).is_some() || manifest.scripts.contains_key("build"))
    {
        return node(main.trim_start_matches("./"), &manifest.at("main"));
    }
    let usual = [
        "server.js",
        "index.js",
        "app.js",
        "main.js",
        "server.mjs",
        "index.mjs",
        "src/server.js",
        "src/index.js",
        "src/app.js",
    ];
    if let Some(file) = usual.into_iter().find(|file| scope.context.folder.has(file)) {
        return node(file, file);
    }
    if manifest.has("next") {
        let words = ["next", "start"].map(ToOwned::to_owned).to_vec();
        return form::interpreted(scope, &Plain { words, ..Plain::default() }, 0, &manifest.at("next"));
    }
    let front_end = ["vite", "react-scripts", "@angular/core", "gatsby", "@vue/cli-service", "parcel"];
    if let Some(package) = front_end.into_iter().find(|package| manifest.has(package)) {
        return Err(form::no_server(&manifest.at(package), package));
    }
    Err(DetectError::Unsuited {
        path: manifest.path.clone(),
        message: "nothing says how to start the program (looked for CMD or ENTRYPOINT in the Dockerfile, web: in a Procfile, \
                  the script start, main, server.js, index.js, app.js)"
            .to_owned(),
        hint: "say it with `--start 'node server.js'`, or with `[project] start = [\"node\", \"server.js\"]` in plim.toml".to_owned(),
    })
}
