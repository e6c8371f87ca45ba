//! The start command that a person gives: the flag, the author's Dockerfile, a Procfile.

use camino::Utf8Path;
use plim_dockerfile::Command;

use crate::command::{self, NeedsShell, Plain};
use crate::error::DetectError;
use crate::evidence::Declared;
use crate::folder::Folder;
use crate::project::{Choices, Finding};
use crate::stack::script::KeptList;

/// A start command as it is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Program and arguments.
    pub(super) words: Vec<String>,
    /// How many of them are fixed, because they are those of ENTRYPOINT.
    pub(super) fixed: usize,
    /// Environment in front of the command.
    pub(super) env: Vec<(String, String)>,
    /// Where it is written.
    pub(super) origin: String,
    /// The list of commands that it is the last of, where that keeps its shell.
    pub(super) list: Option<KeptList>,
    /// What was concluded on the way.
    pub(super) found: Vec<Finding>,
}

/// Where a start command may be given.
pub(super) struct Places<'a> {
    pub(super) folder: &'a Folder,
    pub(super) declared: &'a Declared,
    /// Name of the author's Dockerfile.
    pub(super) dockerfile: &'a Utf8Path,
    pub(super) choices: &'a Choices,
    /// Programs that an image of the language starts when nobody says anything.
    pub(super) idle: &'a [&'a str],
    /// The command that is suggested where nothing better is known.
    pub(super) suggestion: &'a str,
    /// Whether a list of commands may keep its shell.
    pub(super) keeps_lists: bool,
}

