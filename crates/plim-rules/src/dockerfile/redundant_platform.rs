//! `redundant-platform`: FROM asks for the platform that it would get anyway.

use plim_diag::{Diagnostic, Fix, Rule, Severity};
use plim_dockerfile::{Kind, edit};

use super::View;

pub(super) const RULE: Rule = Rule {
    id: "redundant-platform",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "FROM asks for the target platform, which is what it gets anyway",
    docs: include_str!("redundant_platform.md"),
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for instruction in &view.file.instructions {
        let Kind::From(from) = &instruction.kind else { continue };
        let Some(platform) = &from.platform else { continue };
        if !matches!(platform.value.as_str(), "$TARGETPLATFORM" | "${TARGETPLATFORM}") {
            continue;
        }
        let mut diagnostic = view
            .report(&RULE, "--platform asks for what FROM gets anyway")
            .primary(platform.span, "the target platform is the default");
        if let Some(edit) = edit::remove_flag(view.file, instruction, "platform") {
            diagnostic = diagnostic.with_fix(Fix::safe("remove the flag", vec![edit]));
        }
        found.push(diagnostic);
    }
}
