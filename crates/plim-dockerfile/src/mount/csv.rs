//! The comma-separated list inside a `--mount` or `--device` flag.

use std::ops::Range;

/// Returns the fields of `text` with their places. A field may be in double quotes, doubled inside of it. `None` when the
/// quotes do not fit.
pub(crate) fn fields(text: &str) -> Option<Vec<(String, Range<usize>)>> {
    let mut fields = Vec::new();
    let mut start = 0;
    loop {
        let rest = &text[start..];
        let (field, length) = if let Some(quoted) = rest.strip_prefix('"') {
            let (field, length) = unquote(quoted)?;
            (field, length + 1)
        } else {
            let length = rest.find(',').unwrap_or(rest.len());
            (rest[..length].to_owned(), length)
        };
        if !rest.starts_with('"') && field.contains('"') {
            return None;
        }
        let end = start + length;
        fields.push((field, start..end));
        match text[end..].chars().next() {
            None => return Some(fields),
            Some(',') => start = end + 1,
            Some(_) => return None,
        }
    }
}

/// Reads up to the closing quote. Returns the text and its length with the quote.
fn unquote(text: &str) -> Option<(String, usize)> {
    let mut field = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '"' {
            field.push(c);
        } else if chars.next_if(|(_, c)| *c == '"').is_some() {
            field.push('"');
        } else {
            return Some((field, at + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_protect_commas() {
        let found = fields(r#"a=b,"c=d,""e""",f"#).unwrap();
        let texts: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["a=b", r#"c=d,"e""#, "f"]);
        assert_eq!(found[2].1, 16..17);
        assert_eq!(fields(r#"a"b"#), None);
        assert_eq!(fields(r#""a"b"#), None);
        assert_eq!(fields("a,").map(|f| f.len()), Some(2));
    }
}
