//! `.cargo/config.toml`: flags for the compiler, and dependencies that are in the project.

use camino::{Utf8Path, Utf8PathBuf};
use toml::{Table, Value};

use super::manifest::{Manifest, strings};
use crate::error::DetectError;
use crate::folder::Folder;

/// What plim reads of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Config {
    /// The file, relative to the root.
    pub(super) path: Option<Utf8PathBuf>,
    /// Flags for every target, or for Linux alone: the latter replace the former, as cargo does it.
    pub(super) rustflags: Vec<String>,
    /// Where the flags are.
    pub(super) rustflags_place: String,
    /// The folder with the sources of the dependencies.
    pub(super) vendor: Option<Utf8PathBuf>,
    /// The folder for what is compiled, when it is not `target`.
    pub(super) target_dir: bool,
}

impl Config {
    /// Reads the file if it is there.
    pub(super) fn read(folder: &Folder) -> Result<Self, DetectError> {
        let path = [".cargo/config.toml", ".cargo/config"].into_iter().map(Utf8Path::new).find(|path| folder.has(path));
        let Some(path) = path else { return Ok(Self::default()) };
        let manifest = Manifest::read_file(folder, path)?;
        let build = manifest.section("build");
        let mut rustflags = flags(build);
        for (target, table) in manifest.section("target").into_iter().flatten() {
            let linux = target.contains("linux-gnu")
                || target.contains("linux\"")
                || target == "cfg(unix)"
                || target == "cfg(all())";
            let own = flags(table.as_table());
            if linux && !own.is_empty() {
                rustflags = own;
            }
        }
        let mut sources = manifest.section("source").into_iter().flatten();
        let vendor = sources.find_map(|(_, table)| table.get("directory")?.as_str()).map(Utf8PathBuf::from);
        Ok(Self {
            rustflags_place: manifest.at("rustflags"),
            rustflags,
            vendor: vendor.filter(|dir| folder.has_folder(dir)),
            target_dir: build.is_some_and(|build| build.contains_key("target-dir")),
            path: Some(path.to_owned()),
        })
    }
}

fn flags(table: Option<&Table>) -> Vec<String> {
    match table.and_then(|table| table.get("rustflags")) {
        Some(Value::String(text)) => text.split_whitespace().map(ToOwned::to_owned).collect(),
        other => strings(other),
    }
}
