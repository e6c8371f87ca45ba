//! `package.json`: what npm, Yarn and pnpm read.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use serde_json::Value;

use crate::error::DetectError;
use crate::folder::{Folder, line_of};

/// The parts of a `package.json` that matter. Fields of another type than npm expects count as absent, as they do for npm.
#[derive(Debug, Clone, Default)]
pub(super) struct Manifest {
    /// Where it is, relative to the root.
    pub(super) path: Utf8PathBuf,
    text: String,
    pub(super) name: Option<String>,
    /// The module that `require` of the package loads.
    pub(super) main: Option<String>,
    pub(super) scripts: BTreeMap<String, String>,
    pub(super) dependencies: BTreeMap<String, String>,
    pub(super) dev_dependencies: BTreeMap<String, String>,
    pub(super) optional_dependencies: BTreeMap<String, String>,
    /// Programs of the package: name and file.
    pub(super) bin: BTreeMap<String, String>,
    /// `engines.node`, a range.
    pub(super) engine: Option<String>,
    /// `volta.node`, a version.
    pub(super) volta: Option<String>,
    /// `packageManager`, for example `pnpm@9.15.0+sha512.…`.
    pub(super) package_manager: Option<String>,
    /// Patterns of the folders of workspace members.
    pub(super) workspaces: Vec<String>,
    /// Whether it lists packages that pnpm may run scripts of, or patches.
    pub(super) pnpm: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Raw {
    name: Value,
    main: Value,
    scripts: Value,
    dependencies: Value,
    dev_dependencies: Value,
    optional_dependencies: Value,
    bin: Value,
    engines: Value,
    volta: Value,
    package_manager: Value,
    workspaces: Value,
    pnpm: Option<Value>,
}

impl Manifest {
    /// Reads the file in a folder of the project.
    pub(super) fn read(folder: &Folder, dir: &Utf8Path) -> Result<Self, DetectError> {
        let path = dir.join("package.json");
        let text = folder.manifest(&path)?;
        let raw: Raw = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
            DetectError::Manifest { path: path.clone(), line: error.line().max(1), message: error.to_string() }
        })?;
        let name = string(&raw.name);
        let bin = match (&raw.bin, &name) {
            (Value::String(file), Some(name)) => {
                let short = name.rsplit('/').next().unwrap_or(name);
                [(short.to_owned(), file.clone())].into()
            }
            (other, _) => strings(other),
        };
        let members = match &raw.workspaces {
            Value::Object(object) => object.get("packages").cloned().unwrap_or_default(),
            other => other.clone(),
        };
        Ok(Self {
            name,
            main: string(&raw.main),
            scripts: strings(&raw.scripts),
            dependencies: strings(&raw.dependencies),
            dev_dependencies: strings(&raw.dev_dependencies),
            optional_dependencies: strings(&raw.optional_dependencies),
            bin,
            engine: string(&raw.engines["node"]),
            volta: string(&raw.volta["node"]),
            package_manager: string(&raw.package_manager),
            workspaces: members.as_array().into_iter().flatten().filter_map(string).collect(),
            pnpm: raw.pnpm,
            path,
            text,
        })
    }

    /// Returns `package.json:LINE` of the first line with a key, or of the first line.
    pub(super) fn at(&self, key: &str) -> String {
        format!("{}:{}", self.path, line_of(&self.text, &format!("\"{key}\"")))
    }

    /// Whether a package is installed for the running program.
    pub(super) fn is_runtime(&self, package: &str) -> bool {
        self.dependencies.contains_key(package) || self.optional_dependencies.contains_key(package)
    }

    /// Whether a package is installed for developers only.
    pub(super) fn is_dev(&self, package: &str) -> bool {
        self.dev_dependencies.contains_key(package) && !self.is_runtime(package)
    }

    /// Whether a package is among the dependencies of any kind.
    pub(super) fn has(&self, package: &str) -> bool {
        self.is_runtime(package) || self.is_dev(package)
    }

    /// The script that npm runs at a point of an installation, the first that there is.
    pub(super) fn install_script(&self) -> Option<&'static str> {
        ["preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare"]
            .into_iter()
            .find(|name| self.scripts.contains_key(*name))
    }
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

fn strings(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
