//! What becomes of each instruction and command, once it is known what the project is.
//!
//! A command is dropped when the new image does without it, and the reason says why. What makes files that the program may
//! need is carried over: it runs in the build stage, in its order, and what it makes is copied. Only what is not understood
//! is left for a person.

mod copies;
mod judge;
mod kept_stages;
mod paths;
mod step;

use std::collections::{BTreeMap, BTreeSet};

use judge::{Judge, Verdict};

use super::{About, Declared, Ecosystem, Evidence, Fact, Kept, Purpose, RunCommand};
use crate::project::{Carried, CarryChoice, KeptStage, Place, StackKind, StackProfile};
use crate::rewrite::carried::HOME;

/// Everything that is decided about a Dockerfile.
#[derive(Debug, Default)]
struct Decisions {
    carried: Vec<Carried>,
    stages: Vec<KeptStage>,
    commands: BTreeMap<usize, Kept>,
    copies: BTreeMap<usize, Kept>,
    placed: BTreeMap<usize, Kept>,
}

/// Fills in what the profile takes over from the author's Dockerfile as it is. `source` is its text.
pub(crate) fn complete(
    evidence: &Evidence,
    source: &str,
    profile: &mut StackProfile,
    carry: &BTreeMap<usize, CarryChoice>,
) {
    profile.carry.clone_from(carry);
    let decisions = decide(evidence, source, profile);
    profile.carried = decisions.carried;
    profile.kept_stages = decisions.stages;
    path(&evidence.declared, profile);
    // what was collected from a home directory must be found in it
    if profile.carried.iter().any(|carried| carried.collects) && !profile.env.iter().any(|(name, _)| name == "HOME") {
        profile.env.push(("HOME".to_owned(), HOME.to_owned()));
    }
}

/// Folders of programs that every image has on its path.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Folders that the author puts on the path stay there when something that is carried over is in them.
fn path(declared: &Declared, profile: &mut StackProfile) {
    let made: Vec<&str> =
        profile.carried.iter().flat_map(|carried| &carried.outputs).map(|output| output.path.as_str()).collect();
    let used = |folder: &str| made.iter().any(|made| paths::inside(folder, made) || paths::inside(made, folder));
    let folders: Vec<&str> =
        declared.path.iter().map(|told| told.value.as_str()).filter(|folder| used(folder)).collect();
    if !folders.is_empty() {
        profile.env.push(("PATH".to_owned(), format!("{}:{USUAL_PATH}", folders.join(":"))));
    }
}

/// Returns what becomes of each instruction and command of the image, given the profile that the new files are written from.
pub fn settle(evidence: &Evidence, profile: &StackProfile) -> Vec<Fact> {
    let decisions = decide(evidence, &evidence.source, profile);
    let mut facts = evidence.facts.clone();
    for fact in &mut facts {
        let decided = match fact.about {
            About::Instruction => None,
            About::Command(index) => decisions.commands.get(&index),
            About::CopyFrom(index) => decisions.copies.get(&index),
            About::Placed(index) => decisions.placed.get(&index),
        };
        if let Some(kept) = decided {
            fact.kept = match (kept, fact.about) {
                (Kept::Kept, About::Command(index)) if !profile.kind.carries() => {
                    match evidence.declared.commands.get(index).map(RunCommand::program) {
                        Some(program) if is_tool_of(profile.kind, program) => {
                            Kept::Dropped("the new build stage does what is needed of it".to_owned())
                        }
                        _ => Kept::Unknown,
                    }
                }
                (Kept::Kept, About::CopyFrom(_) | About::Placed(_)) if !profile.kind.carries() => {
                    Kept::Dropped("replaced by the copies of the new stages".to_owned())
                }
                _ => kept.clone(),
            };
        }
        if profile.carry.get(&fact.line) == Some(&CarryChoice::Drop) && fact.kept == Kept::Unknown {
            fact.kept = Kept::Dropped("it was said so".to_owned());
        }
    }
    facts
}

/// Says whether a program is one by which packages of a stack are installed and built.
fn is_tool_of(kind: StackKind, program: &str) -> bool {
    match kind {
        StackKind::Node => matches!(program, "npm" | "npx" | "yarn" | "pnpm" | "corepack"),
        StackKind::Rust => matches!(program, "cargo" | "rustup" | "rustc"),
        _ => false,
    }
}

/// What stands in the author's file, in its order.
enum Part {
    Run(usize),
    CopyFrom(usize),
    Placed,
}

