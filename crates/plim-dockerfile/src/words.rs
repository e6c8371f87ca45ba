//! The shell words of Dockerfiles: quotes, escapes and `$variables` in arguments.
//!
//! This is the small lexer that the builder itself applies to COPY, ENV, WORKDIR and so on. What RUN executes is a
//! matter of the shell in the image and never goes through it.

mod cursor;
mod pattern;

use std::collections::{BTreeMap, BTreeSet};

use cursor::Cursor;

/// Where the values of variables come from.
pub trait Env {
    /// Returns the value of `name`, or `None` when it is not set.
    fn get(&self, name: &str) -> Option<String>;
}

/// No variable is set.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEnv;

impl Env for NoEnv {
    fn get(&self, _name: &str) -> Option<String> {
        None
    }
}

impl Env for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }
}

/// The last pair with a name counts.
impl Env for [(String, String)] {
    fn get(&self, name: &str) -> Option<String> {
        self.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }
}

impl Env for Vec<(String, String)> {
    fn get(&self, name: &str) -> Option<String> {
        Env::get(self.as_slice(), name)
    }
}

/// Expands words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lexer {
    /// The character that takes the meaning of the next one away; see [`crate::Dockerfile::escape`].
    pub escape: char,
    /// Quotes still quote, but stay in the result.
    pub raw_quotes: bool,
    /// Escapes still escape, but stay in the result.
    pub raw_escapes: bool,
    /// Quotes are characters like any other.
    pub skip_quotes: bool,
    /// Variables that are not set stay as written instead of becoming nothing.
    pub skip_unset: bool,
}

/// What a word expands to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expanded {
    /// The whole text as one word.
    pub text: String,
    /// The text cut at white space outside of quotes, after expansion.
    pub words: Vec<String>,
    /// Variables that were used and set.
    pub matched: BTreeSet<String>,
    /// Variables that were used and not set, in the order of use.
    pub unmatched: Vec<String>,
}

/// Why a word cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} in `{word}`")]
pub struct WordError {
    /// The text that was to be expanded.
    pub word: String,
    /// What is wrong with it.
    pub kind: WordErrorKind,
}

/// What is wrong with a word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordErrorKind {
    /// A quote, brace or slash that never comes.
    #[error("missing `{0}`")]
    Unclosed(char),
    /// `${}`, `${{x}` or `${:x}`.
    #[error("bad substitution")]
    BadSubstitution,
    /// A modifier that does not exist, as in `${x:=y}`.
    #[error("unknown modifier `{0}`")]
    Modifier(String),
    /// A pattern with an escape that means nothing.
    #[error("invalid escape `{0}` in the pattern")]
    Pattern(String),
    /// `${x?message}` and x is not set, or `${x:?message}` and it is empty.
    #[error("{name}: {message}")]
    Required {
        /// The variable.
        name: String,
        /// The author's message, or a standard one.
        message: String,
    },
    /// Substitutions nested deeper than anybody writes them.
    #[error("too many nested substitutions")]
    TooDeep,
}

impl WordError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        match &self.kind {
            WordErrorKind::Unclosed('\'' | '"') => {
                Some("close the quote, or put the escape character before it".to_owned())
            }
            WordErrorKind::Unclosed(_) | WordErrorKind::TooDeep => None,
            WordErrorKind::BadSubstitution | WordErrorKind::Modifier(_) => Some(
                "the builder knows ${x}, ${x:-w}, ${x-w}, ${x:+w}, ${x+w}, ${x:?e}, ${x?e}, ${x#p}, ${x%p} and ${x/p/w}"
                    .to_owned(),
            ),
            WordErrorKind::Pattern(_) => Some("only `*`, `?`, `/`, `}` and the backslash can be escaped".to_owned()),
            WordErrorKind::Required { name, .. } => Some(format!("set it with ARG or ENV, or pass --build-arg {name}=…")),
        }
    }
}

impl Lexer {
    /// Returns a lexer that removes quotes and escapes and lets unset variables vanish, as for most instructions.
    pub fn new(escape: char) -> Self {
        Self { escape, raw_quotes: false, raw_escapes: false, skip_quotes: false, skip_unset: false }
    }

    /// Returns the lexer for the bodies of here-documents of COPY and ADD: variables are expanded, quotes stay.
    pub fn for_heredoc() -> Self {
        Self { skip_quotes: true, ..Self::new('\\') }
    }

    /// Expands `word` as one word, blanks and all.
    pub fn process_word(&self, word: &str, env: &dyn Env) -> Result<Expanded, WordError> {
        Cursor::new(*self, word, env).run().map_err(|kind| WordError { word: word.to_owned(), kind })
    }

    /// Expands `text` and cuts it into words at white space outside of quotes. White space in the values of variables
    /// cuts as well.
    pub fn process_words(&self, text: &str, env: &dyn Env) -> Result<Vec<String>, WordError> {
        Ok(self.process_word(text, env)?.words)
    }