impl Places<'_> {
    /// Returns the start command, if there is one.
    pub(super) fn said(&self) -> Result<Option<Said>, DetectError> {
        if let Some(words) = &self.choices.start {
            let plain = Plain { words: words.clone(), ..Plain::default() };
            return Ok(Some(said(plain, 0, self.choices.start_origin())));
        }
        let at = |line: usize| format!("{}:{line}", self.dockerfile);
        let exec = |words: &[plim_dockerfile::Spanned]| -> Vec<String> {
            words.iter().map(|word| word.value.clone()).collect()
        };
        match (&self.declared.entrypoint, &self.declared.cmd) {
            (Some(entrypoint), cmd) => {
                let origin = at(entrypoint.line);
                match &entrypoint.value {
                    Command::Shell(text) => return self.shell(&text.value, "sh", &origin).map(Some),
                    Command::Exec(words) if words.is_empty() => {}
                    Command::Exec(words) => {
                        let mut all = exec(words);
                        let fixed = all.len();
                        match cmd.as_ref().map(|cmd| &cmd.value) {
                            Some(Command::Exec(words)) => all.extend(exec(words)),
                            Some(Command::Shell(text)) => all.extend(self.plain(&text.value, &origin)?.words),
                            None => {}
                        }
                        return self.exec(all, fixed, &origin);
                    }
                }
            }
            (None, Some(cmd)) => {
                let origin = at(cmd.line);
                match &cmd.value {
                    Command::Shell(text) => return self.shell(&text.value, "sh", &origin).map(Some),
                    Command::Exec(words) if words.is_empty() => {}
                    Command::Exec(words) => {
                        if let Some(said) = self.exec(exec(words), 0, &origin)? {
                            return Ok(Some(said));
                        }
                    }
                }
            }
            (None, None) => {}
        }
        let Some(text) = self.folder.text("Procfile") else { return Ok(None) };
        let web = text.lines().enumerate().find_map(|(index, line)| Some((index + 1, line.strip_prefix("web:")?)));
        web.map(|(line, text)| self.shell(text, "sh", &format!("Procfile:{line}"))).transpose()
    }

    /// Returns words of an exec form as a start command; nothing for what an image starts when nobody says anything.
    pub(super) fn exec(&self, words: Vec<String>, fixed: usize, origin: &str) -> Result<Option<Said>, DetectError> {
        if let [shell, flag, text] = words.as_slice()
            && matches!(shell.rsplit('/').next(), Some("sh" | "bash" | "dash" | "ash"))
            && flag.starts_with('-')
            && flag.ends_with('c')
        {
            let interpreter = if shell.ends_with("bash") { "bash" } else { "sh" };
            return self.shell(text, interpreter, origin).map(Some);
        }
        if matches!(words.as_slice(), [one] if self.idle.contains(&one.as_str())) {
            return Ok(None);
        }
        Ok(Some(said(Plain { words, ..Plain::default() }, fixed, origin)))
    }

    /// A command for a shell: without one if that can be, or else with it, if it is a list.
    fn shell(&self, text: &str, interpreter: &str, origin: &str) -> Result<Said, DetectError> {
        match self.plain(text, origin) {
            Ok(plain) => Ok(said(plain, 0, origin)),
            Err(error) => match &error {
                DetectError::Shell { reason: reason @ NeedsShell::Operator('&' | ';' | '\n'), .. }
                    if self.keeps_lists =>
                {
                    self.list(text.trim(), interpreter, reason, origin).ok_or(error)
                }
                _ => Err(error),
            },
        }
    }

    /// Returns the last command of a list that keeps its shell; nothing if it is not certain what the list does.
    fn list(&self, text: &str, interpreter: &str, reason: &NeedsShell, origin: &str) -> Option<Said> {
        let plain = self.plain(command::last_of_list(text), origin).ok()?;
        let list = KeptList::of(self.declared, text, interpreter, &plain, reason)?;
        let mut found = vec![list.found(&plain.words, origin)];
        // the shell reads variables itself: those that only plim gave a value
        let told = |name: &str| self.declared.env.iter().any(|told| told.value.0 == name);
        let env: Vec<(String, String)> = plain.replaced.into_iter().filter(|(name, _)| !told(name)).collect();
        found.extend(env.iter().map(|(name, value)| {
            Finding::new(format!("${name} in the start command is {value}, unless a container is told another"), origin)
        }));
        let (words, _) = without_init(plain.words, 0);
        Some(Said { words, fixed: 0, env, origin: origin.to_owned(), list: Some(list), found })
    }

    /// Splits the shell form, with the variables that the author's Dockerfile or a flag gives a value.
    fn plain(&self, text: &str, origin: &str) -> Result<Plain, DetectError> {
        let port = self.choices.port.map(|port| port.to_string());
        let value = |name: &str| {
            port.clone().filter(|_| name == "PORT").or_else(|| {
                let told = self.declared.env.iter().find(|told| told.value.0 == name)?;
                Some(told.value.1.clone())
            })
        };
        // platforms that set PORT say which one; without them any will do
        let guess = |name: &str| value(name).or_else(|| (name == "PORT").then(|| "8080".to_owned()));
        let known = match command::plain(text, &value) {
            Err(NeedsShell::Variable(name)) if name == "PORT" => command::plain(text, &guess),
            known => known,
        };
        known.map_err(|reason| {
            let last = command::last_of_list(text);
            let plain = command::plain(last, &guess).ok().map(|plain| command::quote(&plain.words));
            DetectError::Shell {
                command: text.trim().to_owned(),
                origin: origin.to_owned(),
                reason,
                suggestion: plain.or_else(|| Some(self.suggestion.to_owned()).filter(|text| !text.is_empty())),
            }
        })
    }
}

fn said(plain: Plain, fixed: usize, origin: &str) -> Said {
    let found = plain.replaced.iter().map(|(name, value)| {
        Finding::new(format!("${name} in the start command is fixed to {value}, because no shell reads it"), origin)
    });
    let found = found.collect();
    let (words, fixed) = without_init(plain.words, fixed);
    Said { words, fixed, env: plain.env, origin: origin.to_owned(), list: None, found }
}

/// Drops the small init programs that only forward signals: a runtime has its own (`--init`), and the program is started
/// directly.
fn without_init(mut words: Vec<String>, fixed: usize) -> (Vec<String>, usize) {
    let is_init = matches!(
        words.first().and_then(|word| word.rsplit('/').next()),
        Some("tini" | "dumb-init" | "catatonit" | "tini-static")
    );
    if !is_init {
        return (words, fixed);
    }
    let options = words.iter().skip(1).take_while(|word| word.starts_with('-')).count();
    if words.len() > options + 1 {
        words.drain(..=options);
    }
    (words, fixed.saturating_sub(options + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_programs_are_dropped() {
        let words = |text: &str| crate::parse_command(text).unwrap();
        assert_eq!(without_init(words("/usr/bin/tini -- ./shop serve"), 2), (words("./shop serve"), 0));
        assert_eq!(without_init(words("./shop serve"), 1), (words("./shop serve"), 1));
    }
}
