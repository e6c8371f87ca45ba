//! `definition-description`: a comment above ARG or FROM that does not describe it.

use plim_diag::{Diagnostic, Edit, Fix, Rule, Severity};
use plim_dockerfile::{Comment, Instruction, Kind, Spanned};

use super::View;

pub(super) const RULE: Rule = Rule {
    id: "definition-description",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "the comment above an argument or stage does not begin with its name",
    docs: include_str!("definition_description.md"),
};

/// Only where the file asks for it: elsewhere comments above are just comments.
pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for instruction in &view.file.instructions {
        let (name, described): (&Spanned, bool) = match &instruction.kind {
            Kind::Arg(definitions) => match definitions.as_slice() {
                [definition] => (&definition.name, definition.description.is_some()),
                _ => continue,
            },
            Kind::From(from) => match &from.alias {
                Some(alias) => (alias, from.description.is_some()),
                None => continue,
            },
            _ => continue,
        };
        let Some(comment) = comment_above(view, instruction).filter(|_| !described) else { continue };
        let written = match &instruction.kind {
            Kind::From(_) => name.value.to_lowercase(),
            _ => name.value.clone(),
        };
        let edit = Edit::replace(comment.span, format!("# {written} {}", comment.text));
        found.push(
            view.report(&RULE, format!("the comment above `{}` is no description of it", name.value))
                .primary(comment.span, format!("a description begins with `{written}`"))
                .with_help("an empty comment between them says that it is none")
                .with_fix(Fix::unsafe_("put the name first", vec![edit])),
        );
    }
}

/// The comment on the line before.
fn comment_above<'a>(view: &View<'a>, instruction: &Instruction) -> Option<&'a Comment> {
    let last = instruction.comments.last()?;
    let above = view.file.comments.iter().rfind(|comment| comment.span.end <= instruction.span.start)?;
    let between = view.file.source.get(above.span.end..instruction.span.start)?;
    (between.matches('\n').count() == 1 && &above.text == last && !above.text.is_empty()).then_some(above)
}
