//! From a folder to a project.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use plim_dockerfile::ignore::Patterns;

use crate::error::DetectError;
use crate::evidence::{Declared, Evidence};
use crate::folder::Folder;
use crate::project::{Choices, Finding, Project, StackKind};
use crate::stack::{node, python, rust};

/// How deep below the root other projects are looked for.
const NESTED_DEPTH: usize = 2;

/// Reads a project folder. `choices` overrule whatever is found.
pub fn detect(root: &Utf8Path, choices: &Choices) -> Result<Project, DetectError> {
    let root = choices.project_dir.as_ref().map_or_else(|| root.to_owned(), |below| root.join(below));
    let folder = Folder::read(&root)?;
    let shown = stacks_in(&folder, Utf8Path::new(""));
    if shown.is_empty() && choices.stack.is_none() {
        return nested(&root, &folder, choices);
    }

    let dockerfile = match &choices.dockerfile {
        Some(path) => Some(path.clone()),
        None => ["Dockerfile", "Containerfile"].into_iter().map(Utf8PathBuf::from).find(|name| folder.has(name)),
    };
    let evidence = match &dockerfile {
        Some(path) => Evidence::read(&folder.manifest(path)?),
        None => Evidence::default(),
    };
    let kind = choose(&folder, &shown, &evidence.declared, choices)?;
    let dockerignore = dockerignore(&folder, dockerfile.as_deref());
    let ignored = dockerignore.as_deref().map(Patterns::parse).transpose().map_err(|error| DetectError::Manifest {
        path: ".dockerignore".into(),
        line: error.line,
        message: error.to_string(),
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
    for (other, manifest) in shown.iter().filter(|(other, _)| *other != kind) {
        profile.found.push(Finding::new(format!("{other} is not part of the program"), manifest.as_str()));
    }
    let (private_keys, certificates) = keys(&folder);
    Ok(Project { root, stacks: vec![profile], dockerfile, evidence, dockerignore, private_keys, certificates })
}

/// Goes on in the one folder below that holds a project; several are for the user to choose from.
fn nested(root: &Utf8Path, folder: &Folder, choices: &Choices) -> Result<Project, DetectError> {
    let below: Vec<Utf8PathBuf> = folder
        .folders()
        .filter(|path| path.components().count() <= NESTED_DEPTH && !stacks_in(folder, path).is_empty())
        .map(Utf8Path::to_owned)
        .collect();
    // a project inside another project belongs to it
    let outermost: Vec<Utf8PathBuf> = below
        .iter()
        .filter(|path| !below.iter().any(|other| other != *path && path.starts_with(other)))
        .cloned()
        .collect();
    match outermost.as_slice() {
        [] => Err(DetectError::Nothing {
            root: root.to_owned(),
            looked_for: StackKind::ALL
                .iter()
                .flat_map(|kind| kind.manifests())
                .map(|name| (*name).to_owned())
                .collect(),
            elsewhere: Vec::new(),
        }),
        [one] => {
            // a Dockerfile above would copy from its own folder, so its paths would be wrong here
            if folder.has("Dockerfile") || choices.dockerfile.is_some() {
                return Err(DetectError::Nothing {
                    root: root.to_owned(),
                    looked_for: StackKind::ALL
                        .iter()
                        .flat_map(|kind| kind.manifests())
                        .map(|name| (*name).to_owned())
                        .collect(),
                    elsewhere: vec![one.clone()],
                });
            }
            let choices = Choices { project_dir: None, ..choices.clone() };
            let mut project = detect(&root.join(one), &choices)?;
            for profile in &mut project.stacks {
                profile.found.insert(0, Finding::new(format!("project folder {one}"), "the only one with a manifest"));
            }
            Ok(project)
        }
        several => Err(DetectError::Ambiguous {
            what: "the project folder",
            candidates: several.iter().map(ToString::to_string).collect(),
            flag: "--project",
            key: "",
        }),
    }
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
    if let Some(base) = &declared.base {
        let repository = base.value.split(['@', ':']).next().unwrap_or(&base.value);
        let name = repository.rsplit('/').next().unwrap_or(repository);
        let by_base = kinds.iter().find(|kind| match kind {
            StackKind::Python => name.contains("python"),
            StackKind::Node => name.contains("node"),
            StackKind::Go => name.contains("golang"),
            StackKind::Rust => name.contains("rust"),
            StackKind::Java => {
                ["java", "jdk", "jre", "temurin", "maven", "gradle"].iter().any(|word| name.contains(word))
            }
        });
        if let Some(kind) = by_base {
            return Ok(*kind);
        }
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

/// Returns the author's ignore file: the one that belongs to the Dockerfile wins, as it does for the builder.
fn dockerignore(folder: &Folder, dockerfile: Option<&Utf8Path>) -> Option<String> {
    let own = dockerfile.map(|path| format!("{path}.dockerignore"));
    own.and_then(|name| folder.text(name)).or_else(|| folder.text(".dockerignore"))
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
