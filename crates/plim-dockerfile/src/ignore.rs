//! The patterns of `.dockerignore` files, of `COPY --exclude` and of `COPY --parents`.
//!
//! The semantics are those of the pattern matcher that all Docker tools share: patterns are checked in order and the last
//! that matches decides; one that matches a directory matches everything below; `!` takes files out again; `*` and `?`
//! stop at slashes and `**` does not.

mod file;
mod glob;

use glob::Glob;

/// A list of patterns.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    patterns: Vec<Pattern>,
}

/// One pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    negative: bool,
    glob: Glob,
    /// The parts between slashes; `None` for one with `**`, which may match at any depth.
    parts: Vec<Option<Glob>>,
}

/// A pattern that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad pattern `{pattern}`: {reason}")]
pub struct PatternError {
    /// The pattern as given.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: &'static str,
    /// The line of the ignore file, from 1; 0 for patterns that do not come from one.
    pub line: usize,
}

impl PatternError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        Some("put a backslash before a `[` or a backslash that is part of a name".to_owned())
    }
}

/// Which patterns matched a directory: saves a walk from matching all parents of a file again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParentMatches {
    matched: Vec<bool>,
}

impl Pattern {
    fn new(pattern: &str, line: usize) -> Result<Option<Self>, PatternError> {
        let fail = |reason| PatternError { pattern: pattern.to_owned(), reason, line };
        let trimmed = pattern.trim();
        if trimmed.is_empty() {
            return Ok(None);
        }
        let cleaned = crate::mount::values::clean(trimmed);
        let (negative, text) = match cleaned.strip_prefix('!') {
            Some("") => return Err(fail("there is nothing behind the `!`")),
            Some(text) => (true, text.to_owned()),
            None => (false, cleaned),
        };
        let glob = Glob::parse(&text).map_err(fail)?;
        let part = |part: &str| if part.contains("**") { Ok(None) } else { Glob::parse(part).map(Some) };
        let parts = text.split('/').map(part).collect::<Result<_, _>>().unwrap_or_else(|_| vec![None]);
        Ok(Some(Self { text, negative, glob, parts }))
    }

    /// Returns the pattern, cleaned and without `!`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns whether it takes files out of the list again (`!`).
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Whether it may match something below the directory `dir`, or everything there because it matches a parent.
    fn may_match_below(&self, dir: &str) -> bool {
        let mut parts = self.parts.iter();
        for name in dir.split('/').filter(|name| !name.is_empty() && *name != ".") {
            match parts.next() {
                None | Some(None) => return true,
                Some(Some(part)) if !part.matches(name) => return false,
                Some(Some(_)) => {}
            }
        }
        true
    }
}

impl Patterns {
    /// Reads the text of a `.dockerignore` file.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut patterns = Vec::new();
        for (line, pattern) in file::patterns(text) {
            patterns.extend(Pattern::new(&pattern, line)?);
        }
        Ok(Self { patterns })
    }

    /// Reads single patterns, such as the values of `--exclude`. Empty ones are dropped.
    pub fn new(patterns: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, PatternError> {
        let mut read = Vec::new();
        for pattern in patterns {
            read.extend(Pattern::new(pattern.as_ref(), 0)?);
        }
        Ok(Self { patterns: read })
    }

    /// Returns the patterns in order.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Returns whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Returns whether a pattern begins with `!`.
    pub fn has_negative(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.negative)
    }

    /// Returns whether the last pattern that matches `path` itself is not negative. Parents do not count.
    pub fn matches(&self, path: impl AsRef<[u8]>) -> bool {
        let path = String::from_utf8_lossy(path.as_ref());
        self.decide(|pattern| pattern.glob.matches(&path))
    }

    /// Returns whether `path` (relative, with slashes) is in the list: itself or through one of its directories.
    pub fn matches_or_parent_matches(&self, path: impl AsRef<[u8]>) -> bool {
        let path = String::from_utf8_lossy(path.as_ref());
        self.decide(|pattern| matches_with_parents(pattern, &path))
    }

    /// Returns whether `path` is excluded. An excluded directory still has to be walked where
    /// [`Patterns::may_reinclude_below`] says so. The root (`.` or nothing) never is.
    pub fn excludes(&self, path: impl AsRef<[u8]>) -> bool {
        let path = path.as_ref();
        !matches!(path, b"" | b"." | b"/") && self.matches_or_parent_matches(path)
    }

    /// Returns what [`Patterns::matches_or_parent_matches`] does for an entry of a directory with `parent`, its matches;
    /// and the entry's own for what lies below it. Begin with the default for entries of the root.
    ///
    /// This is how builders walk a context. It differs from matching whole paths in one way, as it does there: a `!`
    /// pattern only takes out what lies below a directory that was excluded when the pattern matched it, or what it
    /// matches itself.
    pub fn matches_below(&self, path: impl AsRef<[u8]>, parent: &ParentMatches) -> (bool, ParentMatches) {
        let path = String::from_utf8_lossy(path.as_ref());
        let mut matched = vec![false; self.patterns.len()];
        let mut result = false;
        for (index, pattern) in self.patterns.iter().enumerate() {
            let inherited = parent.matched.get(index).copied().unwrap_or(false);
            // a pattern that could change nothing is not tried, but what matched the directory matches below
            let hit = inherited || (pattern.negative == result && pattern.glob.matches(&path));
            if let Some(slot) = matched.get_mut(index) {
                *slot = hit;
            }
            if hit {
                result = !pattern.negative;
            }
        }
        (result, ParentMatches { matched })
    }

    /// Returns whether a `!` pattern may take something below the excluded directory `dir` out of the list again, so that
    /// it has to be walked.
    pub fn may_reinclude_below(&self, dir: impl AsRef<[u8]>) -> bool {
        let dir = String::from_utf8_lossy(dir.as_ref());
        self.patterns.iter().any(|pattern| pattern.negative && pattern.may_match_below(&dir))
    }

    /// Returns whether something below the directory `dir` may match, so that a walk that looks for matches has to enter
    /// it.
    pub fn may_match_below(&self, dir: impl AsRef<[u8]>) -> bool {
        let dir = String::from_utf8_lossy(dir.as_ref());
        self.patterns.iter().any(|pattern| !pattern.negative && pattern.may_match_below(&dir))
    }

    fn decide(&self, hits: impl Fn(&Pattern) -> bool) -> bool {
        let mut result = false;
        for pattern in &self.patterns {
            if pattern.negative == result && hits(pattern) {
                result = !pattern.negative;
            }
        }
        result
    }
}

