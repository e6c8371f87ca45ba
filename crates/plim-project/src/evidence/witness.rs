//! What each instruction adds to the facts.

mod files;
mod settings;

use std::collections::BTreeMap;

use plim_dockerfile::words::Lexer;
use plim_dockerfile::{Dockerfile, Instruction, Kind, RunScript};

use super::purpose::{Ecosystem, Purpose};
use super::shell::{self, Setting};
use super::stages::Stages;
use super::{About, Declared, Evidence, Fact, Kept, RunCommand, RunStep, packages, python, settle};
use crate::command;

/// The longest text of a command that a fact shows, in characters.
const SHOWN: usize = 160;

/// What is known while a stage is heard.
#[derive(Debug, Clone, Default)]
struct State {
    /// Values of ARG and ENV.
    variables: BTreeMap<String, String>,
    /// WORKDIR.
    workdir: Option<String>,
    /// SHELL.
    shell: Vec<String>,
    /// It copies the whole project.
    copies_everything: bool,
}

/// Hears the instructions of the stages that make the image, in the order of the build.
pub(super) struct Witness<'a> {
    lexer: Lexer,
    stages: Stages<'a>,
    declared: Declared,
    facts: Vec<Fact>,
    /// What was known at the end of each stage.
    ends: BTreeMap<usize, State>,
    state: State,
    stage: usize,
    /// Whether the current stage is the last one or below it.
    in_image: bool,
    /// Whether a stage has begun.
    in_stage: bool,
    /// Whether CMD was said by a stage below the current one.
    inherited_cmd: bool,
    source: String,
}

impl<'a> Witness<'a> {
    pub(super) fn new(file: &'a Dockerfile) -> Self {
        Self {
            lexer: Lexer::new(file.escape),
            stages: Stages::of(file),
            declared: Declared::default(),
            facts: Vec::new(),
            ends: BTreeMap::new(),
            state: State::default(),
            stage: 0,
            in_image: true,
            in_stage: true,
            inherited_cmd: false,
            source: if file.instructions.iter().any(|it| matches!(it.kind, Kind::From(_))) {
                file.source.clone()
            } else {
                String::new()
            },
        }
    }

    /// Hears everything that the last stage needs.
    pub(super) fn hear_all(mut self) -> Evidence {
        self.in_stage = false;
        for instruction in self.stages.globals() {
            self.hear(instruction);
        }
        self.in_stage = true;
        let chain = self.stages.chain(self.stages.len().checked_sub(1));
        for number in self.stages.needed() {
            self.stage = number;
            self.in_image = chain.contains(&number);
            self.state = self.stages.below(number).and_then(|below| self.ends.get(&below).cloned()).unwrap_or_default();
            for instruction in self.stages.instructions(number) {
                if self.in_image {
                    self.hear(instruction);
                } else {
                    self.hear_feeder(instruction);
                }
            }
            self.ends.insert(number, self.state.clone());
        }
        self.declared.variables = self.ends.iter().map(|(number, state)| (*number, state.variables.clone())).collect();
        self.conclude();
        settle::first_opinion(&mut self.facts, &self.declared);
        Evidence { facts: self.facts, declared: self.declared, source: self.source }
    }

    /// Draws from the commands what they tell together.
    fn conclude(&mut self) {
        let commands = std::mem::take(&mut self.declared.commands);
        for command in commands.iter().filter(|command| !command.nested) {
            packages::hear(command, &mut self.declared);
            python::hear(command, &mut self.declared);
        }
        // a stage that installs for the program copies the program as well
        self.declared.copies_everything |= self.ends.iter().any(|(number, state)| {
            state.copies_everything
                && commands.iter().any(|command| {
                    command.stage == *number && command.purpose() == Purpose::LanguagePackages(Ecosystem::Python)
                })
        });
        self.declared.commands = commands;
    }

    /// Expands a word; nothing when a variable in it has no known value.
    fn expand(&self, word: &str) -> Option<String> {
        let expanded = self.lexer.process_word(word, &self.state.variables).ok()?;
        expanded.unmatched.is_empty().then_some(expanded.text)
    }

