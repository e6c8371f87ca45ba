//! A start that is a shell script of the project.

use super::{Scope, Start, exec_form, form};
use crate::command::Plain;
use crate::error::DetectError;
use crate::project::Finding;
use crate::stack::node::programs;
use crate::stack::script::Entry;

/// What the image has beside the programs of Debian when it has more than node.
const MANAGERS: &[&str] = &["npm", "npx", "yarn", "yarnpkg", "corepack"];

/// Returns the start that keeps the script, or that does without it where it only becomes another user.
pub(super) fn start(scope: &Scope<'_>, entry: &Entry<'_>) -> Result<Option<Start>, DetectError> {
    if entry.is_needless() {
        let mut start = exec_form(scope, &entry.arguments, 0, &entry.origin)?;
        if let Some(start) = &mut start {
            start.found.push(entry.left_out());
        }
        return Ok(start);
    }
    let context = scope.context;
    let kept = entry.keep(scope.workdir, None, &["node", "nodejs", "npm", "npx"]);
    // what stays running tells which files are made, and which packages must stay
    let plain = Plain { words: entry.last(), ..Plain::default() };
    let mut start = match form::interpreted(scope, &plain, 0, &entry.origin) {
        Ok(inner) if !plain.words.is_empty() => inner,
        _ => Start::default(),
    };
    start.env.clear();
    start.words = kept.words;
    start.entrypoint = 2;
    start.origin.clone_from(&entry.origin);
    start.found = kept.found;
    start.system = kept.packages;
    let mut called: Vec<Vec<String>> = entry.script.commands.iter().map(|command| command.words.clone()).collect();
    called.push(entry.arguments.clone());
    for words in &called {
        for word in words_of(scope, words) {
            let of_lock = scope.manager.npm_lock.as_ref().and_then(|lock| lock.program(&word));
            let known = programs::program_of(&word).map(|program| program.package.to_owned());
            let package = of_lock.map(|(package, ..)| package.to_owned()).or(known).unwrap_or(word);
            if context.manifest.has(&package) && !start.packages.contains(&package) {
                start.packages.push(package);
            }
        }
    }
    let name = |words: &Vec<String>| words.first().map(|word| word.rsplit('/').next().unwrap_or(word).to_owned());
    if let Some(missing) = called.iter().filter_map(name).find(|name| matches!(name.as_str(), "pnpm" | "pnpx" | "bun"))
    {
        return Err(DetectError::Unsuited {
            path: entry.script.path.clone(),
            message: format!("the entry script calls {missing}, which the image does not have"),
            hint: "call the program with npx there, or say what to start with `--start 'node server.js'`".to_owned(),
        });
    }
    let manager = called.iter().filter_map(name).find(|name| {
        MANAGERS.contains(&name.as_str()) || context.manifest.has(name) || programs::program_of(name).is_some()
    });
    if let Some(manager) = manager {
        let what = format!("the entry script {} calls {manager}, {COMES_WITH_NODE}", kept.path);
        start.found.push(Finding::new(what, entry.origin.clone()));
        start.system.retain(|(package, _)| !crate::evidence::is_in_slim(package));
        let own =
            context.declared.path.iter().map(|told| told.value.as_str()).filter(|path| path.contains("node_modules"));
        let own: Vec<&str> = own.collect();
        if !own.is_empty() {
            start.env.push(("PATH".to_owned(), format!("{}:{USUAL_PATH}", own.join(":"))));
        }
    }
    start.script = Some((kept.path, kept.in_image));
    Ok(Some(start))
}

/// The end of the finding that asks for an image with npm.
pub(crate) const COMES_WITH_NODE: &str = "which comes with the full image of Node.js";

/// Folders of programs that every image has on its path.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The words of a command in which programs of packages may be: those behind npx, and those of the scripts that npm runs.
fn words_of(scope: &Scope<'_>, words: &[String]) -> Vec<String> {
    let scripts = &scope.context.manifest.scripts;
    let mut all = Vec::new();
    match words.first().map(String::as_str) {
        Some("npm" | "yarn" | "npx") => {
            let script = words.iter().skip(1).find_map(|word| scripts.get(word));
            match script {
                Some(text) => all.extend(text.split_whitespace().map(ToOwned::to_owned)),
                None => all.extend(words.iter().skip(1).filter(|word| !word.starts_with('-')).take(2).cloned()),
            }
        }
        Some(program) => all.push(program.to_owned()),
        None => {}
    }
    all
}
