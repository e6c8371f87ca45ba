//! `empty-continuation`: empty lines inside an instruction that goes over several lines.

use plim_diag::{Diagnostic, Edit, Fix, Rule, Severity, Span};
use plim_dockerfile::Warning;

use super::View;

pub(super) const RULE: Rule = Rule {
    id: "empty-continuation",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "a continued instruction has an empty line, which will be an error one day",
    docs: include_str!("empty_continuation.md"),
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for warning in &view.file.warnings {
        let Warning::EmptyContinuation { spans, .. } = warning;
        let Some(first) = spans.first() else { continue };
        let lines = spans.iter().filter_map(|span| {
            let source = view.file.source.as_str();
            if source.get(span.start..span.end)?.ends_with('\n') {
                return Some(Edit::delete(*span));
            }
            let end = source.get(span.end..)?.find('\n').map(|at| span.end + at + 1)?;
            Some(Edit::delete(Span { start: span.start, end }))
        });
        found.push(
            view.report(&RULE, "an empty line inside a continued instruction")
                .primary(*first, "the instruction goes on below")
                .with_fix(Fix::safe("remove the empty lines", lines.collect())),
        );
    }
}
