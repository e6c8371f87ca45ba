//! Changes that remove a finding, and applying them.

use serde::Serialize;

use crate::Span;

/// Whether a fix may be applied without a person looking at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Applicability {
    /// What the user gets is the same but for the finding.
    Safe,
    /// Probably right, but it may change what the image does.
    Unsafe,
    /// An illustration; never applied.
    DisplayOnly,
}

/// One replacement in a source file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// What to replace; an empty span inserts.
    pub span: Span,
    /// What to write there; empty deletes.
    pub text: String,
}

impl Edit {
    /// Returns the edit that replaces the bytes of `span`.
    pub fn replace(span: impl Into<Span>, text: impl Into<String>) -> Self {
        Self { span: span.into(), text: text.into() }
    }

    /// Returns the edit that inserts before the byte at `offset`.
    pub fn insert(offset: usize, text: impl Into<String>) -> Self {
        Self { span: Span::at(offset), text: text.into() }
    }

    /// Returns the edit that removes the bytes of `span`.
    pub fn delete(span: impl Into<Span>) -> Self {
        Self { span: span.into(), text: String::new() }
    }
}

/// A change of one file that removes a finding: all of its edits or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What it does, as a command: "copy the manifests before installing".
    pub title: String,
    /// The replacements, in any order.
    pub edits: Vec<Edit>,
    /// Whether it may be applied unseen.
    pub applicability: Applicability,
}

impl Fix {
    /// Returns a fix that may be applied unseen.
    pub fn safe(title: impl Into<String>, edits: Vec<Edit>) -> Self {
        Self { title: title.into(), edits, applicability: Applicability::Safe }
    }

    /// Returns a fix that a person should look at.
    pub fn unsafe_(title: impl Into<String>, edits: Vec<Edit>) -> Self {
        Self { title: title.into(), edits, applicability: Applicability::Unsafe }
    }

    /// Returns a fix that is only shown.
    pub fn display_only(title: impl Into<String>, edits: Vec<Edit>) -> Self {
        Self { title: title.into(), edits, applicability: Applicability::DisplayOnly }
    }
}

/// Why fixes were not applied. The source is untouched in every case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FixError {
    /// Two edits touch the same bytes, or two fixes insert at the same place.
    #[error("the fixes `{first}` and `{second}` change the same place")]
    Overlap {
        /// Title of the fix that comes first in the file.
        first: String,
        /// Title of the other one.
        second: String,
    },
    /// An edit does not fit the text: it was made for another version of the file.
    #[error("the fix `{title}` does not fit the file (bytes {start} to {end})")]
    OutOfBounds {
        /// Title of the fix.
        title: String,
        /// First byte of the edit.
        start: usize,
        /// End of the edit.
        end: usize,
    },
}

impl FixError {
    /// Returns what a person can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Overlap { .. } => "apply the fixes one after another".to_owned(),
            Self::OutOfBounds { .. } => "the file has changed since it was read; run the command again".to_owned(),
        })
    }
}

/// Returns the source with all fixes applied. Refuses everything when two edits touch each other's bytes; use
/// [`compatible`] first to choose fixes that go together.
pub fn apply(source: &str, fixes: &[&Fix]) -> Result<String, FixError> {
    let mut edits: Vec<(usize, &Fix, &Edit)> = Vec::new();
    for (number, fix) in fixes.iter().enumerate() {
        for edit in &fix.edits {
            if edit.span.text(source).is_none() {
                return Err(FixError::OutOfBounds {
                    title: fix.title.clone(),
                    start: edit.span.start,
                    end: edit.span.end,
                });
            }
            edits.push((number, fix, edit));
        }
    }
    // stable: insertions of one fix at one place stay in the order in which the fix lists them
    edits.sort_by_key(|(_, _, edit)| edit.span);
    for pair in edits.windows(2) {
        if let [(first_number, first, a), (second_number, second, b)] = pair
            && touches(a.span, b.span, first_number == second_number)
        {
            return Err(FixError::Overlap { first: first.title.clone(), second: second.title.clone() });
        }
    }
    let mut out = String::with_capacity(source.len() + edits.iter().map(|(_, _, edit)| edit.text.len()).sum::<usize>());
    let mut done = 0;
    for (_, _, edit) in edits {
        out.push_str(&source[done..edit.span.start]);
        out.push_str(&edit.text);
        done = edit.span.end;
    }
    out.push_str(&source[done..]);
    Ok(out)
}

