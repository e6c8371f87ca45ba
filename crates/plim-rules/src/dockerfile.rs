//! Rules about Dockerfiles, each in a file of its own with its page beside it.

use plim_diag::{Diagnostic, Rule, Severity, Subject};
use plim_dockerfile::ignore::Patterns;
use plim_dockerfile::shell_split::{self, ShellCommand};
use plim_dockerfile::stages::{BaseRef, StageGraph};
use plim_dockerfile::{Dockerfile, ErrorKind, Instruction, Kind, LogicalLine, ParseError};

mod add_local;
mod apt_lists;
mod base_argument;
mod cache_order;
mod casing;
mod constant_platform;
mod copy_ignored;
mod description;
mod empty_continuation;
mod exec_form;
mod expose;
mod legacy_pair;
mod maintainer;
mod pip_cache;
mod redundant_platform;
mod repeated;
mod secret_variable;
mod skip;
mod stage_names;
mod undefined_variable;
mod workdir;

pub use skip::{CHECK_OPTIONS, Checks, buildkit_name};

/// A Dockerfile cannot be read, or an instruction makes no sense.
const SYNTAX: Rule = Rule {
    id: "syntax",
    group: "dockerfile",
    severity: Severity::Error,
    summary: "the Dockerfile cannot be built as it is written",
    docs: include_str!("dockerfile/syntax.md"),
};

/// All rules about Dockerfiles. Ids are stable: they stand in configurations and in SARIF archives.
pub const RULES: &[Rule] = &[
    SYNTAX,
    add_local::RULE,
    apt_lists::RULE,
    cache_order::RULE,
    constant_platform::RULE,
    copy_ignored::RULE,
    description::RULE,
    stage_names::DUPLICATE,
    empty_continuation::RULE,
    exec_form::RULE,
    expose::CASING,
    expose::MAPPING,
    casing::FROM_AS,
    casing::INSTRUCTION,
    base_argument::DEFAULT,
    legacy_pair::RULE,
    maintainer::RULE,
    pip_cache::RULE,
    redundant_platform::RULE,
    workdir::RULE,
    repeated::RULE,
    stage_names::RESERVED,
    secret_variable::RULE,
    casing::STAGE_NAME,
    base_argument::UNDEFINED,
    undefined_variable::RULE,
];

/// Looks at a Dockerfile, but not for what its `# check=skip=` does not want. Where it has syntax errors, those are all that is reported: what follows from a broken
/// line would only confuse. `ignore` are the patterns that leave files out of its context, where they are known.
pub fn dockerfile(file: &Dockerfile, subject: &Subject, ignore: Option<&Patterns>) -> Vec<Diagnostic> {
    let checks = Checks::of(file);
    let mut found = dockerfile_with(file, subject, ignore, &checks);
    if let (Some(word), Some(directive), true) = (&checks.unknown, file.directive("check"), file.errors.is_empty()) {
        let diagnostic = Diagnostic::new(&SYNTAX, subject.clone(), format!("`{word}` is no option of `# check=`"))
            .primary(directive.span, "")
            .with_help(CHECK_OPTIONS)
            .with_prop("step", "syntax");
        found.insert(0, diagnostic);
    }
    found
}

/// Looks at a Dockerfile for what is wanted, whatever its own directive says.
pub fn dockerfile_with(
    file: &Dockerfile,
    subject: &Subject,
    ignore: Option<&Patterns>,
    checks: &Checks,
) -> Vec<Diagnostic> {
    if !file.errors.is_empty() {
        return file.errors.iter().map(|error| syntax_error(error, subject)).collect();
    }
    let view = View { file, graph: StageGraph::new(file, &[], &[]), subject, ignore };
    let mut found = Vec::new();
    add_local::check(&view, &mut found);
    apt_lists::check(&view, &mut found);
    base_argument::check(&view, &mut found);
    cache_order::check(&view, &mut found);
    casing::check(&view, &mut found);
    constant_platform::check(&view, &mut found);
    copy_ignored::check(&view, &mut found);
    description::check(&view, &mut found);
    empty_continuation::check(&view, &mut found);
    exec_form::check(&view, &mut found);
    expose::check(&view, &mut found);
    legacy_pair::check(&view, &mut found);
    maintainer::check(&view, &mut found);
    pip_cache::check(&view, &mut found);
    redundant_platform::check(&view, &mut found);
    repeated::check(&view, &mut found);
    secret_variable::check(&view, &mut found);
    stage_names::check(&view, &mut found);
    undefined_variable::check(&view, &mut found);
    workdir::check(&view, &mut found);
    found.retain(|finding| checks.wants(finding.rule));
    plim_diag::sort(&mut found);
    found
}

/// Turns what the parser says into a diagnostic.
pub fn syntax_error(error: &ParseError, subject: &Subject) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(&SYNTAX, subject.clone(), error.message.clone()).primary(error.span, "");
    diagnostic.help.clone_from(&error.hint);
    let step = match error.kind {
        ErrorKind::Syntax => "syntax",
        ErrorKind::Instruction => "instruction",
    };
    diagnostic.with_prop("step", step)
}

/// What every rule looks at.
struct View<'a> {
    file: &'a Dockerfile,
    graph: StageGraph,
    subject: &'a Subject,
    ignore: Option<&'a Patterns>,
}

impl<'a> View<'a> {
    fn report(&self, rule: &Rule, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(rule, self.subject.clone(), message)
    }

    /// The instructions of a stage after its FROM, with their numbers.
    fn stage(&self, index: usize) -> impl DoubleEndedIterator<Item = (usize, &'a Instruction)> + use<'a> {
        let range = self.graph.stages[index].body.clone();
        let instructions = &self.file.instructions;
        range.map(move |number| (number, &instructions[number]))
    }

    /// The stages whose layers are in the final image: the last one and those it is FROM.
    fn in_final_image(&self) -> Vec<usize> {
        let mut chain = Vec::new();
        let mut next = self.graph.stages.len().checked_sub(1);
        while let Some(index) = next {
            chain.push(index);
            next = match &self.graph.stages[index].base {
                BaseRef::Stage(base) if *base < index => Some(*base),
                _ => None,
            };
        }
        chain
    }
}

/// The script of a shell-form RUN without heredocs, and the commands in it.
struct Script {
    line: LogicalLine,
    commands: Vec<ShellCommand>,
}

impl Script {
    fn of(instruction: &Instruction) -> Option<Self> {
        let Kind::Run(run) = &instruction.kind else { return None };
        if !instruction.heredocs.is_empty() || run.command.shell().is_none() {
            return None;
        }
        let line = instruction.rest();
        let commands = shell_split::split(line.text());
        Some(Self { line, commands })
    }
}

/// Says whether a command is a program's subcommand, such as `apt-get install`; paths before the program do not matter.
fn runs(command: &ShellCommand, program: &str, subcommand: &str) -> bool {
    let name = command.program().and_then(|program| program.rsplit('/').next());
    name == Some(program) && command.operands().any(|word| word.text == subcommand)
}

#[cfg(test)]
mod tests;
