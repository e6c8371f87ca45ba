//! What the commands of a RUN are for.

use camino::Utf8Path;

use super::{Declared, Kept, Told};
use crate::command::{self, NeedsShell};

/// A Debian package that a RUN step installs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemPackage {
    /// Its name, without version.
    pub name: String,
    /// Whether it is of use in a build only: compilers, headers, fetchers.
    pub for_build: bool,
    /// The line of the RUN.
    pub line: usize,
}

/// Sorts the commands of a RUN into `declared` and says what becomes of the step as a whole.
pub(super) fn classify(script: &str, line: usize, declared: &mut Declared) -> Kept {
    let mut reasons: Vec<&str> = Vec::new();
    let mut kept = false;
    for text in commands(script) {
        let words = match command::plain(text, &|_| None) {
            Ok(plain) => plain.words,
            // which files a pattern means does not matter for what the command is for
            Err(NeedsShell::Operator('*' | '?' | '[' | '~')) => {
                text.split_whitespace().map(ToOwned::to_owned).collect()
            }
            Err(_) => return Kept::Unknown,
        };
        match one(&words, line, declared) {
            Outcome::Kept => kept = true,
            Outcome::Dropped(reason) if reasons.contains(&reason) => {}
            Outcome::Dropped(reason) => reasons.push(reason),
            Outcome::Unknown => return Kept::Unknown,
        }
    }
    if kept { Kept::Kept } else { Kept::Dropped(reasons.join("; ")) }
}

enum Outcome {
    Kept,
    Dropped(&'static str),
    Unknown,
}

fn one(words: &[String], line: usize, declared: &mut Declared) -> Outcome {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match without_runner(&words) {
        ["apt-get" | "apt", rest @ ..] => apt(rest, line, declared),
        ["pip" | "pip3", "install", rest @ ..]
        | ["python" | "python3", "-m", "pip", "install", rest @ ..]
        | ["uv", "pip", "install", rest @ ..] => {
            pip(rest, line, declared);
            Outcome::Dropped("dependencies are installed from the manifests")
        }
        ["poetry" | "pdm" | "pipenv", ..] | ["uv", "sync" | "lock" | "venv" | "export", ..] => {
            Outcome::Dropped("dependencies are installed from the manifests")
        }
        ["python" | "python3", "-m", "venv" | "ensurepip" | "virtualenv", ..] | ["virtualenv", ..] => {
            Outcome::Dropped("no virtual environment is needed")
        }
        ["python" | "python3", "-m", "compileall", ..] => Outcome::Dropped("byte code is made in any case"),
        // a script of the project writes into the project; modules may write anywhere
        all @ ["python" | "python3", script, ..] if Utf8Path::new(script).extension() == Some("py") => {
            let value = all.iter().map(|word| (*word).to_owned()).collect();
            declared.prepare.push(Told { value, line });
            Outcome::Kept
        }
        ["useradd" | "adduser" | "groupadd" | "addgroup" | "usermod", ..] => {
            Outcome::Dropped("the image names its user by number")
        }
        ["chown" | "chmod" | "chgrp", ..] => Outcome::Dropped("files belong to root and are read-only"),
        ["rm", ..] | ["find", .., "-delete"] => Outcome::Dropped("nothing is left to clean up"),
        ["set" | "true" | "echo" | "cd" | "export" | "ls" | "pwd" | ":", ..] => Outcome::Dropped("it leaves nothing"),
        _ => Outcome::Unknown,
    }
}

/// Drops `sudo` and `poetry run`, `uv run`, `pipenv run`, `pdm run` in front of a command.
pub(crate) fn without_runner<'a>(words: &'a [&'a str]) -> &'a [&'a str] {
    match words {
        ["sudo", rest @ ..] => without_runner(rest),
        ["poetry" | "uv" | "pipenv" | "pdm" | "rye" | "hatch", "run", rest @ ..] => {
            let options = rest.iter().take_while(|word| word.starts_with("--")).count();
            &rest[options..]
        }
        all => all,
    }
}

fn apt(words: &[&str], line: usize, declared: &mut Declared) -> Outcome {
    let mut arguments = words.iter().filter(|word| !word.starts_with('-'));
    match arguments.next() {
        Some(&"install") => {
            for argument in arguments {
                let name = argument.split('=').next().unwrap_or(argument).to_owned();
                let for_build = is_build_package(&name);
                declared.packages.push(SystemPackage { name, for_build, line });
            }
            Outcome::Dropped("system packages are kept as far as the program needs them")
        }
        Some(&("update" | "upgrade" | "dist-upgrade" | "clean" | "autoclean" | "autoremove" | "remove" | "purge")) => {
            Outcome::Dropped("the base image is current")
        }
        _ => Outcome::Unknown,
    }
}

/// Packages that build other things, fetch other things or help a person at a prompt.
fn is_build_package(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "build-essential",
        "gcc",
        "g++",
        "clang",
        "llvm",
        "gfortran",
        "make",
        "cmake",
        "ninja-build",
        "autoconf",
        "automake",
        "libtool",
        "pkg-config",
        "pkgconf",
        "swig",
        "patchelf",
        "cargo",
        "rustc",
        "git",
        "curl",
        "wget",
        "gnupg",
        "gnupg2",
        "dirmngr",
        "apt-transport-https",
        "apt-utils",
        "lsb-release",
        "software-properties-common",
        "unzip",
        "zip",
        "xz-utils",
        "vim",
        "vim-tiny",
        "nano",
        "less",
        "htop",
        "procps",
        "iputils-ping",
        "net-tools",
        "telnet",
        "dnsutils",
        "netcat-openbsd",
        "netcat-traditional",
        "openssh-client",
        "sudo",
        "tree",
        "jq",
        "python3",
        "python3-pip",
        "python3-venv",
        "python3-setuptools",
        "python3-wheel",
        "python-is-python3",
        // these are in every base that plim chooses
        "ca-certificates",
        "tzdata",
        "libgcc-s1",
        "libstdc++6",
        "openssl",
    ];
    NAMES.contains(&name) || name.ends_with("-dev") || name.starts_with("gcc-") || name.starts_with("g++-")
}

fn pip(words: &[&str], line: usize, declared: &mut Declared) {
    let mut words = words.iter();
    while let Some(&word) = words.next() {
        match word {
            "-r" | "--requirement" => {
                if let Some(file) = words.next() {
                    declared.requirements.push(Told { value: file.trim_start_matches("./").to_owned(), line });
                }
            }
            // options with a value that names no package
            "-c" | "--constraint" | "-t" | "--target" | "--prefix" | "--root" | "-i" | "--index-url"
            | "--extra-index-url" | "-f" | "--find-links" | "--trusted-host" | "--cache-dir" | "--timeout"
            | "--retries" | "--default-timeout" | "--platform" | "--python-version" | "--no-binary"
            | "--only-binary" | "--progress-bar" | "--root-user-action" => {
                words.next();
            }
            option if option.starts_with('-') => {
                if let Some(file) = option.strip_prefix("--requirement=").or_else(|| option.strip_prefix("-r")) {
                    declared.requirements.push(Told { value: file.trim_start_matches("./").to_owned(), line });
                }
            }
            local if local.starts_with('.') || local.starts_with('/') => {
                declared.project_installed = Some(Told { value: (), line });
                let extras = local.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']')).unwrap_or_default();
                for extra in extras.split(',').map(str::trim).filter(|extra| !extra.is_empty()) {
                    declared.extras.push(Told { value: extra.to_owned(), line });
                }
            }
            package if is_installer(package) => {}
            package => declared.python_packages.push(Told { value: package.to_owned(), line }),
        }
    }
}

