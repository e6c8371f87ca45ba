//! Programs that only run another program.

use super::Simple;

/// What is behind the wrappers of a command.
pub(super) enum Inner {
    /// A plain command: its words are left.
    Plain,
    /// The text of a script: `sh -c TEXT`, `eval TEXT`.
    Script(String),
}

/// How a wrapper takes its arguments.
struct Wrapper {
    name: &'static str,
    /// Options that are followed by a value.
    with_value: &'static [&'static str],
    /// How many operands stand before the command.
    operands: usize,
}

const fn wrapper(name: &'static str, with_value: &'static [&'static str], operands: usize) -> Wrapper {
    Wrapper { name, with_value, operands }
}

const WRAPPERS: &[Wrapper] = &[
    wrapper("sudo", &["-u", "-g", "-h", "-p", "-C", "-r", "-t", "-D", "--user", "--group"], 0),
    wrapper("doas", &["-u", "-C"], 0),
    wrapper("env", &["-u", "-C", "--unset", "--chdir"], 0),
    wrapper("exec", &["-a"], 0),
    wrapper("command", &[], 0),
    wrapper("builtin", &[], 0),
    wrapper("time", &["-f", "-o"], 0),
    wrapper("nohup", &[], 0),
    wrapper("nice", &["-n", "--adjustment"], 0),
    wrapper("ionice", &["-c", "-n", "-t"], 0),
    wrapper("stdbuf", &["-i", "-o", "-e"], 0),
    wrapper("eatmydata", &[], 0),
    wrapper("chronic", &[], 0),
    wrapper("fakeroot", &[], 0),
    wrapper("unbuffer", &[], 0),
    wrapper("xvfb-run", &["-n", "-s", "-e", "-f", "-w"], 0),
    wrapper("setarch", &[], 1),
    wrapper("linux32", &[], 0),
    wrapper("linux64", &[], 0),
    wrapper("tini", &["-e", "-p"], 0),
    wrapper("dumb-init", &["--rewrite", "-r"], 0),
    wrapper("catatonit", &[], 0),
    wrapper("gosu", &[], 1),
    wrapper("su-exec", &[], 1),
    wrapper("setpriv", &[], 0),
    wrapper("timeout", &["-s", "-k", "--signal", "--kill-after"], 1),
    wrapper("xargs", &["-n", "-I", "-P", "-L", "-d", "-a", "-s", "-E", "--max-args", "--replace"], 0),
    wrapper("busybox", &[], 0),
];

const SHELLS: &[&str] = &["sh", "bash", "dash", "ash", "zsh", "ksh"];

/// Takes the wrappers in front of a command away and writes them down.
pub(super) fn unwrap(command: &mut Simple) -> Inner {
    loop {
        let Some(program) = command.words.first() else { return Inner::Plain };
        let name = program.rsplit('/').next().unwrap_or(program).to_owned();
        if SHELLS.contains(&name.as_str()) {
            return match script_of(&command.words) {
                Some(script) => Inner::Script(script),
                None => Inner::Plain,
            };
        }
        match name.as_str() {
            "eval" if command.words.len() > 1 => return Inner::Script(command.words[1..].join(" ")),
            "su" | "runuser" => return as_user(command, name),
            _ => {}
        }
        let Some(wrapper) = WRAPPERS.iter().find(|wrapper| wrapper.name == name) else { return Inner::Plain };
        let rest = &command.words[1..];
        let asks =
            name == "command" && rest.first().is_some_and(|word| word.starts_with("-v") || word.starts_with("-V"));
        let Some(count) = options(wrapper, rest).filter(|_| !asks) else { return Inner::Plain };
        if name == "env" || name == "sudo" {
            let variables = rest[..count].iter().filter_map(|word| word.split_once('='));
            command.env.extend(
                variables
                    .filter(|(name, _)| !name.starts_with('-'))
                    .map(|(name, value)| (name.to_owned(), value.to_owned())),
            );
        }
        command.words.drain(..=count);
        command.wrappers.push(name);
    }
}

/// Returns how many words stand between a wrapper and its command; nothing if there is no command.
fn options(wrapper: &Wrapper, rest: &[String]) -> Option<usize> {
    let mut at = 0;
    let mut operands = wrapper.operands;
    while let Some(word) = rest.get(at) {
        let takes_variables = matches!(wrapper.name, "env" | "sudo" | "doas");
        if word == "--" {
            at += 1 + operands;
            break;
        } else if wrapper.with_value.contains(&word.as_str()) {
            at += 2;
        } else if word.starts_with('-') || (takes_variables && is_assignment(word)) {
            at += 1;
        } else if operands > 0 {
            operands -= 1;
            at += 1;
        } else {
            break;
        }
    }
    (at < rest.len()).then_some(at)
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// Returns the script of `sh -ec SCRIPT`.
fn script_of(words: &[String]) -> Option<String> {
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        let bundle = word.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
        match bundle {
            Some(letters) if letters.contains('c') => {
                // options may stand behind -c as well
                return words.find(|word| !word.starts_with('-')).cloned();
            }
            Some(letters) if letters.ends_with('o') => {
                words.next();
            }
            Some(_) => {}
            None if word.starts_with("--") || word.starts_with('+') => {}
            None => return None,
        }
    }
    None
}

/// `su USER -c SCRIPT`, `runuser -u USER -- COMMAND`.
fn as_user(command: &mut Simple, name: String) -> Inner {
    let script = command.words.iter().position(|word| word == "-c" || word == "--command");
    if let Some(script) = script.and_then(|at| command.words.get(at + 1)).cloned() {
        command.wrappers.push(name);
        return Inner::Script(script);
    }
    if let Some(at) = command.words.iter().position(|word| word == "--")
        && at + 1 < command.words.len()
    {
        command.words.drain(..=at);
        command.wrappers.push(name);
    }
    Inner::Plain
}
