//! Which version of Node.js: major versions and the ranges that allow them.

use std::fmt;

/// A major version of Node.js.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Major(pub(super) u32);

/// The version of Debian 13.
pub(super) const DEBIAN: Major = Major(20);

/// Versions with long-term support: Debian's first, then the newest.
const KNOWN: [Major; 5] = [DEBIAN, Major(24), Major(22), Major(18), Major(16)];

/// Names of the lines with long-term support, which are tags of images and words in `.nvmrc`.
const LINES: &[(&str, u32)] =
    &[("gallium", 16), ("hydrogen", 18), ("iron", 20), ("jod", 22), ("krypton", 24), ("lts", 24)];

impl fmt::Display for Major {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Major {
    /// Reads `20`, `v20.11.1`, `20.x`, `lts/iron`; nothing for other texts.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches(['v', '=', '^', '~']);
        let name = text.strip_prefix("lts/").unwrap_or(text).to_ascii_lowercase();
        let name = if name == "*" { "lts" } else { name.split(['-', ' ']).next().unwrap_or_default() };
        if let Some((_, major)) = LINES.iter().find(|(known, _)| *known == name) {
            return Some(Self(*major));
        }
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse().ok().filter(|major| (4..100).contains(major)).map(Self)
    }

    /// Reads the version from the name of an image such as `node:20-alpine` or `nodejs20-debian12`; nothing if it is no
    /// image of Node.js or does not say.
    pub(super) fn of_image(image: &str) -> Option<Self> {
        let name = image.split('@').next().unwrap_or(image);
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, tag),
            _ => (name, ""),
        };
        let last = repository.rsplit('/').next().unwrap_or(repository);
        if let Some(digits) = last.strip_prefix("nodejs") {
            return Self::parse(digits).or_else(|| Self::parse(tag));
        }
        last.contains("node").then(|| Self::parse(tag)).flatten()
    }
}

/// Returns the best version that a range (as npm writes them) allows: Debian's, or else the newest with long-term support.
pub(super) fn choose(range: &str) -> Option<Major> {
    KNOWN.into_iter().find(|major| allows(range, *major))
}

/// Whether a range allows some release of a major version.
fn allows(range: &str, major: Major) -> bool {
    range.split("||").any(|choice| {
        let words: Vec<&str> = choice.split_whitespace().collect();
        if let [low, "-", high] = words.as_slice() {
            return number(low).is_none_or(|(low, _)| low <= major.0)
                && number(high).is_none_or(|(high, _)| major.0 <= high);
        }
        // an operator may stand apart from its version
        let mut clauses: Vec<String> = Vec::new();
        for word in words {
            match clauses.last_mut() {
                Some(last) if !last.contains(|c: char| c.is_ascii_digit() || c == 'x' || c == '*') => {
                    last.push_str(word);
                }
                _ => clauses.push(word.to_owned()),
            }
        }
        clauses.iter().all(|clause| fits(clause, major))
    })
}

/// One comparison against a major version. Later numbers only matter where they exclude all of a major version.
fn fits(clause: &str, major: Major) -> bool {
    let start = clause.find(|c: char| c.is_ascii_digit()).unwrap_or(clause.len());
    let operator = clause[..start].trim_end_matches('v');
    let Some((bound, is_first)) = number(&clause[start..]) else { return true };
    match operator {
        ">" => major.0 > bound || (major.0 == bound && clause.contains('.')),
        ">=" => major.0 >= bound,
        "<" => major.0 < bound || (major.0 == bound && !is_first),
        "<=" => major.0 <= bound,
        _ => major.0 == bound,
    }
}

/// Returns the major version of a text, and whether it is the first release of it.
fn number(text: &str) -> Option<(u32, bool)> {
    let text = text.trim_start_matches(['v', '=']);
    let mut parts = text.split('.').map(|part| part.parse::<u32>().ok());
    let major = parts.next().flatten()?;
    Some((major, parts.all(|part| part.unwrap_or(0) == 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_files_and_tags() {
        for (text, major) in
            [("20", 20), ("v22.3.0\n", 22), ("18.x", 18), ("lts/iron", 20), ("lts/*", 24), ("^20.1", 20)]
        {
            assert_eq!(Major::parse(text), Some(Major(major)), "{text}");
        }
        assert_eq!(Major::parse("latest"), None);
        for (image, major) in [
            ("docker.io/library/node:20-alpine3.19", 20),
            ("node:18.20.1-slim@sha256:00", 18),
            ("gcr.io/distroless/nodejs22-debian12", 22),
            ("registry.example.org:5000/node:iron-slim", 20),
            ("node:lts-alpine", 24),
        ] {
            assert_eq!(Major::of_image(image), Some(Major(major)), "{image}");
        }
        for image in ["node", "node:latest", "node:alpine", "localhost:5000/node", "debian:13"] {
            assert_eq!(Major::of_image(image), None, "{image}");
        }
    }

    #[test]
    fn debians_version_is_taken_where_it_is_allowed() {
        for range in [">=18", "20.x", "^20.9.0", ">= 18.0.0 < 23", "18 || 20", "*", "", "18 - 22", ">=20.0.0 <21.0.0"] {
            assert_eq!(choose(range), Some(DEBIAN), "{range}");
        }
    }

    #[test]
    fn otherwise_the_newest_that_is_allowed() {
        for (range, major) in
            [(">=22", 24), ("^22.1.0", 22), ("<20", 18), ("16.x || 18.x", 18), (">20", 24), ("~18.1", 18)]
        {
            assert_eq!(choose(range), Some(Major(major)), "{range}");
        }
        assert_eq!(choose("<20.0.0 >18.99"), Some(Major(18)));
        assert_eq!(choose("12.x"), None);
    }
}
