//! What a command of a RUN step is for, whatever the language.

mod files;
mod language;
mod outputs;
mod system;
mod tools;

use serde::Serialize;

use super::RunCommand;

pub use outputs::Outputs;
pub(super) use system::installed;

/// A family of package managers and build tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the family of that name")]
pub enum Ecosystem {
    Python,
    Conda,
    Node,
    Rust,
    Go,
    Ruby,
    Php,
    Java,
    Dotnet,
    Perl,
    /// Make, CMake, compilers and whatever belongs to no language.
    Other,
}

/// What a command is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Purpose {
    /// Installs packages of the distribution.
    SystemPackages,
    /// Keeps the distribution's packages in order: lists, upgrades, keys, sources, removal.
    PackageIndex,
    /// Removes what is not needed.
    Cleanup,
    /// Installs packages of a language, or its tools.
    LanguagePackages(Ecosystem),
    /// Makes files from others.
    Build(Ecosystem),
    /// Makes or changes users and groups.
    Users,
    /// Changes owners, modes and capabilities.
    Permissions,
    /// Makes directories.
    MakeDirs,
    /// Copies, moves, links, writes or unpacks files.
    Files,
    /// Fetches something from the network.
    Download,
    /// Sets the system or a tool up.
    Configuration,
    /// Leaves nothing.
    Harmless,
    /// Looks whether something works, and leaves nothing.
    Check,
    /// Runs a script at this path, as written.
    Script(String),
    /// Not known.
    Unknown,
}

impl RunCommand {
    /// Returns what the command is for.
    pub fn purpose(&self) -> Purpose {
        if self.opaque {
            return Purpose::Unknown;
        }
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        of(self, super::without_runner(&words))
    }

    /// Returns what the command makes, as far as its arguments tell.
    pub fn outputs(&self) -> Outputs {
        outputs::outputs(self)
    }

    /// Returns the name of the program, without the folder of a usual place.
    pub fn program(&self) -> &str {
        self.words.first().map_or("", |word| name_of(word))
    }
}

fn of(command: &RunCommand, words: &[&str]) -> Purpose {
    let Some((program, arguments)) = words.split_first() else { return Purpose::Harmless };
    let name = name_of(program);
    if asks_only(name, arguments) {
        return Purpose::Check;
    }
    system::of(name, arguments)
        .or_else(|| files::of(command, name, arguments))
        .or_else(|| language::of(command, name, arguments))
        .or_else(|| tools::of(name, arguments))
        .or_else(|| script(program, arguments))
        .unwrap_or(Purpose::Unknown)
}

/// Returns a program without the folder of a usual place for programs: `/usr/bin/pip`, `$VENV/bin/pip`, `/opt/venv/bin/pip`.
fn name_of(program: &str) -> &str {
    match program.rsplit_once('/') {
        Some((folder, name)) if matches!(folder.rsplit('/').next(), Some("bin" | "sbin" | ".bin")) => name,
        _ => program,
    }
}

/// Whether a command only says a version or explains itself.
fn asks_only(name: &str, arguments: &[&str]) -> bool {
    match arguments {
        ["--version" | "-version" | "--help" | "-V"] => true,
        ["-v" | "version" | "-h" | "help"] => !matches!(name, "npm" | "yarn"),
        _ => false,
    }
}

/// A path with a folder, or a script for an interpreter.
fn script(program: &str, arguments: &[&str]) -> Option<Purpose> {
    if matches!(program.rsplit('/').next(), Some("sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "." | "source")) {
        let path = arguments.iter().find(|word| !word.starts_with(['-', '+']))?;
        return Some(Purpose::Script((*path).to_owned()));
    }
    let is_path =
        program.contains('/') || [".sh", ".bash", ".py", ".pl", ".rb"].iter().any(|end| program.ends_with(end));
    (is_path && !program.contains(['$', '`'])).then(|| Purpose::Script(program.to_owned()))
}

/// Returns the arguments that are no options; options that are in `with_value` take the next word with them.
fn operands<'a>(arguments: &[&'a str], with_value: &[&str]) -> Vec<&'a str> {
    let mut operands = Vec::new();
    let mut words = arguments.iter();
    let mut only = false;
    while let Some(word) = words.next() {
        if only || !word.starts_with('-') || *word == "-" {
            operands.push(*word);
        } else if *word == "--" {
            only = true;
        } else if with_value.contains(word) {
            words.next();
        }
    }
    operands
}

#[cfg(test)]
mod tests;
