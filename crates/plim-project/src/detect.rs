//! From a folder to a project.

mod dockerfiles;
mod ignored;
mod place;
mod services;
pub(crate) mod sources;
mod stage;

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use crate::compose::{self, apply};
use crate::error::DetectError;
use crate::evidence::{self, Declared, Evidence};
use crate::folder::{self, Folder};
use crate::project::{Choices, Finding, Project, StackKind};
use crate::stack::{node, python, rust};
use place::Place;

/// Reads a project folder. `choices` overrule whatever is found.
pub fn detect(root: &Utf8Path, choices: &Choices) -> Result<Project, DetectError> {
    let given = Folder::read(root)?;
    let mut found = Vec::new();
    let compose = compose::find(&given, &mut found);
    let Place { project, context, author, target, compose, found } =
        place::find(&given, choices, compose.as_ref(), found)?;
    let below = project.strip_prefix(&context).unwrap_or(Utf8Path::new("")).to_owned();
    let mut folder = if project.as_str().is_empty() { given.clone() } else { Folder::read(&root.join(&project))? };
    let shown = stacks_in(&folder, Utf8Path::new(""));
    if shown.is_empty() && choices.stack.is_none() {
        return Err(DetectError::Nothing {
            root: folder.root().to_owned(),
            looked_for: StackKind::ALL
                .iter()
                .flat_map(|kind| kind.manifests())
                .map(|name| (*name).to_owned())
                .collect(),
            elsewhere: Vec::new(),
        });
    }

    let dockerfile = author.as_ref().map(|author| author.path.clone());
    let evidence = match &author {
        Some(author) => {
            let mut evidence = Evidence::read_with(&author.text, &|path| folder.text(path));
            if !below.as_str().is_empty() {
                let outside = evidence::rebase(&mut evidence.declared, &author.sources(), &given, &below);
                folder.add_outside(&given, &below, &outside);
            }
            evidence
        }
        None => Evidence::default(),
    };
    let kind = choose(&folder, &shown, &evidence.declared, choices)?;
    let choices = &apply::start(choices, compose.as_ref(), &evidence.declared);
    let dockerignore = dockerignore(&given, &context, dockerfile.as_deref());
    let ignored = dockerignore.as_deref().map(|text| ignored::patterns(text, &below)).transpose().map_err(|error| {
        DetectError::Manifest { path: ".dockerignore".into(), line: error.line, message: error.to_string() }
    })?;
    let name = dockerfile.as_deref().unwrap_or(Utf8Path::new("Dockerfile"));
    let mut profile = match kind {
        StackKind::Python => python::profile(&folder, &evidence.declared, name, ignored.as_ref(), choices)?,
        StackKind::Node => node::profile(&folder, &evidence.declared, name, ignored.as_ref(), choices)?,
        StackKind::Rust => rust::profile(&folder, &evidence.declared, name, ignored.as_ref(), choices)?,
        other => {
            let manifest = shown
                .iter()
                .find(|(kind, _)| *kind == other)
                .map_or_else(|| Utf8PathBuf::from(other.manifests()[0]), |(_, manifest)| manifest.clone());
            return Err(DetectError::Unsupported { stack: other, manifest });
        }
    };
    evidence::complete(&evidence, &evidence.source, &mut profile, &choices.carry);
    for (other, manifest) in shown.iter().filter(|(other, _)| *other != kind) {
        profile.found.push(Finding::new(format!("{other} is not part of the program"), manifest.as_str()));
    }
    profile.found.splice(0..0, found);
    if let Some(compose) = &compose {
        apply::complete(&mut profile, compose, &evidence.declared, choices);
    }
    let (private_keys, certificates) = keys(&folder);
    Ok(Project {
        context: if context.as_str().is_empty() { root.to_owned() } else { root.join(&context) },
        root: folder.root().to_owned(),
        below,
        stacks: vec![profile],
        dockerfile: dockerfile
            .map(|path| path.strip_prefix(&context).map(Utf8Path::to_owned).unwrap_or(root.join(path))),
        target,
        evidence,
        compose,
        dockerignore,
        private_keys,
        certificates,
    })
}

