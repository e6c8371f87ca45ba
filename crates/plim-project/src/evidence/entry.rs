//! The script of the project that the image starts with.

use camino::{Utf8Path, Utf8PathBuf};
use plim_dockerfile::Command;

use super::shell::{self, Setting, Simple, absolute};
use super::{Declared, PlacedSource, RunCommand, Told};
use crate::command;

/// A script of the project that ENTRYPOINT or CMD runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryScript {
    /// Its path in the project.
    pub path: Utf8PathBuf,
    /// Its absolute path in the author's image.
    pub in_image: String,
    /// The line that runs it.
    pub line: usize,
    /// Whether CMD runs it and not ENTRYPOINT.
    pub by_cmd: bool,
    /// The shell that reads it: `sh`, `bash`.
    pub interpreter: String,
    /// Arguments that stand behind it in the same instruction.
    pub arguments: Vec<String>,
    /// The commands in it.
    pub commands: Vec<RunCommand>,
    /// It hands over to its arguments at the end: `exec "$@"`.
    pub ends_with_exec_args: bool,
    /// Its last command.
    pub last: Option<Vec<String>>,
    /// It could not be read to the end.
    pub opaque: bool,
}

impl EntryScript {
    /// The programs of Debian packages that the script and its interpreter need, with their packages.
    pub fn packages(&self) -> Vec<(String, &'static str)> {
        let programs = self.commands.iter().map(|command| command.program().to_owned());
        let wrappers = self.commands.iter().flat_map(|command| command.wrappers.iter().cloned());
        let mut found: Vec<(String, &'static str)> = Vec::new();
        for program in std::iter::once(self.interpreter.clone()).chain(programs).chain(wrappers) {
            let package = super::debian_package_of(&program).filter(|_| !is_builtin(&program));
            if let Some(package) = package
                && !found.iter().any(|(_, known)| *known == package)
            {
                found.push((program, package));
            }
        }
        found
    }

    /// Programs of the build that the script starts others with: `poetry run gunicorn …`. Images do without them.
    pub fn runners(&self) -> Vec<&str> {
        let named = self.commands.iter().filter_map(|command| {
            let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
            let rest = super::without_runner(&words);
            (rest.len() < words.len()).then(|| command.words[0].as_str())
        });
        let mut found: Vec<&str> = named.filter(|name| !name.contains('/') && *name != "sudo").collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Commands that only root may run: they change owners or users.
    pub fn needs_root(&self) -> Vec<&str> {
        const ROOT: &[&str] =
            &["gosu", "su-exec", "su", "runuser", "setpriv", "chown", "usermod", "groupmod", "useradd"];
        let named = self
            .commands
            .iter()
            .flat_map(|command| command.wrappers.iter().map(String::as_str).chain([command.program()]));
        let mut found: Vec<&str> = named.filter(|name| ROOT.contains(name)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Whether all that the script does is to become another user and hand over: `exec gosu app "$@"`.
    pub fn only_changes_user(&self) -> bool {
        let drops = |command: &RunCommand| {
            command
                .wrappers
                .iter()
                .any(|name| matches!(name.as_str(), "gosu" | "su-exec" | "setpriv" | "runuser" | "su"))
        };
        let trivial = |command: &RunCommand| {
            use super::Purpose::{Check, Harmless, MakeDirs, Permissions, Users};
            matches!(command.purpose(), Check | Harmless | MakeDirs | Permissions | Users)
                || is_arguments(&command.words)
        };
        self.ends_with_exec_args && self.commands.last().is_some_and(drops) && self.commands.iter().all(trivial)
    }
}

/// Finds the script that the image starts with; `read` gives the text of a file of the project.
pub(super) fn find(declared: &Declared, read: &dyn Fn(&Utf8Path) -> Option<String>) -> Option<EntryScript> {
    let (told, by_cmd) = match (&declared.entrypoint, &declared.cmd) {
        (Some(entrypoint), _) if !entrypoint.value.is_empty() => (entrypoint, false),
        (_, cmd) => (cmd.as_ref()?, true),
    };
    let cwd = declared.workdir.as_ref().map_or("/", |told| told.value.as_str()).to_owned();
    let variables = declared.env.iter().map(|told| told.value.clone()).collect();
    let setting = Setting { variables, cwd: cwd.clone() };
    let (mut shell, candidate, arguments) = program(told, &setting)?;
    let places = in_project(declared, &cwd, &candidate);
    let (text, path, in_image) =
        places.into_iter().find_map(|(path, in_image)| Some((read(&path)?, path, in_image)))?;
    let first = text.lines().next().unwrap_or_default();
    if let Some(named) = first.strip_prefix("#!") {
        let named = named.split_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word));
        let named = named.into_iter().find(|word| *word != "env" && !word.starts_with('-'))?;
        if !is_shell(named) {
            return None;
        }
        // the shell that the instruction names wins
        shell = shell.or_else(|| Some(named.to_owned()));
    }
    let interpreter = match shell.as_deref() {
        Some("bash") => "bash",
        Some(_) => "sh",
        None if path.extension() == Some("sh") => "sh",
        None => return None,
    };
    let script = shell::read(&text, &setting);
    let commands: Vec<RunCommand> = script.commands.into_iter().map(command_of).collect();
    let last = commands.iter().rev().find(|command| !command.nested);
    Some(EntryScript {
        path,
        in_image,
        line: told.line,
        by_cmd,
        interpreter: interpreter.to_owned(),
        arguments,
        ends_with_exec_args: last.is_some_and(|command| is_arguments(&command.words)),
        last: last.map(|command| command.words.clone()),
        commands,
        opaque: script.opaque,
    })
}

/// Reads a start command that only a shell understands, as the script that it is.
pub(crate) fn inline(declared: &Declared, text: &str, interpreter: &str) -> EntryScript {
    let cwd = declared.workdir.as_ref().map_or("/", |told| told.value.as_str()).to_owned();
    let variables = declared.env.iter().map(|told| told.value.clone()).collect();
    let script = shell::read(text, &Setting { variables, cwd });
    EntryScript {
        interpreter: interpreter.to_owned(),
        commands: script.commands.into_iter().map(command_of).collect(),
        opaque: script.opaque,
        ..EntryScript::default()
    }
}

fn command_of(simple: Simple) -> RunCommand {
    RunCommand {
        in_image: true,
        cwd: simple.cwd,
        env: simple.env,
        words: simple.words,
        writes: simple.writes,
        wrappers: simple.wrappers,
        nested: simple.nested,
        piped: simple.piped,
        feeds: simple.feeds,
        line: simple.line,
        ..RunCommand::default()
    }
}

/// Returns the shell that is named, the program or script, and what follows it.
fn program(told: &Told<Command>, setting: &Setting) -> Option<(Option<String>, String, Vec<String>)> {
    let text = match &told.value {
        Command::Shell(text) => text.value.clone(),
        Command::Exec(words) => {
            let words: Vec<String> = words.iter().map(|word| word.value.clone()).collect();
            command::quote(&words)
        }
    };
    let script = shell::read(&text, setting);
    // a list is no single program
    let [command] = script.commands.as_slice() else { return None };
    let mut words = command.words.iter().cloned();
    let first = words.next()?;
    let name = first.rsplit('/').next().unwrap_or(&first).to_owned();
    if !is_shell(&name) {
        return Some((None, first, words.collect()));
    }
    let path = words.by_ref().find(|word| !word.starts_with('-'))?;
    Some((Some(name), path, words.collect()))
}

/// Returns where a program of the image may be in the project, and its absolute path: the likeliest first. Whether a source of
/// COPY is a file or a folder is not known here.
fn in_project(declared: &Declared, cwd: &str, program: &str) -> Vec<(Utf8PathBuf, String)> {
    let Some(name) = Utf8Path::new(program).file_name() else { return Vec::new() };
    let mut places = Vec::new();
    // a plain name is looked up on the path
    let is_path = program.contains('/');
    let wanted = absolute(cwd, program);
    for told in declared.copies.iter().rev() {
        let pair = &told.value;
        let source_name = pair.source.file_name().unwrap_or_default();
        let target = if pair.dest.ends_with('/') { format!("{}{source_name}", pair.dest) } else { pair.dest.clone() };
        if target == wanted || (!is_path && target.rsplit('/').next() == Some(name)) {
            places.push((pair.source.clone(), target));
            continue;
        }
        let folder = pair.dest.trim_end_matches('/');
        if let Some(rest) = wanted.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'))
            && is_path
            && (source_name != name || rest == name)
            && source_name != rest
        {
            places.push((pair.source.join(rest), wanted.clone()));
        }
    }
    // COPY of the whole project
    for placed in declared.placed.iter().rev() {
        let whole = placed.sources.iter().any(|source| match source {
            PlacedSource::Path(path) => matches!(path.trim_matches('/'), "" | "."),
            _ => false,
        });
        let rest = wanted.strip_prefix(placed.dest.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
        places.extend(rest.filter(|_| whole && is_path).map(|rest| (Utf8PathBuf::from(rest), wanted.clone())));
    }
    // COPY from a stage that has it from the project: under which path, only the project can tell
    for told in declared.copies_from.iter().rev().filter(|told| told.value.stage.is_some() && told.value.in_image) {
        for source in &told.value.sources {
            let source = Utf8Path::new(source.trim_matches('/'));
            let same = source.file_name() == Some(name);
            let folder = told.value.dest.trim_end_matches('/');
            let target =
                if wanted.starts_with(&format!("{folder}/")) { format!("{folder}/{name}") } else { folder.to_owned() };
            if same && (target == wanted || !is_path) {
                let mut path = Some(source);
                while let Some(below) = path {
                    places.push((below.to_owned(), target.clone()));
                    path = below.components().next().and_then(|first| below.strip_prefix(first.as_str()).ok());
                    path = path.filter(|below| !below.as_str().is_empty());
                }
            }
        }
    }
    let below = wanted.strip_prefix(cwd.trim_end_matches('/')).and_then(|below| below.strip_prefix('/'));
    places.extend(below.filter(|_| is_path).map(|below| (Utf8PathBuf::from(below), wanted.clone())));
    places
}

fn is_shell(name: &str) -> bool {
    matches!(name, "sh" | "bash" | "dash" | "ash")
}

fn is_arguments(words: &[String]) -> bool {
    words.last().is_some_and(|word| matches!(word.as_str(), "$@" | "${@}" | "$*")) && words.len() == 1
}

/// Programs that every shell has itself.
fn is_builtin(program: &str) -> bool {
    matches!(program, "kill" | "echo" | "printf" | "test" | "[" | "true" | "false" | "exec" | "command" | "getopts")
}

#[cfg(test)]
mod tests {
    use super::super::Evidence;
    use super::*;

    fn script(dockerfile: &str, text: &str) -> Option<EntryScript> {
        // what is below a file is nothing
        let is_there = |path: &str| path.ends_with("start.sh") && !path.contains(".txt/");
        let read = |path: &Utf8Path| is_there(path.as_str()).then(|| text.to_owned());
        Evidence::read_with(&format!("FROM python\nWORKDIR /app\n{dockerfile}\n"), &read).declared.entry_script
    }

    #[test]
    fn scripts_are_found_wherever_they_are() {
        for (dockerfile, path, in_image) in [
            ("COPY . .\nENTRYPOINT [\"./start.sh\"]", "start.sh", "/app/start.sh"),
            ("COPY requirements.txt .\nCOPY . .\nENTRYPOINT [\"./start.sh\"]", "start.sh", "/app/start.sh"),
            ("COPY . .\nCMD bash scripts/start.sh", "scripts/start.sh", "/app/scripts/start.sh"),
            (
                "COPY docker/start.sh /usr/local/bin/\nENTRYPOINT [\"tini\", \"--\", \"start.sh\"]",
                "docker/start.sh",
                "/usr/local/bin/start.sh",
            ),
            (
                "COPY docker /opt/docker\nCMD [\"sh\", \"-c\", \"/opt/docker/start.sh\"]",
                "docker/start.sh",
                "/opt/docker/start.sh",
            ),
            ("COPY . .\nWORKDIR /app/src\nENTRYPOINT [\"/app/bin/start.sh\"]", "bin/start.sh", "/app/bin/start.sh"),
            ("COPY start.sh /go\nCMD [\"/bin/sh\", \"-e\", \"/go\", \"x\"]", "start.sh", "/go"),
        ] {
            let found = script(dockerfile, "#!/bin/sh\nexec \"$@\"\n").expect(dockerfile);
            assert_eq!((found.path.as_str(), found.in_image.as_str()), (path, in_image), "{dockerfile}");
        }
        let from_stage = "WORKDIR /app\nFROM python AS built\nCOPY . /src\nFROM python\nCOPY --from=built /src/start.sh /app/\nENTRYPOINT [\"/app/start.sh\"]";
        let found = script(from_stage, "#!/bin/sh\nexec \"$@\"\n").unwrap();
        // whatever ends like that is there in this test
        assert_eq!((found.path.as_str(), found.in_image.as_str()), ("src/start.sh", "/app/start.sh"));
        assert_eq!(script("COPY . .\nCMD [\"./start.sh\"]", "#!/usr/bin/env python3\n"), None);
        assert_eq!(script("COPY . .\nCMD [\"python\", \"start.py\"]", ""), None);
        assert_eq!(script("COPY . .\nCMD ./start.sh && true", ""), None);
    }

    #[test]
    fn what_a_script_needs_is_known() {
        let text =
            "#!/bin/bash\nset -e\nuntil nc -z db 5432; do sleep 1; done\necho \"$(date)\"\nexec gosu app \"$@\"\n";
        let found = script("COPY . .\nENTRYPOINT [\"./start.sh\"]", text).unwrap();
        let packages: Vec<_> = found.packages().into_iter().map(|(_, package)| package).collect();
        assert_eq!(packages, ["bash", "netcat-openbsd", "coreutils", "gosu"]);
        assert!(found.ends_with_exec_args);
        assert_eq!(found.needs_root(), ["gosu"]);
        assert!(found.only_changes_user());
        let migrates = script("COPY . .\nCMD [\"./start.sh\"]", "python manage.py migrate\nexec gunicorn x\n").unwrap();
        assert_eq!(migrates.last.as_deref(), Some(&["gunicorn".to_owned(), "x".to_owned()][..]));
        assert!(!migrates.only_changes_user() && !migrates.ends_with_exec_args);
    }
}
