//! Wildcards of COPY and ADD: the language of Go's `filepath.Match`.
//!
//! `*` is any run of characters but `/`, `?` one such character, `[a-z]` one of a class, `[^a-z]` one not in
//! it, `\` takes the next character as it is.

use bstr::{BStr, ByteSlice};

/// A pattern that is not well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadPattern;

/// Says whether a text is a pattern rather than a name.
pub(crate) fn has_wildcard(text: &BStr) -> bool {
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'*' | b'?' | b'[' => return true,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
    false
}

/// Says whether a whole name matches a pattern. A name that is not UTF-8 is matched byte by byte where it is
/// not.
pub(crate) fn matches(pattern: &BStr, name: &BStr) -> Result<bool, BadPattern> {
    let tokens = parse(pattern)?;
    let characters: Vec<char> = name.char_indices().map(|(start, end, c)| plain(name, start, end, c)).collect();
    Ok(match_here(&tokens, &characters))
}

#[derive(Debug)]
enum Token {
    Star,
    Any,
    One(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// Bytes that are no UTF-8 are told apart by characters that no name can hold.
fn plain(text: &BStr, start: usize, end: usize, character: char) -> char {
    if character == char::REPLACEMENT_CHARACTER && text[start..end] != *"\u{fffd}".as_bytes() {
        // a supplementary private use character for each byte value
        char::from_u32(0x10_FF00 - 0x100 + u32::from(text[start])).unwrap_or(character)
    } else {
        character
    }
}

fn parse(pattern: &BStr) -> Result<Vec<Token>, BadPattern> {
    let mut characters = pattern.char_indices().map(|(start, end, c)| plain(pattern, start, end, c)).peekable();
    let mut tokens = Vec::new();
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '*' => {
                if matches!(tokens.last(), Some(Token::Star)) {
                    continue;
                }
                Token::Star
            }
            '?' => Token::Any,
            '\\' => Token::One(characters.next().ok_or(BadPattern)?),
            '[' => {
                let negated = characters.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                // a class has at least one range, so `]` in the first place stands for itself nowhere
                while ranges.is_empty() || characters.peek() != Some(&']') {
                    let low = class_end(&mut characters)?;
                    let high = match characters.next_if_eq(&'-') {
                        Some(_) => class_end(&mut characters)?,
                        None => low,
                    };
                    ranges.push((low, high));
                }
                characters.next();
                Token::Class { negated, ranges }
            }
            other => Token::One(other),
        });
    }
    Ok(tokens)
}

fn class_end(characters: &mut impl Iterator<Item = char>) -> Result<char, BadPattern> {
    match characters.next() {
        None | Some('-' | ']') => Err(BadPattern),
        Some('\\') => characters.next().ok_or(BadPattern),
        Some(character) => Ok(character),
    }
}

/// Matches with one point to come back to: after a later star no earlier one need give anything up.
fn match_here(tokens: &[Token], name: &[char]) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if let Some(Token::Star) = tokens.get(token) {
            retry = Some((token + 1, at));
            token += 1;
            continue;
        }
        let fits = match (tokens.get(token), name.get(at)) {
            (None, None) => return true,
            (Some(Token::Any), Some(c)) => *c != '/',
            (Some(Token::One(want)), Some(c)) => want == c,
            (Some(Token::Class { negated, ranges }), Some(c)) => {
                ranges.iter().any(|(low, high)| (low..=high).contains(&c)) != *negated
            }
            _ => false,
        };
        if fits {
            (token, at) = (token + 1, at + 1);
            continue;
        }
        match retry {
            Some((after_star, from)) if from < name.len() && name[from] != '/' => {
                retry = Some((after_star, from + 1));
                (token, at) = (after_star, from + 1);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, name: &str) -> Option<bool> {
        matches(pattern.into(), name.into()).ok()
    }

    #[test]
    fn stars_and_question_marks_stay_within_a_component() {
        for (pattern, name, want) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("a?b", "a\u{263a}b", true),
            ("a???b", "a\u{263a}b", false),
            ("a?b", "a/b", false),
            ("*x", "xxx", true),
        ] {
            assert_eq!(check(pattern, name), Some(want), "{pattern} on {name}");
        }
    }

    #[test]
    fn classes_and_escapes_follow_go() {
        for (pattern, name, want) in [
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a[^a]b", "a\u{263a}b", true),
            ("[a-\u{3b6}]*", "\u{3b1}", true),
            ("[\\]a]", "]", true),
            ("[\\-]", "-", true),
            ("[x\\-]", "-", true),
            ("[[]xyz]", "[xyz]", true),
            ("[[]xyz]/file", "[xyz]/file", true),
        ] {
            assert_eq!(check(pattern, name), Some(want), "{pattern} on {name}");
        }
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for pattern in ["[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a[", "a\\", "[a"] {
            assert_eq!(check(pattern, "a"), None, "{pattern}");
        }
    }

    #[test]
    fn names_that_are_no_text_match_by_byte() {
        assert_eq!(matches(b"a\xff".as_bstr(), b"a\xff".as_bstr()), Ok(true));
        assert_eq!(matches(b"a\xff".as_bstr(), b"a\xfe".as_bstr()), Ok(false));
        assert_eq!(matches(b"a?".as_bstr(), b"a\xfe".as_bstr()), Ok(true));
    }

    #[test]
    fn wildcards_are_told_from_names() {
        for (text, want) in
            [("a*", true), ("a?", true), ("[ab]", true), ("a\\*", false), ("a\\\\*", true), ("a", false)]
        {
            assert_eq!(has_wildcard(text.into()), want, "{text}");
        }
    }
}
