//! Which requirement files count.

use camino::{Utf8Path, Utf8PathBuf};

use super::super::requirements::RequirementList;
use super::super::{Context, Pyproject};

/// Lists for production, the most explicit first.
const PRODUCTION: &[&str] = &[
    "requirements-prod.txt",
    "requirements-production.txt",
    "requirements_prod.txt",
    "requirements.prod.txt",
    "requirements/prod.txt",
    "requirements/production.txt",
];

/// Lists without a purpose in their name.
const GENERAL: &[&str] =
    &["requirements.txt", "requirements/base.txt", "requirements/requirements.txt", "requirements.lock"];

/// Whether `[project] dependencies` is the runtime part of a requirements file: nothing in it that the file has not, and no
/// server left out.
pub(super) fn lists_runtime(pyproject: &Pyproject, list: &RequirementList) -> bool {
    let named = pyproject.names();
    let in_list = |name: &String| list.packages.iter().any(|(_, _, package)| package.name == *name);
    let servers = ["uvicorn", "gunicorn", "hypercorn", "daphne", "waitress", "granian", "uwsgi"];
    let all_servers = list
        .packages
        .iter()
        .filter(|(_, _, package)| servers.contains(&package.name.as_str()))
        .all(|(_, _, package)| named.contains(&package.name));
    pyproject.dependencies.is_some() && !named.is_empty() && named.iter().all(in_list) && all_servers
}

/// The requirement files to install from.
pub(super) fn requirement_files(context: &Context<'_>) -> Vec<Utf8PathBuf> {
    if let Some(file) = PRODUCTION.iter().find(|file| context.folder.has(file)) {
        return vec![(*file).into()];
    }
    let mut told: Vec<Utf8PathBuf> = context
        .declared
        .requirements
        .iter()
        .map(|told| Utf8PathBuf::from(told.value.rsplit_once("/app/").map_or(told.value.as_str(), |(_, name)| name)))
        .map(|path| if context.folder.has(&path) { path } else { path.file_name().unwrap_or_default().into() })
        .filter(|path| context.folder.has(path) && !is_dev_list(path))
        .collect();
    told.dedup();
    if !told.is_empty() {
        return told;
    }
    GENERAL.iter().find(|file| context.folder.has(file)).map(|file| vec![(*file).into()]).unwrap_or_default()
}

fn is_dev_list(path: &Utf8Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    ["dev", "test", "lint", "doc", "ci"]
        .iter()
        .any(|word| name.split(['-', '_', '.']).any(|part| part == *word || part.strip_suffix('s') == Some(word)))
}
