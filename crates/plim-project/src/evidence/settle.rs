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

use super::witness::shown;
use super::{About, CopyFrom, Declared, Ecosystem, Evidence, Fact, Kept, Purpose, RunCommand};
use crate::project::{Carried, CarryChoice, KeptStage, Output, Place, StackProfile};
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
    add_replaced(&mut facts, &evidence.declared, &decisions);
    for fact in &mut facts {
        let decided = match fact.about {
            About::Instruction => None,
            About::Command(index) => decisions.commands.get(&index),
            About::CopyFrom(index) => decisions.copies.get(&index),
            About::Placed(index) => decisions.placed.get(&index),
        };
        if let Some(kept) = decided {
            fact.kept = kept.clone();
        }
        if profile.carry.get(&fact.line) == Some(&CarryChoice::Drop) && fact.kept == Kept::Unknown {
            fact.kept = Kept::Dropped("it was said so".to_owned());
        }
    }
    facts
}

/// Adds what stands in stages that the new build stage takes the place of: of the image's own instructions there are facts.
fn add_replaced(facts: &mut Vec<Fact>, declared: &Declared, decisions: &Decisions) {
    let before = facts.len();
    for (index, kept) in &decisions.commands {
        if let Some(command) = declared.commands.get(*index).filter(|command| !command.in_image && !command.nested) {
            let about = About::Command(*index);
            facts.push(Fact { what: shown(command), line: command.line, kept: kept.clone(), about });
        }
    }
    for (index, kept) in &decisions.copies {
        if let Some(told) = declared.copies_from.get(*index).filter(|told| !told.value.in_image) {
            let copy = &told.value;
            let what = format!("COPY --from={} {} {}", copy.from, copy.sources.join(" "), copy.dest);
            facts.push(Fact { what, line: told.line, kept: kept.clone(), about: About::CopyFrom(*index) });
        }
    }
    if facts.len() > before {
        facts.sort_by_key(|fact| fact.line);
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
    let replaced = &profile.replaced;
    let mut judge = Judge::new(declared, profile);
    let mut decisions = Decisions::default();
    let mut wanted: BTreeSet<usize> = BTreeSet::new();
    for (line, part) in parts(declared, profile) {
        let choice = profile.carry.get(&line).copied();
        match part {
            Part::Run(number) => {
                let commands: Vec<(usize, &RunCommand)> =
                    declared.commands.iter().enumerate().filter(|(_, command)| command.run == number).collect();
                let run = &declared.runs[number];
                judge.enter(run.stage);
                let settled = step::settle(&mut judge, run, &commands, choice);
                for (index, verdict) in settled.verdicts {
                    let kept = match verdict {
                        Verdict::Carry => Kept::Kept,
                        Verdict::Needless(reason) | Verdict::Neutral(reason) => Kept::Dropped(reason.to_owned()),
                        Verdict::Unknown => Kept::Unknown,
                    };
                    let kept = packages(&declared.commands[index], declared, profile, kept, choice);
                    let kept = if choice == Some(CarryChoice::Drop) {
                        kept
                    } else {
                        replaced.commands.get(&index).filter(|kept| **kept != Kept::Unknown).cloned().unwrap_or(kept)
                    };
                    decisions.commands.insert(index, kept);
                }
                decisions.carried.extend(settled.carried);
            }
            Part::CopyFrom(index) => {
                let copy = &declared.copies_from[index].value;
                judge.enter(copy.into);
                let (kept, carried) = copy_from(&mut judge, index, copy, line, source, &mut wanted);
                decisions.copies.insert(index, kept);
                decisions.carried.extend(carried);
            }
            Part::Placed => {}
        }
    }
    judge.enter_image();
    // files that the author puts in place: where commands use them is known only now
    for (index, placed) in declared.placed.iter().enumerate() {
        let (kept, mut carried) = copies::placed(&judge, placed, &decisions.carried, profile);
        decisions.placed.insert(index, kept);
        decisions.carried.append(&mut carried);
    }
    decisions.carried.sort_by_key(|carried| carried.line);
    if replaced.apart {
        decisions.carried = copies::apart(&decisions.carried);
    }
    // a mount from another stage needs that stage
    wanted.extend(
        decisions
            .carried
            .iter()
            .filter(|carried| carried.place != Place::Image)
            .flat_map(|carried| kept_stages::mounted(source, carried.line)),
    );
    decisions.stages = kept_stages::keep(source, &wanted);
    decisions
}

/// Decides on a COPY from elsewhere; a stage that must live on for it is `wanted`.
fn copy_from(
    judge: &mut Judge<'_>,
    index: usize,
    copy: &CopyFrom,
    line: usize,
    source: &str,
    wanted: &mut BTreeSet<usize>,
) -> (Kept, Option<Carried>) {
    let profile = judge.profile;
    if profile.carry.get(&line) == Some(&CarryChoice::Drop) {
        return (Kept::Dropped("it was said so".to_owned()), None);
    }
    if let Some(kept) = profile.replaced.copies.get(&index) {
        return (kept.clone(), None);
    }
    let (name, place) = match copies::from(judge, copy, judge::ecosystem(profile.kind)) {
        copies::From::Dropped(reason) => return (Kept::Dropped(reason.to_owned()), None),
        copies::From::Carried(place) => (copy.from.clone(), place),
        copies::From::Stage(stage, place) => {
            wanted.insert(stage);
            (kept_stages::name(source, stage), place)
        }
    };
    let place = if copy.in_image { place } else { Place::Sources };
    let dest = judge.map(copy.dest.trim_end_matches('/'));
    judge.made.push(dest.clone());
    let instruction = copies::from_instruction(judge, copy, &name);
    // a folder of its own in the working directory can be told from what else is there
    let own = profile.replaced.apart && place == Place::Build && dest != profile.workdir;
    let outputs = if own { vec![Output { path: dest, owned: false }] } else { Vec::new() };
    (Kept::Kept, Some(Carried { line, place, stage: copy.into, instruction, outputs, ..Carried::default() }))
}

/// The parts of the image's stages, and of those that the new build stage takes the place of, by line.
fn parts(declared: &Declared, profile: &StackProfile) -> Vec<(usize, Part)> {
    let counts = |in_image: bool, stage: usize| in_image || profile.replaced.stages.contains_key(&stage);
    let runs = declared.runs.iter().enumerate().filter(|(_, run)| counts(run.in_image, run.stage));
    let copies =
        declared.copies_from.iter().enumerate().filter(|(_, told)| counts(told.value.in_image, told.value.into));
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
