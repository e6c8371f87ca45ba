//! `repeated-instruction`: instructions of which only the last counts.

use plim_diag::{Diagnostic, Edit, Fix, Rule, Severity, Span};
use plim_dockerfile::{Instruction, Keyword};

use super::View;

pub(super) const RULE: Rule = Rule {
    id: "repeated-instruction",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "a stage has an instruction twice of which only the last counts",
    docs: include_str!("repeated_instruction.md"),
};

const SINGLE: [Keyword; 3] = [Keyword::Cmd, Keyword::Entrypoint, Keyword::Healthcheck];

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for stage in &view.graph.stages {
        for keyword in SINGLE {
            let all: Vec<&Instruction> = view
                .stage(stage.index)
                .map(|(_, instruction)| instruction)
                .filter(|instruction| instruction.keyword() == Some(keyword))
                .collect();
            let Some((last, earlier)) = all.split_last() else { continue };
            for instruction in earlier {
                let name = keyword.name();
                found.push(
                    view.report(&RULE, format!("this {name} has no effect: line {} has another", last.line))
                        .primary(instruction.span, "replaced below")
                        .secondary(last.name.span, "this one counts")
                        .with_fix(Fix::safe("remove it", vec![Edit::delete(whole_lines(view, instruction))])),
                );
            }
        }
    }
}

/// The lines of an instruction with the end of the last.
fn whole_lines(view: &View<'_>, instruction: &Instruction) -> Span {
    let source = view.file.source.as_str();
    let rest = source.get(instruction.span.end..).unwrap_or_default();
    let end = rest.find('\n').map_or(source.len(), |at| instruction.span.end + at + 1);
    let before = source.get(..instruction.span.start).unwrap_or_default();
    Span { start: before.rfind('\n').map_or(0, |at| at + 1), end }
}
