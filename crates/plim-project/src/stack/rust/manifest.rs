//! `Cargo.toml` of one package: its targets, dependencies and features.

mod dependency;
mod targets;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use toml::{Table, Value};

pub(super) use dependency::{Dependency, Use, replaced};
pub(super) use targets::{Bin, Targets};

use crate::error::DetectError;
use crate::folder::{Folder, line_of};

/// A `Cargo.toml`, with its text for line numbers.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    /// Relative to the root.
    pub(super) path: Utf8PathBuf,
    pub(super) text: String,
    pub(super) table: Table,
}

impl Manifest {
    /// The file's name.
    pub(super) const FILE: &'static str = "Cargo.toml";

    /// Reads the manifest in a folder.
    pub(super) fn read(folder: &Folder, dir: &Utf8Path) -> Result<Self, DetectError> {
        Self::read_file(folder, &dir.join(Self::FILE))
    }

    /// Reads a TOML file of the project.
    pub(super) fn read_file(folder: &Folder, path: &Utf8Path) -> Result<Self, DetectError> {
        let text = folder.manifest(path)?;
        let table: Table = toml::from_str(&text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let line = text.get(..offset).map_or(1, |before| before.matches('\n').count() + 1);
            DetectError::Manifest { path: path.to_owned(), line, message: error.message().to_owned() }
        })?;
        Ok(Self { path: path.to_owned(), text, table })
    }

    /// The folder that it is in.
    pub(super) fn dir(&self) -> &Utf8Path {
        self.path.parent().unwrap_or(Utf8Path::new(""))
    }

    /// Returns `FILE:LINE` of the first line with a text.
    pub(super) fn at(&self, needle: &str) -> String {
        format!("{}:{}", self.path, line_of(&self.text, needle))
    }

    pub(super) fn section(&self, name: &str) -> Option<&Table> {
        self.table.get(name).and_then(Value::as_table)
    }

    /// An error about a line of this file, for what lies outside of the project's folder.
    pub(super) fn outside(&self, needle: &str, message: String, hint: &str) -> DetectError {
        DetectError::Outside {
            path: self.path.clone(),
            line: line_of(&self.text, needle),
            message,
            hint: hint.to_owned(),
        }
    }
}

/// A package.
#[derive(Debug, Clone)]
pub(super) struct Package {
    pub(super) name: String,
    /// Its folder relative to the root; empty for the root itself.
    pub(super) dir: Utf8PathBuf,
    pub(super) manifest: Manifest,
    pub(super) default_run: Option<String>,
    pub(super) targets: Targets,
    pub(super) dependencies: Vec<Dependency>,
    /// Features and what each switches on.
    pub(super) features: BTreeMap<String, Vec<String>>,
}

impl Package {
    /// Reads the package of a manifest; nothing if the manifest is that of a workspace alone. `inherited` is the
    /// workspace's own manifest.
    pub(super) fn of(
        folder: &Folder,
        manifest: Manifest,
        inherited: Option<&Manifest>,
    ) -> Result<Option<Self>, DetectError> {
        let Some(fields) = manifest.section("package").or_else(|| manifest.section("project")) else {
            return Ok(None);
        };
        let dir = manifest.dir().to_owned();
        let Some(name) = fields.get("name").and_then(Value::as_str).map(ToOwned::to_owned) else {
            let line = line_of(&manifest.text, "[package]");
            let message = "the package has no name".to_owned();
            return Err(DetectError::Manifest { path: manifest.path, line, message });
        };
        let default_run = fields.get("default-run").and_then(Value::as_str).map(ToOwned::to_owned);
        let targets = Targets::find(folder, &manifest, &name);
        let dependencies = dependency::all(&manifest, inherited)?;
        let features = manifest.section("features").into_iter().flatten();
        let features = features.map(|(name, list)| (name.clone(), strings(Some(list)))).collect();
        Ok(Some(Self { name, dir, manifest, default_run, targets, dependencies, features }))
    }

    /// Returns the features that are on, with those that they switch on, and every `dependency/feature`.
    pub(super) fn features_on(&self, chosen: &Features) -> Vec<String> {
        let mut pending: Vec<String> = chosen
            .names
            .iter()
            .map(|name| name.strip_prefix(&format!("{}/", self.name)).unwrap_or(name).to_owned())
            .chain((!chosen.no_default).then(|| "default".to_owned()))
            .chain(self.features.keys().filter(|_| chosen.all).cloned())
            .collect();
        if chosen.all {
            let optional = self.dependencies.iter().filter(|dependency| dependency.optional);
            pending.extend(optional.map(|dependency| format!("dep:{}", dependency.key)));
        }
        let mut on: Vec<String> = Vec::new();
        while let Some(feature) = pending.pop() {
            if on.contains(&feature) {
                continue;
            }
            pending.extend(self.features.get(&feature).into_iter().flatten().cloned());
            on.push(feature);
        }
        on
    }

    /// Returns the dependencies that are compiled into the program or run by its build, with those features.
    pub(super) fn active(&self, chosen: &Features) -> Vec<&Dependency> {
        let on = self.features_on(chosen);
        let is_on = |dependency: &&Dependency| {
            let key = dependency.key.as_str();
            !dependency.optional
                || on.iter().any(|feature| {
                    feature == key
                        || feature.strip_prefix("dep:") == Some(key)
                        // `name?/feature` switches nothing on by itself
                        || feature.split_once('/').is_some_and(|(name, _)| name == key)
                })
        };
        let used = |dependency: &&Dependency| dependency.purpose != Use::Test && dependency.for_linux;
        self.dependencies.iter().filter(used).filter(is_on).collect()
    }
}

/// The features that a build asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) names: Vec<String>,
    pub(super) no_default: bool,
    pub(super) all: bool,
}

/// Returns the texts of an array.
pub(super) fn strings(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

/// Joins a path written in a manifest below a folder and cleans it; nothing if it leaves the root. The root is empty.
pub(super) fn join(dir: &Utf8Path, written: &str) -> Option<Utf8PathBuf> {
    let mut out = dir.to_owned();
    for component in Utf8Path::new(written).components() {
        match component {
            camino::Utf8Component::Normal(name) => out.push(name),
            camino::Utf8Component::ParentDir if !out.pop() => return None,
            camino::Utf8Component::RootDir | camino::Utf8Component::Prefix(_) => return None,
            _ => {}
        }
    }
    Some(out)
}
