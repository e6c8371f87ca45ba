//! What a command leaves behind, as far as its arguments tell.

use super::{Purpose, operands};
use crate::evidence::RunCommand;
use crate::evidence::shell::absolute;

/// The files and folders that a command makes, absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Those that its arguments name.
    pub paths: Vec<String>,
    /// It may make others: a script, a build, an archive that is unpacked into a shared folder.
    pub more: bool,
}

/// Returns what a command makes.
pub(super) fn outputs(command: &RunCommand) -> Outputs {
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let words = super::super::without_runner(&words);
    let (name, arguments) = words.split_first().map_or(("", &[][..]), |(name, rest)| (super::name_of(name), rest));
    let mut found = match command.purpose() {
        Purpose::MakeDirs => plain(match name {
            "mkdir" => operands(arguments, &["-m", "--mode"]),
            _ => operands(arguments, &["-m", "-o", "-g", "--mode", "--owner", "--group"]),
        }),
        Purpose::Files => files(name, arguments),
        Purpose::Download => download(name, arguments),
        Purpose::Build(_) | Purpose::Script(_) | Purpose::Unknown => Outputs { paths: Vec::new(), more: true },
        _ => Outputs::default(),
    };
    found.paths.extend(command.writes.iter().cloned());
    for path in &mut found.paths {
        *path = absolute(&command.cwd, path);
    }
    // a path with a variable in it is not known
    let before = found.paths.len();
    found.paths.retain(|path| !path.contains(['$', '`', '*', '?']));
    found.more |= found.paths.len() < before;
    found.paths.sort();
    found.paths.dedup();
    found
}

fn plain(paths: Vec<&str>) -> Outputs {
    Outputs { paths: paths.into_iter().map(ToOwned::to_owned).collect(), more: false }
}

fn more() -> Outputs {
    Outputs { paths: Vec::new(), more: true }
}

/// The value of `-o VALUE`, `-oVALUE`, `--long VALUE` or `--long=VALUE`.
fn value<'a>(arguments: &[&'a str], short: char, long: &str) -> Option<&'a str> {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if let Some(rest) = word.strip_prefix("--") {
            match rest.split_once('=') {
                Some((name, value)) if name == long => return Some(value),
                None if rest == long => return words.next().copied(),
                _ => {}
            }
        } else if let Some(letters) = word.strip_prefix('-')
            && let Some(at) = letters.find(short)
        {
            // letters in front are other options of a bundle: -fsSLo
            let after = &letters[at + short.len_utf8()..];
            return if after.is_empty() { words.next().copied() } else { Some(after) };
        }
    }
    None
}

fn files(name: &str, arguments: &[&str]) -> Outputs {
    match name {
        "cp" | "mv" | "ln" | "install" | "rsync" | "link" => {
            let mut paths = operands(arguments, &["-t", "-m", "-o", "-g", "-S", "--mode", "--owner", "--group", "-e"]);
            if let Some(folder) = value(arguments, 't', "target-directory").filter(|_| name != "rsync") {
                return into(folder, &paths);
            }
            let Some(target) = paths.pop() else { return Outputs::default() };
            if target.ends_with('/') || paths.len() > 1 {
                return into(target, &paths);
            }
            plain(vec![target])
        }
        "touch" | "tee" | "truncate" | "patch" | "dos2unix" | "upx" | "strip" => {
            plain(operands(arguments, &["-d", "-r", "-s", "-t"]))
        }
        "sed" => {
            let mut paths = operands(arguments, &["-e", "-f", "--expression"]);
            let has_script = arguments.iter().any(|word| word.starts_with("-e") || word.starts_with("--expression"));
            if !has_script && !paths.is_empty() {
                paths.remove(0);
            }
            plain(paths)
        }
        "tar" | "bsdtar" => {
            let first = arguments.first().copied().unwrap_or_default();
            let extracts = first
                .trim_start_matches('-')
                .split('=')
                .next()
                .is_some_and(|word| !word.starts_with('-') && word.contains('x') && !first.starts_with("--"))
                || arguments.iter().any(|word| matches!(*word, "--extract" | "-x") || is_bundle_with(word, 'x'));
            match (extracts, value(arguments, 'C', "directory")) {
                (true, Some(folder)) => Outputs { paths: vec![folder.to_owned()], more: true },
                (true, None) => more(),
                (false, _) => value(arguments, 'f', "file").map_or_else(Outputs::default, |file| plain(vec![file])),
            }
        }
        "unzip" | "7z" | "7za" | "unrar" => match value(arguments, 'd', "directory") {
            Some(folder) => Outputs { paths: vec![folder.to_owned()], more: true },
            None => more(),
        },
        "dd" => plain(arguments.iter().filter_map(|word| word.strip_prefix("of=")).collect()),
        "echo" | "printf" | "cat" | "envsubst" | "mktemp" | "base64" | "jq" => Outputs::default(),
        _ => more(),
    }
}

fn into(folder: &str, sources: &[&str]) -> Outputs {
    let folder = folder.trim_end_matches('/');
    let name = |source: &&str| source.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    let paths = sources.iter().map(|source| format!("{folder}/{}", name(source))).collect();
    Outputs { paths, more: false }
}

fn is_bundle_with(word: &str, letter: char) -> bool {
    word.strip_prefix('-')
        .is_some_and(|letters| !letters.starts_with('-') && letters.len() < 6 && letters.contains(letter))
}

fn download(name: &str, arguments: &[&str]) -> Outputs {
    match name {
        "curl" => match value(arguments, 'o', "output") {
            Some(file) => plain(vec![file]),
            None if arguments.iter().any(|word| *word == "--remote-name" || is_bundle_with(word, 'O')) => {
                plain(arguments.iter().filter_map(|word| file_of_url(word)).collect())
            }
            None => Outputs::default(),
        },
        "wget" => match value(arguments, 'O', "output-document") {
            Some("-") => Outputs::default(),
            Some(file) => plain(vec![file]),
            None => {
                let files = arguments.iter().filter_map(|word| file_of_url(word));
                match value(arguments, 'P', "directory-prefix") {
                    Some(folder) => plain(Vec::new()).with(files.map(|file| format!("{folder}/{file}"))),
                    None => plain(files.collect()),
                }
            }
        },
        "git" => {
            let operands = operands(arguments, &["-b", "--branch", "--depth", "-c", "-C", "-o", "-j", "--jobs"]);
            match operands.as_slice() {
                ["clone", url] => plain(vec![file_of_url(url).map_or("", |name| name.trim_end_matches(".git"))]),
                ["clone", _, folder, ..] => plain(vec![folder]),
                _ => more(),
            }
        }
        _ => more(),
    }
}

impl Outputs {
    fn with(mut self, paths: impl Iterator<Item = String>) -> Self {
        self.paths.extend(paths);
        self
    }
}

fn file_of_url(word: &str) -> Option<&str> {
    let path = word.split(['?', '#']).next()?;
    let is_url = path.contains("://") || path.starts_with("git@");
    is_url.then(|| path.rsplit('/').next()).flatten().filter(|name| !name.is_empty())
}
