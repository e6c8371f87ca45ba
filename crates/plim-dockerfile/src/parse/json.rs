//! JSON arrays of strings, with the place of each string.

use std::ops::Range;

/// Nested deeper than this is no array of arguments.
const MAX_DEPTH: usize = 500;

/// Why a text is no array of strings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoStrings {
    /// It is not a JSON array.
    NoArray,
    /// It is one, but this value in it is no string.
    OtherValues(Range<usize>),
}

/// Reads `text` as a JSON array of strings (RFC 8259) and nothing after it.
pub(super) fn strings(text: &str) -> Result<Vec<(String, Range<usize>)>, NoStrings> {
    let mut reader = Reader { text, at: text.len() - text.trim_start().len() };
    reader.array().ok_or(NoStrings::NoArray)?.map_err(NoStrings::OtherValues)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

type Strings = Vec<(String, Range<usize>)>;

impl Reader<'_> {
    /// Reads the whole array; the inner error is the first value that is no string. `None` when it is not JSON.
    fn array(&mut self) -> Option<Result<Strings, Range<usize>>> {
        let mut strings = Vec::new();
        let mut other = None;
        self.byte(b'[')?;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                self.blanks();
                let start = self.at;
                if self.peek() == Some(b'"') {
                    let text = self.string()?;
                    strings.push((text, start..self.at));
                } else {
                    self.value(0)?;
                    other.get_or_insert(start..self.at);
                }
                self.blanks();
                if !self.another(b']')? {
                    break;
                }
            }
        }
        self.blanks();
        if self.at != self.text.len() {
            return None;
        }
        Some(other.map_or(Ok(strings), Err))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn byte(&mut self, expected: u8) -> Option<()> {
        (self.peek()? == expected).then(|| self.at += 1)
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Reads what follows a value: a comma (true) or `close` (false).
    fn another(&mut self, close: u8) -> Option<bool> {
        let byte = self.peek()?;
        self.at += 1;
        if byte == b',' { Some(true) } else { (byte == close).then_some(false) }
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'[' => self.members(b']', depth, |_| Some(())),
            b'{' => self.members(b'}', depth, |reader| {
                reader.string()?;
                reader.blanks();
                reader.byte(b':')
            }),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    fn members(&mut self, close: u8, depth: usize, key: fn(&mut Self) -> Option<()>) -> Option<()> {
        self.at += 1;
        self.blanks();
        if self.peek() == Some(close) {
            self.at += 1;
            return Some(());
        }
        loop {
            self.blanks();
            key(self)?;
            self.blanks();
            self.value(depth + 1)?;
            self.blanks();
            if !self.another(close)? {
                return Some(());
            }
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn digits(&mut self) -> Option<()> {
        let digits = self.text.as_bytes()[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        (digits > 0).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn string(&mut self) -> Option<String> {
        self.byte(b'"')?;
        let mut text = String::new();
        loop {
            let c = self.text[self.at..].chars().next()?;
            self.at += c.len_utf8();
            match c {
                '"' => return Some(text),
                '\\' => text.push(self.escaped()?),
                c if c < ' ' => return None,
                c => text.push(c),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let byte = self.peek()?;
        self.at += 1;
        Some(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.hex()?;
                let before = self.at;
                // a high surrogate counts only together with a low one; alone it is the replacement character
                if (0xd800..0xdc00).contains(&unit)
                    && self.word("\\u").is_some()
                    && let Some(low @ 0xdc00..0xe000) = self.hex()
                {
                    return char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
                }
                self.at = before;
                char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits =
            self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Result<Vec<String>, NoStrings> {
        strings(text).map(|strings| strings.into_iter().map(|(text, _)| text).collect())
    }

    #[test]
    fn strings_come_with_their_place() {
        let text = r#" [ "a", "b\u00e9\ud83d\ude00" ] "#;
        let found = strings(text).unwrap();
        assert_eq!(found[0], ("a".to_owned(), 3..6));
        assert_eq!(found[1].0, "bé😀");
        assert_eq!(&text[found[1].1.clone()], r#""b\u00e9\ud83d\ude00""#);
    }

    #[test]
    fn what_is_no_json_is_told_from_what_holds_other_values() {
        assert_eq!(values("[]"), Ok(vec![]));
        assert_eq!(values("['a']"), Err(NoStrings::NoArray));
        assert_eq!(values(r#"["a",]"#), Err(NoStrings::NoArray));
        assert_eq!(values(r#"["a"] # b"#), Err(NoStrings::NoArray));
        assert_eq!(values("[ -f x ]"), Err(NoStrings::NoArray));
        assert_eq!(values(r#"["a", ["b"]]"#), Err(NoStrings::OtherValues(6..11)));
        assert_eq!(values(r#"[{"a": [1.5e3, null]}, "b"]"#), Err(NoStrings::OtherValues(1..21)));
        assert_eq!(values(&"[".repeat(100_000)), Err(NoStrings::NoArray));
    }
}
