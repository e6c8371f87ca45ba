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

/// Returns the text like [`lines`], with all lines but the first behind `indent`: none of them can pass for something else
/// that is said.
pub fn indented(text: &str, indent: &str) -> String {
    with_indent(text, |_| indent)
}

/// Returns the text like [`lines`], with `indent` before those lines after the first that would begin at the margin: for
/// what is laid out already.
pub fn off_margin(text: &str, indent: &str) -> String {
    with_indent(text, |line| if line.starts_with(' ') { "" } else { indent })
}

fn with_indent<'i>(text: &str, indent: impl Fn(&str) -> &'i str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for (at, line) in text.lines().enumerate() {
        let line = one_line(line);
        if at > 0 {
            out.push('\n');
            out.push_str(if line.is_empty() { "" } else { indent(&line) });
        }
        out.push_str(&line);
    }
    out
}

/// Returns what a program wrote with its line breaks kept and each line like [`output_line`].
pub fn output_lines(text: &str) -> String {
    text.lines().map(output_line).collect::<Vec<_>>().join("\n")
}

/// Returns what a program wrote as one line without its colours and cursor movements (ECMA-48 control sequences), and with
/// whatever else is harmful written out.
pub fn output_line(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return one_line(text);
    }
    Cow::Owned(one_line(&without_sequences(text)).into_owned())
}

/// Removes control sequences. One that never ends takes the rest of the text with it.
fn without_sequences(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character != '\u{1b}' {
            out.push(character);
            continue;
        }
        match rest.next() {
            // control sequence: parameters, then one final byte
            Some('[') => {
                rest.by_ref().find(|c| matches!(c, '\u{40}'..='\u{7e}'));
            }
            // strings for the terminal, such as its title: up to BEL or ESC \
            Some(']' | 'P' | 'X' | '^' | '_') => {
                let mut escaped = false;
                rest.by_ref().find(|c| {
                    let ends = *c == '\u{7}' || (escaped && *c == '\\');
                    escaped = *c == '\u{1b}';
                    ends
                });
            }
            // the choice of a character set has one more
            Some('(' | ')' | '*' | '+' | '#' | '%') => drop(rest.next()),
            _ => {}
        }
    }
    out
}

fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_movements_of_output_are_gone() {
        assert_eq!(output_line("\u{1b}[1;31merror\u{1b}[0m: \u{1b}[2Kx"), "error: x");
        assert_eq!(output_line("\u{1b}]0;title\u{7}a\u{1b}]8;;http://x\u{1b}\\b\u{1b}(Bc\u{1b}7d"), "abcd");
        assert_eq!(output_line("a\u{1b}[31"), "a");
        assert_eq!(output_line("bell\u{7}"), "bell\\u{7}");
        assert_eq!(output_lines("a\u{1b}]0;t\r\n  b\u{1b}[0m\u{7}\n"), "a\n  b\\u{7}");
    }

    #[test]
    fn escape_sequences_and_direction_marks_are_written_out() {
        assert_eq!(one_line("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(one_line("x\u{202e}y"), "x\\u{202e}y");
        assert_eq!(one_line("two\nlines\r\n"), "two lines ");
        assert_eq!(lines("two\nlines\u{7}"), "two\nlines\\u{7}");
        assert!(matches!(one_line("größer"), Cow::Borrowed(_)));
        assert_eq!(indented("one\n#2 DONE\u{7}\r\n\nthree\n", "  "), "one\n  #2 DONE\\u{7}\n\n  three");
        assert_eq!(off_margin("one\n\n  [[alias]]\n#2 DONE", "    "), "one\n\n  [[alias]]\n    #2 DONE");
    }
}