/// Packages that install packages.
fn is_installer(package: &str) -> bool {
    let name = package.split(['=', '<', '>', '~', '!', '[', ' ']).next().unwrap_or(package);
    matches!(
        name,
        "pip"
            | "setuptools"
            | "wheel"
            | "poetry"
            | "uv"
            | "pdm"
            | "pipenv"
            | "pip-tools"
            | "build"
            | "virtualenv"
            | "hatch"
    )
}

/// Cuts a script at `&&`, `;` and line breaks outside of quotes. Other operators stay in the command, which is then not
/// plain.
fn commands(script: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let mut quote = None;
    let mut start = 0;
    let bytes = script.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let width = match (bytes[at], quote) {
            (b'\\', None | Some(b'"')) => {
                at += 2;
                continue;
            }
            (byte @ (b'\'' | b'"'), None) => {
                quote = Some(byte);
                0
            }
            (byte, Some(open)) if byte == open => {
                quote = None;
                0
            }
            (b'&', None) if bytes.get(at + 1) == Some(&b'&') => 2,
            (b';' | b'\n', None) => 1,
            _ => 0,
        };
        if width > 0 {
            commands.push(script[start..at].trim());
            start = at + width;
            at = start;
        } else {
            at += 1;
        }
    }
    commands.push(script.get(start..).unwrap_or_default().trim());
    commands.retain(|command| !command.is_empty() && !command.starts_with('#'));
    commands
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scripts_are_cut_outside_of_quotes() {
        assert_eq!(commands("a && b 'x && y'; c\n# no\nd \\; e"), ["a", "b 'x && y'", "c", "d \\; e"]);
    }

    #[test]
    fn extras_and_files_of_pip_are_found() {
        let mut declared = Declared::default();
        let kept =
            classify("pip install -U pip && pip install --no-cache-dir -r./a.txt '.[web, db]'", 3, &mut declared);
        assert!(matches!(kept, Kept::Dropped(_)));
        assert_eq!(declared.requirements[0].value, "a.txt");
        let extras: Vec<_> = declared.extras.iter().map(|told| told.value.as_str()).collect();
        assert_eq!(extras, ["web", "db"]);
        assert!(declared.python_packages.is_empty());
    }

    #[test]
    fn what_is_not_understood_is_unknown() {
        for script in ["./setup.sh", "curl -L x | sh", "mkdir -p /data", "npm ci"] {
            assert_eq!(classify(script, 1, &mut Declared::default()), Kept::Unknown, "{script}");
        }
    }

    proptest! {
        #[test]
        fn no_script_makes_it_panic(script in "\\PC{0,40}") {
            classify(&script, 1, &mut Declared::default());
        }
    }
}
