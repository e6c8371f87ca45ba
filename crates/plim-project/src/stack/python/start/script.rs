//! A start that is a shell script of the project.

use super::{Scope, Start, exec_form};
use crate::error::DetectError;
use crate::stack::script::Entry;

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
    Ok(Some(Start {
        words: kept.words,
        entrypoint: 2,
        origin: entry.origin.clone(),
        packages: kept.packages,
        script: Some((kept.path, kept.in_image)),
        found: kept.found,
        ..Start::default()
    }))
}
