//! Debian's control text (`deb822`): paragraphs of `Name: value` lines, read without copying.

/// One paragraph, still as text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paragraph<'a> {
    text: &'a str,
}

/// Returns the paragraphs of a text, skipping empty ones.
pub(crate) fn paragraphs(text: &str) -> impl Iterator<Item = Paragraph<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches('\n');
        if rest.is_empty() {
            return None;
        }
        let (head, tail) = match rest.find("\n\n") {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, ""),
        };
        rest = tail;
        Some(Paragraph { text: head })
    })
}

impl<'a> Paragraph<'a> {
    /// Returns the fields in order. A value keeps its line breaks and the blank before each continuation line; it has
    /// no white space around it. Lines that are neither fields nor continuations are skipped, as apt does.
    pub(crate) fn fields(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = self.text;
        std::iter::from_fn(move || {
            loop {
                if rest.is_empty() {
                    return None;
                }
                let end = field_end(rest);
                let (field, tail) = rest.split_at(end);
                rest = tail;
                if field.starts_with([' ', '\t', '#']) {
                    continue;
                }
                if let Some((name, value)) = field.split_once(':') {
                    return Some((name, value.trim()));
                }
            }
        })
    }

    /// Returns the value of the first field of a name; names are compared without case.
    pub(crate) fn get(self, name: &str) -> Option<&'a str> {
        self.fields().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Returns where the field that starts `text` ends: after its line and the continuation lines that follow.
fn field_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        match text[at..].find('\n') {
            None => return text.len(),
            Some(offset) => {
                at += offset + 1;
                if !matches!(bytes.get(at), Some(b' ' | b'\t')) {
                    return at;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Package: a\nDescription: one\n two\n .\n three\nSize: 7\n\n\nPackage: b\nnonsense\nempty:\n";

    #[test]
    fn paragraphs_end_at_empty_lines() {
        let names: Vec<_> = paragraphs(TEXT).filter_map(|p| p.get("package")).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn continuation_lines_belong_to_the_value() {
        let first = paragraphs(TEXT).next().unwrap();
        assert_eq!(first.get("Description"), Some("one\n two\n .\n three"));
        assert_eq!(first.get("Size"), Some("7"));
    }

    #[test]
    fn lines_without_a_colon_are_skipped() {
        let second = paragraphs(TEXT).nth(1).unwrap();
        let fields: Vec<_> = second.fields().collect();
        assert_eq!(fields, [("Package", "b"), ("empty", "")]);
    }

    #[test]
    fn nothing_has_no_paragraphs() {
        assert_eq!(paragraphs("\n\n").count(), 0);
    }
}
