//! Byte ranges, and the lines and columns made of them.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A range of bytes in a source file; `end` is exclusive and an empty span marks a place between two bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset behind the last byte.
    pub end: usize,
}

impl Span {
    /// Returns the span from `start` up to, not including, `end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Returns the empty span before the byte at `offset`.
    pub const fn at(offset: usize) -> Self {
        Self { start: offset, end: offset }
    }

    /// Returns the number of bytes.
    pub const fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Returns whether the span holds no byte.
    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// Returns the span as a standard range.
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// Returns the smallest span that holds both.
    #[must_use]
    pub fn cover(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Returns the part of the span that lies in `text`, widened to whole characters. The result can be sliced without a
    /// panic whatever the span was.
    #[must_use]
    pub fn within(self, text: &str) -> Self {
        let start = text.floor_char_boundary(self.start);
        let end = text.ceil_char_boundary(self.end.max(start));
        Self { start, end }
    }

    /// Returns the text that the span covers, or nothing where the span does not fit the text.
    pub fn text(self, source: &str) -> Option<&str> {
        source.get(self.range())
    }
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.range()
    }
}

/// A place as people count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1; the unit is that of the function that made the position.
    pub column: usize,
}

/// Where the lines of a text begin: turns byte offsets into lines and columns in logarithmic time.
#[derive(Debug, Clone)]
pub struct LineIndex<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> LineIndex<'a> {
    /// Reads the text once. A line ends with `\n`; a `\r` before it belongs to the line.
    pub fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// Returns the position of a byte offset with the column in Unicode scalar values, as editors and compilers show it.
    pub fn position(&self, offset: usize) -> Position {
        let (line, before) = self.split(offset);
        Position { line, column: before.chars().count() + 1 }
    }

    /// Returns the position of a byte offset with the column in UTF-16 code units, as SARIF and LSP count.
    pub fn position_utf16(&self, offset: usize) -> Position {
        let (line, before) = self.split(offset);
        Position { line, column: before.chars().map(char::len_utf16).sum::<usize>() + 1 }
    }

    /// Returns the text of a line (from 1) without its line ending.
    pub fn line(&self, number: usize) -> Option<&'a str> {
        let start = *self.starts.get(number.checked_sub(1)?)?;
        let end = self.starts.get(number).map_or(self.text.len(), |next| next - 1);
        self.text.get(start..end).map(|line| line.strip_suffix('\r').unwrap_or(line))
    }

    fn split(&self, offset: usize) -> (usize, &'a str) {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        (line, &self.text[start..offset])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_count_in_the_unit_asked_for() {
        let text = "a\nzwölf 🦀 x\n";
        let index = LineIndex::new(text);
        let x = text.find('x').unwrap();
        assert_eq!(index.position(x), Position { line: 2, column: 9 });
        assert_eq!(index.position_utf16(x), Position { line: 2, column: 10 });
    }

    #[test]
    fn offsets_behind_the_end_are_the_end() {
        let index = LineIndex::new("ab\n");
        assert_eq!(index.position(99), Position { line: 2, column: 1 });
        assert_eq!(LineIndex::new("").position(5), Position { line: 1, column: 1 });
    }

    #[test]
    fn lines_come_without_their_ending() {
        let index = LineIndex::new("one\r\ntwo\nthree");
        let lines: Vec<_> = (1..=4).map(|number| index.line(number)).collect();
        assert_eq!(lines, [Some("one"), Some("two"), Some("three"), None]);
        assert_eq!(index.line(0), None);
    }

    proptest! {
        #[test]
        fn any_span_can_be_cut_out(text in "\\PC{0,20}", start in 0_usize..40, end in 0_usize..40) {
            let span = Span::new(start, end).within(&text);
            prop_assert!(span.text(&text).is_some());
        }
    }
}
