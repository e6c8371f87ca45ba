//! A start that is a shell script of the project: it is kept, with the shell and the programs that it calls.

use plim_dockerfile::Command;

use super::{Scope, Start, exec_form};
use crate::command;
use crate::error::DetectError;
use crate::evidence::EntryScript;
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
    let shell = if script.interpreter == "bash" { "/bin/bash" } else { "/bin/sh" };
    let mut words = vec![shell.to_owned(), in_image.clone()];
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
        found,
        ..Start::default()
    }))
}
