//! Where the project is: its folder, the Dockerfile of its author, and the folder that this Dockerfile copies from.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::dockerfiles::{self, Author};
use super::services;
use super::sources::{self, Sources};
use super::stage::until_stage;
use super::{kind_of_image, stacks_in};
use crate::compose::{ComposeFacts, File, Settings};
use crate::error::DetectError;
use crate::folder::Folder;
use crate::project::{Choices, Finding, StackKind};

/// How deep below the folder other projects are looked for.
const NESTED_DEPTH: usize = 2;

/// Folders with manifests that are not projects to be deployed.
const NO_PROJECTS: &[&str] = &[
    ".devcontainer",
    ".plim",
    "tests",
    "test",
    "testdata",
    "fixtures",
    "e2e",
    "docs",
    "doc",
    "examples",
    "example",
    "samples",
    "benchmarks",
    "vendor",
];

/// Where the project is. Paths are relative to the folder that plim was given.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// The folder with the manifests.
    pub(super) project: Utf8PathBuf,
    /// What COPY reads from: the folder that was given, or that of the project.
    pub(super) context: Utf8PathBuf,
    /// The author's Dockerfile, up to the stage that is the image.
    pub(super) author: Option<Author>,
    /// The name of that stage, when it need not be the last one.
    pub(super) target: Option<String>,
    pub(super) compose: Option<ComposeFacts>,
    pub(super) found: Vec<Finding>,
}

/// Finds the project. What cannot be decided is an error that lists the candidates.
pub(super) fn find(
    folder: &Folder,
    choices: &Choices,
    compose: Option<&File>,
    mut found: Vec<Finding>,
) -> Result<Place, DetectError> {
    let given = choices.dockerfile.as_deref().map(|path| Author::named(folder, path)).transpose()?;
    let nested = nested(folder);
    let project = match &choices.project_dir {
        Some(path) => inside(folder, path)?,
        None => project(folder, &nested, given.as_ref(), compose, choices, &mut found)?,
    };
    let service = match compose {
        Some(file) => {
            let search = Search { folder, nested: &nested, project: &project };
            services::choose(&search, file, given.as_ref(), choices, &mut found)?.map(|built| (file, built))
        }
        None => None,
    };
    let mut author = match (given, service) {
        (Some(author), _) => Some(author),
        (None, Some((file, built))) => match services::dockerfile(folder, file, built, &mut found)? {
            Some(author) => Some(author),
            None => author(folder, &project, &nested, &mut found)?,
        },
        (None, None) => author(folder, &project, &nested, &mut found)?,
    };
    // what it says about building holds for its own Dockerfile only
    let service_builds =
        service.filter(|(_, built)| built.dockerfile == author.as_ref().map(|author| author.path.clone()));
    let target = match (&choices.target, service_builds) {
        (Some(target), _) => Some(target.clone()),
        (None, Some((file, built))) => services::target(file, built, &mut found),
        (None, None) => None,
    };
    if let (Some(author), Some(target)) = (&mut author, &target) {
        author.text = until_stage(&author.text, target, &author.path)?;
    }
    let context = match (&author, service_builds) {
        (_, Some((_, built))) => built.context.clone(),
        (Some(author), None) if !project.as_str().is_empty() => context(folder, &project, author, &mut found),
        _ => project.clone(),
    };
    let mut facts = service.map(|(file, built)| file.facts(built));
    if let (Some(facts), None) = (&mut facts, service_builds) {
        facts.build_args = Settings::default();
    }
    Ok(Place { project, context, author, target, compose: facts, found })
}

/// Where a project is among others.
pub(super) struct Search<'a> {
    pub(super) folder: &'a Folder,
    pub(super) nested: &'a [Utf8PathBuf],
    pub(super) project: &'a Utf8Path,
}

impl Search<'_> {
    /// Whether a Dockerfile is about the project.
    pub(super) fn is_about(&self, author: &Author) -> bool {
        about(self.folder, author, &author.sources(), self.nested).iter().any(|path| path == self.project)
    }
}

/// The folder that the user chose, as a path from the one that is read.
fn inside(folder: &Folder, path: &Utf8Path) -> Result<Utf8PathBuf, DetectError> {
    let relative = path.strip_prefix(folder.root()).unwrap_or(path);
    sources::clean(relative.as_str())
        .filter(|_| !relative.is_absolute())
        .ok_or_else(|| DetectError::NotBelow { path: path.to_owned(), root: folder.root().to_owned() })
}

/// The folders below that hold projects; one inside another belongs to it.
fn nested(folder: &Folder) -> Vec<Utf8PathBuf> {
    let mut outermost: Vec<Utf8PathBuf> = Vec::new();
    // sorted, so that a folder comes before those inside it
    for path in folder.folders() {
        let is_project = path.components().count() <= NESTED_DEPTH
            && !path.components().any(|part| NO_PROJECTS.contains(&part.as_str()))
            && !outermost.iter().any(|other| path.starts_with(other))
            && !stacks_in(folder, path).is_empty();
        if is_project {
            outermost.push(path.to_owned());
        }
    }
    outermost
}

