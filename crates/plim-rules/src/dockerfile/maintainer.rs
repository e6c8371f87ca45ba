//! `maintainer`: an instruction that labels have replaced.

use plim_diag::{Diagnostic, Fix, Rule, Severity};
use plim_dockerfile::{Kind, edit};

use super::View;

pub(super) const RULE: Rule = Rule {
    id: "maintainer",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "MAINTAINER is deprecated: a label says the same",
    docs: include_str!("maintainer.md"),
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for instruction in &view.file.instructions {
        let Kind::Maintainer(name) = &instruction.kind else { continue };
        let mut diagnostic =
            view.report(&RULE, "MAINTAINER is deprecated").primary(instruction.span, "a label says the same");
        // a quoted string with these would have to be read once more
        if !name.value.contains(['"', '\\', '$', '\n']) {
            let label = format!("LABEL org.opencontainers.image.authors=\"{}\"", name.value.trim());
            let edits = vec![edit::replace(view.file, instruction, &label)];
            diagnostic = diagnostic.with_fix(Fix::unsafe_("write it as a label", edits));
        }
        found.push(diagnostic);
    }
}
