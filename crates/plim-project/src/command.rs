//! Shell text that is really just a program and its arguments.
//!
//! The shell form of CMD, a line of a Procfile or a flag is text for `sh -c`. Most of it needs no shell at all; this module
//! tells the plain ones from the others and splits them exactly as a POSIX shell would (Shell Command Language, section 2.2
//! quoting, 2.6 word expansions). In doubt a command needs a shell.

use std::fmt;

/// The first construct of a command that only a shell understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NeedsShell {
    /// A variable without a known value.
    Variable(String),
    /// `&&`, `|`, `;`, `>`, a subshell, a pattern and so on.
    Operator(char),
    /// A quote that is not closed.
    Unclosed(char),
    /// No program at all.
    Empty,
}

impl fmt::Display for NeedsShell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "it uses the variable ${name}"),
            Self::Operator(character) => write!(f, "it uses `{character}`"),
            Self::Unclosed(quote) => write!(f, "the quote {quote} is not closed"),
            Self::Empty => f.write_str("it names no program"),
        }
    }
}

impl std::error::Error for NeedsShell {}

/// A plain command: assignments before it, program and arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plain {
    /// `NAME=value` words before the program.
    pub(crate) env: Vec<(String, String)>,
    /// Program and arguments.
    pub(crate) words: Vec<String>,
    /// Variables that were replaced by a value known at build time.
    pub(crate) replaced: Vec<(String, String)>,
}

/// Splits a command into program and arguments. Fails when it needs a shell, variables included.
pub fn parse_command(text: &str) -> Result<Vec<String>, NeedsShell> {
    let plain = plain(text, &|_| None)?;
    match plain.env.first() {
        None => Ok(plain.words),
        Some(_) => Err(NeedsShell::Operator('=')),
    }
}

/// Splits a command, with variables replaced by what `value` knows. A leading `exec` is dropped.
pub(crate) fn plain(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<Plain, NeedsShell> {
    let mut scanner = Scanner { rest: text.trim(), value, replaced: Vec::new() };
    let mut words = Vec::new();
    while let Some(word) = scanner.word()? {
        words.push(word);
    }
    let mut env = Vec::new();
    while let Some((name, value)) = words.first().and_then(|word| word.split_once('=')) {
        if !is_name(name) {
            break;
        }
        env.push((name.to_owned(), value.to_owned()));
        words.remove(0);
    }
    if words.first().is_some_and(|word| word == "exec") {
        words.remove(0);
    }
    if words.is_empty() {
        return Err(NeedsShell::Empty);
    }
    Ok(Plain { env, words, replaced: scanner.replaced })
}

/// Returns the last simple command of a list such as `a && b`: what is usually meant to stay running.
pub(crate) fn last_of_list(text: &str) -> &str {
    text.rsplit(['&', ';', '|']).next().unwrap_or(text).trim()
}

/// Writes words so that a shell reads them back unchanged.
pub(crate) fn quote(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quote_word(word)).collect();
    quoted.join(" ")
}

