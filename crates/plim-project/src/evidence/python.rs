//! What commands tell about a Python project: where its dependencies come from.

use super::purpose::{Ecosystem, Purpose};
use super::{Declared, RunCommand, Told};

/// Notes what a command installs with pip.
pub(super) fn hear(command: &RunCommand, declared: &mut Declared) {
    if command.purpose() != Purpose::LanguagePackages(Ecosystem::Python) {
        return;
    }
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let words = match words.split_first() {
        Some((program, rest)) => [&[program.rsplit('/').next().unwrap_or(program)], rest].concat(),
        None => return,
    };
    match words.as_slice() {
        [pip, "install", rest @ ..] if pip.starts_with("pip") && *pip != "pipenv" && *pip != "pipx" => {
            install(rest, command.line, declared);
        }
        [python, "-m", "pip", "install", rest @ ..] if python.starts_with("python") => {
            install(rest, command.line, declared);
        }
        // options of the interpreter or of pip come first
        [python, options @ ..] if python.starts_with("python") || python.starts_with("pip") => {
            let pip = options.iter().position(|word| *word == "install");
            let is_pip = python.starts_with("pip") || options.contains(&"pip");
            if let Some(at) =
                pip.filter(|at| is_pip && options[..*at].iter().all(|word| word.starts_with('-') || *word == "pip"))
            {
                install(&options[at + 1..], command.line, declared);
            }
        }
        ["uv", "pip", "install", rest @ ..] => install(rest, command.line, declared),
        _ => {}
    }
}

fn install(words: &[&str], line: usize, declared: &mut Declared) {
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
            | "--only-binary" | "--progress-bar" | "--root-user-action" | "--group" | "--python" | "--index"
            | "--default-index" | "--proxy" | "--cert" | "--abi" | "--implementation" | "--src" | "-b" => {
                words.next();
            }
            option if option.starts_with('-') => {
                if let Some(file) = option.strip_prefix("--requirement=").or_else(|| option.strip_prefix("-r")) {
                    declared.requirements.push(Told { value: file.trim_start_matches("./").to_owned(), line });
                }
            }
            // what is not known names nothing
            unknown
                if unknown.contains(['$', '`', '*'])
                    || [".whl", ".tar.gz", ".zip"].iter().any(|end| unknown.ends_with(end)) => {}
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

#[cfg(test)]
mod tests {
    use super::super::Evidence;

    #[test]
    fn extras_and_files_of_pip_are_found() {
        let declared = Evidence::read(
            "FROM python\nRUN pip install -U pip && /opt/venv/bin/pip install --no-cache-dir -r./a.txt '.[web, db]'\n",
        )
        .declared;
        assert_eq!(declared.requirements[0].value, "a.txt");
        let extras: Vec<_> = declared.extras.iter().map(|told| told.value.as_str()).collect();
        assert_eq!(extras, ["web", "db"]);
        assert!(declared.python_packages.is_empty());
        assert!(declared.project_installed.is_some());
    }
}
