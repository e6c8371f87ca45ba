//! The targets of a package: those that its manifest names, and those that cargo finds by their place.

use camino::{Utf8Path, Utf8PathBuf};
use toml::{Table, Value};

use super::{Manifest, join, strings};
use crate::folder::Folder;

/// A binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Bin {
    pub(in super::super) name: String,
    /// Its main file, relative to the root.
    pub(in super::super) path: Utf8PathBuf,
    /// Without these features it is not built.
    pub(in super::super) required_features: Vec<String>,
    /// The file that shows it, with line where a manifest names it.
    pub(in super::super) place: String,
}

/// The targets of a package; all paths are relative to the root.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Targets {
    pub(in super::super) lib: Option<Utf8PathBuf>,
    pub(in super::super) bins: Vec<Bin>,
    pub(in super::super) build_script: Option<Utf8PathBuf>,
    /// Tests, examples and benchmarks that the manifest names: cargo wants their files to be there, used or not.
    pub(in super::super) others: Vec<Utf8PathBuf>,
}

impl Targets {
    pub(super) fn find(folder: &Folder, manifest: &Manifest, package: &str) -> Self {
        let dir = manifest.dir();
        let fields = manifest.section("package").or_else(|| manifest.section("project"));
        let switched = |name: &str| fields.and_then(|fields| fields.get(name));
        let at = |path: &str| dir.join(path);
        let exists = |path: &str| folder.has(at(path)).then(|| at(path));

        let lib = match manifest.section("lib") {
            Some(lib) => written_path(dir, lib).or_else(|| Some(at("src/lib.rs"))),
            None if switched("autolib").and_then(Value::as_bool) == Some(false) => None,
            None => exists("src/lib.rs"),
        };
        let build_script = match switched("build") {
            Some(Value::Boolean(false)) => None,
            Some(Value::String(path)) => join(dir, path),
            Some(Value::Array(paths)) => paths.first().and_then(Value::as_str).and_then(|path| join(dir, path)),
            _ => exists("build.rs"),
        };
        let mut targets = Self { lib, build_script, ..Self::default() };
        targets.named_bins(folder, manifest, package);
        if switched("autobins").and_then(Value::as_bool) != Some(false) {
            targets.bins_by_place(folder, dir, package);
        }
        targets.bins.sort_by(|a, b| a.path.cmp(&b.path));
        for (section, default) in [("test", "tests"), ("example", "examples"), ("bench", "benches")] {
            for table in tables(manifest, section) {
                let name = table.get("name").and_then(Value::as_str).unwrap_or_default();
                let path = written_path(dir, table).unwrap_or_else(|| {
                    let nested = at(&format!("{default}/{name}/main.rs"));
                    if folder.has(&nested) { nested } else { at(&format!("{default}/{name}.rs")) }
                });
                targets.others.push(path);
            }
        }
        targets
    }

    fn named_bins(&mut self, folder: &Folder, manifest: &Manifest, package: &str) {
        let dir = manifest.dir();
        for table in tables(manifest, "bin") {
            let Some(name) = table.get("name").and_then(Value::as_str) else { continue };
            let main = dir.join("src/main.rs");
            let by_place = [format!("src/bin/{name}.rs"), format!("src/bin/{name}/main.rs")]
                .into_iter()
                .map(|path| dir.join(path))
                .find(|path| folder.has(path));
            let path = written_path(dir, table)
                .or(by_place)
                .or_else(|| (folder.has(&main) || name == package).then_some(main))
                .unwrap_or_else(|| dir.join(format!("src/bin/{name}.rs")));
            self.bins.push(Bin {
                name: name.to_owned(),
                path,
                required_features: strings(table.get("required-features")),
                place: manifest.at(&format!("\"{name}\"")),
            });
        }
    }

    fn bins_by_place(&mut self, folder: &Folder, dir: &Utf8Path, package: &str) {
        let mut add = |name: &str, path: Utf8PathBuf| {
            if !self.bins.iter().any(|bin| bin.path == path || bin.name == name) {
                let place = path.to_string();
                self.bins.push(Bin { name: name.to_owned(), path, required_features: Vec::new(), place });
            }
        };
        let main = dir.join("src/main.rs");
        if folder.has(&main) {
            add(package, main);
        }
        let bin = dir.join("src/bin");
        for path in folder.files() {
            let Ok(below) = path.strip_prefix(&bin) else { continue };
            let mut parts = below.components();
            match (parts.next(), parts.next(), parts.next()) {
                (Some(_), None, None) if path.extension() == Some("rs") => {
                    add(path.file_stem().unwrap_or_default(), path.to_owned());
                }
                (Some(name), Some(file), None) if file.as_str() == "main.rs" => add(name.as_str(), path.to_owned()),
                _ => {}
            }
        }
    }

    /// Every file that cargo looks for: those with a `main`, those without, and those with a `main` that no build of a program
    /// compiles.
    pub(in super::super) fn files(&self) -> [Vec<&Utf8Path>; 3] {
        let mut mains: Vec<&Utf8Path> = self.build_script.iter().map(Utf8PathBuf::as_path).collect();
        mains.extend(self.bins.iter().map(|bin| bin.path.as_path()));
        mains.sort_unstable();
        mains.dedup();
        let library = self.lib.iter().map(Utf8PathBuf::as_path).collect();
        [mains, library, self.others.iter().map(Utf8PathBuf::as_path).collect()]
    }
}

/// The tables of `[[section]]`.
fn tables<'a>(manifest: &'a Manifest, section: &str) -> impl Iterator<Item = &'a Table> {
    manifest.table.get(section).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
}

fn written_path(dir: &Utf8Path, table: &Table) -> Option<Utf8PathBuf> {
    join(dir, table.get("path")?.as_str()?)
}
