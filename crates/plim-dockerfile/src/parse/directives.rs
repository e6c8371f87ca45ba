//! Parser directives: `# key=value` before everything else.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Mistake;
use crate::ast::Directive;
use crate::span::{Span, Spanned, span};

/// Reads directives until the first line that is none.
#[derive(Debug, Default)]
pub(super) struct Reader {
    closed: bool,
    seen: BTreeSet<&'static str>,
}

/// A directive that was just read.
#[derive(Debug)]
pub(super) struct Found {
    name: &'static str,
    value: Spanned,
}

impl Found {
    /// Returns the escape character that this directive sets.
    pub(super) fn escape(&self) -> Option<char> {
        if self.name == "escape" { self.value.chars().next() } else { None }
    }

    /// Returns the directive, which stands at `span`.
    pub(super) fn at(self, span: Span) -> Directive {
        Directive { name: self.name.to_owned(), value: self.value, span }
    }
}

impl Reader {
    /// Ends the directives: another line came.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Reads the text after the `#` of a comment line, which stands at byte `offset`. Returns `None` for an ordinary
    /// comment.
    pub(super) fn read(&mut self, text: &str, offset: usize) -> Option<Result<Found, Mistake>> {
        if self.closed {
            return None;
        }
        let Some((name, value)) = parse(text) else {
            self.closed = true;
            return None;
        };
        let at = span(offset + value.start, offset + value.end);
        let value = &text[value];
        if !self.seen.insert(name) {
            let mistake = Mistake::new(at, format!("the parser directive `{name}` is given twice"));
            return Some(Err(mistake.hint("remove one of them".to_owned())));
        }
        if name == "escape" && value != "\\" && value != "`" {
            let mistake = Mistake::new(at, format!("`{value}` cannot be the escape character"));
            return Some(Err(mistake.hint("it is either a backslash or a backtick".to_owned())));
        }
        Some(Ok(Found { name, value: Spanned::new(value.to_owned(), at) }))
    }
}

/// Returns the name of a directive and where in `text` its value stands.
fn parse(text: &str) -> Option<(&'static str, Range<usize>)> {
    let equals = text.find('=')?;
    let key = text[..equals].trim_start().trim_end_matches(|c: char| c.is_ascii_whitespace());
    let name = ["syntax", "escape", "check"].into_iter().find(|name| key.eq_ignore_ascii_case(name))?;
    let end = text.trim_ascii_end().len();
    let value = text.get(equals + 1..end)?;
    let start = end - value.trim_ascii_start().len();
    (start < end).then_some((name, start..end))
}
