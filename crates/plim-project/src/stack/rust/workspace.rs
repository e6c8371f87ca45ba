//! The packages of a project: members of the workspace, and everything that they name by path.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use toml::Value;

use super::manifest::{Features, Manifest, Package, Use, replaced, strings};
use crate::error::DetectError;
use crate::folder::{Folder, line_of};

/// The packages of a project.
#[derive(Debug)]
pub(super) struct Workspace {
    /// The manifest in the root.
    pub(super) root: Manifest,
    /// Every package whose manifest cargo reads, sorted by folder.
    pub(super) packages: Vec<Package>,
    /// Folders of those that cargo builds when nothing is said.
    pub(super) default_members: Vec<Utf8PathBuf>,
    /// Folders of packages that stand in for published ones: other dependencies are compiled against their sources.
    pub(super) patches: Vec<Utf8PathBuf>,
}

impl Workspace {
    /// Reads the manifest in the root and all that belong to it.
    pub(super) fn read(folder: &Folder) -> Result<Self, DetectError> {
        let root = Manifest::read(folder, Utf8Path::new(""))?;
        check_root(folder, &root)?;
        let mut pending: Vec<(Utf8PathBuf, String)> = Vec::new();
        if root.section("package").or_else(|| root.section("project")).is_some() {
            pending.push((Utf8PathBuf::new(), root.path.to_string()));
        }
        let workspace = root.section("workspace");
        let excluded = strings(workspace.and_then(|table| table.get("exclude")));
        let is_excluded = |dir: &Utf8Path| excluded.iter().any(|path| dir.starts_with(path.trim_end_matches('/')));
        for pattern in strings(workspace.and_then(|table| table.get("members"))) {
            let dirs = expand(folder, &root, &pattern)?;
            pending.extend(
                dirs.into_iter().filter(|dir| !is_excluded(dir)).map(|dir| (dir, root.at(&format!("\"{pattern}\"")))),
            );
        }
        let patches = replaced(&root)?;
        pending.extend(patches.iter().map(|dir| (dir.clone(), root.at(dir.as_str()))));

        let mut packages: Vec<Package> = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some((dir, place)) = pending.pop() {
            if !seen.insert(dir.clone()) {
                continue;
            }
            if !folder.has(dir.join(Manifest::FILE)) {
                let (path, line) = place.rsplit_once(':').unwrap_or((&place, "1"));
                return Err(DetectError::Manifest {
                    path: path.into(),
                    line: line.parse().unwrap_or(1),
                    message: format!("there is no Cargo.toml in {dir}"),
                });
            }
            let manifest = Manifest::read(folder, &dir)?;
            if let Some(package) = Package::of(folder, manifest, workspace.is_some().then_some(&root))? {
                let local = package
                    .dependencies
                    .iter()
                    .filter_map(|dependency| Some((dependency.path.clone()?, dependency.place.clone())));
                pending.extend(local);
                packages.push(package);
            }
        }
        packages.sort_by(|a, b| a.dir.cmp(&b.dir));
        let mut default_members = Vec::new();
        for pattern in strings(workspace.and_then(|table| table.get("default-members"))) {
            default_members.extend(expand(folder, &root, &pattern)?);
        }
        if default_members.is_empty() {
            default_members = match packages.first() {
                Some(package) if package.dir.as_str().is_empty() => vec![Utf8PathBuf::new()],
                _ => packages.iter().map(|package| package.dir.clone()).collect(),
            };
        }
        Ok(Self { root, packages, default_members, patches })
    }

    /// The packages that are put together for one of them, itself included: what is compiled when it is.
    pub(super) fn closure<'a>(&'a self, package: &'a Package, features: &Features) -> Vec<&'a Package> {
        let mut closure: Vec<&Package> = Vec::new();
        let mut pending = vec![package];
        while let Some(next) = pending.pop() {
            if closure.iter().any(|known| known.dir == next.dir) {
                continue;
            }
            closure.push(next);
            let chosen = if next.dir == package.dir { features.clone() } else { Features::default() };
            let active = next.active(&chosen);
            let dirs = active.iter().filter_map(|dependency| dependency.path.as_deref());
            pending.extend(dirs.filter_map(|dir| self.packages.iter().find(|package| package.dir == dir)));
        }
        closure
    }

    /// Whether any dependency comes from a git repository.
    pub(super) fn git_dependency(&self) -> Option<&str> {
        self.packages
            .iter()
            .flat_map(|package| &package.dependencies)
            .find(|dependency| dependency.git && dependency.purpose != Use::Test)
            .map(|dependency| dependency.place.as_str())
    }
}

