//! Keyword, flags and the rest of an instruction.

use std::ops::Range;

use super::Mistake;
use super::arguments::{self, Arguments};
use super::flags;
use crate::ast::{Flag, Heredoc};
use crate::kind::Keyword;
use crate::logical::LogicalLine;
use crate::span::{Span, Spanned};

/// The syntactic parts of an instruction.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) name: Spanned,
    pub(super) keyword: Option<Keyword>,
    pub(super) flags: Vec<Flag>,
    pub(super) rest: Range<usize>,
    pub(super) arguments: Arguments,
    /// The trigger of an ONBUILD.
    pub(super) trigger: Option<Box<(LogicalLine, Parts)>>,
    /// What breaks the syntax.
    pub(super) mistakes: Vec<Mistake>,
}

/// Where an instruction stands and what stands around it.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) span: Span,
    pub(super) line: usize,
    pub(super) last_line: usize,
    pub(super) comments: Vec<String>,
    pub(super) heredocs: Vec<Heredoc>,
}

/// The blanks that separate words.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{b}' | '\u{c}' | '\r')
}

/// Returns `range` of `text` without white space at its ends.
pub(super) fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

/// Cuts the instruction on `line` into its parts.
pub(super) fn read(line: &LogicalLine, escape: char) -> Parts {
    read_nested(line, escape, false)
}

fn read_nested(line: &LogicalLine, escape: char, nested: bool) -> Parts {
    let text = line.text();
    let whole = trim(text, 0..text.len());
    let name_end = text[whole.clone()].find(is_blank).map_or(whole.end, |at| whole.start + at);
    let name = Spanned::new(text[whole.start..name_end].to_owned(), line.span(whole.start..name_end));
    let keyword = Keyword::of(&name);
    let (flags, rest_start) = flags::read(line, name_end..whole.end, escape);
    let rest = trim(text, rest_start..whole.end);
    let mut mistakes = Vec::new();
    let mut trigger = None;
    let mut read = Arguments::default();
    match keyword {
        Some(Keyword::Onbuild) if !nested && !rest.is_empty() => {
            let inner = line.slice(rest.clone());
            let mut parts = read_nested(&inner, escape, true);
            mistakes.append(&mut parts.mistakes);
            trigger = Some(Box::new((inner, parts)));
        }
        Some(keyword) => match arguments::read(keyword, &line.slice(rest.clone()), escape) {
            Ok(found) => read = found,
            Err(mistake) => mistakes.push(mistake),
        },
        None => {}
    }
    Parts { name, keyword, flags, rest, arguments: read, trigger, mistakes }
}
