//! Paragraphs of `Name: value` fields: deb822(5), and the mail headers of Python metadata.

use bstr::{BStr, BString, ByteSlice};

/// One paragraph, borrowed from the file. Names compare without regard to case.
pub(super) struct Paragraph<'a> {
    fields: Vec<(&'a BStr, &'a BStr)>,
}

impl<'a> Paragraph<'a> {
    /// Returns the value of the first field of that name, continuation lines included.
    pub(super) fn get(&self, name: &str) -> Option<&'a BStr> {
        self.all(name).next()
    }

    /// Returns the values of all fields of that name.
    pub(super) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a BStr> + 's {
        self.fields.iter().filter(move |field| field.0.eq_ignore_ascii_case(name.as_bytes())).map(|field| field.1)
    }

    /// Returns the value as one line of text; nothing when it is missing or empty.
    pub(super) fn line(&self, name: &str) -> Option<String> {
        let value = self.get(name)?;
        let folded: BString =
            bstr::join(" ", value.lines().map(ByteSlice::trim).filter(|line| !line.is_empty())).into();
        Some(folded.to_str_lossy().into_owned()).filter(|text| !text.is_empty())
    }

    /// Returns the first line of the value as text; nothing when it is missing or empty.
    pub(super) fn first_line(&self, name: &str) -> Option<String> {
        let line = self.get(name)?.lines().next()?.trim();
        Some(line.to_str_lossy().into_owned()).filter(|text| !text.is_empty())
    }
}

/// Reads the paragraphs of a file. Lines that are no field are passed over.
pub(super) fn paragraphs(text: &[u8]) -> impl Iterator<Item = Paragraph<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let paragraph = take_paragraph(&mut rest);
            if !paragraph.fields.is_empty() {
                return Some(paragraph);
            }
        }
        None
    })
}

/// Takes the lines up to the next blank one.
fn take_paragraph<'a>(rest: &mut &'a [u8]) -> Paragraph<'a> {
    let text = *rest;
    let mut fields: Vec<(&BStr, &BStr)> = Vec::new();
    // start of the current field's value within `text`
    let mut value_start = 0;
    let mut position = 0;
    while position < text.len() {
        let end = text[position..].find_byte(b'\n').map_or(text.len(), |newline| position + newline + 1);
        let line = &text[position..end];
        if line.trim().is_empty() {
            position = end;
            break;
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if let Some(field) = fields.last_mut() {
                field.1 = text[value_start..end].trim().as_bstr();
            }
        } else if let Some(colon) = line.find_byte(b':') {
            value_start = position + colon + 1;
            fields.push((line[..colon].trim().as_bstr(), text[value_start..end].trim().as_bstr()));
        }
        position = end;
    }
    *rest = &text[position..];
    Paragraph { fields }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_fold_and_paragraphs_end_at_blank_lines() {
        let text = b"\n\nPackage: a\nDepends: b,\n c (>= 1)\nDescription: short\n long\n .\n more\n \t\npackage: z\nnonsense\n";
        let all: Vec<Paragraph<'_>> = paragraphs(text).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].line("Depends").unwrap(), "b, c (>= 1)");
        assert_eq!(all[0].first_line("description").unwrap(), "short");
        assert_eq!(all[1].get("Package").unwrap(), "z");
    }

    #[test]
    fn an_empty_value_may_continue_on_the_next_line() {
        let all: Vec<Paragraph<'_>> = paragraphs(b"License:\n MIT\n text\nFiles: *").collect();
        assert_eq!(all[0].first_line("License").unwrap(), "MIT");
        assert_eq!(all[0].line("Missing"), None);
    }
}
