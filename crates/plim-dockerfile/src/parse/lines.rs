//! Physical lines.

use std::ops::Range;

use crate::span::{Span, span};

/// The longest line that BuildKit reads, in bytes without the line end: one less than the buffer of the Go scanner
/// that it uses.
pub const MAX_LINE: usize = 64 * 1024 - 1;

/// A line of the file.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Its first byte.
    pub(super) start: usize,
    /// The text without line feed and carriage returns before it, and without the byte-order mark.
    pub(super) content: Range<usize>,
    /// The byte after its line feed.
    pub(super) end: usize,
}

impl Line {
    pub(super) fn content_span(&self) -> Span {
        span(self.content.start, self.content.end)
    }

    pub(super) fn whole_span(&self) -> Span {
        span(self.start, self.end)
    }
}

/// Returns the length of the byte-order mark at the beginning.
pub(super) fn byte_order_mark(source: &str) -> usize {
    if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

/// Returns the lines behind the byte-order mark.
pub(super) fn split(source: &str) -> Vec<Line> {
    let mut start = byte_order_mark(source);
    source[start..]
        .split_inclusive('\n')
        .map(|line| {
            let content = start..start + line.trim_end_matches(['\r', '\n']).len();
            let end = start + line.len();
            let line = Line { start, content, end };
            start = end;
            line
        })
        .collect()
}

/// Returns the byte at which each line begins; the byte-order mark belongs to the first.
pub(super) fn starts(source: &str) -> Vec<usize> {
    let ends = source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends.filter(|end| *end < source.len())).collect()
}

/// Returns `line` without the continuation character at its end, and whether there was one. Blanks may follow it;
/// a doubled one (`\\`) does not continue the line.
pub(super) fn strip_continuation(line: &str, escape: char) -> (&str, bool) {
    match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
        Some(rest) if !rest.ends_with(escape) => (rest, true),
        _ => (line, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubled_escape_does_not_continue_the_line() {
        assert_eq!(strip_continuation("a \\  ", '\\'), ("a ", true));
        assert_eq!(strip_continuation("\\", '\\'), ("", true));
        assert_eq!(strip_continuation("a \\\\", '\\'), ("a \\\\", false));
        assert_eq!(strip_continuation("a `", '`'), ("a ", true));
        assert_eq!(strip_continuation("a \\", '`'), ("a \\", false));
    }
}