/// A manifest that counts on a workspace above it can only be built from there.
fn check_root(folder: &Folder, root: &Manifest) -> Result<(), DetectError> {
    if root.section("workspace").is_some() {
        return Ok(());
    }
    let above = "its workspace is outside of the project folder";
    let hint = "run plim in the folder of the workspace and choose the binary with `--start NAME`";
    let package = root.section("package");
    if let Some(Value::String(path)) = package.and_then(|package| package.get("workspace")) {
        return Err(root.outside(path, above.to_owned(), hint));
    }
    let inherits = root.text.lines().position(|line| {
        let line: String = line.split('#').next().unwrap_or(line).split_whitespace().collect();
        line.ends_with(".workspace=true") || line.contains("{workspace=true") || line.contains(",workspace=true")
    });
    if let Some(index) = inherits {
        return Err(DetectError::Outside {
            path: root.path.clone(),
            line: index + 1,
            message: above.to_owned(),
            hint: hint.to_owned(),
        });
    }
    // a member that inherits nothing still takes profiles and the lock file from above
    let mut dir = folder.root().canonicalize_utf8().unwrap_or_else(|_| folder.root().to_owned());
    let name = dir.clone();
    while dir.pop() {
        let Some(manifest) = std::fs::read_to_string(dir.join(Manifest::FILE)).ok() else { continue };
        let Some(workspace) = toml::from_str::<toml::Table>(&manifest).ok() else { continue };
        let Some(workspace) = workspace.get("workspace") else { continue };
        let below = name.strip_prefix(&dir).unwrap_or(&name);
        let is = |pattern: &String| matches(pattern.trim_start_matches("./").trim_end_matches('/'), below);
        if strings(workspace.get("members")).iter().any(is) && !strings(workspace.get("exclude")).iter().any(is) {
            return Err(DetectError::Outside {
                path: root.path.clone(),
                line: line_of(&root.text, "[package]"),
                message: format!("it is a member of the workspace in {dir}"),
                hint: hint.to_owned(),
            });
        }
        break;
    }
    Ok(())
}

/// Returns the folders that a pattern of `members` names.
fn expand(folder: &Folder, root: &Manifest, pattern: &str) -> Result<Vec<Utf8PathBuf>, DetectError> {
    let plain = pattern.trim_start_matches("./").trim_end_matches('/');
    if plain.split('/').any(|part| part == "..") || plain.starts_with('/') {
        return Err(root.outside(
            pattern,
            format!("the member {pattern} is outside of the project folder"),
            "run plim in the folder that holds all members",
        ));
    }
    if matches!(plain, "" | ".") {
        return Ok(vec![Utf8PathBuf::new()]);
    }
    if !plain.contains(['*', '?', '[']) {
        return Ok(vec![plain.into()]);
    }
    let is_package = |dir: &&Utf8Path| matches(plain, dir) && folder.has(dir.join(Manifest::FILE));
    Ok(folder.folders().filter(is_package).map(Utf8Path::to_owned).collect())
}

/// Whether a path matches a pattern component by component; `**` stands for any number of them.
fn matches(pattern: &str, path: &Utf8Path) -> bool {
    fn parts(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern, path) {
            ([], []) => true,
            (["**", rest @ ..], _) => (0..=path.len()).any(|skip| parts(rest, &path[skip..])),
            ([first, rest @ ..], [name, below @ ..]) => part(first.as_bytes(), name.as_bytes()) && parts(rest, below),
            _ => false,
        }
    }
    fn part(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=name.len()).any(|skip| part(rest, &name[skip..])),
            ([b'?', rest @ ..], [_, below @ ..]) => part(rest, below),
            ([first, rest @ ..], [byte, below @ ..]) => first == byte && part(rest, below),
            _ => false,
        }
    }
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.components().map(|component| component.as_str()).collect();
    // the work grows with the power of the stars; no manifest has more than a few
    pattern.iter().map(|part| part.matches('*').count()).sum::<usize>() <= 6 && parts(&pattern, &path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_members_are_globs() {
        assert!(matches("crates/*", Utf8Path::new("crates/api")));
        assert!(!matches("crates/*", Utf8Path::new("crates/api/macros")));
        assert!(matches("crates/**", Utf8Path::new("crates/api/macros")));
        assert!(matches("crates/api-?", Utf8Path::new("crates/api-2")));
        assert!(!matches("crates/api", Utf8Path::new("crates/web")));
    }
}
