//! A script cut into parts that can be left out one by one: the elements of its outermost list.

use shuck_ast::{BinaryOp, Command, RedirectTarget, Stmt, StmtSeq};

/// A part of a script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Segment {
    /// Its text.
    pub text: String,
    /// What stands between it and the part before: `&&`, `;`, `&` or a line break.
    pub before: String,
}

/// A part with its place in the tree.
pub(super) struct Cut<'a> {
    pub(super) segment: Segment,
    pub(super) statements: Vec<&'a Stmt>,
}

/// Cuts a script at `;`, line breaks, and at `&&` where nothing but `&&` is in the list. A here-document keeps its whole
/// list together, because its body stands behind it.
pub(super) fn of<'a>(body: &'a StmtSeq, text: &str) -> Vec<Cut<'a>> {
    let mut cuts: Vec<Cut<'a>> = Vec::new();
    let mut start = 0;
    let mut before = String::new();
    for (index, statement) in body.iter().enumerate() {
        let end = match (statement.terminator_span, body.as_slice().get(index + 1)) {
            (Some(span), _) => span.start.offset(),
            (None, None) => text.len(),
            // a line break: the last one before the next statement
            (None, Some(next)) => {
                let next = next.span.start.offset();
                text.get(start..next).and_then(|between| between.rfind('\n')).map_or(next, |at| start + at)
            }
        };
        list(statement, text, start..end.max(start), before, &mut cuts);
        (before, start) = match statement.terminator_span {
            Some(span) => {
                (text.get(span.start.offset()..span.end.offset()).unwrap_or(";").to_owned(), span.end.offset())
            }
            None => ("\n".to_owned(), end),
        };
    }
    cuts
}

fn list<'a>(statement: &'a Stmt, text: &str, range: std::ops::Range<usize>, before: String, cuts: &mut Vec<Cut<'a>>) {
    let mut operands = vec![(statement, range.end)];
    // the tree leans to the left: the last operand is on top
    if !has_heredoc(statement) {
        while let Some((last, end)) = operands.pop() {
            match &last.command {
                Command::Binary(binary) if binary.op == BinaryOp::And && !last.negated && last.redirects.is_empty() => {
                    operands.push((&binary.right, end));
                    operands.push((&binary.left, binary.op_span.start.offset()));
                }
                _ => {
                    operands.push((last, end));
                    break;
                }
            }
        }
        operands.reverse();
    }
    let mut start = range.start;
    let mut before = before;
    for (operand, end) in operands {
        let part = text.get(start..end.max(start)).unwrap_or_default().trim();
        let before = std::mem::replace(&mut before, "&&".to_owned());
        cuts.push(Cut { segment: Segment { text: part.to_owned(), before }, statements: vec![operand] });
        start = (end + 2).min(text.len());
    }
}

fn has_heredoc(statement: &Stmt) -> bool {
    let mut pending = vec![statement];
    while let Some(statement) = pending.pop() {
        if statement.redirects.iter().any(|redirect| matches!(redirect.target, RedirectTarget::Heredoc(_))) {
            return true;
        }
        if let Command::Binary(binary) = &statement.command {
            pending.extend([&*binary.left, &*binary.right]);
        }
    }
    false
}