fn matches_with_parents(pattern: &Pattern, path: &str) -> bool {
    let parents = path.match_indices('/').map(|(at, _)| &path[..at]).filter(|parent| !parent.is_empty());
    pattern.glob.matches(path) || parents.into_iter().any(|parent| pattern.glob.matches(parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Patterns {
        Patterns::parse(text).unwrap()
    }

    #[test]
    fn the_last_pattern_decides() {
        let patterns = file("*.md\n!README*.md\nREADME-secret.md\n");
        assert!(patterns.excludes("a.md"));
        assert!(!patterns.excludes("README-x.md"));
        assert!(patterns.excludes("README-secret.md"));
        assert!(!patterns.excludes("."));
    }

    #[test]
    fn ignore_files_are_read_leniently() {
        let patterns = file("\u{feff}/a/\n# no\n #yes\n\n  b/../c  \r\n! /d/\n.\n");
        let texts: Vec<_> = patterns.patterns().iter().map(|p| (p.text(), p.is_negative())).collect();
        assert_eq!(texts, [("a", false), ("#yes", false), ("c", false), ("d", true), (".", false)]);
    }

    #[test]
    fn bad_patterns_name_their_line() {
        let error = Patterns::parse("ok\n[a").unwrap_err();
        assert_eq!((error.line, error.pattern.as_str()), (2, "[a"));
        assert!(Patterns::parse("!").is_err());
        assert!(Patterns::new(["a\\"]).is_err());
    }

    #[test]
    fn an_excluded_directory_is_walked_for_what_is_taken_out_again() {
        let patterns = file("*\n!src/*/keep\n!docs\n");
        assert!(patterns.excludes("src/a"));
        assert!(patterns.may_reinclude_below("src"));
        assert!(patterns.may_reinclude_below("src/a"));
        assert!(!patterns.may_reinclude_below("target"));
        assert!(!patterns.may_reinclude_below("srcs"));
        assert!(!patterns.excludes("docs/deep/file"));
        assert!(file("a\n!**/x").may_reinclude_below("a/b"));
        assert!(!file("a\nb").may_reinclude_below("a"));
    }

    #[test]
    fn walking_with_parent_matches_agrees_with_matching_each_path() {
        let patterns = file("a\n!a/b\na/b/*.log\n!a/b/keep.log\n**/tmp\n!x/tmp/ok\nx/**\n");
        for path in
            ["a", "a/c", "a/b", "a/b/f", "a/b/x.log", "a/b/keep.log", "a/b/tmp/f", "x", "x/tmp", "x/tmp/ok/z", "y/tmp"]
        {
            let mut parent = ParentMatches::default();
            let mut result = false;
            for end in path.match_indices('/').map(|(at, _)| at).chain([path.len()]) {
                (result, parent) = patterns.matches_below(&path[..end], &parent);
            }
            assert_eq!(result, patterns.matches_or_parent_matches(path), "{path}");
        }
    }

    #[test]
    fn a_negative_pattern_does_not_reach_below_a_directory_it_did_not_take_out() {
        let patterns = file("b/**\n!*\n");
        let (excluded, parent) = patterns.matches_below("b", &ParentMatches::default());
        assert!(!excluded);
        assert!(patterns.matches_below("b/a", &parent).0);
        assert!(!patterns.matches_or_parent_matches("b/a"));
    }

    #[test]
    fn include_patterns_say_where_to_look() {
        let patterns = Patterns::new(["src/*/go.mod", "lib/**/x"]).unwrap();
        assert!(patterns.may_match_below("src"));
        assert!(patterns.may_match_below("src/a"));
        assert!(patterns.may_match_below("lib/q/r"));
        assert!(!patterns.may_match_below("test"));
        assert!(patterns.may_match_below("."));
    }
}
