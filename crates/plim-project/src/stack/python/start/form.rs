//! A command of whatever form as arguments of the interpreter.

use camino::{Utf8Path, Utf8PathBuf};

use super::super::names;
use super::{Scope, Start};
use crate::command::{self, Plain};
use crate::error::DetectError;
use crate::evidence::without_runner;
use crate::project::Finding;

/// Options that restart or debug the program when a file changes, which no file of an image does.
const DEVELOPMENT: &[&str] = &["--reload", "--debug", "--debugger"];

/// Makes a command one of the interpreter. `fixed` words of it cannot be replaced by arguments of `run`.
pub(super) fn interpreted(scope: &Scope<'_>, plain: &Plain, fixed: usize, origin: &str) -> Result<Start, DetectError> {
    let shown = command::quote(&plain.words);
    let mut start = Start { origin: origin.to_owned(), env: plain.env.clone(), ..Start::default() };
    for (name, value) in &plain.replaced {
        let note = format!("${name} in the start command is fixed to {value}, because no shell reads it");
        start.found.push(Finding::new(note, origin));
    }
    let words: Vec<&str> = plain.words.iter().map(String::as_str).collect();
    let words = without_runner(without_init(&words));
    let dropped = plain.words.len() - words.len();
    let Some((program, arguments)) = words.split_first() else {
        return Err(unknown(&shown, origin, ""));
    };
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    let head = head(scope, program, &arguments).ok_or_else(|| unknown(&shown, origin, program))?;
    let Head { words: mut all, replaces } = head;
    let added = all.len() - replaces;
    all.extend(arguments.into_iter().skip(replaces - 1));
    // words of the entrypoint keep their place: those in front may have become more
    start.entrypoint = if fixed > dropped { (fixed - dropped + added).min(all.len()) } else { 1 };
    start.words = all;
    without_development(&mut start, origin);
    Ok(start)
}

/// Drops the small init programs that only forward signals: a runtime has its own (`--init`), and the program is started
/// directly.
fn without_init<'a>(words: &'a [&'a str]) -> &'a [&'a str] {
    match words {
        [init, rest @ ..] if matches!(init.rsplit('/').next(), Some("tini" | "dumb-init" | "catatonit")) => {
            let options = rest.iter().take_while(|word| word.starts_with('-')).count();
            &rest[options..]
        }
        all => all,
    }
}

/// The new beginning of a command.
struct Head {
    words: Vec<String>,
    /// How many words of the old command it stands for.
    replaces: usize,
}

fn head(scope: &Scope<'_>, program: &str, arguments: &[String]) -> Option<Head> {
    let name = program.rsplit('/').next().unwrap_or(program);
    let of = |words: &[&str], replaces| Head { words: words.iter().map(|word| (*word).to_owned()).collect(), replaces };
    if name == "python" || name.strip_prefix("python3").is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
        let options = arguments.iter().take_while(|word| is_interpreter_flag(word)).count();
        let first = arguments.get(options)?;
        if first.starts_with('-') {
            return Some(of(&["python3"], 1));
        }
        // a script: it must be among the files of the image
        let path = file_of(scope, first)?;
        let mut words = vec!["python3".to_owned()];
        words.extend(arguments[..options].iter().cloned());
        words.push(path.into_string());
        return Some(Head { words, replaces: options + 2 });
    }
    if let Some(module) = names::module_of_script(name) {
        return Some(of(&["python3", "-m", module], 1));
    }
    if let Some(target) = scope.context.pyproject.and_then(|pyproject| pyproject.scripts.get(name)) {
        return Some(Head { words: entry_point(scope, target)?, replaces: 1 });
    }
    let path = file_of(scope, program)?;
    let is_python = path.extension() == Some("py")
        || scope
            .layout
            .in_project(scope.context.folder, &path)
            .and_then(|file| scope.context.folder.text(file))
            .is_some_and(|text| {
                text.lines().next().is_some_and(|line| line.starts_with("#!") && line.contains("python"))
            });
    is_python.then(|| of(&["python3", path.as_str()], 1))
}

