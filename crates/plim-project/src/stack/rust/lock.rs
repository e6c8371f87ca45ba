//! `Cargo.lock`: which published packages are compiled for a package of the project.

use std::collections::BTreeSet;

use camino::Utf8Path;
use toml::{Table, Value};

use super::manifest::{Manifest, strings};
use crate::error::DetectError;
use crate::folder::Folder;

/// A package of the lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Locked {
    pub(super) name: String,
    pub(super) version: String,
    /// Whether it comes from elsewhere; packages of the project have no source.
    pub(super) external: bool,
    /// `name`, `name version` or `name version (source)`.
    dependencies: Vec<String>,
    line: usize,
}

/// The lock file.
#[derive(Debug, Clone, Default)]
pub(super) struct Lock {
    packages: Vec<Locked>,
}

impl Lock {
    /// The file's name.
    pub(super) const FILE: &'static str = "Cargo.lock";

    /// Reads the file if it is there.
    pub(super) fn read(folder: &Folder) -> Result<Option<Self>, DetectError> {
        if !folder.has(Self::FILE) {
            return Ok(None);
        }
        let manifest = Manifest::read_file(folder, Utf8Path::new(Self::FILE))?;
        Ok(Some(Self::of(&manifest)))
    }

    fn of(manifest: &Manifest) -> Self {
        let tables = manifest.table.get("package").and_then(Value::as_array).into_iter().flatten();
        // packages stand in the order of their names, so that each begins behind the one before
        let mut line = 0;
        let mut packages = Vec::new();
        for table in tables.filter_map(Value::as_table) {
            let text = |name: &str| table.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let name = text("name");
            let needle = format!("name = \"{name}\"");
            line += manifest.text.lines().skip(line).position(|text| text == needle).map_or(0, |index| index + 1);
            packages.push(Locked {
                version: text("version"),
                external: is_external(table),
                dependencies: strings(table.get("dependencies")),
                name,
                line,
            });
        }
        Self { packages }
    }

    /// Returns the packages below the named ones, these included.
    pub(super) fn reach<'a>(&'a self, roots: impl IntoIterator<Item = &'a str>) -> Reach<'a> {
        let mut reached = BTreeSet::new();
        let mut pending: Vec<usize> = roots.into_iter().flat_map(|root| self.find(root)).collect();
        while let Some(index) = pending.pop() {
            if reached.insert(index) {
                pending.extend(self.packages[index].dependencies.iter().flat_map(|dependency| self.find(dependency)));
            }
        }
        Reach { lock: self, reached }
    }

    fn find(&self, dependency: &str) -> Vec<usize> {
        let mut words = dependency.split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next());
        let is = |locked: &Locked| locked.name == name && version.is_none_or(|version| locked.version == version);
        self.packages.iter().enumerate().filter(|(_, locked)| is(locked)).map(|(index, _)| index).collect()
    }
}

fn is_external(table: &Table) -> bool {
    table.contains_key("source")
}

/// A part of the lock file.
#[derive(Debug)]
pub(super) struct Reach<'a> {
    lock: &'a Lock,
    reached: BTreeSet<usize>,
}

impl<'a> Reach<'a> {
    /// The packages, sorted as in the file.
    pub(super) fn packages(&self) -> impl Iterator<Item = &'a Locked> {
        self.reached.iter().map(|index| &self.lock.packages[*index])
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.packages().any(|locked| locked.name == name)
    }

    /// Whether a package takes another one in.
    pub(super) fn takes(&self, name: &str, dependency: &str) -> bool {
        self.packages().any(|locked| locked.name == name && locked.depends_on(dependency))
    }

    /// Whether some other package than the named ones takes a package in.
    pub(super) fn wanted_beside(&self, name: &str, others: &[&str]) -> bool {
        self.packages().any(|locked| locked.depends_on(name) && !others.contains(&locked.name.as_str()))
    }
}

impl Locked {
    fn depends_on(&self, name: &str) -> bool {
        self.dependencies.iter().any(|dependency| dependency.split(' ').next() == Some(name))
    }

    /// Whether it asks for a library of the system while it is built.
    pub(super) fn looks_for_libraries(&self) -> bool {
        ["pkg-config", "system-deps", "vcpkg"].iter().any(|name| self.depends_on(name))
    }

    /// Whether it compiles sources that it brings along.
    pub(super) fn compiles_sources(&self) -> bool {
        ["cc", "cmake", "autotools", "cxx-build"].iter().any(|name| self.depends_on(name))
    }

    /// Returns `Cargo.lock:LINE`.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", Lock::FILE, self.line.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"version = 4

[[package]]
name = "app"
version = "0.1.0"
dependencies = [
 "a",
 "b 2.0.0",
]

[[package]]
name = "a"
version = "1.0.0"
source = "registry"
dependencies = ["b 1.0.0"]

[[package]]
name = "b"
version = "1.0.0"
source = "registry"

[[package]]
name = "b"
version = "2.0.0"
source = "registry"
dependencies = ["pkg-config"]

[[package]]
name = "unused"
version = "1.0.0"
source = "registry"
"#;

    fn lock() -> Lock {
        let table = toml::from_str(LOCK).unwrap();
        Lock::of(&Manifest { path: Lock::FILE.into(), text: LOCK.to_owned(), table })
    }

    #[test]
    fn only_what_is_below_is_reached() {
        let lock = lock();
        let names = |roots: &[&'static str]| -> Vec<String> {
            lock.reach(roots.iter().copied()).packages().map(|p| format!("{} {}", p.name, p.version)).collect()
        };
        assert_eq!(names(&["a"]), ["a 1.0.0", "b 1.0.0"]);
        assert_eq!(names(&["app"]), ["app 0.1.0", "a 1.0.0", "b 1.0.0", "b 2.0.0"]);
    }

    #[test]
    fn places_are_lines_of_the_file() {
        let lock = lock();
        let places: Vec<String> = lock.packages.iter().map(Locked::place).collect();
        assert_eq!(places, ["Cargo.lock:4", "Cargo.lock:12", "Cargo.lock:18", "Cargo.lock:23", "Cargo.lock:29"]);
        assert!(lock.packages[3].looks_for_libraries());
    }
}
