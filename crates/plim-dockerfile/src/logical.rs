//! One instruction on one line: continuations removed, with a map back to the file.

use std::ops::Range;

use crate::span::{Span, span};

/// The text of an instruction after its continuation lines were joined: what BuildKit parses, shows in the
/// history and hands to the shell. Keeps where each byte came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogicalLine {
    text: String,
    /// Ascending pairs of (offset in `text`, offset in the source) at which a run of copied bytes begins.
    runs: Vec<(usize, usize)>,
}

impl LogicalLine {
    /// Appends `text`, which stands at byte `offset` of the source.
    pub(crate) fn push(&mut self, text: &str, offset: usize) {
        if text.is_empty() && !self.runs.is_empty() {
            return;
        }
        self.runs.push((self.text.len(), offset));
        self.text.push_str(text);
    }

    /// Returns the text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the part of this line that `range` covers, still knowing where it stands.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let mut runs = vec![(0, self.offset(range.start))];
        runs.extend(
            self.runs
                .iter()
                .filter(|run| run.0 > range.start && run.0 < range.end)
                .map(|run| (run.0 - range.start, run.1)),
        );
        Self { text: self.text[range].to_owned(), runs }
    }

    /// Returns the byte of the source that byte `at` of the text came from. The end of the text maps to the
    /// byte after its last one.
    pub fn offset(&self, at: usize) -> usize {
        let index = self.runs.partition_point(|run| run.0 <= at);
        match index.checked_sub(1).and_then(|i| self.runs.get(i)) {
            Some(run) => run.1 + (at - run.0),
            None => at,
        }
    }

    /// Returns where in the text the byte `offset` of the source is; `None` when it was left out.
    pub fn position(&self, offset: usize) -> Option<usize> {
        let index = self.runs.partition_point(|run| run.1 <= offset).checked_sub(1)?;
        let (start, from) = *self.runs.get(index)?;
        let end = self.runs.get(index + 1).map_or(self.text.len() + 1, |next| next.0);
        Some(start + (offset - from)).filter(|at| *at < end)
    }

    /// Returns the bytes of the source that `range` of the text came from, with what lies between.
    pub fn span(&self, range: Range<usize>) -> Span {
        let start = self.offset(range.start);
        if range.end <= range.start { span(start, start) } else { span(start, self.offset(range.end - 1) + 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_after_a_continuation_map_behind_it() {
        let mut line = LogicalLine::default();
        line.push("RUN a ", 0);
        line.push("  b", 8);
        assert_eq!(line.text(), "RUN a   b");
        assert_eq!(line.span(8..9), span(10, 11));
        assert_eq!(line.span(4..9), span(4, 11));
        assert_eq!(line.offset(9), 11);
        assert_eq!([line.position(5), line.position(7), line.position(10)], [Some(5), None, Some(8)]);
        let part = line.slice(4..9);
        assert_eq!(part.text(), "a   b");
        assert_eq!(part.span(4..5), span(10, 11));
    }
}
