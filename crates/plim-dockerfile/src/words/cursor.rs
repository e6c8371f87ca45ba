//! The walk through one word.

use std::iter::Peekable;
use std::str::Chars;

use super::pattern::Pattern;
use super::{Env, Expanded, Lexer, WordErrorKind};

/// Substitutions within substitutions beyond this are an attack on the stack.
const MAX_DEPTH: usize = 100;

pub(super) struct Cursor<'a> {
    lexer: Lexer,
    chars: Peekable<Chars<'a>>,
    env: &'a dyn Env,
    depth: usize,
    found: Expanded,
}

/// Collects words; white space that came from outside of quotes ends one.
#[derive(Default)]
struct Words {
    done: Vec<String>,
    current: String,
}

impl Words {
    fn split(&mut self, text: &str) {
        text.chars().for_each(|c| self.split_char(c));
    }

    fn split_char(&mut self, c: char) {
        if !c.is_whitespace() {
            self.current.push(c);
        } else if !self.current.is_empty() {
            self.done.push(std::mem::take(&mut self.current));
        }
    }

    fn finish(mut self) -> Vec<String> {
        if !self.current.is_empty() {
            self.done.push(self.current);
        }
        self.done
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn new(lexer: Lexer, word: &'a str, env: &'a dyn Env) -> Self {
        Self { lexer, chars: word.chars().peekable(), env, depth: 0, found: Expanded::default() }
    }

    pub(super) fn run(mut self) -> Result<Expanded, WordErrorKind> {
        let (text, words) = self.until(None, self.lexer.raw_escapes)?;
        Ok(Expanded { text, words, ..self.found })
    }

    /// Expands up to `stop`, which is taken, or up to the end.
    fn until(&mut self, stop: Option<char>, raw_escapes: bool) -> Result<(String, Vec<String>), WordErrorKind> {
        if self.depth > MAX_DEPTH {
            return Err(WordErrorKind::TooDeep);
        }
        self.depth += 1;
        let outer = std::mem::replace(&mut self.lexer.raw_escapes, raw_escapes);
        let result = self.expand(stop);
        self.lexer.raw_escapes = outer;
        self.depth -= 1;
        result
    }

    fn expand(&mut self, stop: Option<char>) -> Result<(String, Vec<String>), WordErrorKind> {
        let mut text = String::new();
        let mut words = Words::default();
        while let Some(c) = self.chars.peek().copied() {
            if Some(c) == stop {
                self.chars.next();
                return Ok((text, words.finish()));
            }
            match c {
                '$' => {
                    let value = self.dollar()?;
                    text.push_str(&value);
                    words.split(&value);
                }
                '<' => {
                    let value = self.less_than();
                    text.push_str(&value);
                    words.current.push_str(&value);
                }
                '\'' | '"' if !self.lexer.skip_quotes => {
                    let value = if c == '"' { self.double_quoted()? } else { self.single_quoted()? };
                    text.push_str(&value);
                    words.current.push_str(&value);
                }
                _ if c == self.lexer.escape => {
                    self.chars.next();
                    if self.lexer.raw_escapes {
                        text.push(c);
                        words.current.push(c);
                    }
                    // at the very end it escapes nothing and is dropped
                    if let Some(c) = self.chars.next() {
                        text.push(c);
                        words.current.push(c);
                    }
                }
                _ => {
                    self.chars.next();
                    text.push(c);
                    words.split_char(c);
                }
            }
        }
        match stop {
            Some(stop) => Err(WordErrorKind::Unclosed(stop)),
            None => Ok((text, words.finish())),
        }
    }

    fn single_quoted(&mut self) -> Result<String, WordErrorKind> {
        let mut text = String::new();
        let quote = self.chars.next();
        text.extend(quote.filter(|_| self.lexer.raw_quotes));
        loop {
            match self.chars.next() {
                None => return Err(WordErrorKind::Unclosed('\'')),
                Some('\'') => {
                    text.extend(quote.filter(|_| self.lexer.raw_quotes));
                    return Ok(text);
                }
                Some(c) => text.push(c),
            }
        }
    }

    fn double_quoted(&mut self) -> Result<String, WordErrorKind> {
        let mut text = String::new();
        let quote = self.chars.next();
        text.extend(quote.filter(|_| self.lexer.raw_quotes));
        loop {
            match self.chars.peek().copied() {
                None => return Err(WordErrorKind::Unclosed('"')),
                Some('"') => {
                    self.chars.next();
                    text.extend(quote.filter(|_| self.lexer.raw_quotes));
                    return Ok(text);
                }
                Some('$') => text.push_str(&self.dollar()?),
                Some(c) if c == self.lexer.escape => {
                    self.chars.next();
                    if self.lexer.raw_escapes {
                        text.push(c);
                    }
                    match self.chars.peek().copied() {
                        None => {}
                        // as in sh, only these lose the escape; before all others it is a character
                        Some(next) if matches!(next, '"' | '$') || next == self.lexer.escape => {
                            text.extend(self.chars.next());
                        }
                        Some(_) => text.push(c),
                    }
                }
                Some(c) => {
                    self.chars.next();
                    text.push(c);
                }
            }
        }
    }

    /// `<<` swallows the blanks behind it, so that `<< EOF` is one word like `<<EOF`.
    fn less_than(&mut self) -> String {
        self.chars.next();
        let mut text = String::from("<");
        if self.chars.next_if_eq(&'<').is_some() {
            text.push('<');
            while let Some(blank) = self.chars.next_if(|c| matches!(c, '\t' | '\r' | ' ')) {
                text.push(blank);
            }
        }
        text
    }

    fn dollar(&mut self) -> Result<String, WordErrorKind> {
        self.chars.next();
        if self.chars.next_if_eq(&'{').is_none() {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(match self.lookup(&name) {
                None if self.lexer.skip_unset => format!("${name}"),
                value => value.unwrap_or_default(),
            });
        }
        match self.chars.peek() {
            None => return Err(WordErrorKind::Unclosed('}')),
            Some('{' | '}' | ':') => return Err(WordErrorKind::BadSubstitution),
            Some(_) => {}
        }
        let name = self.name();
        match self.chars.next() {
            None => Err(WordErrorKind::Unclosed('}')),
            Some('}') => Ok(match self.lookup(&name) {
                None if self.lexer.skip_unset => format!("${{{name}}}"),
                value => value.unwrap_or_default(),
            }),
            Some(':') => match self.chars.next() {
                Some(operator @ ('-' | '+' | '?')) => self.conditional(&name, operator, true),
                Some(other) => Err(WordErrorKind::Modifier(format!(":{other}"))),
                None => Err(WordErrorKind::Unclosed('}')),
            },
            Some(operator @ ('-' | '+' | '?')) => self.conditional(&name, operator, false),
            Some(operator @ ('#' | '%')) => self.trim(&name, operator),
            Some('/') => self.replace(&name),
            Some(other) => Err(WordErrorKind::Modifier(other.to_string())),
        }
    }

    /// `${name-word}`, `${name:+word}` and the like; `colon`: an empty value counts as none.
    fn conditional(&mut self, name: &str, operator: char, colon: bool) -> Result<String, WordErrorKind> {
        let word = self.inner('}', false)?;
        let value = self.lookup(name);
        if value.is_none() && self.lexer.skip_unset {
            let colon = if colon { ":" } else { "" };
            return Ok(format!("${{{name}{colon}{operator}{word}}}"));
        }
        let was_set = value.is_some();
        let value = value.filter(|value| !(colon && value.is_empty()));
        match (operator, value) {
            ('+', None) => Ok(String::new()),
            ('+', Some(_)) | ('-', None) => Ok(word),
            ('?', None) => {
                let message = match word.as_str() {
                    "" if was_set => "must not be empty",
                    "" => "must be set",
                    word => word,
                };
                Err(WordErrorKind::Required { name: name.to_owned(), message: message.to_owned() })
            }
            (_, value) => Ok(value.unwrap_or_default()),
        }
    }

    /// `${name#pattern}`, `##`, `%` and `%%`.
    fn trim(&mut self, name: &str, operator: char) -> Result<String, WordErrorKind> {
        let word = self.inner('}', true)?;
        let value = self.lookup(name);
        if value.is_none() && self.lexer.skip_unset {
            return Ok(format!("${{{name}{operator}{word}}}"));
        }
        let value = value.unwrap_or_default();
        let (longest, pattern) = match word.strip_prefix(operator) {
            Some(pattern) => (true, pattern),
            None => (false, word.as_str()),
        };
        let pattern = Pattern::parse(pattern).map_err(WordErrorKind::Pattern)?;
        let rest = match operator {
            '#' => pattern.trim_start(&value, longest),
            _ => pattern.trim_end(&value, longest),
        };
        Ok(rest.to_owned())
    }

    /// `${name/pattern/text}` and `${name//pattern/text}`.
    fn replace(&mut self, name: &str) -> Result<String, WordErrorKind> {
        let all = self.chars.next_if_eq(&'/').is_some();
        let pattern = self.inner('/', true)?;
        let replacement = self.inner('}', true)?;
        let value = self.lookup(name);
        if value.is_none() && self.lexer.skip_unset {
            let slashes = if all { "//" } else { "/" };
            return Ok(format!("${{{name}{slashes}{pattern}/{replacement}}}"));
        }
        let parsed = Pattern::parse(&pattern).map_err(WordErrorKind::Pattern)?;
        Ok(parsed.replace(&value.unwrap_or_default(), &replacement, all))
    }

    fn inner(&mut self, stop: char, raw_escapes: bool) -> Result<String, WordErrorKind> {
        Ok(self.until(Some(stop), raw_escapes)?.0)
    }

    /// Reads a name: letters, digits and `_`; a run of digits; or one special parameter.
    fn name(&mut self) -> String {
        let mut name = String::new();
        match self.chars.peek().copied() {
            Some(c) if c.is_numeric() => {
                while let Some(digit) = self.chars.next_if(|c| c.is_numeric()) {
                    name.push(digit);
                }
            }
            Some(c @ ('@' | '*' | '#' | '?' | '-' | '$' | '!')) => {
                self.chars.next();
                name.push(c);
            }
            _ => {
                while let Some(c) = self.chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    name.push(c);
                }
            }
        }
        name
    }

    fn lookup(&mut self, name: &str) -> Option<String> {
        let value = self.env.get(name);
        if value.is_some() {
            self.found.matched.insert(name.to_owned());
        } else if !self.found.unmatched.iter().any(|other| other == name) {
            self.found.unmatched.push(name.to_owned());
        }
        value
    }
}
