//! Variables in a compose file. Nobody's environment is read: only defaults that the file itself gives count.

/// How deep defaults may be nested.
const MAX_DEPTH: usize = 8;

/// Replaces `${NAME:-default}` by the default and `$$` by `$`; nothing if a variable has no default.
pub(super) fn interpolate(text: &str) -> Option<String> {
    expand(text, MAX_DEPTH)
}

fn expand(text: &str, depth: usize) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('$') {
            out.push('$');
            rest = behind;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let end = closing(inside)?;
            out.push_str(&default(&inside[..end], depth.checked_sub(1)?)?);
            rest = &inside[end + 1..];
        } else if rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return None;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    Some(out)
}

/// What `NAME:-default`, `NAME-default`, `NAME:+other` and `NAME+other` mean when NAME is not set.
fn default(inside: &str, depth: usize) -> Option<String> {
    let name = inside.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    let operator = inside[name..].trim_start_matches(':');
    match operator.chars().next()? {
        '-' => expand(&operator[1..], depth),
        '+' => Some(String::new()),
        _ => None,
    }
}

/// The place of the brace that closes the one before the text.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_defaults_of_the_file_count() {
        assert_eq!(interpolate("a$$b ${X:-1}${Y-${Z:-2}}${W:+no}").as_deref(), Some("a$b 12"));
        assert_eq!(interpolate("$5 costs").as_deref(), Some("$5 costs"));
        for unknown in ["$HOME", "${HOME}", "${HOME:?must be set}", "${HOME", "x${A:-${B}}"] {
            assert_eq!(interpolate(unknown), None, "{unknown}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[$\\{\\}:+?A-a-]{0,30}") {
            let _ = interpolate(&text);
        }
    }
}
