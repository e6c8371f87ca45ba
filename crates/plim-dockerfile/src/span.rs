//! Values that know where they were written.

use std::ops::Deref;

pub use plim_diag::Span;

/// A value and the bytes of the source that it was read from.
///
/// Where an instruction is continued over several lines, the span runs from the value's first byte to its
/// last and so may cover continuation characters, comments and newlines in between.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spanned<T = String> {
    /// What was read; see the field that holds it for how far it is processed.
    pub value: T,
    /// Where it stands in the source.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Returns `value` standing at `span`.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// Returns another value at the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), span: self.span }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: std::fmt::Display> std::fmt::Display for Spanned<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value.fmt(f)
    }
}

/// Returns the span from `start` to `end`, byte offsets of the source.
pub(crate) fn span(start: usize, end: usize) -> Span {
    Span { start, end }
}
