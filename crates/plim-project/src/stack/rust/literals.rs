//! The string literals of Rust source text.
//!
//! A small scanner, not a parser: it knows comments, characters, lifetimes and every form of string, so that what it reports
//! is a literal of the program and never a comment.

/// A string literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal {
    /// Its content; escapes stay as written.
    pub(super) text: String,
    /// Its line, from 1.
    pub(super) line: usize,
    /// The code in front of it, comments and blanks taken out, at most some dozens of characters.
    pub(super) before: String,
}

/// How much of the code in front of a literal is kept.
const BEFORE: usize = 64;

/// Returns the string literals of a text, without those of test modules at its end.
pub(super) fn literals(text: &str) -> Vec<Literal> {
    let mut scanner = Scanner { bytes: text.as_bytes(), text, at: 0, line: 1, code: String::new(), found: Vec::new() };
    scanner.run();
    scanner.found
}

struct Scanner<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
    line: usize,
    code: String,
    found: Vec<Literal>,
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn step(&mut self) {
        if self.peek(0) == b'\n' {
            self.line += 1;
        }
        self.at += 1;
    }

    fn run(&mut self) {
        while self.at < self.bytes.len() {
            match self.peek(0) {
                b'/' if self.peek(1) == b'/' => {
                    while self.at < self.bytes.len() && self.peek(0) != b'\n' {
                        self.step();
                    }
                }
                b'/' if self.peek(1) == b'*' => self.block_comment(),
                b'"' => self.string(),
                b'r' if !self.in_word() && self.raw_hashes().is_some() => self.raw_string(),
                b'\'' => self.character(),
                byte => {
                    if !byte.is_ascii_whitespace() {
                        self.code.push(if byte.is_ascii() { byte as char } else { '\u{fffd}' });
                        self.trim_code();
                        if self.code.ends_with("#[cfg(test)]mod") {
                            return;
                        }
                    }
                    self.step();
                }
            }
        }
    }

    /// Whether the byte before belongs to the same word, so that an `r` begins no string; `br"…"` is one.
    fn in_word(&self) -> bool {
        let before = |back: usize| self.at.checked_sub(back).map_or(b' ', |at| self.bytes[at]);
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        match before(1) {
            b'b' | b'c' => word(before(2)),
            byte => word(byte),
        }
    }

    fn trim_code(&mut self) {
        if self.code.len() > 4 * BEFORE {
            let cut = self.code.len() - BEFORE;
            let cut = (cut..self.code.len()).find(|at| self.code.is_char_boundary(*at)).unwrap_or(cut);
            self.code.drain(..cut);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.step();
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.step();
                }
                _ => {}
            }
            self.step();
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        let line = self.line;
        self.step();
        let start = self.at;
        while self.at < self.bytes.len() && self.peek(0) != b'"' {
            if self.peek(0) == b'\\' {
                self.step();
            }
            self.step();
        }
        self.keep(start, self.at.min(self.bytes.len()), line);
        self.step();
    }

    /// The number of `#` between an `r` and the quote.
    fn raw_hashes(&self) -> Option<usize> {
        let hashes = self.bytes[self.at + 1..].iter().take_while(|byte| **byte == b'#').count();
        (self.peek(1 + hashes) == b'"').then_some(hashes)
    }

    fn raw_string(&mut self) {
        let line = self.line;
        let hashes = self.raw_hashes().unwrap_or(0);
        for _ in 0..hashes + 2 {
            self.step();
        }
        let start = self.at;
        while self.at < self.bytes.len() {
            let closed = self.peek(0) == b'"' && (1..=hashes).all(|ahead| self.peek(ahead) == b'#');
            if closed {
                break;
            }
            self.step();
        }
        self.keep(start, self.at.min(self.bytes.len()), line);
        for _ in 0..=hashes {
            self.step();
        }
    }

    /// A character such as `'"'`, or a lifetime.
    fn character(&mut self) {
        let rest = &self.text[self.at + 1..];
        let length = if let Some(escaped) = rest.strip_prefix('\\') {
            escaped.char_indices().skip(1).find(|(_, c)| *c == '\'').map(|(at, _)| at + 2)
        } else {
            let mut characters = rest.char_indices();
            characters.next();
            characters.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1)
        };
        let length = length.filter(|length| *length <= 12).map_or(1, |length| length + 1);
        self.code.push('\'');
        for _ in 0..length {
            self.step();
        }
    }

    fn keep(&mut self, start: usize, end: usize, line: usize) {
        let Some(text) = self.text.get(start..end) else { return };
        let from = self.code.len().saturating_sub(BEFORE);
        let from = (from..=self.code.len()).find(|at| self.code.is_char_boundary(*at)).unwrap_or(0);
        self.found.push(Literal { text: text.to_owned(), line, before: self.code[from..].to_owned() });
        // an own mark, so that the code in front of the next literal shows that one was there
        self.code.push('"');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(source: &str) -> Vec<String> {
        literals(source).into_iter().map(|literal| literal.text).collect()
    }

    #[test]
    fn every_form_of_string_is_found_and_no_comment() {
        let source = r##"
            // "no"
            /* "no" /* "no" */ "no" */
            let a = "yes \" 1";
            let b = r"yes 2\";
            let c = br#"yes " 3"#;
            let d = '"'; let e: &'static str = "yes 4"; let f = '\''; let g = '\u{1F600}';
            let attr"##;
        assert_eq!(texts(source), [r#"yes \" 1"#, r"yes 2\", r#"yes " 3"#, "yes 4"]);
    }

    #[test]
    fn the_code_in_front_is_kept() {
        let found = literals("fn a() {\n  include_str!(\n    \"x.sql\")\n}");
        assert_eq!(found[0].line, 3);
        assert!(found[0].before.ends_with("include_str!("), "{}", found[0].before);
    }

    #[test]
    fn test_modules_are_left_out() {
        assert_eq!(texts("const A: &str = \"a\";\n#[cfg(test)]\nmod tests { const B: &str = \"b\"; }"), ["a"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[\"'rb#/*\\\\a\\n é]{0,40}") {
            let _ = literals(&text);
        }
    }
}
