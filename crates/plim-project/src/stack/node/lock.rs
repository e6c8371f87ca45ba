//! `package-lock.json` and its kin: what exactly is installed.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use super::manifest::Manifest;
use crate::error::DetectError;
use crate::folder::Folder;

/// npm's lock, version 2 or later; other locks say too little to be read further than by name.
#[derive(Debug, Clone, Default)]
pub(super) struct NpmLock {
    /// Where it is.
    pub(super) path: Utf8PathBuf,
    packages: BTreeMap<String, Locked>,
}

/// A package of the lock.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Locked {
    pub(super) version: Option<String>,
    pub(super) dev: bool,
    optional: bool,
    dev_optional: bool,
    link: bool,
    pub(super) has_install_script: bool,
    dependencies: BTreeMap<String, String>,
    dev_dependencies: BTreeMap<String, String>,
    optional_dependencies: BTreeMap<String, String>,
    bin: serde_json::Value,
    libc: serde_json::Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Raw {
    packages: BTreeMap<String, Locked>,
}

impl NpmLock {
    /// Reads the lock in a folder, if there is one.
    pub(super) fn read(folder: &Folder, path: &Utf8Path) -> Result<Self, DetectError> {
        let text = folder.manifest(path)?;
        let raw: Raw = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
            DetectError::Manifest { path: path.to_owned(), line: error.line().max(1), message: error.to_string() }
        })?;
        Ok(Self { path: path.to_owned(), packages: raw.packages })
    }

    /// Returns why `npm ci` would refuse the lock: the manifest was changed since, or packages are missing in it.
    pub(super) fn flaw(&self, manifest: &Manifest) -> Option<String> {
        let root = self.packages.get("")?;
        for (wanted, locked) in [
            (&manifest.dependencies, &root.dependencies),
            (&manifest.dev_dependencies, &root.dev_dependencies),
            (&manifest.optional_dependencies, &root.optional_dependencies),
        ] {
            for (name, range) in wanted {
                // npm itself lists an optional dependency among the others as well
                let same = locked.get(name) == Some(range)
                    || root.optional_dependencies.get(name) == Some(range)
                    || manifest.optional_dependencies.contains_key(name);
                if !same {
                    return Some(format!("it does not hold {name} {range}"));
                }
            }
        }
        for (path, package) in self.packages.iter().filter(|(_, package)| !package.link) {
            let names = package.dependencies.keys().chain(package.optional_dependencies.keys());
            if let Some(name) = names.into_iter().find(|name| self.resolve(path, name).is_none()) {
                let who = path.rsplit("node_modules/").next().unwrap_or(path);
                return Some(format!("{name}, which {who} depends on, is missing in it"));
            }
        }
        None
    }

    /// Returns the package that a package finds under a name: in its own folder, or in that of one around it.
    fn resolve(&self, from: &str, name: &str) -> Option<&Locked> {
        let mut folder = from;
        loop {
            let path = if folder.is_empty() {
                format!("node_modules/{name}")
            } else {
                format!("{folder}/node_modules/{name}")
            };
            if let Some(package) = self.packages.get(&path) {
                return Some(package);
            }
            if folder.is_empty() {
                return None;
            }
            folder = folder.rsplit_once("node_modules/").map_or("", |(above, _)| above.trim_end_matches('/'));
        }
    }

    /// The packages that are installed: the name, and what the lock says.
    pub(super) fn packages(&self) -> impl Iterator<Item = (&str, &Locked)> {
        self.packages
            .iter()
            .filter(|(path, _)| path.contains("node_modules/"))
            .map(|(path, package)| (path.rsplit("node_modules/").next().unwrap_or(path), package))
    }

    /// Returns the program of an installed package at the top: the package, and the path of its file.
    pub(super) fn program(&self, name: &str) -> Option<(&str, String, &Locked)> {
        self.packages.iter().find_map(|(path, package)| {
            let owner = path.strip_prefix("node_modules/").filter(|owner| !owner.contains("node_modules/"))?;
            let file = match &package.bin {
                serde_json::Value::String(file) if owner.rsplit('/').next() == Some(name) => file.as_str(),
                serde_json::Value::Object(programs) => programs.get(name)?.as_str()?,
                _ => return None,
            };
            Some((owner, format!("{path}/{}", file.trim_start_matches("./")), package))
        })
    }

    /// Returns a package for another C library than Debian's that some versions of npm install all the same.
    pub(super) fn foreign(&self) -> Option<&str> {
        self.packages()
            .find(|(name, package)| {
                let by_field = package.libc.as_array().is_some_and(|all| all.iter().all(|libc| libc == "musl"))
                    && package.libc != serde_json::json!([]);
                (package.optional || package.dev_optional) && !package.dev && (by_field || name.contains("musl"))
            })
            .map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lock: &str, manifest: &str) -> (NpmLock, Manifest) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("package-lock.json"), lock).unwrap();
        std::fs::write(dir.path().join("package.json"), manifest).unwrap();
        let folder = Folder::read(Utf8Path::from_path(dir.path()).unwrap()).unwrap();
        let lock = NpmLock::read(&folder, Utf8Path::new("package-lock.json")).unwrap();
        (lock, Manifest::read(&folder, Utf8Path::new("")).unwrap())
    }

    const MANIFEST: &str = r#"{"dependencies": {"a": "^1.0.0"}}"#;

    #[test]
    fn a_lock_that_fits_has_no_flaw() {
        let (lock, manifest) = read(
            r#"{"packages": {"": {"dependencies": {"a": "^1.0.0"}},
                "node_modules/a": {"dependencies": {"b": "1"}, "bin": {"run-a": "./cli.js"}},
                "node_modules/b": {}}}"#,
            MANIFEST,
        );
        assert_eq!(lock.flaw(&manifest), None);
        assert_eq!(lock.program("run-a").unwrap().1, "node_modules/a/cli.js");
        assert_eq!(lock.program("run-b").map(|found| found.1), None);
    }

    #[test]
    fn npm_ci_refuses_other_locks() {
        let (lock, manifest) = read(r#"{"packages": {"": {"dependencies": {"a": "^0.9.0"}}}}"#, MANIFEST);
        assert_eq!(lock.flaw(&manifest).unwrap(), "it does not hold a ^1.0.0");
        let (lock, manifest) = read(
            r#"{"packages": {"": {"dependencies": {"a": "^1.0.0"}}, "node_modules/a": {"optionalDependencies": {"c": "1"}}}}"#,
            MANIFEST,
        );
        assert_eq!(lock.flaw(&manifest).unwrap(), "c, which a depends on, is missing in it");
    }

    #[test]
    fn packages_for_another_c_library_are_seen() {
        let (lock, _) = read(
            r#"{"packages": {"": {}, "node_modules/@img/x-linuxmusl-x64": {"optional": true}, "node_modules/y": {"libc": ["glibc"], "optional": true}}}"#,
            MANIFEST,
        );
        assert_eq!(lock.foreign(), Some("@img/x-linuxmusl-x64"));
    }
}