/// Options of the interpreter that take no value.
fn is_interpreter_flag(word: &str) -> bool {
    let letters = word.strip_prefix('-').unwrap_or_default();
    !letters.is_empty() && letters.chars().all(|c| "BdEiIOPqRsSuvx".contains(c))
}

/// Returns the path of a script relative to the working directory, if the image will have it.
fn file_of(scope: &Scope<'_>, written: &str) -> Option<Utf8PathBuf> {
    let path = match written.strip_prefix(scope.workdir) {
        Some(below) if below.starts_with('/') => below.trim_start_matches('/'),
        _ => written.trim_start_matches("./"),
    };
    let path = Utf8Path::new(path);
    scope.layout.in_project(scope.context.folder, path).map(|_| path.to_owned())
}

/// Returns the command for an entry point `package.module:function`: what the console script that pip writes would do.
pub(super) fn entry_point(scope: &Scope<'_>, target: &str) -> Option<Vec<String>> {
    let (module, function) = target.split('[').next()?.trim().split_once(':')?;
    let valid = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    if !valid(module) || !valid(function) {
        return None;
    }
    let package = module.strip_suffix(".__main__").unwrap_or(module);
    let has_main = scope.sources.mains.iter().any(|(name, _)| name == package);
    if has_main && (module.ends_with(".__main__") || package == module) {
        return Some(vec!["python3".to_owned(), "-m".to_owned(), package.to_owned()]);
    }
    let object = function.split('.').next().unwrap_or(function);
    let code = format!("import sys; from {module} import {object}; sys.exit({function}())");
    Some(vec!["python3".to_owned(), "-c".to_owned(), code])
}

/// Drops options that only make sense while somebody edits the files.
fn without_development(start: &mut Start, origin: &str) {
    let server = start
        .module()
        .is_some_and(|module| matches!(module, "uvicorn" | "gunicorn" | "flask" | "hypercorn" | "fastapi"));
    if server {
        let mut index = 0;
        while index < start.words.len() {
            if DEVELOPMENT.contains(&start.words[index].as_str()) {
                let word = start.words.remove(index);
                if index < start.entrypoint {
                    start.entrypoint -= 1;
                }
                start.found.push(Finding::new(format!("{word} is left out: nothing changes in an image"), origin));
            } else {
                index += 1;
            }
        }
    }
    if start.words.iter().any(|word| word == "runserver") && !start.words.iter().any(|word| word == "--noreload") {
        start.words.push("--noreload".to_owned());
        start.found.push(Finding::new("runserver does not watch files (--noreload)", origin));
    }
}

/// Returns the folder that must be on the module search path, if the command names a module that is not in the working
/// directory but in a folder of it.
pub(super) fn search_path(scope: &Scope<'_>, start: &Start) -> Option<String> {
    let names_folder = start.served().iter().any(|word| {
        ["--app-dir", "--chdir", "--pythonpath"]
            .iter()
            .any(|option| word == option || word.starts_with(&format!("{option}=")))
    });
    if names_folder {
        return None;
    }
    let candidates = start.served().iter().skip(1).filter_map(|word| {
        let module = word.split(':').next().unwrap_or(word);
        let module = module.strip_prefix("import sys; from ").and_then(|rest| rest.split(' ').next()).unwrap_or(module);
        let valid = !module.is_empty() && module.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
        valid.then(|| module.replace('.', "/"))
    });
    let exists = |path: String| scope.layout.in_project(scope.context.folder, Utf8Path::new(&path)).is_some();
    for module in candidates {
        let files = |base: &str| {
            [format!("{base}{module}.py"), format!("{base}{module}/__init__.py"), format!("{base}{module}/__main__.py")]
        };
        if files("").into_iter().any(exists) {
            return None;
        }
        if files("src/").into_iter().any(exists) {
            return Some("src".to_owned());
        }
    }
    None
}

fn unknown(command: &str, origin: &str, program: &str) -> DetectError {
    DetectError::Program { command: command.to_owned(), origin: origin.to_owned(), program: program.to_owned() }
}