/// Returns the fixes that can be applied together: each is taken unless it touches one taken before. Those left out apply
/// to the result in a second pass.
pub fn compatible<'a>(fixes: &[&'a Fix]) -> Vec<&'a Fix> {
    let mut taken: Vec<&Fix> = Vec::new();
    for fix in fixes {
        let clash = taken
            .iter()
            .any(|other| other.edits.iter().any(|a| fix.edits.iter().any(|b| touches(a.span, b.span, false))));
        if !clash {
            taken.push(fix);
        }
    }
    taken
}

/// Whether two edits cannot both be made. Two insertions at one place have an order only within one fix.
fn touches(a: Span, b: Span, same_fix: bool) -> bool {
    if a.is_empty() && b.is_empty() {
        return a.start == b.start && !same_fix;
    }
    a.start < b.end && b.start < a.end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edits_of_several_fixes_are_applied_in_file_order() {
        let late = Fix::safe("late", vec![Edit::replace(4..7, "TWO")]);
        let early = Fix::safe("early", vec![Edit::insert(0, ">"), Edit::insert(0, ">"), Edit::delete(3..4)]);
        assert_eq!(apply("one two", &[&late, &early]).unwrap(), ">>oneTWO");
    }

    #[test]
    fn overlapping_fixes_are_refused() {
        let a = Fix::safe("a", vec![Edit::replace(0..3, "x")]);
        let b = Fix::safe("b", vec![Edit::replace(2..5, "y")]);
        let error = apply("abcdef", &[&b, &a]).unwrap_err();
        assert_eq!(error.to_string(), "the fixes `a` and `b` change the same place");
        assert!(error.hint().is_some());
        assert_eq!(compatible(&[&a, &b]), [&a]);
    }

    #[test]
    fn two_fixes_inserting_at_one_place_are_refused() {
        let a = Fix::safe("a", vec![Edit::insert(1, "x")]);
        let b = Fix::safe("b", vec![Edit::insert(1, "y")]);
        assert!(matches!(apply("ab", &[&a, &b]), Err(FixError::Overlap { .. })));
    }

    #[test]
    fn an_insertion_beside_a_replacement_is_fine() {
        let a = Fix::safe("a", vec![Edit::replace(0..2, "AB")]);
        let b = Fix::safe("b", vec![Edit::insert(2, "|")]);
        assert_eq!(apply("abcd", &[&a, &b]).unwrap(), "AB|cd");
        let inside = Fix::safe("c", vec![Edit::insert(1, "|")]);
        assert!(apply("abcd", &[&a, &inside]).is_err());
    }

    #[test]
    fn a_fix_for_another_text_is_refused() {
        let fix = Fix::safe("f", vec![Edit::replace(2..9, "")]);
        assert!(matches!(apply("abc", &[&fix]), Err(FixError::OutOfBounds { .. })));
        let split = Fix::safe("f", vec![Edit::replace(1..2, "")]);
        assert!(apply("ö", &[&split]).is_err(), "an edit must not cut a character");
    }

    fn edit() -> impl Strategy<Value = Edit> {
        (0_usize..12, 0_usize..12, "[a-z]{0,3}").prop_map(|(start, end, text)| Edit::replace(start..end, text))
    }

    proptest! {
        #[test]
        fn compatible_fixes_always_apply(edits in proptest::collection::vec(edit(), 0..6)) {
            let source = "0123456789";
            let fixes: Vec<Fix> = edits
                .into_iter()
                .filter(|edit| edit.span.text(source).is_some())
                .map(|edit| Fix::safe("f", vec![edit]))
                .collect();
            let all: Vec<&Fix> = fixes.iter().collect();
            prop_assert!(apply(source, &compatible(&all)).is_ok());
        }
    }
}
