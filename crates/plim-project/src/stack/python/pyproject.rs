//! `pyproject.toml`: PEP 621, PEP 735 and the tables of Poetry, uv and PDM.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use toml::{Table, Value};

use super::requirements::Package;
use crate::error::DetectError;
use crate::folder::{Folder, line_of};

/// What plim reads of a `pyproject.toml`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Pyproject {
    pub(super) text: String,
    pub(super) name: Option<String>,
    pub(super) requires_python: Option<String>,
    /// `[project] dependencies`; nothing when there is no `[project]` or when they are dynamic.
    pub(super) dependencies: Option<Vec<String>>,
    pub(super) optional: BTreeMap<String, Vec<String>>,
    pub(super) scripts: BTreeMap<String, String>,
    /// Plugins are found through the metadata of an installed package.
    pub(super) entry_points: bool,
    /// `[build-system]`: the project can be installed.
    pub(super) installable: bool,
    /// The version is computed from version control.
    pub(super) version_from_vcs: bool,
    /// Files that building the package reads: readme, licences.
    pub(super) build_files: Vec<Utf8PathBuf>,
    /// `[tool.poetry]` with dependencies of its own.
    pub(super) poetry: Option<Vec<String>>,
    pub(super) poetry_in_package_mode: bool,
    pub(super) uv: bool,
    pub(super) pdm: bool,
}

impl Pyproject {
    /// The file's name.
    pub(super) const FILE: &'static str = "pyproject.toml";

    /// Reads the file if it is there.
    pub(super) fn read(folder: &Folder) -> Result<Option<Self>, DetectError> {
        let path = Utf8Path::new(Self::FILE);
        if !folder.has(path) {
            return Ok(None);
        }
        let text = folder.manifest(path)?;
        let table: Table = toml::from_str(&text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let line = text.get(..offset).map_or(1, |before| before.matches('\n').count() + 1);
            DetectError::Manifest { path: path.to_owned(), line, message: error.message().to_owned() }
        })?;
        Ok(Some(Self::from_table(text, &table, folder)))
    }

    fn from_table(text: String, table: &Table, folder: &Folder) -> Self {
        let empty = Table::new();
        let project = table.get("project").and_then(Value::as_table);
        let tool = |name: &str| table.get("tool").and_then(|tool| tool.get(name)).and_then(Value::as_table);
        let poetry = tool("poetry");
        let build = table.get("build-system").and_then(Value::as_table);
        let fields = project.unwrap_or(&empty);
        let poetry_fields = poetry.unwrap_or(&empty);
        let poetry_dependencies = poetry_fields.get("dependencies").and_then(Value::as_table);

        let dynamic = strings(fields.get("dynamic"));
        let mut scripts = string_table(fields.get("scripts"));
        scripts.extend(string_table(poetry_fields.get("scripts")));
        let requires = strings(build.and_then(|build| build.get("requires")));
        let named = |fields: &Table, key: &str| fields.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
        Self {
            name: named(fields, "name").or_else(|| named(poetry_fields, "name")),
            requires_python: named(fields, "requires-python").or_else(|| {
                let version = poetry_dependencies?.get("python")?;
                version.as_str().or_else(|| version.get("version")?.as_str()).map(ToOwned::to_owned)
            }),
            dependencies: project
                .filter(|_| !dynamic.iter().any(|name| name == "dependencies"))
                .map(|project| strings(project.get("dependencies"))),
            optional: fields
                .get("optional-dependencies")
                .and_then(Value::as_table)
                .into_iter()
                .flatten()
                .map(|(extra, list)| (extra.clone(), strings(Some(list))))
                .collect(),
            scripts,
            entry_points: fields.contains_key("entry-points") || poetry_fields.contains_key("plugins"),
            installable: build.is_some(),
            version_from_vcs: requires.iter().any(|name| {
                ["setuptools_scm", "setuptools-scm", "hatch-vcs", "versioningit", "versioneer"]
                    .iter()
                    .any(|tool| name.starts_with(tool))
            }),
            build_files: build_files(fields, poetry_fields, folder),
            // Poetry 2 uses [project] for the list and its own table only for sources
            poetry: poetry_dependencies
                .filter(|_| !project.is_some_and(|project| project.contains_key("dependencies")))
                .map(|list| {
                    list.keys().filter(|name| *name != "python").map(|name| super::names::normalize(name)).collect()
                }),
            poetry_in_package_mode: poetry_fields.get("package-mode").and_then(Value::as_bool).unwrap_or(true),
            uv: tool("uv").is_some(),
            pdm: tool("pdm").is_some(),
            text,
        }
    }

    /// Returns the runtime dependencies with those of the extras, as written.
    pub(super) fn with_extras(&self, extras: &[&str]) -> Option<Vec<String>> {
        let mut all = self.dependencies.clone()?;
        all.extend(extras.iter().filter_map(|extra| self.optional.get(*extra)).flatten().cloned());
        Some(all)
    }

    /// Returns the normalised names of the direct dependencies.
    pub(super) fn names(&self) -> Vec<String> {
        match (&self.dependencies, &self.poetry) {
            (Some(list), _) => {
                list.iter().filter_map(|text| Package::parse(text)).map(|package| package.name).collect()
            }
            (None, Some(list)) => list.clone(),
            (None, None) => Vec::new(),
        }
    }

    /// Returns `pyproject.toml:LINE` of the first line with the text.
    pub(super) fn at(&self, needle: &str) -> String {
        format!("{}:{}", Self::FILE, line_of(&self.text, needle))
    }
}

/// Files that the metadata names, as far as they are there: without them the package cannot be built.
fn build_files(project: &Table, poetry: &Table, folder: &Folder) -> Vec<Utf8PathBuf> {
    let mut names: Vec<String> = Vec::new();
    for readme in [project.get("readme"), poetry.get("readme")].into_iter().flatten() {
        names.extend(readme.as_str().map(ToOwned::to_owned));
        names.extend(readme.get("file").and_then(Value::as_str).map(ToOwned::to_owned));
        names.extend(strings(Some(readme)));
    }
    names.extend(
        project.get("license").and_then(|license| license.get("file")).and_then(Value::as_str).map(ToOwned::to_owned),
    );
    names.extend(strings(project.get("license-files")));
    let mut files: Vec<Utf8PathBuf> =
        names.into_iter().map(Utf8PathBuf::from).filter(|name| folder.has(name)).collect();
    files.sort();
    files.dedup();
    files
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

fn string_table(value: Option<&Value>) -> BTreeMap<String, String> {
    let table = value.and_then(Value::as_table);
    table.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
