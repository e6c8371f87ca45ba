//! The `--flags` between keyword and arguments: reading them, and checking them against what an instruction knows.

use std::ops::Range;

use super::Mistake;
use crate::ast::Flag;
use crate::logical::LogicalLine;
use crate::span::Spanned;
use crate::suggest;

/// Reads the flags in `range` of `line`. Returns them and where the arguments begin.
pub(super) fn read(line: &LogicalLine, range: Range<usize>, escape: char) -> (Vec<Flag>, usize) {
    let text = &line.text()[..range.end];
    let mut flags = Vec::new();
    let mut at = range.start;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        if !text[at..].starts_with("--") {
            return (flags, at);
        }
        let (word, end) = word(text, at, escape);
        if word == "--" {
            return (flags, end);
        }
        flags.push(flag(line, &word, at..end));
        at = end;
    }
}

/// Reads one word from byte `start`, quotes and escapes removed, up to white space outside of quotes.
fn word(text: &str, start: usize, escape: char) -> (String, usize) {
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text[start..].char_indices();
    while let Some((at, c)) = chars.next() {
        match quote {
            None if c.is_whitespace() => return (word, start + at),
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ if c == escape => word.extend(chars.next().map(|(_, next)| next)),
            _ => word.push(c),
        }
    }
    (word, text.len())
}

fn flag(line: &LogicalLine, word: &str, range: Range<usize>) -> Flag {
    let raw = &line.text()[range.clone()];
    let word = word.get(2..).unwrap_or_default();
    let equals = raw.find('=').map_or(range.end, |at| range.start + at);
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(Spanned::new(value.to_owned(), line.span(equals + 1..range.end)))),
        None => (word, None),
    };
    let name = Spanned::new(name.to_owned(), line.span(range.start + 2..equals));
    Flag { name, value, span: line.span(range) }
}

/// How often and with what a flag may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Once; alone, `=true` or `=false`.
    Bool,
    /// Once, with a value.
    Text,
    /// Any number of times, with a value.
    Texts,
}

/// The flags of one instruction, checked.
#[derive(Debug)]
pub(super) struct Known<'a> {
    found: Vec<(&'static str, &'a Flag)>,
}

impl<'a> Known<'a> {
    /// Checks `flags` against those that the instruction `name` knows; those that are wrong are noted and left out.
    pub(super) fn check(
        flags: &'a [Flag],
        known: &[(&'static str, Shape)],
        name: &str,
        mistakes: &mut Vec<Mistake>,
    ) -> Self {
        let mut found: Vec<(&'static str, &'a Flag)> = Vec::new();
        for flag in flags {
            let Some((known_name, shape)) = known.iter().copied().find(|(known, _)| *known == flag.name.value) else {
                let hint = match suggest::closest(&flag.name, known.iter().map(|(known, _)| *known)) {
                    Some(known) => Some(format!("did you mean `--{known}`?")),
                    None if known.is_empty() => Some(format!("{name} takes no flags")),
                    None => None,
                };
                mistakes.push(
                    Mistake::new(flag.span, format!("{name} does not know the flag `--{}`", flag.name)).hint(hint),
                );
                continue;
            };
            if shape != Shape::Texts && found.iter().any(|(other, _)| *other == known_name) {
                mistakes.push(Mistake::new(flag.span, format!("the flag `--{known_name}` is given twice")));
                continue;
            }
            match (shape, flag.value.as_ref().map(|value| value.value.as_str())) {
                (Shape::Text | Shape::Texts, None) | (Shape::Bool, Some("")) => {
                    mistakes.push(Mistake::new(flag.span, format!("the flag `--{known_name}` needs a value")));
                }
                (Shape::Bool, Some(value)) if bool_of(value).is_none() => {
                    let message = format!("the flag `--{known_name}` is either true or false, not `{value}`");
                    mistakes.push(Mistake::new(flag.span, message));
                }
                _ => found.push((known_name, flag)),
            }
        }
        Self { found }
    }

    /// Returns the value of a flag with text.
    pub(super) fn text(&self, name: &str) -> Option<Spanned> {
        self.texts(name).next()
    }

    /// Returns all values of a flag with text.
    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = Spanned> {
        self.flags(name).filter_map(|flag| flag.value.clone())
    }

    /// Returns whether a flag is switched on or off; `None` when it was not given.
    pub(super) fn switch(&self, name: &str) -> Option<bool> {
        let flag = self.flags(name).next()?;
        flag.value.as_ref().map_or(Some(true), |value| bool_of(value))
    }

    fn flags(&self, name: &str) -> impl Iterator<Item = &'a Flag> {
        self.found.iter().filter(move |(found, _)| *found == name).map(|(_, flag)| *flag)
    }
}

fn bool_of(value: &str) -> Option<bool> {
    if value.eq_ignore_ascii_case("true") {
        Some(true)
    } else if value.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}
