//! How the program is started.

use super::Context;
use super::author::Author;
use super::binary;
use crate::command;
use crate::error::DetectError;
use crate::project::Finding;
use crate::stack::said::{Places, Said};

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
    };
    places.said()
}

impl Start {
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
