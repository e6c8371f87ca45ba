//! `cache-order`: dependencies installed after the sources were copied.

use plim_diag::{Diagnostic, Edit, Fix, Rule, Severity, Span};
use plim_dockerfile::shell_split::ShellCommand;
use plim_dockerfile::{Copy, Instruction, Kind, Source, edit};

use super::{Script, View};

pub(super) const RULE: Rule = Rule {
    id: "cache-order",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "dependencies are installed again whenever any source file changes",
    docs: include_str!("cache_order.md"),
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for stage in 0..view.graph.stages.len() {
        let mut copied: Option<(&Instruction, &Copy)> = None;
        for (number, instruction) in view.stage(stage) {
            if let Kind::Copy(copy) = &instruction.kind
                && copy.from.is_none()
                && copy.sources.iter().any(whole_context)
            {
                copied = copied.or(Some((instruction, copy)));
            }
            let (Some((copying, copy)), Some(script)) = (copied, Script::of(instruction)) else { continue };
            let Some((install, reads)) = script.commands.iter().find_map(|command| Some((command, reads(command)?)))
            else {
                continue;
            };
            let mut diagnostic = view
                .report(&RULE, "dependencies are installed again whenever any source file changes")
                .primary(script.line.span(install.range.clone()), "runs again after every change")
                .secondary(copying.span, "copies all sources first");
            let adjacent = number > 0
                && std::ptr::eq(&raw const view.file.instructions[number - 1], copying)
                && copying.last_line + 1 == instruction.line;
            let movable = adjacent && copy.sources.len() == 1 && copying.flags.is_empty();
            match reads {
                Reads::Manifests(manifests) if movable => {
                    let dest = copy.dest.value.trim_end_matches('/');
                    let install = view.file.text(instruction.span);
                    let sources = view.file.text(copying.span);
                    // one edit over both instructions: comments between them would be lost, so they must touch
                    let both = Span { start: copying.span.start, end: instruction.span.end };
                    let end = edit::line_end(view.file);
                    let text = format!("COPY {manifests} {dest}/{end}{install}{end}{sources}");
                    let edits = vec![Edit::replace(both, text)];
                    diagnostic = diagnostic.with_fix(Fix::unsafe_("copy the manifests before installing", edits));
                }
                _ => diagnostic = diagnostic.with_help("copy the manifests alone, install, then copy the sources"),
            }
            found.push(diagnostic);
            copied = None;
        }
    }
}

fn whole_context(source: &Source) -> bool {
    matches!(source, Source::Path(path) if matches!(path.value.as_str(), "." | "./" | "/" | "*"))
}

/// What an installing command reads.
enum Reads {
    /// These files.
    Manifests(String),
    /// More than its words tell.
    Unknown,
}

/// What a command reads, if it installs dependencies.
fn reads(command: &ShellCommand) -> Option<Reads> {
    let manifests = |files: &str| Some(Reads::Manifests(files.to_owned()));
    let words: Vec<&str> = command.unwrapped().iter().map(|word| word.text.as_str()).collect();
    let program = words.first()?.rsplit('/').next()?;
    let words = match words.get(1..3) {
        Some(["-m", "pip"]) if program.starts_with("python") => &words[2..],
        _ => &words[..],
    };
    let verb = words.iter().skip(1).find(|word| !word.starts_with('-')).copied().unwrap_or("");
    match (words[0].rsplit('/').next()?, verb) {
        (pip, "install") if pip.starts_with("pip") => {
            let files: Vec<&str> =
                words.windows(2).filter(|pair| matches!(pair[0], "-r" | "--requirement")).map(|pair| pair[1]).collect();
            let known = files.iter().all(|file| !file.contains(['$', '*', ' ']) && !file.starts_with('/'));
            match (files.is_empty(), known) {
                (true, _) => None,
                (false, true) => manifests(&files.join(" ")),
                (false, false) => Some(Reads::Unknown),
            }
        }
        ("npm", "ci" | "install" | "i") if words.len() <= 4 => manifests("package*.json"),
        ("yarn", "install") => manifests("package.json yarn.lock"),
        ("pnpm", "install" | "i") => manifests("package.json pnpm-lock.yaml"),
        ("bundle", "install") => manifests("Gemfile Gemfile.lock"),
        ("go", "mod") if words.contains(&"download") => manifests("go.mod go.sum"),
        ("poetry" | "pipenv" | "composer", "install") | ("uv", "sync") => Some(Reads::Unknown),
        _ => None,
    }
}
