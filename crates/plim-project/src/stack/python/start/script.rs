//! A start that is a shell script of the project, or a list of commands.

use super::{Scope, Start, exec_form, form};
use crate::command::Plain;
use crate::error::DetectError;
use crate::evidence::EntryScript;
use crate::stack::said::Said;
use crate::stack::script::{Entry, KeptList};

/// Returns the start that keeps the script, or that does without it where it only becomes another user.
pub(super) fn start(scope: &Scope<'_>, entry: &Entry<'_>) -> Result<Option<Start>, DetectError> {
    if entry.is_needless() {
        let mut start = exec_form(scope, entry.arguments.clone(), 0, &entry.origin)?;
        if let Some(start) = &mut start {
            start.found.push(entry.left_out());
        }
        return Ok(start);
    }
    let kept = entry.keep(scope.workdir, scope.layout.in_image(&entry.script.path).as_deref(), &[]);
    let serves = if entry.script.ends_with_exec_args {
        exec_form(scope, entry.last(), 0, &entry.origin).ok().flatten()
    } else {
        form::interpreted(scope, &Plain { words: entry.last(), ..Plain::default() }, 0, &entry.origin).ok()
    };
    Ok(Some(Start {
        words: kept.words,
        entrypoint: 2,
        origin: entry.origin.clone(),
        packages: kept.packages,
        script: Some((kept.path, kept.in_image)),
        serves: serves.map(|start| start.served().to_vec()).unwrap_or_default(),
        runners: runners(entry.script),
        found: kept.found,
        ..Start::default()
    }))
}

/// Returns the start that keeps the shell for a list of commands that ends in a server: `migrate && gunicorn …`.
pub(super) fn list(scope: &Scope<'_>, said: Said, list: KeptList) -> Result<Start, DetectError> {
    let plain = Plain { words: said.words, ..Plain::default() };
    let Ok(served) = form::interpreted(scope, &plain, 0, &said.origin) else {
        return Err(list.refused(&plain.words, said.origin));
    };
    Ok(Start {
        words: list.words,
        entrypoint: 3,
        origin: said.origin,
        packages: list.packages,
        env: said.env,
        serves: served.words,
        runners: runners(&list.script),
        found: said.found,
        ..Start::default()
    })
}

fn runners(script: &EntryScript) -> Vec<String> {
    script.runners().into_iter().map(ToOwned::to_owned).collect()
}
