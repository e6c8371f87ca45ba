//! Which files of packages are left out.

use bstr::{BStr, ByteSlice};

/// An ordered list of path patterns; the last one that matches decides.
///
/// A pattern covers the path it names and all below it. `*` and `?` stand for any bytes and one byte of a name, `**` for
/// any number of names; `!` in front means "keep".
#[derive(Debug, Clone, Default)]
pub(crate) struct Patterns {
    rows: Vec<(bool, Vec<String>)>,
}

impl Patterns {
    pub(crate) fn new(patterns: &[String]) -> Self {
        let rows = patterns
            .iter()
            .map(|pattern| match pattern.strip_prefix('!') {
                Some(kept) => (false, kept.split('/').map(str::to_owned).collect()),
                None => (true, pattern.split('/').map(str::to_owned).collect()),
            })
            .collect();
        Self { rows }
    }

    /// Says whether a path, relative to the root, is to be left out.
    pub(crate) fn matches(&self, path: &BStr) -> bool {
        if self.rows.is_empty() {
            return false;
        }
        let names: Vec<&[u8]> = path.split_str("/").collect();
        self.rows.iter().rev().find(|(_, row)| names_match(row, &names)).is_some_and(|(drop, _)| *drop)
    }
}

fn names_match(pattern: &[String], names: &[&[u8]]) -> bool {
    match pattern.split_first() {
        None => true,
        Some((first, rest)) if first == "**" => (0..=names.len()).any(|skip| names_match(rest, &names[skip..])),
        Some((first, rest)) => names
            .split_first()
            .is_some_and(|(name, below)| name_matches(first.as_bytes(), name) && names_match(rest, below)),
    }
}

/// Matches one name; remembers the last star and retries from there, so the time is bounded by the product of lengths.
fn name_matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    n = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(patterns: &[&str], path: &str) -> bool {
        let patterns: Vec<String> = patterns.iter().map(|&p| p.to_owned()).collect();
        Patterns::new(&patterns).matches(path.into())
    }

    #[test]
    fn a_pattern_covers_the_tree_below() {
        assert!(dropped(&["usr/share/man"], "usr/share/man"));
        assert!(dropped(&["usr/share/man"], "usr/share/man/man1/ls.1.gz"));
        assert!(!dropped(&["usr/share/man"], "usr/share/manual"));
    }

    #[test]
    fn the_last_match_decides() {
        let patterns = ["usr/share/doc/*", "!usr/share/doc/*/copyright"];
        assert!(dropped(&patterns, "usr/share/doc/libc6"));
        assert!(dropped(&patterns, "usr/share/doc/libc6/changelog.gz"));
        assert!(!dropped(&patterns, "usr/share/doc/libc6/copyright"));
        assert!(!dropped(&patterns, "usr/share/doc"));
    }

    #[test]
    fn stars_stay_inside_a_name_and_double_stars_do_not() {
        assert!(dropped(&["usr/lib/*/gconv"], "usr/lib/x86_64-linux-gnu/gconv/UTF-16.so"));
        assert!(!dropped(&["usr/*/gconv"], "usr/lib/x86_64-linux-gnu/gconv"));
        assert!(dropped(&["usr/**/*.a"], "usr/lib/x/libc.a"));
        assert!(dropped(&["usr/lib/python3.*/test?"], "usr/lib/python3.13/tests/x"));
        assert!(!dropped(&["a*b*c"], "aXbX"));
    }
}
