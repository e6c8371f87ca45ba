//! `apt-lists`: package lists left in a layer.

use plim_diag::{Diagnostic, Edit, Fix, Rule, Severity};
use plim_dockerfile::{Instruction, Kind};

use super::{Script, View, runs};

pub(super) const RULE: Rule = Rule {
    id: "apt-lists",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "apt's package lists stay in the image",
    docs: include_str!("apt_lists.md"),
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for stage in view.in_final_image() {
        for (_, instruction) in view.stage(stage) {
            let Some(script) = Script::of(instruction) else { continue };
            let Some(update) = script
                .commands
                .iter()
                .find(|command| runs(command, "apt-get", "update") || runs(command, "apt", "update"))
            else {
                continue;
            };
            if mounts_lists(instruction)
                || script.commands.iter().any(|command| {
                    command.words.iter().any(|word| word.text.starts_with("/var/lib/apt/lists"))
                        && command.program().is_some_and(|program| program == "rm" || program == "find")
                })
            {
                continue;
            }
            let mut diagnostic = view
                .report(&RULE, "apt's package lists stay in the image")
                .primary(script.line.span(update.range.clone()), "writes about 20 MB to /var/lib/apt/lists");
            let last = script.commands.iter().filter(|command| !command.nested).max_by_key(|command| command.range.end);
            // behind a branch, a loop or a background job an appended command would not do what it says
            if let Some(last) = last.filter(|_| simple_list(&script)) {
                let end = script.line.offset(last.range.end);
                diagnostic = diagnostic.with_fix(Fix::safe(
                    "remove the lists in the same step",
                    vec![Edit::insert(end, " && rm -rf /var/lib/apt/lists/*")],
                ));
            }
            found.push(diagnostic);
        }
    }
}

/// Only `&&` between commands, nothing after the last one.
fn simple_list(script: &Script) -> bool {
    use plim_dockerfile::shell_split::Separator;
    let end = script.commands.iter().map(|command| command.range.end).max().unwrap_or(0);
    script
        .commands
        .iter()
        .filter(|command| !command.nested)
        .all(|command| command.depth == 0 && matches!(command.before, Separator::Start | Separator::And))
        && script.line.text()[end..].trim().is_empty()
}

fn mounts_lists(instruction: &Instruction) -> bool {
    let Kind::Run(run) = &instruction.kind else { return false };
    run.mounts.iter().any(|mount| {
        ["target", "dst", "destination"]
            .iter()
            .filter_map(|key| mount.option(key))
            .any(|target| target.trim_end_matches('/').starts_with("/var/lib/apt"))
    })
}
