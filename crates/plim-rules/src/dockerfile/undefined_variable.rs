//! `undefined-variable`: variables that nothing sets.
//!
//! What the base image sets is not known without the image. So a variable is found where there is none, and where a variable
//! of the file has nearly the same name; a build, which has the image, says the rest.

use std::collections::BTreeSet;

use plim_diag::{Diagnostic, Rule, Severity};
use plim_dockerfile::stages::BaseRef;
use plim_dockerfile::words::{Lexer, is_used_bare};
use plim_dockerfile::{Instruction, Kind, Source, Spanned, closest};

use super::View;

pub(super) const RULE: Rule = Rule {
    id: "undefined-variable",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "a variable is used that nothing sets",
    docs: include_str!("undefined_variable.md"),
};

/// Set whatever the image says, or known to be set by builders without ARG.
const KNOWN: [&str; 11] = [
    "PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "all_proxy",
];

/// The variables of a stage so far.
#[derive(Debug, Clone, Default)]
struct Names {
    set: BTreeSet<String>,
    /// It stands on an image whose variables are not known.
    on_image: bool,
}

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    let lexer = Lexer::new(view.file.escape);
    let mut stages: Vec<Names> = Vec::new();
    for stage in &view.graph.stages {
        let mut names = match &stage.base {
            BaseRef::Stage(base) => stages.get(*base).cloned().unwrap_or_default(),
            BaseRef::Scratch => Names::default(),
            BaseRef::Image(_) => Names { on_image: true, ..Names::default() },
        };
        for (_, instruction) in view.stage(stage.index) {
            for word in words(instruction) {
                for name in lexer.variables(word).into_iter().filter(|name| is_used_bare(word, name)) {
                    if names.set.contains(&name) || KNOWN.contains(&name.as_str()) {
                        continue;
                    }
                    let similar = closest(&name, names.set.iter().map(String::as_str).chain(KNOWN));
                    if names.on_image && similar.is_none() {
                        continue;
                    }
                    let mut diagnostic =
                        view.report(&RULE, format!("nothing sets `{name}`")).primary(word.span, "becomes nothing here");
                    diagnostic.help = Some(match similar {
                        Some(similar) => format!("did you mean `{similar}`?"),
                        None => format!("declare it with `ARG {name}` or `ENV {name}=…`"),
                    });
                    found.push(diagnostic);
                }
            }
            declare(instruction, &mut names.set);
        }
        stages.push(names);
    }
}

fn declare(instruction: &Instruction, set: &mut BTreeSet<String>) {
    match &instruction.kind {
        Kind::Arg(definitions) => set.extend(definitions.iter().map(|definition| definition.name.value.clone())),
        Kind::Env(pairs) => set.extend(pairs.iter().map(|pair| pair.key.value.clone())),
        _ => {}
    }
}

/// The words in which the builder expands variables.
fn words(instruction: &Instruction) -> Vec<&Spanned> {
    fn paths(sources: &[Source]) -> impl Iterator<Item = &Spanned> {
        sources.iter().filter_map(|source| match source {
            Source::Path(path) => Some(path),
            Source::Heredoc(_) => None,
        })
    }
    match &instruction.kind {
        Kind::Copy(copy) => paths(&copy.sources)
            .chain([&copy.dest])
            .chain(&copy.chown)
            .chain(&copy.chmod)
            .chain(&copy.exclude)
            .collect(),
        Kind::Add(add) => {
            let flags = add.chown.iter().chain(&add.chmod).chain(&add.checksum).chain(&add.exclude);
            paths(&add.sources).chain([&add.dest]).chain(flags).collect()
        }
        Kind::Env(pairs) | Kind::Label(pairs) => pairs.iter().flat_map(|pair| [&pair.key, &pair.value]).collect(),
        Kind::Expose(words) | Kind::Volume(words) => words.iter().collect(),
        Kind::User(word) | Kind::Workdir(word) | Kind::StopSignal(word) => vec![word],
        // in one instruction a default sees the names before it
        Kind::Arg(definitions) if definitions.len() == 1 => {
            definitions.iter().filter_map(|definition| definition.default.as_ref()).collect()
        }
        _ => Vec::new(),
    }
}