    /// Hears an instruction of a stage that only gives files.
    fn hear_feeder(&mut self, instruction: &Instruction) {
        match &instruction.kind {
            Kind::Arg(definitions) => self.args(definitions, instruction.line),
            Kind::Env(pairs) => {
                self.env(pairs, instruction.line);
            }
            Kind::Workdir(path) => {
                self.workdir(&path.value);
            }
            Kind::Shell(words) => self.state.shell = words.iter().map(|word| word.value.clone()).collect(),
            Kind::Run(_) => {
                self.run(instruction);
            }
            Kind::Copy(copy) => {
                self.copy(copy, instruction);
            }
            _ => {}
        }
    }

    /// Hears an instruction of the image.
    fn hear(&mut self, instruction: &Instruction) {
        if matches!(instruction.kind, Kind::Run(_)) {
            let first = self.declared.commands.len();
            self.run(instruction);
            let heard = self.declared.commands.iter().enumerate().skip(first).filter(|(_, command)| !command.nested);
            let facts = heard.map(|(index, command)| Fact {
                what: shown(command),
                line: command.line,
                kept: Kept::Unknown,
                about: About::Command(index),
            });
            self.facts.extend(facts);
            return;
        }
        let (kept, about) = self.instruction(instruction);
        self.facts.push(Fact { what: instruction.one_line().to_owned(), line: instruction.line, kept, about });
    }

    /// Hears a RUN.
    fn run(&mut self, instruction: &Instruction) {
        let workdir = self.state.workdir.clone().unwrap_or_else(|| "/".to_owned());
        let flags: Vec<String> =
            instruction.flags.iter().map(|flag| instruction_flag(&flag.name.value, flag.value.as_ref())).collect();
        let mut step = RunStep {
            stage: self.stage,
            in_image: self.in_image,
            line: instruction.line,
            flags: flags.join(" "),
            shell: self.state.shell.clone(),
            cwd: workdir.clone(),
            ..RunStep::default()
        };
        match instruction.run_script() {
            Some(RunScript::Shell(text)) => step.script = text,
            Some(RunScript::Exec(words)) => {
                step.script = command::quote(&words);
                step.exec = words;
            }
            Some(RunScript::File { content, .. }) => {
                let first = content.lines().next().unwrap_or_default().trim_start_matches("#!").trim();
                step.shell = first.split_whitespace().map(ToOwned::to_owned).chain(["-c".to_owned()]).collect();
                step.script = content;
            }
            None => return,
        }
        let number = self.declared.runs.len();
        let base = RunCommand {
            stage: self.stage,
            in_image: self.in_image,
            line: instruction.line,
            run: number,
            ..RunCommand::default()
        };
        let setting = Setting { variables: self.state.variables.clone(), cwd: workdir.clone() };
        if !is_posix(&step.shell) {
            self.declared.commands.push(opaque(&base, &step, workdir));
            self.declared.runs.push(step);
            return;
        }
        let script = shell::read(&step.script, &setting);
        step.segments = script.segments;
        let commands = script.commands.into_iter().map(|simple| RunCommand {
            cwd: simple.cwd,
            env: simple.env,
            words: simple.words,
            writes: simple.writes,
            wrappers: simple.wrappers,
            nested: simple.nested,
            piped: simple.piped,
            feeds: simple.feeds,
            segment: simple.segment,
            ..base.clone()
        });
        self.declared.commands.extend(commands);
        if script.opaque {
            self.declared.commands.push(opaque(&base, &step, workdir));
        }
        self.declared.runs.push(step);
    }
}

/// The command that stands for a script that cannot be read.
fn opaque(base: &RunCommand, step: &RunStep, cwd: String) -> RunCommand {
    let words = vec![step.script.clone()];
    RunCommand { cwd, words, opaque: true, segment: step.segments.len(), ..base.clone() }
}

/// Whether the program that reads the script is a shell of the POSIX family.
fn is_posix(shell: &[String]) -> bool {
    let name = |word: &String| word.rsplit('/').next().unwrap_or(word).to_owned();
    let mut words = shell.iter().map(name).filter(|name| name != "env");
    words.next().is_none_or(|name| matches!(name.as_str(), "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "busybox"))
}

fn instruction_flag(name: &str, value: Option<&plim_dockerfile::Spanned>) -> String {
    match value {
        Some(value) => format!("--{name}={}", value.value),
        None => format!("--{name}"),
    }
}

/// Returns a command on one line.
pub(super) fn shown(command: &RunCommand) -> String {
    let text = if command.opaque { command.words.join(" ") } else { command::quote(&command.words) };
    let text = format!("RUN {}", text.split_whitespace().collect::<Vec<_>>().join(" "));
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
