//! Which binary is the program.

use super::Context;
use super::author::{self, Author, Build};
use super::manifest::{Bin, Package};
use super::workspace::Workspace;
use crate::command;
use crate::error::DetectError;
use crate::evidence::RunCommand;
use crate::project::Finding;
use crate::stack::said::Said;

/// Packages of helpers that run on the developer's machine.
const HELPERS: &[&str] = &["xtask", "xtasks"];

/// The binary that is started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program<'a> {
    pub(super) package: &'a Package,
    pub(super) bin: &'a Bin,
}

/// Chooses the binary and says why.
pub(super) fn choose<'a>(
    context: &Context<'_>,
    workspace: &'a Workspace,
    author: &Author,
    said: Option<&Said>,
) -> Result<(Program<'a>, String), DetectError> {
    let all = programs(workspace);
    if all.is_empty() {
        return Err(no_program(workspace));
    }
    if let Some(said) = said {
        return by_command(&all, author, said);
    }
    // what the author's image gets, or what the author builds
    let named = |name: &str| all.iter().copied().filter(|program| program.bin.name == name).collect::<Vec<_>>();
    let placed: Vec<Program<'a>> = author.placed.iter().flat_map(|placed| named(&placed.binary)).collect();
    if let ([program], [placed, ..]) = (placed.as_slice(), author.placed.as_slice()) {
        return Ok((*program, context.at(placed.line)));
    }
    if let Some(build) = author.builds.last()
        && let [program] = built_by(&all, build).as_slice()
    {
        return Ok((*program, context.at(build.line)));
    }
    // what `cargo run` would start
    let default = |program: &&Program<'a>| {
        workspace.default_members.contains(&program.package.dir)
            && !HELPERS.contains(&program.package.name.as_str())
            && !workspace.patches.contains(&program.package.dir)
    };
    let candidates: Vec<Program<'a>> = all.iter().filter(default).copied().collect();
    let by_manifest = candidates.iter().find(|program| program.package.default_run.as_ref() == Some(&program.bin.name));
    match (candidates.as_slice(), by_manifest) {
        ([program], _) => Ok((*program, program.bin.place.clone())),
        (_, Some(program)) => Ok((*program, program.package.manifest.at("default-run"))),
        _ => {
            let candidates = if candidates.is_empty() { all } else { candidates };
            Err(DetectError::Ambiguous {
                what: "the binary",
                candidates: candidates
                    .iter()
                    .map(|found| format!("{} ({})", found.bin.name, found.bin.place))
                    .collect(),
                flag: "--start",
                key: "[project] start",
            })
        }
    }
}

/// Where a binary is in the image when the author's has it nowhere else than in the folder of the build.
const BIN_DIR: &str = "/usr/local/bin";

/// The program and the other binaries that the author's image gets, each with its place in the image.
pub(super) fn with_others<'a>(
    context: &Context<'_>,
    workspace: &'a Workspace,
    author: &Author,
    program: Program<'a>,
    found: &mut Vec<Finding>,
) -> Vec<(Program<'a>, String)> {
    let mut all = vec![(program, dest(author, &program.bin.name))];
    for placed in &author.placed {
        let other = programs(workspace).into_iter().find(|other| other.bin.name == placed.binary);
        if let Some(other) = other.filter(|other| all.iter().all(|(known, _)| known.bin.name != other.bin.name)) {
            found.push(Finding::new(format!("binary {} beside it", other.bin.name), context.at(placed.line)));
            all.push((other, dest(author, &other.bin.name)));
        }
    }
    all
}

