//! Matching one pattern against one path.

/// A pattern ready for matching.
#[derive(Debug, Clone)]
pub(super) enum Glob {
    /// The path is this text.
    Exact(String),
    /// The path begins with this text (`text**`).
    Prefix(String),
    /// The path ends with this text (`**text`); one that begins with a slash also matches from the start of the path.
    Suffix(String),
    /// Everything else.
    Tokens(Vec<Token>),
}

#[derive(Debug, Clone)]
pub(super) enum Token {
    Literal(char),
    /// `?`
    NotSlash,
    /// `*`
    NotSlashes,
    /// `**` at the end
    Anything,
    /// `**` or `**/` before something: nothing, or anything up to a slash
    Directories,
    /// `[a-z]` or `[^a-z]`; unlike `?` it may match a slash
    Class {
        negative: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    /// Reads a cleaned pattern.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut tokens = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let token = match c {
                '*' if chars.next_if_eq(&'*').is_some() => {
                    chars.next_if_eq(&'/');
                    if chars.peek().is_none() { Token::Anything } else { Token::Directories }
                }
                '*' => Token::NotSlashes,
                '?' => Token::NotSlash,
                '\\' => Token::Literal(chars.next().ok_or("a backslash is the last character")?),
                '[' => class(&mut chars)?,
                c => Token::Literal(c),
            };
            tokens.push(token);
        }
        let plain = |text: &str| !text.contains(['*', '?', '\\', '[', ']']);
        Ok(match (text.strip_prefix("**"), text.strip_suffix("**")) {
            _ if plain(text) => Self::Exact(text.to_owned()),
            (Some(suffix), _) if plain(suffix) => Self::Suffix(suffix.to_owned()),
            (_, Some(prefix)) if plain(prefix) => Self::Prefix(prefix.to_owned()),
            _ => Self::Tokens(tokens),
        })
    }

    /// Returns whether the pattern matches `path`, parents not considered.
    pub(super) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(text) => path == text,
            Self::Prefix(text) => path.starts_with(text.as_str()),
            Self::Suffix(text) => path.ends_with(text.as_str()) || text.strip_prefix('/') == Some(path),
            Self::Tokens(tokens) => run(tokens, path),
        }
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Reads a class behind its `[`, by the rules of Go's `filepath.Match`: at least one range, `]` and `-` only escaped.
fn class(chars: &mut Chars<'_>) -> Result<Token, &'static str> {
    const OPEN: &str = "a `[` has no `]`";
    let negative = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && chars.next_if_eq(&']').is_some() {
            return Ok(Token::Class { negative, ranges });
        }
        let first = class_char(chars)?;
        let last = if chars.next_if_eq(&'-').is_some() { class_char(chars)? } else { first };
        if last < first {
            return Err("a range ends before it begins");
        }
        if chars.peek().is_none() {
            return Err(OPEN);
        }
        ranges.push((first, last));
    }
}

fn class_char(chars: &mut Chars<'_>) -> Result<char, &'static str> {
    match chars.next() {
        None => Err("a `[` has no `]`"),
        Some('-' | ']') => Err("`-` or `]` stands where a character of a `[…]` should be"),
        Some('\\') => chars.next().ok_or("a backslash is the last character"),
        Some(c) => Ok(c),
    }
}

/// Follows all ways to match at once. A state is the number of tokens that are matched; a [`Token::Directories`] that has
/// begun to match something is kept apart, since it may only end behind a slash.
fn run(tokens: &[Token], path: &str) -> bool {
    let mut at = States::new(tokens.len());
    at.enter(tokens, 0);
    for c in path.chars() {
        let mut next = States::new(tokens.len());
        for (index, token) in tokens.iter().enumerate() {
            if at.inside[index] && c != '\n' {
                next.inside[index] = true;
                if c == '/' {
                    next.enter(tokens, index + 1);
                }
            }
            if !at.before[index] {
                continue;
            }
            match token {
                Token::Literal(literal) if *literal == c => next.enter(tokens, index + 1),
                Token::NotSlash if c != '/' => next.enter(tokens, index + 1),
                Token::NotSlashes if c != '/' => next.enter(tokens, index),
                Token::Anything if c != '\n' => next.enter(tokens, index),
                Token::Class { negative, ranges } => {
                    let inside = ranges.iter().any(|(first, last)| (*first..=*last).contains(&c));
                    if inside != *negative {
                        next.enter(tokens, index + 1);
                    }
                }
                Token::Directories if c != '\n' => {
                    next.inside[index] = true;
                    if c == '/' {
                        next.enter(tokens, index + 1);
                    }
                }
                _ => {}
            }
        }
        at = next;
    }
    at.before[tokens.len()]
}

struct States {
    /// All tokens before this one are matched.
    before: Vec<bool>,
    /// The `**` with this index is swallowing characters.
    inside: Vec<bool>,
}

impl States {
    fn new(tokens: usize) -> Self {
        Self { before: vec![false; tokens + 1], inside: vec![false; tokens + 1] }
    }

    /// Notes that the tokens before `index` are matched, and goes past those that may match nothing.
    fn enter(&mut self, tokens: &[Token], index: usize) {
        let mut index = index;
        while !self.before[index] {
            self.before[index] = true;
            match tokens.get(index) {
                Some(Token::NotSlashes | Token::Anything | Token::Directories) => index += 1,
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Glob::parse(pattern).unwrap().matches(path)
    }

    #[test]
    fn deep_patterns_in_the_middle_end_at_slashes() {
        assert!(matches("a/**/b", "a/b"));
        assert!(matches("a/**/b", "a/x/y/b"));
        assert!(!matches("a/**/b", "a/xb"));
        assert!(matches("**/*.txt", "x/y.txt"));
        assert!(matches("a**b*", "a/x/bc"));
        assert!(!matches("*/b", "a/c/b"));
    }

    #[test]
    fn hostile_patterns_take_bounded_time() {
        assert!(!matches(&"*a".repeat(200), &"a".repeat(100)));
        assert!(!matches(&format!("{}b", "**a".repeat(100)), &"a/".repeat(1000)));
    }
}
