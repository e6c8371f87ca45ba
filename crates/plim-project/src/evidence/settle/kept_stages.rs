//! Stages of the author's Dockerfile that live on as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use plim_dockerfile::stages::{BaseRef, StageGraph};
use plim_dockerfile::{Dockerfile, Instruction, Kind};

use crate::project::KeptStage;

/// Names of the stages that plim writes itself.
const OWN_NAMES: &[&str] = &["build", "dependencies", "libraries", "production"];

/// Returns the name of a stage in the new file: its own where that is free.
pub(super) fn name(source: &str, stage: usize) -> String {
    let file = plim_dockerfile::parse(source);
    let graph = StageGraph::new(&file, &[], &[]);
    name_of(&graph, stage)
}

fn name_of(graph: &StageGraph, stage: usize) -> String {
    match graph.stages.get(stage).and_then(|stage| stage.name.as_deref()) {
        Some(name) if OWN_NAMES.contains(&name) => format!("author-{name}"),
        Some(name) => name.to_owned(),
        None => format!("author-{stage}"),
    }
}

/// Returns the stages that the instruction in a line mounts files from.
pub(super) fn mounted(source: &str, line: usize) -> Vec<usize> {
    let file = plim_dockerfile::parse(source);
    let graph = StageGraph::new(&file, &[], &[]);
    let dependencies = graph.stages.iter().flat_map(|stage| &stage.dependencies);
    dependencies
        .filter(|dependency| {
            file.instructions
                .get(dependency.instruction)
                .is_some_and(|instruction| instruction.line == line && matches!(instruction.kind, Kind::Run(_)))
        })
        .filter_map(|dependency| match dependency.on {
            BaseRef::Stage(stage) => Some(stage),
            _ => None,
        })
        .collect()
}

/// Returns the stages with those numbers and all that they need, in the order of the file, with the arguments that the file
/// begins with in front of the first.
pub(super) fn keep(source: &str, wanted: &BTreeSet<usize>) -> Vec<KeptStage> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let file = plim_dockerfile::parse(source);
    let graph = StageGraph::new(&file, &[], &[]);
    let needed: BTreeSet<usize> = wanted.iter().flat_map(|stage| graph.reachable(*stage)).collect();
    let mut stages: Vec<KeptStage> = needed
        .iter()
        .filter_map(|number| {
            let stage = graph.stages.get(*number)?;
            let instructions = file.instructions.get(stage.from..stage.body.end)?;
            let lines: Vec<String> =
                instructions.iter().map(|instruction| renamed(&file, &graph, *number, instruction)).collect();
            let line = instructions.first()?.line;
            Some(KeptStage { name: name_of(&graph, *number), line, text: lines.join("\n") })
        })
        .collect();
    let globals: Vec<&str> = file
        .instructions
        .iter()
        .take(graph.stages.first().map_or(0, |stage| stage.from))
        .filter(|instruction| matches!(instruction.kind, Kind::Arg(_)))
        .map(|instruction| file.text(instruction.span))
        .collect();
    if let Some(first) = stages.first_mut().filter(|_| !globals.is_empty()) {
        first.text = format!("{}\n{}", globals.join("\n"), first.text);
    }
    stages
}

/// Returns an instruction with the names of stages as they are in the new file.
fn renamed(file: &Dockerfile, graph: &StageGraph, stage: usize, instruction: &Instruction) -> String {
    let mut edits: BTreeMap<usize, (Range<usize>, String)> = BTreeMap::new();
    let mut edit = |start: usize, end: usize, text: String| {
        edits.insert(start, (start..end, text));
    };
    match &instruction.kind {
        Kind::From(from) => {
            if let Some(BaseRef::Stage(below)) = graph.stages.get(stage).map(|stage| stage.base.clone()) {
                edit(from.image.span.start, from.image.span.end, name_of(graph, below));
            }
            match &from.alias {
                Some(alias) => edit(alias.span.start, alias.span.end, name_of(graph, stage)),
                None => edit(instruction.span.end, instruction.span.end, format!(" AS {}", name_of(graph, stage))),
            }
        }
        Kind::Copy(copy) => {
            if let Some(from) = &copy.from
                && let BaseRef::Stage(other) = graph.copy_source(&from.value, stage)
                && let Some(value) = instruction.flag("from").and_then(|flag| flag.value.as_ref())
            {
                edit(value.span.start, value.span.end, name_of(graph, other));
            }
        }
        _ => {}
    }
    let mut text = String::new();
    let mut at = instruction.span.start;
    for (range, replacement) in edits.into_values() {
        text.push_str(file.source.get(at..range.start).unwrap_or_default());
        text.push_str(&replacement);
        at = range.end;
    }
    text.push_str(file.source.get(at..instruction.span.end).unwrap_or_default());
    text
}
