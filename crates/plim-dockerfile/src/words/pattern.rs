//! The patterns of `${x#pattern}` and `${x/pattern/text}`: `*`, `?` and literals. There are no brackets, and like the
//! regular expressions that BuildKit makes of them, wildcards do not match a newline.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Star,
    Any,
    Literal(char),
}

impl Token {
    fn takes(self, c: char) -> bool {
        match self {
            Token::Star | Token::Any => c != '\n',
            Token::Literal(literal) => c == literal,
        }
    }
}

#[derive(Debug)]
pub(super) struct Pattern {
    tokens: Vec<Token>,
}

impl Pattern {
    /// Reads a pattern. The error is the escape that means nothing.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' => Token::Star,
                '?' => Token::Any,
                '\\' => match chars.next() {
                    Some(c @ ('*' | '?' | '\\' | '}' | '/')) => Token::Literal(c),
                    other => return Err(other.map_or("\\".to_owned(), |c| format!("\\{c}"))),
                },
                c => Token::Literal(c),
            });
        }
        // a star after a star adds nothing but work
        tokens.dedup_by(|a, b| *a == Token::Star && *b == Token::Star);
        Ok(Self { tokens })
    }

    /// Returns `value` without the shortest or longest match at its start.
    pub(super) fn trim_start<'v>(&self, value: &'v str, longest: bool) -> &'v str {
        matched(&self.tokens, value.chars(), longest).map_or(value, |length| &value[length..])
    }

    /// Returns `value` without the shortest or longest match at its end.
    pub(super) fn trim_end<'v>(&self, value: &'v str, longest: bool) -> &'v str {
        let reversed: Vec<Token> = self.tokens.iter().rev().copied().collect();
        matched(&reversed, value.chars().rev(), longest).map_or(value, |length| &value[..value.len() - length])
    }

    /// Returns `value` with the first match, or every one, replaced by `replacement`. Matches are as long as possible.
    pub(super) fn replace(&self, value: &str, replacement: &str, all: bool) -> String {
        let mut out = String::with_capacity(value.len());
        let mut at = 0;
        // an empty match right behind another match does not count
        let mut last_end = None;
        // a leading star that fails here fails everywhere before the next newline
        let mut hopeless_until = 0;
        while at <= value.len() {
            let found = if at < hopeless_until { None } else { matched(&self.tokens, value[at..].chars(), true) };
            if found.is_none() && at >= hopeless_until && self.tokens.first() == Some(&Token::Star) {
                hopeless_until = value[at..].find('\n').map_or(value.len(), |newline| at + newline);
            }
            if let Some(length) = found.filter(|length| *length > 0 || last_end != Some(at)) {
                out.push_str(replacement);
                at += length;
                last_end = Some(at);
                if !all {
                    break;
                }
                if length > 0 {
                    continue;
                }
            }
            let Some(c) = value[at..].chars().next() else { break };
            out.push(c);
            at += c.len_utf8();
        }
        out.push_str(value.get(at..).unwrap_or_default());
        out
    }
}

/// Returns the bytes of the shortest or longest match of `tokens` at the beginning of `chars`. Follows all ways to match
/// at once, so that the time is bounded by the product of the lengths.
fn matched(tokens: &[Token], chars: impl Iterator<Item = char>, longest: bool) -> Option<usize> {
    let mut states = vec![false; tokens.len() + 1];
    states[0] = true;
    close(tokens, &mut states);
    let mut best = None;
    let mut length = 0;
    let mut chars = chars;
    loop {
        if states[tokens.len()] {
            best = Some(length);
            if !longest {
                return best;
            }
        }
        let Some(c) = chars.next() else { return best };
        length += c.len_utf8();
        let mut next = vec![false; tokens.len() + 1];
        for (state, token) in tokens.iter().enumerate() {
            if states[state] && token.takes(c) {
                next[if *token == Token::Star { state } else { state + 1 }] = true;
            }
        }
        close(tokens, &mut next);
        if !next.contains(&true) {
            return best;
        }
        states = next;
    }
}

/// A star may match nothing: whoever is before one is also behind it.
fn close(tokens: &[Token], states: &mut [bool]) {
    for (state, token) in tokens.iter().enumerate() {
        if states[state] && *token == Token::Star {
            states[state + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn empty_patterns_match_between_all_characters() {
        assert_eq!(pattern("").replace("ab", "-", true), "-a-b-");
        assert_eq!(pattern("").replace("ab", "-", false), "-ab");
        assert_eq!(pattern("*").replace("ab", "-", true), "-");
        assert_eq!(pattern("b*").replace("abc\nbd", "-", true), "a-\n-");
    }

    #[test]
    fn wildcards_stop_at_newlines() {
        assert_eq!(pattern("*").trim_start("a\nb", true), "\nb");
        assert_eq!(pattern("?").trim_start("\nb", true), "\nb");
    }

    #[test]
    fn escapes_are_checked() {
        assert_eq!(Pattern::parse("a\\b").unwrap_err(), "\\b");
        assert_eq!(Pattern::parse("a\\").unwrap_err(), "\\");
    }

    #[test]
    fn hostile_patterns_take_bounded_time() {
        let text = "a".repeat(5_000);
        assert_eq!(pattern(&"*a".repeat(30)).trim_start(&format!("{text}b"), true), "b");
        assert_eq!(pattern(&format!("{}b", "*a".repeat(30))).trim_start(&text, true), text);
    }
}
