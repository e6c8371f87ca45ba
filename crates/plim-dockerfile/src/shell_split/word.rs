//! Reading words: quotes, escapes and expansions.

use super::command::ShellWord;
use super::scan::Scanner;

impl Scanner<'_> {
    pub(super) fn read_word(&mut self) -> ShellWord {
        let start = self.at;
        let mut word = ShellWord { text: String::new(), range: start..start, literal: true, quoted: false };
        while let Some(c) = self.rest().chars().next() {
            match c {
                c if c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')' | '<' | '>') => break,
                '\\' => {
                    let escaped = self.rest()[1..].chars().next();
                    self.at += 1 + escaped.map_or(0, char::len_utf8);
                    if let Some(c) = escaped.filter(|c| *c != '\n') {
                        word.text.push(c);
                        word.quoted = true;
                    }
                }
                '\'' => {
                    let inside = &self.text[self.at + 1..];
                    let length = inside.find('\'').unwrap_or(inside.len());
                    word.text.push_str(&inside[..length]);
                    word.quoted = true;
                    self.at = (self.at + length + 2).min(self.text.len());
                }
                '"' => self.double_quoted(&mut word),
                '$' | '`' => self.expansion(&mut word),
                c => {
                    // a brace or pattern may become something else
                    word.literal &= !matches!(c, '*' | '?' | '[' | '{');
                    word.text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        word.range.end = self.at;
        word
    }

    fn double_quoted(&mut self, word: &mut ShellWord) {
        self.at += 1;
        word.quoted = true;
        while let Some(c) = self.rest().chars().next() {
            match c {
                '"' => {
                    self.at += 1;
                    return;
                }
                '$' | '`' => self.expansion(word),
                '\\' => {
                    let escaped = self.rest()[1..].chars().next();
                    self.at += 1 + escaped.map_or(0, char::len_utf8);
                    match escaped {
                        Some('\n') => {}
                        Some(c @ ('"' | '$' | '`' | '\\')) => word.text.push(c),
                        other => {
                            word.text.push('\\');
                            word.text.extend(other);
                        }
                    }
                }
                c => {
                    word.text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
    }

    /// Takes `$x`, `${…}`, `$(…)`, `$((…))`, `$'…'` or backquotes as they are.
    fn expansion(&mut self, word: &mut ShellWord) {
        let start = self.at;
        let rest = self.rest();
        let end = if rest.starts_with("$((") {
            parentheses(self.text, start + 1).1
        } else if rest.starts_with("$(") {
            let (inside, end) = parentheses(self.text, start + 1);
            self.inner.push(start + 2..inside);
            end
        } else if rest.starts_with("${") {
            let (inside, end) = pair(self.text, start + 1, '{', '}');
            self.find_inner(start + 2, inside);
            end
        } else if let Some(inside) = rest.strip_prefix('`') {
            let length = backquoted(inside);
            let end = (start + length + 2).min(self.text.len());
            self.inner.push(start + 1..start + 1 + length);
            end
        } else {
            start + 1
        };
        word.literal &=
            rest == "$" || rest[1..].starts_with(|c: char| c.is_whitespace() || c == '"') && rest.starts_with('$');
        word.text.push_str(&self.text[start..end]);
        self.at = end;
    }

    /// Finds `$(…)` between `start` and `end`, the inside of a `${…}`.
    fn find_inner(&mut self, start: usize, end: usize) {
        let mut at = start;
        while let Some(found) = self.text.get(at..end).and_then(|text| text.find("$(")) {
            let open = at + found + 1;
            let (inside, close) = parentheses(&self.text[..end], open);
            if !self.text[open..].starts_with("((") {
                self.inner.push(open + 1..inside);
            }
            at = close;
        }
    }
}

/// Returns the length of the text up to a backquote that is not escaped.
fn backquoted(text: &str) -> usize {
    let mut escaped = false;
    text.find(|c| {
        let found = c == '`' && !escaped;
        escaped = c == '\\' && !escaped;
        found
    })
    .unwrap_or(text.len())
}

/// Returns where the pair that opens at byte `start` ends: before and behind its closing character, or twice the end of
/// the text. Quotes protect what they hold.
fn pair(text: &str, start: usize, open: char, close: char) -> (usize, usize) {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut chars = text[start..].char_indices();
    while let Some((at, c)) = chars.next() {
        match quote {
            None if c == open => depth += 1,
            None if c == close => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return (start + at, start + at + c.len_utf8());
                }
            }
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(mark) if c == mark => quote = None,
            _ => {}
        }
        if c == '\\' && quote != Some('\'') {
            chars.next();
        }
    }
    (text.len(), text.len())
}

/// Returns where the parenthesis that opens at byte `open` ends; see [`pair`].
pub(super) fn parentheses(text: &str, open: usize) -> (usize, usize) {
    pair(text, open, '(', ')')
}