/// Writes one word so that a shell reads it back unchanged.
pub(crate) fn quote_word(word: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+[]".contains(c);
    // brackets are patterns to a shell only when a file matches, so extras such as `uvicorn[standard]` are quoted too
    if !word.is_empty() && word.chars().all(|c| safe(c) && c != '[' && c != ']') {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

struct Scanner<'a> {
    rest: &'a str,
    value: &'a dyn Fn(&str) -> Option<String>,
    replaced: Vec<(String, String)>,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    fn word(&mut self) -> Result<Option<String>, NeedsShell> {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut word = String::new();
        let mut quoted = false;
        while let Some(character) = self.next() {
            match character {
                ' ' | '\t' => break,
                '\'' => {
                    let end = self.rest.find('\'').ok_or(NeedsShell::Unclosed('\''))?;
                    word.push_str(&self.rest[..end]);
                    self.rest = &self.rest[end + 1..];
                    quoted = true;
                }
                '"' => {
                    self.double_quoted(&mut word)?;
                    quoted = true;
                }
                '\\' => match self.next() {
                    Some('\n') => {}
                    Some(escaped) => word.push(escaped),
                    None => word.push('\\'),
                },
                '$' => {
                    let value = self.variable()?;
                    // an unquoted value is split and globbed by the shell
                    if let Some(special) = value.chars().find(|c| c.is_whitespace() || "*?[".contains(*c)) {
                        return Err(NeedsShell::Operator(special));
                    }
                    word.push_str(&value);
                }
                '~' | '#' if word.is_empty() && !quoted => return Err(NeedsShell::Operator(character)),
                '|' | '&' | ';' | '<' | '>' | '(' | ')' | '`' | '*' | '?' | '[' | '\n' => {
                    return Err(NeedsShell::Operator(character));
                }
                other => word.push(other),
            }
        }
        if word.is_empty() && !quoted { self.word() } else { Ok(Some(word)) }
    }

    fn double_quoted(&mut self, word: &mut String) -> Result<(), NeedsShell> {
        while let Some(character) = self.next() {
            match character {
                '"' => return Ok(()),
                '`' => return Err(NeedsShell::Operator('`')),
                '$' => {
                    let value = self.variable()?;
                    word.push_str(&value);
                }
                '\\' => match self.next() {
                    Some('\n') => {}
                    Some(escaped @ ('$' | '`' | '"' | '\\')) => word.push(escaped),
                    Some(other) => word.extend(['\\', other]),
                    None => return Err(NeedsShell::Unclosed('"')),
                },
                other => word.push(other),
            }
        }
        Err(NeedsShell::Unclosed('"'))
    }

    /// Reads what follows a `$`.
    fn variable(&mut self) -> Result<String, NeedsShell> {
        if let Some(inner) = self.rest.strip_prefix('{') {
            let end = inner.find('}').ok_or(NeedsShell::Unclosed('{'))?;
            let expression = &inner[..end];
            self.rest = &inner[end + 1..];
            let name_end = expression.find(|c| !is_name_char(c)).unwrap_or(expression.len());
            let (name, operator) = expression.split_at(name_end);
            let default = match operator {
                "" => None,
                _ => Some(
                    // `=` keeps the value for later, which a single command has not
                    operator
                        .strip_prefix(":-")
                        .or_else(|| operator.strip_prefix('-'))
                        .or_else(|| operator.strip_prefix(":="))
                        .filter(|word| !word.contains(['$', '`', '"', '\'', '\\']))
                        .ok_or_else(|| NeedsShell::Variable(name.to_owned()))?,
                ),
            };
            return self.lookup(name, default);
        }
        let end = self.rest.find(|c| !is_name_char(c)).unwrap_or(self.rest.len());
        let name = &self.rest[..end];
        if !is_name(name) {
            return Err(NeedsShell::Operator('$'));
        }
        self.rest = &self.rest[end..];
        self.lookup(name, None)
    }

    fn lookup(&mut self, name: &str, default: Option<&str>) -> Result<String, NeedsShell> {
        let known = (self.value)(name).filter(|value| !value.is_empty()).or_else(|| default.map(ToOwned::to_owned));
        let value = known.ok_or_else(|| NeedsShell::Variable(name.to_owned()))?;
        self.replaced.push((name.to_owned(), value.clone()));
        Ok(value)
    }
}

fn is_name(text: &str) -> bool {
    text.chars().all(is_name_char) && text.chars().next().is_some_and(|c| !c.is_ascii_digit())
}

fn is_name_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Result<Vec<String>, NeedsShell> {
        plain(text, &|name| (name == "PORT").then(|| "9000".to_owned())).map(|plain| plain.words)
    }

    #[test]
    fn plain_commands_are_split_as_a_shell_splits_them() {
        assert_eq!(words(r#"exec python -c 'a b' "c d"e \f ''"#).unwrap(), ["python", "-c", "a b", "c de", "f", ""]);
        assert_eq!(words(r#"echo "a\"b\c""#).unwrap(), ["echo", r#"a"b\c"#]);
    }

    #[test]
    fn known_variables_are_replaced() {
        assert_eq!(words("serve --bind 0.0.0.0:$PORT").unwrap(), ["serve", "--bind", "0.0.0.0:9000"]);
        assert_eq!(words("serve ${WORKERS:-4} \"${HOST-::}\"").unwrap(), ["serve", "4", "::"]);
        assert_eq!(words("serve ${WORKERS:=4}").unwrap(), ["serve", "4"]);
        let plain = plain("serve ${N:-1}", &|_| None).unwrap();
        assert_eq!(plain.replaced, [("N".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn assignments_come_apart() {
        let plain = plain("A=1 B='x y' exec run now", &|_| None).unwrap();
        assert_eq!(plain.env, [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "x y".to_owned())]);
        assert_eq!(plain.words, ["run", "now"]);
    }

    #[test]
    fn what_only_a_shell_understands_is_refused() {
        for (text, reason) in [
            ("a && b", NeedsShell::Operator('&')),
            ("a > /dev/null", NeedsShell::Operator('>')),
            ("a *.py", NeedsShell::Operator('*')),
            ("a $(date)", NeedsShell::Operator('$')),
            ("a $HOME", NeedsShell::Variable("HOME".to_owned())),
            ("a ${HOME:?}", NeedsShell::Variable("HOME".to_owned())),
            ("a 'b", NeedsShell::Unclosed('\'')),
            ("cd ~", NeedsShell::Operator('~')),
            ("  ", NeedsShell::Empty),
        ] {
            assert_eq!(words(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn the_last_command_of_a_list_is_the_one_that_stays() {
        assert_eq!(last_of_list("python manage.py migrate && gunicorn a:b"), "gunicorn a:b");
    }

    proptest! {
        #[test]
        fn quoted_words_are_read_back(words in proptest::collection::vec("[ -~ö]{0,8}", 1..5)) {
            let mut all = vec!["program".to_owned()];
            all.extend(words);
            prop_assert_eq!(parse_command(&quote(&all)).unwrap(), all);
        }

        #[test]
        fn no_text_makes_the_splitter_panic(text in "\\PC{0,30}") {
            let _ = parse_command(&text);
        }
    }
}
