//! Which service of a compose file is the project, and what it is built from.

use super::dockerfiles::{self, Author};
use super::place::Search;
use crate::compose::{Built, File};
use crate::error::DetectError;
use crate::folder::Folder;
use crate::project::{Choices, Finding};

/// Chooses the service that is built from the project: of several the one that listens, if they are built alike.
pub(super) fn choose<'a>(
    search: &Search<'_>,
    file: &'a File,
    given: Option<&Author>,
    choices: &Choices,
    found: &mut Vec<Finding>,
) -> Result<Option<&'a Built>, DetectError> {
    let mut all: Vec<&Built> = file.builds.iter().filter(|built| is_built_from(search, built)).collect();
    let service = |built: &Built| &file.services[built.service];
    if let Some(given) = given {
        narrow(&mut all, |built| built.dockerfile.as_ref() == Some(&given.path));
    }
    if let Some(target) = &choices.target {
        narrow(&mut all, |built| built.target.as_ref() == Some(target));
    }
    narrow(&mut all, |built| !service(built).optional);
    narrow(&mut all, |built| !service(built).ports.is_empty());
    narrow(&mut all, |built| !is_for_development(built));
    let Some((first, others)) = all.split_first() else { return Ok(None) };
    let name = |built: &Built| format!("{}: {}", file.path, service(built).name);
    if given.is_none() && others.iter().any(|other| other.dockerfile != first.dockerfile) {
        let describe = |built: &&Built| {
            let path = built.dockerfile.as_ref().map_or("Dockerfile", |path| path.as_str());
            format!("{path} ({})", name(built))
        };
        return Err(DetectError::Ambiguous {
            what: "the Dockerfile",
            candidates: all.iter().map(describe).collect(),
            flag: "-f",
            key: "",
        });
    }
    if choices.target.is_none() && others.iter().any(|other| other.target != first.target) {
        let describe =
            |built: &&Built| format!("{} ({})", built.target.as_deref().unwrap_or("the last stage"), name(built));
        return Err(DetectError::Ambiguous {
            what: "the stage that is the image",
            candidates: all.iter().map(describe).collect(),
            flag: "--target",
            key: "[project] target",
        });
    }
    let mut why = file.at(service(first).line);
    if !others.is_empty() {
        let names: Vec<&str> = others.iter().map(|built| service(built).name.as_str()).collect();
        why = format!("{why}; built alike: {}", names.join(", "));
    }
    found.push(Finding::new(format!("service {}", service(first).name), why));
    Ok(Some(first))
}

/// Keeps those that pass, if any does.
fn narrow<'a>(all: &mut Vec<&'a Built>, pass: impl Fn(&Built) -> bool) {
    let passed: Vec<&'a Built> = all.iter().copied().filter(|built| pass(built)).collect();
    if !passed.is_empty() {
        *all = passed;
    }
}

/// Whether a service is the project: built from its folder, or from one above with a Dockerfile that is about it.
fn is_built_from(search: &Search<'_>, built: &Built) -> bool {
    if built.context == search.project {
        return true;
    }
    let Some(path) = built.dockerfile.as_ref().filter(|_| search.project.starts_with(&built.context)) else {
        return false;
    };
    Author::found(search.folder, path).is_ok_and(|author| search.is_about(&author))
}

fn is_for_development(built: &Built) -> bool {
    let file = built.dockerfile.as_ref().and_then(|path| path.file_name());
    [file, built.target.as_deref()].into_iter().flatten().any(dockerfiles::is_for_development)
}

/// The Dockerfile that a service is built with; nothing if it is not there, or for developers while there is another.
pub(super) fn dockerfile(
    folder: &Folder,
    file: &File,
    built: &Built,
    found: &mut Vec<Finding>,
) -> Result<Option<Author>, DetectError> {
    let Some(path) = built.dockerfile.as_ref().filter(|path| folder.has(path)) else { return Ok(None) };
    let why = format!("{}: service {} is built with it", file.path, file.services[built.service].name);
    let name = path.file_name().unwrap_or_default();
    if dockerfiles::is_for_development(name) {
        let others = dockerfiles::candidates(folder, &built.context, &[]);
        if others.iter().any(|other| other != path && !other.file_name().is_some_and(dockerfiles::is_for_development)) {
            found.push(Finding::new(format!("{path} is for developers, another Dockerfile is taken"), why));
            return Ok(None);
        }
    }
    if name != "Dockerfile" || path.parent() != Some(&built.context) {
        found.push(Finding::new(format!("Dockerfile {path}"), why));
    }
    Author::found(folder, path).map(Some)
}

/// The stage that a service is built from, unless that is for developers.
pub(super) fn target(file: &File, built: &Built, found: &mut Vec<Finding>) -> Option<String> {
    let target = built.target.as_ref()?;
    let why = format!("{}: service {}", file.path, file.services[built.service].name);
    if dockerfiles::is_for_development(target) {
        let what = format!("stage {target} is for developers: the image is the last stage");
        found.push(Finding::new(what, format!("{why}; `--target` decides")));
        return None;
    }
    found.push(Finding::new(format!("the image is stage {target}"), why));
    Some(target.clone())
}
