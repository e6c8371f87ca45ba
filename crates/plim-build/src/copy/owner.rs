//! Users and groups that are named, looked up in the files of a stage.

use std::sync::PoisonError;

use crate::error::BuildError;
use crate::export;
use crate::files;
use crate::graph::Step;
use crate::stage::Building;
use crate::travel::owner_key;

/// Returns the numbers of `user[:group]`, looked up in the stage's files only where names are given.
pub(crate) fn owner(building: &Building<'_>, step: &Step, text: &str) -> Result<(u32, u32), BuildError> {
    let numbers = match text.split_once(':') {
        Some((user, group)) => user.parse().ok().zip(group.parse().ok()),
        None => text.parse().ok().map(|user: u32| (user, user)),
    };
    if let Some(numbers) = numbers {
        return Ok(numbers);
    }
    let (shared, stack) = (building.shared, &building.stack);
    let imports = &shared.session.imports;
    // the files of a stage that is known need not be here for a name in them
    let told = || imports.owner(&owner_key(&export::state_of(shared, stack)?, text));
    let numbers = match Some(imports).filter(|imports| !imports.is_empty()).and_then(|_| told()) {
        Some(numbers) => numbers,
        None => files::resolve_owner(&stack.view(shared)?, text).map_err(building.files_failed(step))?,
    };
    let mut owners = shared.owners.lock().unwrap_or_else(PoisonError::into_inner);
    owners.push((stack.clone(), text.to_owned(), numbers));
    Ok(numbers)
}
