//! `exec-form`: a start command behind a shell.

use plim_diag::{Diagnostic, Fix, Rule, Severity};
use plim_dockerfile::shell_split::{self, Separator};
use plim_dockerfile::{Command, Kind, edit};

use super::View;

pub(super) const RULE: Rule = Rule {
    id: "exec-form",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "the start command runs behind a shell, which gets the signals in its place",
    docs: include_str!("exec_form.md"),
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for stage in view.in_final_image() {
        let has = |wanted: &dyn Fn(&Kind) -> bool| view.stage(stage).any(|(_, instruction)| wanted(&instruction.kind));
        let own_shell = has(&|kind| matches!(kind, Kind::Shell(_)));
        let exec_entrypoint = has(&|kind| matches!(kind, Kind::Entrypoint(Command::Exec(_))));
        for (_, instruction) in view.stage(stage) {
            let (Kind::Cmd(command) | Kind::Entrypoint(command)) = &instruction.kind else { continue };
            let Some(text) = command.shell().filter(|text| !text.value.trim().is_empty()) else { continue };
            let mut diagnostic = view
                .report(&RULE, format!("{} runs behind a shell", instruction.name.value.to_uppercase()))
                .primary(text.span, "the shell is process 1: SIGTERM does not reach the program");
            if let Some(words) = plain_words(&text.value) {
                let json = serde_json::to_string(&words).unwrap_or_default().replace("\",\"", "\", \"");
                let new = format!("{} {json}", instruction.name.value);
                let edits = vec![edit::replace(view.file, instruction, &new)];
                let title = "write the program and its arguments as a list";
                // another shell may set up what the program needs; arguments for an entry point change their meaning
                diagnostic = diagnostic.with_fix(if own_shell || exec_entrypoint {
                    Fix::unsafe_(title, edits)
                } else {
                    Fix::safe(title, edits)
                });
            } else {
                diagnostic = diagnostic.with_help(
                    "it needs the shell as it is written; let the last command be `exec PROGRAM …`, so that the program takes the shell's place",
                );
            }
            found.push(diagnostic);
        }
    }
}

/// The words of a text that needs no shell: one command, nothing to expand, no redirection.
fn plain_words(text: &str) -> Option<Vec<String>> {
    // an open quote is the shell's error to report, not ours to close
    if text.matches('"').count() % 2 == 1 || text.matches('\'').count() % 2 == 1 {
        return None;
    }
    let commands = shell_split::split(text);
    let [command] = commands.as_slice() else { return None };
    let plain = command.before == Separator::Start
        && command.depth == 0
        && command.assignments.is_empty()
        && command.redirections.is_empty()
        && command.words.iter().all(|word| word.literal && !word.text.contains('\n'))
        && text[command.range.end..].trim().is_empty();
    let words: Vec<String> = command.words.iter().map(|word| word.text.clone()).collect();
    // `exec` and the like are the shell's own words
    let builtin = matches!(
        words.first().map(String::as_str),
        None | Some("exec" | "cd" | "." | "source" | "eval" | "export" | "set")
    );
    (plain && !builtin).then_some(words)
}
