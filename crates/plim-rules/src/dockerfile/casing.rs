//! `stage-name-casing`, `from-as-casing` and `instruction-casing`: words whose case says nothing, written in several ways.

use plim_diag::{Diagnostic, Edit, Fix, Rule, Severity};
use plim_dockerfile::Kind;

use super::View;

pub(super) const STAGE_NAME: Rule = Rule {
    id: "stage-name-casing",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "the name of a stage has capital letters, which do not count",
    docs: include_str!("stage_name_casing.md"),
};

pub(super) const FROM_AS: Rule = Rule {
    id: "from-as-casing",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "FROM and AS are written in different cases",
    docs: include_str!("from_as_casing.md"),
};

pub(super) const INSTRUCTION: Rule = Rule {
    id: "instruction-casing",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "an instruction is not written in the case of the others",
    docs: include_str!("instruction_casing.md"),
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for instruction in &view.file.instructions {
        let Kind::From(from) = &instruction.kind else { continue };
        if let Some(name) = from.alias.as_ref().filter(|name| name.value.contains(char::is_uppercase)) {
            let lower = name.value.to_lowercase();
            found.push(
                view.report(&STAGE_NAME, format!("the stage `{}` is `{lower}` to everybody who names it", name.value))
                    .primary(name.span, "capital letters do not count here")
                    .with_fix(Fix::safe("write it in small letters", vec![Edit::replace(name.span, lower)])),
            );
        }
        if let Some(word) = &from.as_word {
            let keyword = instruction.name.value.as_str();
            let wanted = if is_lower(keyword) { word.value.to_lowercase() } else { word.value.to_uppercase() };
            // a keyword of both cases is the other rule's
            if wanted != word.value && (is_lower(keyword) || is_upper(keyword)) {
                found.push(
                    view.report(&FROM_AS, format!("`{}` beside `{keyword}`", word.value))
                        .primary(word.span, "in another case than FROM")
                        .with_fix(Fix::safe(format!("write {wanted}"), vec![Edit::replace(word.span, wanted)])),
                );
            }
        }
    }
    instructions(view, found);
}

/// The case that most instructions have is right; capitals where none leads.
fn instructions(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    let names = || view.file.instructions.iter().map(|instruction| &instruction.name);
    let lower = names().filter(|name| is_lower(&name.value)).count();
    let upper = names().filter(|name| is_upper(&name.value)).count();
    for name in names() {
        let wanted = if lower > upper { name.value.to_lowercase() } else { name.value.to_uppercase() };
        if wanted != name.value {
            found.push(
                view.report(
                    &INSTRUCTION,
                    format!(
                        "`{}` among instructions in {}",
                        name.value,
                        if lower > upper { "small letters" } else { "capitals" }
                    ),
                )
                .primary(name.span, "in another case than the others")
                .with_fix(Fix::safe(format!("write {wanted}"), vec![Edit::replace(name.span, wanted)])),
            );
        }
    }
}

fn is_lower(word: &str) -> bool {
    !word.contains(char::is_uppercase)
}

fn is_upper(word: &str) -> bool {
    !word.contains(char::is_lowercase)
}
