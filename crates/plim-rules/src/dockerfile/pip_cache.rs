//! `pip-cache`: pip's cache left in a layer.

use plim_diag::{Diagnostic, Fix, Rule, Severity};
use plim_dockerfile::shell_split::ShellCommand;
use plim_dockerfile::{Instruction, Kind, edit};

use super::{Script, View};

pub(super) const RULE: Rule = Rule {
    id: "pip-cache",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "pip's download cache stays in the image and is lost for the next build",
    docs: include_str!("pip_cache.md"),
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for stage in 0..view.graph.stages.len() {
        let mut other_user = false;
        let mut switched_off = false;
        for (_, instruction) in view.stage(stage) {
            match &instruction.kind {
                Kind::User(user) => other_user = !matches!(user.value.as_str(), "root" | "0"),
                Kind::Env(pairs) => switched_off |= pairs.iter().any(|pair| pair.key.value == "PIP_NO_CACHE_DIR"),
                _ => {}
            }
            let Some(script) = Script::of(instruction).filter(|_| !switched_off) else { continue };
            let Some(install) = script.commands.iter().find(|command| installs(command)) else { continue };
            let own_place = install.has_flag('\0', "cache-dir")
                || install
                    .assignments
                    .iter()
                    .any(|word| word.text.starts_with("PIP_NO_CACHE_DIR=") || word.text.starts_with("PIP_CACHE_DIR="));
            if own_place
                || install.has_flag('\0', "no-cache-dir")
                || mounts_cache(instruction)
                || removes_cache(&script)
            {
                continue;
            }
            let mut diagnostic = view
                .report(&RULE, "pip's download cache stays in the layer")
                .primary(script.line.span(install.range.clone()), "writes to /root/.cache/pip");
            if !other_user {
                let mount = "--mount=type=cache,target=/root/.cache/pip";
                diagnostic = diagnostic
                    .with_fix(Fix::safe("keep the cache out of the layer", vec![edit::add_flag(instruction, mount)]));
            }
            found.push(diagnostic);
        }
    }
}

/// `pip install`, `pip3 install`, `python -m pip install`.
fn installs(command: &ShellCommand) -> bool {
    let Some(program) = command.program().and_then(|program| program.rsplit('/').next()) else { return false };
    let args: Vec<&str> = command.args().iter().map(|word| word.text.as_str()).collect();
    let args = match args.as_slice() {
        ["-m", "pip", rest @ ..] if program.starts_with("python") => rest,
        rest if program == "pip"
            || program.strip_prefix("pip").is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit())) =>
        {
            rest
        }
        _ => return false,
    };
    args.iter().find(|arg| !arg.starts_with('-')) == Some(&"install")
}

fn mounts_cache(instruction: &Instruction) -> bool {
    let Kind::Run(run) = &instruction.kind else { return false };
    run.mounts.iter().any(|mount| {
        ["target", "dst", "destination"]
            .iter()
            .filter_map(|key| mount.option(key))
            .any(|target| target.contains(".cache"))
    })
}

fn removes_cache(script: &Script) -> bool {
    script.commands.iter().any(|command| {
        (command.program() == Some("rm") && command.words.iter().any(|word| word.text.contains(".cache")))
            || (command.program().is_some_and(|program| program.starts_with("pip"))
                && command.operands().map(|word| word.text.as_str()).eq(["cache", "purge"]))
    })
}
