//! How the program is started.

use camino::Utf8Path;

use super::Context;
use super::author::Author;
use super::binary;
use super::workspace::Workspace;
use crate::command;
use crate::error::DetectError;
use crate::project::{Artifact, Finding};
use crate::stack::said::{Places, Said};
use crate::stack::script::{Entry, KeptScript};

/// The start command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Start {
    /// The binary's place in the image, and arguments.
    pub(super) words: Vec<String>,
    /// How many of the words are fixed.
    pub(super) entrypoint: usize,
    /// Where it comes from.
    pub(super) origin: String,
    /// Environment in front of the command.
    pub(super) env: Vec<(String, String)>,
}

/// Returns the start command that a person gives.
pub(super) fn said(context: &Context<'_>) -> Result<Option<Said>, DetectError> {
    let places = Places {
        folder: context.folder,
        declared: context.declared,
        dockerfile: context.dockerfile,
        choices: context.choices,
        idle: &["bash", "sh", "/bin/bash", "/bin/sh"],
        suggestion: "NAME ARGUMENT",
        keeps_lists: false,
    };
    places.said()
}

/// Returns the command that an entry script ends with, if it starts a binary of the project.
pub(super) fn of_script(entry: &Entry<'_>, workspace: &Workspace, author: &Author) -> Option<Said> {
    let words = entry.last();
    let name = binary::name_of(author, &words)?;
    let is_own = workspace.packages.iter().flat_map(|package| &package.targets.bins).any(|bin| bin.name == name);
    let found = if entry.is_needless() { vec![entry.left_out()] } else { Vec::new() };
    is_own.then(|| Said { words, origin: entry.origin.clone(), found, ..Said::default() })
}

/// Returns the script as a file of the working directory, where it is one that is not there yet.
pub(super) fn artifact(kept: &KeptScript, workdir: &str, artifacts: &[Artifact]) -> Option<Artifact> {
    let below = kept.in_image.strip_prefix(workdir)?.strip_prefix('/').or_else(|| {
        // everything is below the root
        kept.in_image.strip_prefix('/').filter(|_| workdir == "/")
    })?;
    let place = Utf8Path::new(workdir).join(below);
    let there = artifacts.iter().any(|artifact| {
        let known = Utf8Path::new(workdir).join(&artifact.dest);
        known == place || (artifact.folder && place.starts_with(&known))
    });
    (!there).then(|| Artifact { path: kept.path.clone(), folder: false, dest: below.into() })
}

impl Start {
    /// Starts the script that is kept.
    pub(super) fn kept(entry: &Entry<'_>, kept: &KeptScript, found: &mut Vec<Finding>) -> Self {
        found.retain(|finding| !finding.what.starts_with("start "));
        found.push(Finding::new(format!("start {}", command::quote(&kept.words)), entry.origin.clone()));
        found.extend(kept.found.iter().cloned());
        Self { words: kept.words.clone(), entrypoint: 2, origin: entry.origin.clone(), env: Vec::new() }
    }

    /// Puts the binary's place in the image in front of the arguments.
    pub(super) fn of(said: Option<Said>, author: &Author, binary: &str, found: &mut Vec<Finding>) -> Self {
        let dest = binary::dest(author, binary);
        let Some(said) = said else {
            found.push(Finding::new(format!("start {dest}"), "the binary without arguments"));
            return Self { words: vec![dest], entrypoint: 1, origin: "the binary".to_owned(), env: Vec::new() };
        };
        let arguments: Vec<String> = if binary::is_cargo_run(&said.words) {
            said.words.iter().skip_while(|word| *word != "--").skip(1).cloned().collect()
        } else {
            said.words.iter().skip(1).cloned().collect()
        };
        let entrypoint = if binary::is_cargo_run(&said.words) { 1 } else { said.fixed.max(1) };
        let words: Vec<String> = [dest].into_iter().chain(arguments).collect();
        found.push(Finding::new(format!("start {}", command::quote(&words)), said.origin.clone()));
        found.extend(said.found);
        Self { entrypoint: entrypoint.min(words.len()), words, origin: said.origin, env: said.env }
    }
}
