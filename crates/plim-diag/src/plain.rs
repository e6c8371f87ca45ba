//! Text from outside, made harmless for a terminal.

use std::borrow::Cow;

/// Returns the text with line breaks as spaces and with every other control or direction-changing character written out
/// as `\u{…}`: a file name must not be able to move the cursor, hide a line or reorder what is read.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\n' | '\t' => out.push(' '),
            '\r' => {}
            harmful if is_harmful(harmful) => out.extend(harmful.escape_unicode()),
            harmless => out.push(harmless),
        }
    }
    Cow::Owned(out)
}

/// Returns the text with its line breaks kept and every other harmful character written out.
pub fn lines(text: &str) -> Cow<'_, str> {
    if !text.contains('\n') {
        return one_line(text);
    }
    Cow::Owned(text.lines().map(one_line).collect::<Vec<_>>().join("\n"))
}

fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_direction_marks_are_written_out() {
        assert_eq!(one_line("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(one_line("x\u{202e}y"), "x\\u{202e}y");
        assert_eq!(one_line("two\nlines\r\n"), "two lines ");
        assert_eq!(lines("two\nlines\u{7}"), "two\nlines\\u{7}");
        assert!(matches!(one_line("größer"), Cow::Borrowed(_)));
    }
}