    /// Returns the names of the variables that `word` refers to, in order, each once. What cannot be lexed refers to
    /// nothing.
    pub fn variables(&self, word: &str) -> Vec<String> {
        let lexer = Self { skip_unset: true, ..*self };
        match Cursor::new(lexer, word, &NoEnv).run() {
            Ok(expanded) => expanded.unmatched,
            Err(_) => Vec::new(),
        }
    }
}

/// Says whether a word uses a variable without saying what to do when it is not set, as `${x:-w}` does.
pub fn is_used_bare(word: &str, name: &str) -> bool {
    word.match_indices('$').any(|(at, _)| {
        let rest = &word[at + 1..];
        let (rest, braced) = rest.strip_prefix('{').map_or((rest, false), |rest| (rest, true));
        let Some(after) = rest.strip_prefix(name) else { return false };
        match after.chars().next() {
            Some(':' | '-' | '+' | '?') if braced => false,
            Some(c) => !(c.is_ascii_alphanumeric() || c == '_'),
            None => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env() -> Vec<(String, String)> {
        [("PWD", "/home"), ("EMPTY", ""), ("F", "a/b/c.tar.gz"), ("G", "x*y*z")]
            .map(|(k, v)| (k.into(), v.into()))
            .into()
    }

    fn expand(word: &str) -> String {
        match Lexer::new('\\').process_word(word, &env()) {
            Ok(expanded) => expanded.text,
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn patterns_cut_from_either_end() {
        assert_eq!(expand("${F#*/}"), "b/c.tar.gz");
        assert_eq!(expand("${F##*/}"), "c.tar.gz");
        assert_eq!(expand("${F%.*}"), "a/b/c.tar");
        assert_eq!(expand("${F%%.*}"), "a/b/c");
        assert_eq!(expand("${F%.?z}"), "a/b/c.tar");
        assert_eq!(expand("${F#[a]}"), "a/b/c.tar.gz");
        assert_eq!(expand(r"${G#x\*}"), "y*z");
        assert_eq!(expand(r"${G%\*z}"), "x*y");
    }

    #[test]
    fn patterns_replace_once_or_everywhere() {
        assert_eq!(expand(r"${F/\//-}"), "a-b/c.tar.gz");
        assert_eq!(expand(r"${F//\//-}"), "a-b-c.tar.gz");
        assert_eq!(expand("${F//./}"), "a/b/ctargz");
        assert_eq!(expand(r"${G/\**\*/-}"), "x-z");
    }

    #[test]
    fn unset_variables_are_reported_in_order() {
        let found = Lexer::new('\\').process_word("$B$PWD${A:-$B}", &env()).unwrap();
        assert_eq!(found.text, "/home");
        assert_eq!(found.unmatched, ["B", "A"]);
        assert!(found.matched.contains("PWD"));
        assert_eq!(Lexer::new('\\').variables("$B/${A:-$C}"), ["B", "C", "A"]);
    }

    #[test]
    fn unset_variables_can_stay_as_they_are() {
        let lexer = Lexer { skip_unset: true, ..Lexer::new('\\') };
        let text = lexer.process_word("$X ${X} ${X:-y} ${X#p} ${X/a/b} $PWD", &env()).unwrap().text;
        assert_eq!(text, "$X ${X} ${X:-y} ${X#p} ${X/a/b} /home");
    }

    #[test]
    fn heredocs_keep_their_quotes() {
        let text = Lexer::for_heredoc().process_word(r#"'$PWD' "\$PWD" \\"#, &env()).unwrap().text;
        assert_eq!(text, r#"'/home' "$PWD" \"#);
    }

    #[test]
    fn hostile_nesting_is_refused() {
        let word = "${A:-".repeat(10_000);
        assert_eq!(Lexer::new('\\').process_word(&word, &NoEnv).unwrap_err().kind, WordErrorKind::TooDeep);
    }

    #[test]
    fn a_message_names_the_variable() {
        assert_eq!(expand("${FOO:?set me}"), "error: FOO: set me in `${FOO:?set me}`");
        assert_eq!(expand("${EMPTY?}x"), "x");
        assert_eq!(expand("${EMPTY:?}"), "error: EMPTY: must not be empty in `${EMPTY:?}`");
    }

    #[test]
    fn a_use_with_a_default_is_not_bare() {
        for word in ["$A", "${A}", "x$A/y", "${A:-x}$A", "${A#p}", "$A-x", "${B:-$A}"] {
            assert!(is_used_bare(word, "A"), "{word}");
        }
        for word in ["${A:-x}", "${A+x}", "${A?m}", "$AB", "${A_B}", "A"] {
            assert!(!is_used_bare(word, "A"), "{word}");
        }
    }
}