/// Chooses the folder of the project: the given one if it has a manifest, unless its Dockerfile is about another.
fn project(
    folder: &Folder,
    nested: &[Utf8PathBuf],
    given: Option<&Author>,
    compose: Option<&File>,
    choices: &Choices,
    found: &mut Vec<Finding>,
) -> Result<Utf8PathBuf, DetectError> {
    let here = Utf8PathBuf::new();
    let own = stacks_in(folder, &here);
    if nested.is_empty() {
        return Ok(here);
    }
    let above: Vec<Author> = if let Some(author) = given {
        vec![author.clone()]
    } else {
        let mut paths = dockerfiles::candidates(folder, &here, nested);
        // those of services that are built from the whole folder, which may lie in that of the project
        let built = compose.iter().flat_map(|file| &file.builds).filter(|built| built.context == here);
        for path in built.filter_map(|built| built.dockerfile.clone()) {
            if folder.has(&path) && !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths.iter().map(|path| Author::found(folder, path)).collect::<Result<_, _>>()?
    };
    let mut named: BTreeSet<Utf8PathBuf> = BTreeSet::new();
    let mut by = None;
    for author in &above {
        let sources = author.sources();
        let about = about(folder, author, &sources, nested);
        if own.is_empty() || !about.is_empty() && !takes_manifest(&sources, folder) {
            by = by.or_else(|| (!about.is_empty()).then(|| author.path.clone()));
            named.extend(about);
        } else if !own.is_empty() {
            return Ok(here);
        }
    }
    match (named.iter().next(), named.len()) {
        (Some(one), 1) => {
            let by = by.unwrap_or_else(|| "Dockerfile".into());
            found.push(Finding::new(format!("project folder {one}"), format!("{by} is about it")));
            Ok(one.clone())
        }
        _ if !own.is_empty() || choices.stack.is_some() && nested.len() != 1 => Ok(here),
        (Some(_), _) => Err(several(folder, &named.into_iter().collect::<Vec<_>>())),
        (None, _) => deployed(folder, nested, found),
    }
}

/// The projects that a Dockerfile is about: the one it lies in, those that it copies into the image by name, or else into
/// a stage, or the only one where it copies everything.
fn about(folder: &Folder, author: &Author, sources: &Sources, nested: &[Utf8PathBuf]) -> Vec<Utf8PathBuf> {
    let those = |test: &dyn Fn(&Utf8Path) -> bool| nested.iter().filter(|path| test(path)).cloned().collect::<Vec<_>>();
    let lies_in = those(&|path| author.path.starts_with(path));
    if !lies_in.is_empty() {
        return lies_in;
    }
    let mut named = those(&|path| sources.name(path, true));
    if named.is_empty() {
        named = those(&|path| sources.name(path, false));
    }
    if named.is_empty() && sources.everything() && nested.len() == 1 {
        named = nested.to_vec();
    }
    if named.len() > 1
        && let Some(kind) = sources.base.as_deref().and_then(kind_of_image)
    {
        let of_kind: Vec<_> = named
            .iter()
            .filter(|path| stacks_in(folder, path).iter().any(|(shown, _)| *shown == kind))
            .cloned()
            .collect();
        if !of_kind.is_empty() {
            return of_kind;
        }
    }
    named
}

/// Whether a Dockerfile takes a manifest of the folder itself, or the whole folder.
fn takes_manifest(sources: &Sources, folder: &Folder) -> bool {
    let own: Vec<Utf8PathBuf> =
        stacks_in(folder, Utf8Path::new("")).into_iter().map(|(_, manifest)| manifest).collect();
    let named = sources.taken.iter().flat_map(|taken| sources::matching(folder, &taken.source));
    sources.everything()
        || named.into_iter().any(|path| {
            own.contains(&path) || StackKind::ALL.iter().any(|kind| kind.manifests().contains(&path.as_str()))
        })
}

/// Chooses among projects without a Dockerfile above them: the only one, the only one that is deployed while the others are no
/// programs, or the only program.
fn deployed(folder: &Folder, nested: &[Utf8PathBuf], found: &mut Vec<Finding>) -> Result<Utf8PathBuf, DetectError> {
    if let [one] = nested {
        found.push(Finding::new(format!("project folder {one}"), "the only one with a manifest"));
        return Ok(one.clone());
    }
    let deployed: Vec<&Utf8PathBuf> = nested.iter().filter(|path| built_by(folder, path).is_some()).collect();
    let programs: Vec<&Utf8PathBuf> =
        nested.iter().filter(|path| deployed.contains(path) || is_program(folder, path)).collect();
    let ([one], true) = (programs.as_slice(), programs.len() < nested.len()) else {
        return Err(several(folder, nested));
    };
    let others: Vec<&str> = nested.iter().filter(|path| path != one).map(|path| path.as_str()).collect();
    let rest = match others.as_slice() {
        [other] => format!("{other} is a library or holds tools"),
        several => format!("{} are libraries or hold tools", several.join(", ")),
    };
    found.push(Finding::new(format!("project folder {one}"), format!("the only program; {rest}")));
    Ok((*one).clone())
}

/// Whether something in a folder says that it can be started.
fn is_program(folder: &Folder, path: &Utf8Path) -> bool {
    let has = |name: &str| folder.has(path.join(name));
    stacks_in(folder, path).iter().any(|(kind, manifest)| match kind {
        StackKind::Python => {
            let scripts = folder.text(manifest).is_some_and(|text| text.contains("scripts]"));
            scripts
                || ["manage.py", "main.py", "app.py", "wsgi.py", "asgi.py", "server.py", "run.py", "Procfile"]
                    .iter()
                    .any(|name| has(name))
                || folder.files().any(|file| {
                    file.strip_prefix(path).is_ok_and(|inside| inside.components().count() <= 3)
                        && matches!(file.file_name(), Some("__main__.py" | "main.py" | "wsgi.py" | "asgi.py"))
                })
        }
        StackKind::Node => {
            let json: serde_json::Value =
                serde_json::from_str(&folder.text(manifest).unwrap_or_default()).unwrap_or_default();
            !json["scripts"]["start"].is_null() || has("server.js")
        }
        StackKind::Rust => {
            has("src/main.rs")
                || folder.has_folder(path.join("src/bin"))
                || folder.text(manifest).is_some_and(|text| text.contains("[[bin]]"))
        }
        StackKind::Go => has("main.go") || folder.has_folder(path.join("cmd")),
        StackKind::Java => true,
    })
}

/// The first Dockerfile of a nested project that is not for its developers.
fn built_by(folder: &Folder, project: &Utf8Path) -> Option<Utf8PathBuf> {
    let all = dockerfiles::candidates(folder, project, &[]);
    all.into_iter().find(|path| path.file_name().is_some_and(|name| !dockerfiles::is_for_development(name)))
}

fn several(folder: &Folder, nested: &[Utf8PathBuf]) -> DetectError {
    let describe = |path: &Utf8PathBuf| {
        let mut parts: Vec<String> = stacks_in(folder, path).iter().map(|(kind, _)| kind.to_string()).collect();
        parts.extend(built_by(folder, path).map(|path| path.to_string()));
        format!("{path} ({})", parts.join(", "))
    };
    let built = nested.iter().find(|path| built_by(folder, path).is_some());
    DetectError::SeveralProjects {
        root: folder.root().to_owned(),
        candidates: nested.iter().map(describe).collect(),
        example: built.or(nested.first()).cloned().unwrap_or_default(),
    }
}

/// The author's Dockerfile of a project: in its folder, or above it when that one is about the project.
fn author(
    folder: &Folder,
    project: &Utf8Path,
    nested: &[Utf8PathBuf],
    found: &mut Vec<Finding>,
) -> Result<Option<Author>, DetectError> {
    let read = |paths: Vec<Utf8PathBuf>| -> Result<Vec<Author>, DetectError> {
        paths.iter().map(|path| Author::found(folder, path)).collect()
    };
    let mut all = read(dockerfiles::candidates(folder, project, nested))?;
    if all.is_empty() && !project.as_str().is_empty() {
        all = read(dockerfiles::candidates(folder, Utf8Path::new(""), nested))?;
        all.retain(|author| {
            let sources = author.sources();
            let here = about(folder, author, &sources, nested).iter().any(|path| path == project);
            here || sources.present(folder, project) > sources.present(folder, Utf8Path::new(""))
        });
    }
    if all.len() > 1 {
        // what copies nothing of the project is a base or a service beside it
        let copying: Vec<Author> = all
            .iter()
            .filter(|author| {
                let sources = author.sources();
                sources.everything()
                    || sources.present(folder, project) > 0
                    || sources.present(folder, Utf8Path::new("")) > 0
            })
            .cloned()
            .collect();
        if !copying.is_empty() {
            all = copying;
        }
    }
    match all.as_slice() {
        [] => Ok(None),
        [one] => {
            let parent = one.path.parent().unwrap_or(Utf8Path::new(""));
            let expected = parent == project || parent.as_str().is_empty();
            if !expected || one.path.file_name() != Some("Dockerfile") {
                found.push(Finding::new(format!("Dockerfile {}", one.path), "the only one of the project"));
            }
            Ok(Some(one.clone()))
        }
        several => Err(DetectError::Ambiguous {
            what: "the Dockerfile",
            candidates: several.iter().map(|author| author.path.to_string()).collect(),
            flag: "-f",
            key: "",
        }),
    }
}

/// The folder that the Dockerfile of a nested project copies from: the one where its sources are.
fn context(folder: &Folder, project: &Utf8Path, author: &Author, found: &mut Vec<Finding>) -> Utf8PathBuf {
    let sources = author.sources();
    let (above, inside) = (sources.present(folder, Utf8Path::new("")), sources.present(folder, project));
    let is_above = if above == inside { !author.path.starts_with(project) } else { above > inside };
    if !is_above {
        return project.to_owned();
    }
    found.push(Finding::new(
        format!("built from the folder above {project}"),
        format!("{} copies from there", author.path),
    ));
    Utf8PathBuf::new()
}
