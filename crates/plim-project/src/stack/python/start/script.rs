//! A start that is a shell script of the project: it is kept, with the shell and the programs that it calls.

use plim_dockerfile::Command;

use super::{Scope, Start, exec_form, form, plain};
use crate::command::{self, Plain};
use crate::error::DetectError;
use crate::evidence::{self, EntryScript};
use crate::project::Finding;

/// Returns the start that keeps the script. A script that only becomes another user is left out: the image starts the
/// command as that user in any case.
pub(super) fn start(scope: &Scope<'_>, script: &EntryScript) -> Result<Option<Start>, DetectError> {
    let declared = scope.context.declared;
    let origin = scope.context.at(script.line);
    let mut arguments = script.arguments.clone();
    let cmd = declared.cmd.as_ref().filter(|_| !script.by_cmd);
    match cmd.map(|told| &told.value) {
        Some(Command::Exec(words)) => arguments.extend(words.iter().map(|word| word.value.clone())),
        Some(Command::Shell(text)) => {
            arguments.extend(["/bin/sh", "-c"].map(ToOwned::to_owned));
            arguments.push(text.value.clone());
        }
        None => {}
    }
    let root = script.needs_root();
    if script.only_changes_user() && !arguments.is_empty() {
        let mut start = exec_form(scope, arguments, 0, &origin)?;
        if let Some(start) = &mut start {
            start.found.push(Finding::new(
                format!("{} is left out: the image runs as a user without rights from the start", script.path),
                format!("it ends with {}", script.last.as_deref().map(command::quote).unwrap_or_default()),
            ));
        }
        return Ok(start);
    }
    let old = declared.workdir.as_ref().map_or("", |told| told.value.trim_end_matches('/'));
    let in_image = match (scope.layout.in_image(&script.path), script.in_image.strip_prefix(old)) {
        (Some(below), _) => format!("{}/{below}", scope.workdir),
        (None, Some(rest)) if !old.is_empty() && rest.starts_with('/') => format!("{}{rest}", scope.workdir),
        _ => script.in_image.clone(),
    };
    let serves = if script.ends_with_exec_args {
        exec_form(scope, arguments.clone(), 0, &origin).ok().flatten()
    } else {
        let plain = Plain { words: script.last.clone().unwrap_or_default(), ..Plain::default() };
        form::interpreted(scope, &plain, 0, &origin).ok()
    };
    let mut words = vec![shell_of(&script.interpreter).to_owned(), in_image.clone()];
    words.append(&mut arguments);
    let packages = script.packages();
    let shown: Vec<String> = packages.iter().map(|(program, package)| format!("{program} ({package})")).collect();
    let instead = script.last.as_deref().filter(|last| !script.ends_with_exec_args && !last.is_empty());
    let instead = instead.map_or_else(
        || "a start command without it".to_owned(),
        |last| format!("--start '{}'", command::quote(last).replace('\'', "\"")),
    );
    let mut found = vec![Finding::new(
        format!("the entry script {} keeps {} in the image: {instead} would do without", script.path, shown.join(", ")),
        origin.clone(),
    )];
    if !root.is_empty() {
        found.push(Finding::new(
            format!("the entry script {} calls {}, which only root may: that fails, because the image runs as a user without rights", script.path, root.join(", ")),
            origin.clone(),
        ));
    }
    if script.opaque {
        found.push(Finding::new(
            format!(
                "the entry script {} was not understood to its end: it may call programs that the image does not have",
                script.path
            ),
            origin.clone(),
        ));
    }
    let why = format!("the entry script {}", script.path);
    Ok(Some(Start {
        words,
        entrypoint: 2,
        origin,
        packages: packages.into_iter().map(|(_, package)| (package.to_owned(), why.clone())).collect(),
        script: Some((script.path.clone(), in_image)),
        serves: serves.map(|start| start.served().to_vec()).unwrap_or_default(),
        runners: script.runners().into_iter().map(ToOwned::to_owned).collect(),
        found,
        ..Start::default()
    }))
}

/// Returns the start that keeps the shell for a list of commands that ends in a server: `migrate && gunicorn …`. Nothing
/// if that is not certain.
pub(super) fn list(scope: &Scope<'_>, text: &str, interpreter: &str, origin: &str) -> Option<Start> {
    let text = text.trim();
    let last = command::last_of_list(text);
    let script = evidence::inline(scope.context.declared, text, interpreter);
    if script.opaque || script.commands.len() < 2 {
        return None;
    }
    let plain = plain(scope, last, origin).ok()?;
    let served = form::interpreted(scope, &plain, 0, origin).ok()?;
    // the server takes the place of the shell, so that it hears of the end
    let before = text.strip_suffix(last)?;
    let exec = plain.env.is_empty() && !last.starts_with("exec ");
    let kept = if exec { format!("{before}exec {last}") } else { text.to_owned() };
    let packages = script.packages();
    let shown: Vec<String> = packages.iter().map(|(program, package)| format!("{program} ({package})")).collect();
    let mut found = vec![Finding::new(
        format!(
            "the list of commands that starts the program keeps {} in the image: --start '{}' would do without, and without what comes before",
            shown.join(", "),
            command::quote(&plain.words).replace('\'', "\"")
        ),
        origin,
    )];
    found.extend(served.found.iter().cloned());
    // the shell reads variables itself: those that only plim gave a value
    let declared = &scope.context.declared.env;
    let given = plain.replaced.iter().filter(|(name, _)| !declared.iter().any(|told| told.value.0 == *name));
    let env = given.cloned().collect();
    Some(Start {
        words: vec![shell_of(interpreter).to_owned(), "-c".to_owned(), kept],
        entrypoint: 3,
        origin: origin.to_owned(),
        packages: packages
            .into_iter()
            .map(|(_, package)| (package.to_owned(), "the start command".to_owned()))
            .collect(),
        env,
        serves: served.words,
        runners: script.runners().into_iter().map(ToOwned::to_owned).collect(),
        found,
        ..Start::default()
    })
}

fn shell_of(interpreter: &str) -> &'static str {
    if interpreter == "bash" { "/bin/bash" } else { "/bin/sh" }
}
