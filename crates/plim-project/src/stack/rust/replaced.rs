//! What the new build stage makes of the author's commands and copies: whatever compiles, and whatever puts binaries in
//! their places.

use super::Context;
use super::author::{self, Author};
use super::workspace::Workspace;
use crate::evidence::{Declared, Ecosystem, Kept, Purpose, RunCommand};
use crate::project::Replaced;
use camino::Utf8Path;

const COMPILED: &str = "the new build stage builds the program";
const STAND_INS: &str = "the new build stage compiles the dependencies first by itself";

/// Parts of paths that belong to the build alone.
const OF_BUILD: &[&str] =
    &["src", "target", "benches", "Cargo.toml", "Cargo.lock", ".cargo", "build.rs", "recipe.json"];

/// Finds them.
pub(super) fn find(context: &Context<'_>, author: &Author, workspace: &Workspace) -> Replaced {
    let declared = context.declared;
    let mut replaced = Replaced { apart: true, ..Replaced::default() };
    let dropped = |reason: &str| Kept::Dropped(reason.to_owned());
    for command in declared.commands.iter().filter(|command| !command.in_image && !command.nested) {
        let of_stage = || declared.commands.iter().filter(|other| other.stage == command.stage);
        // a front end that is written in Rust is not the program
        let is_front_end =
            of_stage().any(|other| matches!(other.program(), "trunk" | "wasm-pack" | "dx" | "wasm-bindgen"));
        if is_cargo(command) && !is_front_end {
            let last = of_stage().rfind(|other| is_cargo(other) && is_build(other)).unwrap_or(command);
            replaced.stages.entry(command.stage).or_insert_with(|| last.cwd.clone());
        }
    }
    let scripted = declared.entry_script.is_some();
    for (index, command) in declared.commands.iter().enumerate().filter(|(_, command)| !command.opaque) {
        if let Some(kept) = command_of(author, command, scripted) {
            replaced.commands.insert(index, kept);
        }
    }
    let binaries: Vec<&str> =
        workspace.packages.iter().flat_map(|package| &package.targets.bins).map(|bin| bin.name.as_str()).collect();
    for (index, told) in declared.copies_from.iter().enumerate() {
        let Some(stage) = told.value.stage else { continue };
        let placed =
            author.placed.iter().any(|placed| placed.line == told.line && binaries.contains(&placed.binary.as_str()));
        let root = replaced.stages.get(&stage);
        let of_project = |source: &String| {
            root.and_then(|root| author::below(source, root)).is_some_and(|path| {
                path.is_empty()
                    || path.split('/').any(|part| part == "target")
                    || context.folder.has(path)
                    || context.folder.has_folder(path)
            })
        };
        let of_binaries = |source: &String| holds_binaries(declared, &replaced, stage, source);
        if placed || told.value.sources.iter().all(|source| of_project(source) || of_binaries(source)) {
            let reason = if placed { COMPILED } else { "replaced by the copies of the new stages" };
            replaced.copies.insert(index, dropped(reason));
        }
    }
    replaced
}

/// Whether a folder holds what commands of a stage put there of the binaries, and nothing else.
fn holds_binaries(declared: &Declared, replaced: &Replaced, stage: usize, folder: &str) -> bool {
    let mut any = false;
    for (index, command) in declared.commands.iter().enumerate().filter(|(_, command)| command.stage == stage) {
        let within = |path: &String| Utf8Path::new(path).starts_with(folder);
        if command.purpose() == Purpose::MakeDirs || !command.outputs().paths.iter().any(within) {
            continue;
        }
        if replaced.commands.get(&index) != Some(&Kept::Dropped(COMPILED.to_owned())) {
            return false;
        }
        any = true;
    }
    any && folder != "/"
}

fn is_cargo(command: &RunCommand) -> bool {
    matches!(command.program(), "cargo" | "cross" | "cargo-chef")
}

fn is_build(command: &RunCommand) -> bool {
    command.purpose() == Purpose::Build(Ecosystem::Rust)
}

/// What becomes of a command that has to do with what cargo makes.
fn command_of(author: &Author, command: &RunCommand, scripted: bool) -> Option<Kept> {
    let dropped = |reason: &str| Some(Kept::Dropped(reason.to_owned()));
    let operands: Vec<&str> =
        command.words.iter().skip(1).map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let is_binary = |word: &&&str| {
        let path = author::absolute(&command.cwd, word);
        author::of_target(&path).is_some() || author.placed.iter().any(|placed| placed.dest == path)
    };
    match command.purpose() {
        Purpose::Files | Purpose::Permissions | Purpose::Cleanup | Purpose::MakeDirs => {
            if command.program() == "setcap" {
                let ports = command.words.iter().any(|word| word.contains("cap_net_bind_service"));
                return if ports { dropped("runtimes let ordinary users open ports below 1024") } else { None };
            }
            if operands.iter().any(|word| is_binary(&word)) {
                return dropped(COMPILED);
            }
            let written = command.outputs().paths;
            let of_build = |path: &str| {
                let below = path.strip_prefix(&command.cwd).map_or(path, |below| below.trim_start_matches('/'));
                below.contains(".rs")
                    || (!below.starts_with('/') && below.split('/').any(|part| OF_BUILD.contains(&part)))
            };
            let cleans = command.purpose() == Purpose::Cleanup && operands.iter().any(|word| of_build(word));
            let touches = operands.iter().any(|word| word.contains("*.rs"));
            let stands_in = !written.is_empty() && written.iter().all(|path| of_build(path));
            if cleans || touches || stands_in { dropped(STAND_INS) } else { None }
        }
        Purpose::LanguagePackages(Ecosystem::Rust) if command.program().starts_with("rustup") => {
            dropped("the new build stage has the compiler")
        }
        Purpose::LanguagePackages(Ecosystem::Rust) if command.program() == "cargo" => {
            let installs = command.words.get(1).is_some_and(|word| word == "install");
            let from_project = command.words.iter().any(|word| word.starts_with("--path"));
            let of_build = |word: &&str| word.starts_with("cargo-") || word.starts_with("wasm-") || *word == "sccache";
            match operands.get(1) {
                _ if command.words.iter().any(|word| matches!(word.as_str(), "new" | "init" | "chef" | "fetch")) => {
                    dropped(STAND_INS)
                }
                _ if installs && from_project => dropped(COMPILED),
                // the script may call it
                Some(tool) if installs && scripted && command.in_image && !of_build(tool) => Some(Kept::Unknown),
                Some(_) if installs => dropped("it installs a tool of the build"),
                _ => None,
            }
        }
        Purpose::Script(path) if author::of_target(&author::absolute(&command.cwd, &path)).is_some() => {
            Some(Kept::Unknown)
        }
        Purpose::Unknown if is_binary(&&command.words.first()?.as_str()) => Some(Kept::Unknown),
        _ => None,
    }
}