/// Returns the stacks whose manifests are in a folder.
fn stacks_in(folder: &Folder, below: &Utf8Path) -> Vec<(StackKind, Utf8PathBuf)> {
    let mut shown = Vec::new();
    for kind in StackKind::ALL {
        let manifest = kind.manifests().iter().map(|name| below.join(name)).find(|path| folder.has(path));
        if let Some(manifest) = manifest {
            shown.push((kind, manifest));
        } else if kind == StackKind::Python {
            let list = folder.files().find(|path| {
                path.parent() == Some(below)
                    && path.extension() == Some("txt")
                    && path.file_name().is_some_and(|name| name.starts_with("requirements"))
            });
            let nested = below.join("requirements/base.txt");
            let list = list.map(Utf8Path::to_owned).or_else(|| folder.has(&nested).then_some(nested));
            shown.extend(list.map(|path| (kind, path)));
        }
    }
    shown
}

/// Decides between the stacks of one folder: the flag, the image that the author builds on, then what is plain tooling.
fn choose(
    folder: &Folder,
    shown: &[(StackKind, Utf8PathBuf)],
    declared: &Declared,
    choices: &Choices,
) -> Result<StackKind, DetectError> {
    if let Some(kind) = choices.stack {
        return Ok(kind);
    }
    let kinds: BTreeSet<StackKind> = shown.iter().map(|(kind, _)| *kind).collect();
    if let Some(base) = &declared.base
        && let Some(kind) = kind_of_image(&base.value).filter(|kind| kinds.contains(kind))
    {
        return Ok(kind);
    }
    let programs: Vec<&(StackKind, Utf8PathBuf)> = shown
        .iter()
        .filter(|(kind, manifest)| match kind {
            // a package.json without a program is for the tools of the front end
            StackKind::Node => {
                let text = folder.text(manifest).unwrap_or_default();
                let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                !json["scripts"]["start"].is_null() || !json["main"].is_null() || shown.len() == 1
            }
            // native modules of a Python package are built by its build system
            StackKind::Rust => shown.len() == 1 || !kinds.contains(&StackKind::Python),
            _ => true,
        })
        .collect();
    match programs.as_slice() {
        [(kind, _)] => Ok(*kind),
        _ => Err(DetectError::Ambiguous {
            what: "the stack",
            candidates: programs.iter().map(|(kind, manifest)| format!("{kind} ({manifest})")).collect(),
            flag: "--stack",
            key: "[project] stack",
        }),
    }
}

/// The language whose programs an image is made for, by its name.
fn kind_of_image(image: &str) -> Option<StackKind> {
    let repository = image.split(['@', ':']).next().unwrap_or(image);
    let name = repository.rsplit('/').next().unwrap_or(repository);
    StackKind::ALL.into_iter().find(|kind| match kind {
        StackKind::Python => name.contains("python"),
        StackKind::Node => name.contains("node"),
        StackKind::Go => name.contains("golang"),
        StackKind::Rust => name.contains("rust"),
        StackKind::Java => ["java", "jdk", "jre", "temurin", "maven", "gradle"].iter().any(|word| name.contains(word)),
    })
}

/// Returns the author's ignore file: the one that belongs to the Dockerfile wins, as it does for the builder.
fn dockerignore(given: &Folder, context: &Utf8Path, dockerfile: Option<&Utf8Path>) -> Option<String> {
    let own = dockerfile.map(|path| Utf8PathBuf::from(format!("{path}.dockerignore")));
    let own = own.and_then(|path| if path.is_absolute() { folder::read_text(&path).ok() } else { given.text(path) });
    own.or_else(|| given.text(context.join(".dockerignore")))
}

/// Returns the files with a private key, and the public certificates whose names look like keys.
fn keys(folder: &Folder) -> (Vec<Utf8PathBuf>, Vec<Utf8PathBuf>) {
    let (mut private, mut public) = (Vec::new(), Vec::new());
    for path in folder.files() {
        if matches!(path.extension(), Some("pem" | "key" | "crt" | "cer")) {
            let text = folder.text(path).unwrap_or_default();
            if text.contains("PRIVATE KEY") {
                private.push(path.to_owned());
            } else if path.extension() == Some("pem") && text.contains("-----BEGIN") {
                public.push(path.to_owned());
            }
        }
    }
    (private, public)
}
