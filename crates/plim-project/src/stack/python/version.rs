//! Which version of Python: minor versions and the specifiers that allow them.

use std::fmt;

/// A minor version of Python 3, such as the 13 of 3.13.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Minor(pub(super) u32);

/// The version of Debian 13, for which there is a runtime base without a shell.
pub(super) const DEBIAN: Minor = Minor(13);

/// The versions that are maintained or were until recently, the newest first.
const KNOWN: [Minor; 7] = [Minor(14), Minor(13), Minor(12), Minor(11), Minor(10), Minor(9), Minor(8)];

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "3.{}", self.0)
    }
}

impl Minor {
    /// Reads `3.13`, `3.13.1`, `python-3.13.1`, `cpython@3.13`; nothing for other texts.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches(|c: char| !c.is_ascii_digit());
        let mut parts = text.split('.');
        if parts.next() != Some("3") {
            return None;
        }
        let minor = parts.next()?;
        let end = minor.find(|c: char| !c.is_ascii_digit()).unwrap_or(minor.len());
        minor[..end].parse().ok().map(Self)
    }

    /// Reads the version from the name of an image such as `python:3.12-slim`, or one that is tied to a Debian release;
    /// nothing if it is no Python image.
    pub(super) fn of_image(image: &str) -> Option<Self> {
        let name = image.split('@').next().unwrap_or(image);
        if name.contains("python3-debian13") {
            return Some(DEBIAN);
        }
        let (repository, tag) = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'))?;
        let last = repository.rsplit('/').next().unwrap_or(repository);
        last.contains("python").then(|| Self::parse(tag)).flatten()
    }
}

/// Returns the best version that a specifier (PEP 440, or Poetry's `^` and `~`) allows: Debian's, or else the newest.
pub(super) fn choose(specifier: &str) -> Option<Minor> {
    std::iter::once(DEBIAN).chain(KNOWN).find(|minor| allows(specifier, *minor))
}

/// Whether a specifier allows some release of a minor version.
pub(super) fn allows(specifier: &str, minor: Minor) -> bool {
    specifier.split("||").any(|choice| {
        choice.split(',').map(str::trim).filter(|clause| !clause.is_empty()).all(|clause| fits(clause, minor))
    })
}

/// One clause against a minor version. Micro versions only matter where they exclude all of a minor version.
fn fits(clause: &str, minor: Minor) -> bool {
    let operator_end = clause.find(|c: char| c.is_ascii_digit() || c == '*').unwrap_or(clause.len());
    let (operator, version) = clause.split_at(operator_end);
    let mut parts = version.trim().split('.').map(|part| part.trim_end_matches('*').parse::<u32>().ok());
    let Some(major) = parts.next().flatten() else { return true };
    let named = parts.next().flatten();
    let micro = parts.next().flatten();
    // as minor versions of Python 3: 2.x lies below all of them, 4 above
    let bound = match major {
        0..3 => return matches!(operator.trim(), ">" | ">=" | "!=" | ""),
        3 => named.unwrap_or(0),
        4.. => return matches!(operator.trim(), "<" | "<=" | "!="),
    };
    let is = minor.0 == bound;
    match operator.trim() {
        ">" => minor.0 > bound || (is && micro.is_some()),
        "<=" => minor.0 <= bound,
        "<" => minor.0 < bound || (is && micro.is_some_and(|micro| micro > 0)),
        "==" | "===" | "" => named.is_none() || is,
        "!=" => named.is_none() || !is || micro.is_some(),
        "~=" if micro.is_some() => is,
        "~" if named.is_some() => is,
        // ~=3.9, ^3.9 and ~3 end at the next major version, of which there is none
        ">=" | "~=" | "^" | "~" => minor.0 >= bound,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_files_and_tags() {
        assert_eq!(Minor::parse("3.12.4\n"), Some(Minor(12)));
        assert_eq!(Minor::parse("python-3.9.1"), Some(Minor(9)));
        assert_eq!(Minor::parse("2.7"), None);
        assert_eq!(Minor::of_image("docker.io/library/python:3.11-slim-bookworm@sha256:00"), Some(Minor(11)));
        assert_eq!(Minor::of_image("localhost:5000/python"), None);
        assert_eq!(Minor::of_image("gcr.io/distroless/python3-debian13:nonroot"), Some(DEBIAN));
        assert_eq!(Minor::of_image("debian:13"), None);
        assert_eq!(Minor::of_image("python:slim"), None);
    }

    #[test]
    fn debians_version_is_taken_where_it_is_allowed() {
        for specifier in [">=3.9", ">=3.13", "^3.10", "~=3.11", ">=3.9,<4", "", "*", ">=3.8,!=3.9.1", "==3.*", "3.13"] {
            assert_eq!(choose(specifier), Some(DEBIAN), "{specifier}");
        }
    }

    #[test]
    fn otherwise_the_newest_that_is_allowed() {
        for (specifier, minor) in [
            (">=3.9,<3.13", 12),
            ("~=3.11.0", 11),
            ("==3.10.*", 10),
            ("~3.12", 12),
            (">=3.14", 14),
            ("<3.12.4", 12),
            ("3.8 || 3.9", 9),
        ] {
            assert_eq!(choose(specifier), Some(Minor(minor)), "{specifier}");
        }
        assert_eq!(choose("<3"), None);
    }
}
