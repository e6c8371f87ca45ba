//! `relative-workdir`: a folder whose place depends on the base image.

use plim_diag::{Diagnostic, Rule, Severity};
use plim_dockerfile::Kind;
use plim_dockerfile::stages::BaseRef;

use super::View;

pub(super) const RULE: Rule = Rule {
    id: "relative-workdir",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "a relative WORKDIR continues the one of the base image, whatever that is",
    docs: include_str!("relative_workdir.md"),
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    // whether a stage ends in a folder that the file itself has set
    let mut known: Vec<bool> = Vec::new();
    for stage in &view.graph.stages {
        let mut set = match &stage.base {
            BaseRef::Stage(base) => known.get(*base).copied().unwrap_or(true),
            // it begins in the root, and nothing changes that
            BaseRef::Scratch => true,
            BaseRef::Image(_) => false,
        };
        for (_, instruction) in view.stage(stage.index) {
            let Kind::Workdir(path) = &instruction.kind else { continue };
            let text = path.value.trim_matches(['"', '\'']);
            // what a variable holds is mostly absolute
            let absolute = text.starts_with(['/', '\\', '$']) || text.get(1..2) == Some(":");
            if !absolute && !set {
                found.push(
                    view.report(&RULE, format!("`{text}` continues the folder of the base image"))
                        .primary(path.span, "where this is, the base image decides")
                        .with_help(format!("write the whole path, such as `/{text}`")),
                );
            }
            set |= absolute;
        }
        known.push(set);
    }
}
