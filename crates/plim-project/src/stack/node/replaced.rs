//! What the new build stage makes of the author's commands and copies: installations, builds, packages that are moved about.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::artifacts::Layout;
use super::author::{self, Author};
use super::{Context, outputs, writable};
use crate::evidence::{Declared, Ecosystem, Kept, Purpose, RunCommand};
use crate::folder::Folder;
use crate::project::Replaced;

/// Whether a stage builds another project: all that it copies is from folders with a manifest of their own.
pub(super) fn is_foreign(folder: &Folder, declared: &Declared, stage: usize) -> bool {
    let Some(sources) = declared.sources.get(&stage) else { return false };
    let of_other = |path: &String| {
        Utf8Path::new(path).ancestors().any(|dir| !dir.as_str().is_empty() && folder.has(dir.join("package.json")))
    };
    !sources.is_empty() && sources.iter().all(of_other)
}

/// What the new build stage makes of the author's commands and copies.
pub(super) fn find(context: &Context<'_>, author: &Author, layout: &Layout) -> Replaced {
    let declared = context.declared;
    let workdir = &context.workdir;
    let mut commands = author.commands.clone();
    let writable = writable(declared, workdir);
    for (index, command) in declared.commands.iter().enumerate() {
        let made = command.outputs().paths;
        let is_writable = |path: &String| writable.iter().any(|(known, _)| known == path);
        if command.in_image
            && command.purpose() == Purpose::MakeDirs
            && !made.is_empty()
            && made.iter().all(is_writable)
        {
            commands.insert(index, Kept::Kept);
        }
    }
    let stages: BTreeMap<usize, String> = author
        .stages
        .iter()
        .map(|stage| (*stage, author.roots.get(stage).cloned().unwrap_or_else(|| workdir.clone())))
        .collect();
    let mut copies = BTreeMap::new();
    for (index, told) in declared.copies_from.iter().enumerate().filter(|(_, told)| told.value.in_image) {
        let Some(root) = told.value.stage.and_then(|stage| stages.get(&stage)) else { continue };
        let of_project = |source: &String| outputs::below(root, source).is_some() || source.contains("node_modules");
        if told.value.sources.iter().all(of_project) && outputs::below(workdir, &told.value.dest).is_some() {
            copies.insert(index, Kept::Dropped("replaced by the copies of the new stages".to_owned()));
        }
    }
    let everything = layout.artifacts.iter().any(|artifact| artifact.path.as_str().is_empty());
    Replaced { commands, copies, stages, sources: workdir.clone(), apart: !everything }
}

/// Returns why the new image does without a command that has to do with the packages.
pub(super) fn needless(command: &RunCommand) -> Option<Kept> {
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let dropped = |reason: &str| Some(Kept::Dropped(reason.to_owned()));
    let of_packages =
        |word: &&str| word.trim_end_matches(['/', '*', '.']).split('/').any(|part| part == "node_modules");
    match command.purpose() {
        Purpose::LanguagePackages(Ecosystem::Node) if author::is_global(&words) => {
            dropped("it installs a tool: the image starts node itself, and has of it what the start needs")
        }
        Purpose::Build(Ecosystem::Node) if words.iter().any(|word| matches!(*word, "rebuild" | "dedupe" | "link")) => {
            dropped("the packages are installed for the image's Node.js")
        }
        Purpose::Files | Purpose::MakeDirs | Purpose::Permissions if words.iter().skip(1).any(of_packages) => {
            // another file than the folder itself would be changed
            let inside = words.iter().skip(1).any(|word| {
                word.split_once("node_modules/").is_some_and(|(_, rest)| !rest.trim_matches(['*', '.', '/']).is_empty())
            });
            let changes = inside && matches!(command.program(), "sed" | "patch" | "tee" | "cp" | "mv" | "echo" | "cat");
            if changes { Some(Kept::Unknown) } else { dropped("the packages are installed beside package.json") }
        }
        _ => None,
    }
}