/// Puts binaries where a script calls them in the folder of the build.
pub(super) fn where_called(
    workspace: &Workspace,
    commands: &[RunCommand],
    programs: &mut Vec<(Program<'_>, String)>,
) -> Result<(), DetectError> {
    for command in commands {
        if is_cargo_run(&command.words) {
            return Err(DetectError::Unsuited {
                path: workspace.root.path.clone(),
                message: format!(
                    "the entry script runs `{}`, and the image has no cargo",
                    command::quote(&command.words)
                ),
                hint: "call the binary there, or say what to start with `--start`".to_owned(),
            });
        }
        let Some(program) = command.words.first() else { continue };
        let path = author::absolute(&command.cwd, program);
        let Some(name) = author::of_target(&path) else { continue };
        if let Some((_, dest)) = programs.iter_mut().find(|(known, _)| known.bin.name == name) {
            *dest = path;
        }
    }
    Ok(())
}

/// The place of a binary in the image: where the author's image has it, if that is not the folder of the build.
pub(super) fn dest(author: &Author, name: &str) -> String {
    let placed =
        author.placed.iter().rev().find(|placed| placed.binary == name && author::of_target(&placed.dest).is_none());
    match placed.map(|placed| placed.dest.as_str()) {
        // links in a merged file system, which a folder cannot be copied over
        Some(dest) if ["/bin/", "/sbin/", "/lib/"].iter().any(|dir| dest.starts_with(dir)) => format!("/usr{dest}"),
        Some(dest) => dest.to_owned(),
        None => format!("{BIN_DIR}/{name}"),
    }
}

/// Every binary of the project.
fn programs(workspace: &Workspace) -> Vec<Program<'_>> {
    let mut all = Vec::new();
    for package in &workspace.packages {
        all.extend(package.targets.bins.iter().map(|bin| Program { package, bin }));
    }
    all
}

/// The binaries that a command of cargo makes.
fn built_by<'a>(all: &[Program<'a>], build: &Build) -> Vec<Program<'a>> {
    let of_package = |found: &&Program<'a>| build.packages.is_empty() || build.packages.contains(&found.package.name);
    let of_name = |found: &&Program<'a>| build.bins.is_empty() || build.bins.contains(&found.bin.name);
    if build.packages.is_empty() && build.bins.is_empty() {
        return Vec::new();
    }
    all.iter().filter(of_package).filter(of_name).copied().collect()
}

/// The binary that a start command names.
fn by_command<'a>(all: &[Program<'a>], author: &Author, said: &Said) -> Result<(Program<'a>, String), DetectError> {
    let program = said.words.first().map_or("", String::as_str);
    let name = name_of(author, &said.words);
    let found = all.iter().find(|found| Some(&found.bin.name) == name.as_ref());
    match found {
        Some(found) => Ok((*found, said.origin.clone())),
        // `cargo run` without a name
        None if is_cargo_run(&said.words) && all.len() == 1 => Ok((all[0], said.origin.clone())),
        None => Err(DetectError::NotBuilt {
            command: command::quote(&said.words),
            origin: said.origin.clone(),
            program: program.to_owned(),
            builds: all.iter().map(|found| found.bin.name.clone()).collect(),
        }),
    }
}

/// The name of the binary that a command starts.
pub(super) fn name_of(author: &Author, words: &[String]) -> Option<String> {
    let program = words.first()?;
    if is_cargo_run(words) {
        let mut options = words.iter().take_while(|word| *word != "--");
        while let Some(word) = options.next() {
            match word.split_once('=') {
                Some(("--bin", name)) => return Some(name.to_owned()),
                _ if word == "--bin" => return options.next().cloned(),
                _ => {}
            }
        }
        return None;
    }
    let base = program.rsplit('/').next().unwrap_or(program);
    let placed = author.placed.iter().rev();
    let is =
        |dest: &str| if program.starts_with('/') { dest == program } else { dest.rsplit('/').next() == Some(base) };
    let binary = placed.clone().find(|placed| is(&placed.dest)).map(|placed| placed.binary.clone());
    binary.or_else(|| Some(base.to_owned()))
}

/// Whether a command is `cargo run …`.
pub(super) fn is_cargo_run(words: &[String]) -> bool {
    matches!(words, [cargo, run, ..] if cargo.rsplit('/').next() == Some("cargo") && (run == "run" || run == "r"))
}

fn no_program(workspace: &Workspace) -> DetectError {
    let library = workspace.packages.iter().find(|package| package.targets.lib.is_some());
    let reason = match library {
        Some(library) => format!("{} is a library", library.name),
        None => "there is no src/main.rs, no src/bin and no [[bin]]".to_owned(),
    };
    DetectError::NoProgram { manifest: workspace.root.path.clone(), reason }
}