fn decide(evidence: &Evidence, source: &str, profile: &StackProfile) -> Decisions {
    let declared = &evidence.declared;
    let own = judge::ecosystem(profile.kind);
    let mut judge = Judge { declared, profile, made: Vec::new() };
    let mut decisions = Decisions::default();
    let mut wanted: BTreeSet<usize> = BTreeSet::new();
    for (line, part) in parts(declared) {
        let choice = profile.carry.get(&line).copied();
        match part {
            Part::Run(number) => {
                let commands: Vec<(usize, &RunCommand)> =
                    declared.commands.iter().enumerate().filter(|(_, command)| command.run == number).collect();
                let settled = step::settle(&mut judge, &declared.runs[number], &commands, choice);
                for (index, verdict) in settled.verdicts {
                    let kept = match verdict {
                        Verdict::Carry => Kept::Kept,
                        Verdict::Needless(reason) | Verdict::Neutral(reason) => Kept::Dropped(reason.to_owned()),
                        Verdict::Unknown => Kept::Unknown,
                    };
                    decisions
                        .commands
                        .insert(index, packages(&declared.commands[index], declared, profile, kept, choice));
                }
                decisions.carried.extend(settled.carried);
            }
            Part::CopyFrom(index) => {
                let copy = &declared.copies_from[index].value;
                let decision = match choice {
                    Some(CarryChoice::Drop) => copies::From::Dropped("it was said so"),
                    _ => copies::from(&judge, copy, own),
                };
                let (kept, name, place) = match decision {
                    copies::From::Dropped(reason) => {
                        decisions.copies.insert(index, Kept::Dropped(reason.to_owned()));
                        continue;
                    }
                    copies::From::Carried(place) => (Kept::Kept, copy.from.clone(), place),
                    copies::From::Stage(stage, place) => {
                        wanted.insert(stage);
                        (Kept::Kept, kept_stages::name(source, stage), place)
                    }
                };
                judge.made.push(judge.map(copy.dest.trim_end_matches('/')));
                let instruction = copies::from_instruction(&judge, copy, &name);
                decisions.carried.push(Carried { line, place, instruction, ..Carried::default() });
                decisions.copies.insert(index, kept);
            }
            Part::Placed => {}
        }
    }
    // files that the author puts in place: where commands use them is known only now
    for (index, placed) in declared.placed.iter().enumerate() {
        let (kept, mut carried) = copies::placed(&judge, placed, &decisions.carried, profile);
        decisions.placed.insert(index, kept);
        decisions.carried.append(&mut carried);
    }
    decisions.carried.sort_by_key(|carried| carried.line);
    // a mount from another stage needs that stage
    wanted.extend(
        decisions
            .carried
            .iter()
            .filter(|carried| carried.place == Place::Build)
            .flat_map(|carried| kept_stages::mounted(source, carried.line)),
    );
    decisions.stages = kept_stages::keep(source, &wanted);
    decisions
}

/// The parts of the image's stages by line.
fn parts(declared: &Declared) -> Vec<(usize, Part)> {
    let runs = declared.runs.iter().enumerate().filter(|(_, run)| run.in_image);
    let copies = declared.copies_from.iter().enumerate().filter(|(_, told)| told.value.in_image);
    let placed = &declared.placed;
    let mut parts: Vec<(usize, Part)> = runs
        .map(|(index, run)| (run.line, Part::Run(index)))
        .chain(copies.map(|(index, told)| (told.line, Part::CopyFrom(index))))
        .chain(placed.iter().map(|placed| (placed.line, Part::Placed)))
        .collect();
    parts.sort_by_key(|(line, _)| *line);
    parts
}

/// Packages live on when the profile has them; those of another distribution without a counterpart are not known.
fn packages(
    command: &RunCommand,
    declared: &Declared,
    profile: &StackProfile,
    kept: Kept,
    choice: Option<CarryChoice>,
) -> Kept {
    if command.purpose() != Purpose::SystemPackages || choice == Some(CarryChoice::Drop) {
        return kept;
    }
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let installed = super::purpose::installed(&words);
    let is_foreign = |name: &String| declared.foreign_packages.iter().any(|told| told.value == *name);
    if choice.is_none() && installed.foreign.iter().any(is_foreign) {
        return Kept::Unknown;
    }
    if installed.debian.iter().any(|name| profile.system.contains(name)) { Kept::Kept } else { kept }
}

/// Returns what becomes of the facts when nothing is known of the project: commands that every new image does without are
/// dropped, all others are unknown.
pub(super) fn first_opinion(facts: &mut [Fact], declared: &Declared) {
    for fact in facts {
        fact.kept = match fact.about {
            About::Instruction => continue,
            About::Command(index) => declared
                .commands
                .get(index)
                .and_then(needless)
                .map_or(Kept::Unknown, |reason| Kept::Dropped(reason.to_owned())),
            About::CopyFrom(_) => Kept::Unknown,
            About::Placed(_) => Kept::Dropped("replaced by the copies of the new stages".to_owned()),
        };
    }
}

/// Returns why a new image does without a command, whatever the project is.
fn needless(command: &RunCommand) -> Option<&'static str> {
    Some(match command.purpose() {
        Purpose::SystemPackages => "system packages are kept as far as the program needs them",
        Purpose::PackageIndex => "the base image is current",
        Purpose::Cleanup => "nothing is left to clean up",
        Purpose::Users => "the image names its user by number",
        Purpose::Permissions => "files belong to root and are read-only",
        Purpose::Harmless => "it leaves nothing",
        Purpose::Check => "it only checks, and leaves nothing",
        Purpose::LanguagePackages(Ecosystem::Python) => "dependencies are installed from the manifests",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
