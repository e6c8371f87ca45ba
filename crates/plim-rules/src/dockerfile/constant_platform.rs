//! `constant-platform`: FROM asks for one platform, whatever the image is built for.

use plim_diag::{Diagnostic, Fix, Rule, Severity};
use plim_dockerfile::{Kind, edit};

use super::View;

pub(super) const RULE: Rule = Rule {
    id: "constant-platform",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "FROM asks for one platform, whatever the image is built for",
    docs: include_str!("constant_platform.md"),
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for instruction in &view.file.instructions {
        let Kind::From(from) = &instruction.kind else { continue };
        let Some(platform) = &from.platform else { continue };
        if platform.value.is_empty() || platform.value.contains('$') {
            continue;
        }
        // one of several stages, among which a later FROM chooses by its platform
        let alias = from.alias.as_ref().map(|alias| alias.value.to_lowercase()).unwrap_or_default();
        let named = |part: &str| !part.is_empty() && alias.contains(&part.to_lowercase());
        if platform.value.split('/').any(named) {
            continue;
        }
        let mut diagnostic = view
            .report(&RULE, format!("this stage is always for {}", platform.value))
            .primary(platform.span, "built for another platform, the image is still for this one")
            .with_help("$BUILDPLATFORM for a stage that compiles for others, nothing for one that ends in the image");
        if let Some(edit) = edit::remove_flag(view.file, instruction, "platform") {
            diagnostic = diagnostic.with_fix(Fix::unsafe_("remove the flag", vec![edit]));
        }
        found.push(diagnostic);
    }
}
