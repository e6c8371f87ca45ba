//! `duplicate-stage` and `reserved-stage`: names of stages that do not mean what they seem to.

use std::collections::HashMap;

use plim_diag::{Diagnostic, Rule, Severity};
use plim_dockerfile::Kind;

use super::View;

pub(super) const DUPLICATE: Rule = Rule {
    id: "duplicate-stage",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "two stages have one name, and the later hides the earlier",
    docs: include_str!("duplicate_stage.md"),
};

pub(super) const RESERVED: Rule = Rule {
    id: "reserved-stage",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "a stage is called like something else that FROM and --from know",
    docs: include_str!("reserved_stage.md"),
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    let mut first = HashMap::new();
    for instruction in &view.file.instructions {
        let Kind::From(from) = &instruction.kind else { continue };
        let Some(name) = &from.alias else { continue };
        let lower = name.value.to_lowercase();
        if lower == "scratch" || lower == "context" {
            found.push(
                view.report(&RESERVED, format!("a stage is called `{lower}`"))
                    .primary(name.span, "this name means something else")
                    .with_help("give the stage another name"),
            );
        }
        match first.get(&lower) {
            Some(line) => found.push(
                view.report(&DUPLICATE, format!("there is a stage `{lower}` on line {line} already"))
                    .primary(name.span, "from here on the name means this one")
                    .with_help("give one of them another name"),
            ),
            None => drop(first.insert(lower, instruction.line)),
        }
    }
}
