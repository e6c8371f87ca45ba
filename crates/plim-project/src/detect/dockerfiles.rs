//! The Dockerfiles of a project, wherever its author keeps them.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::sources::Sources;
use crate::error::DetectError;
use crate::folder::{self, Folder};

/// How deep below the project's folder Dockerfiles are looked for.
const DEPTH: usize = 3;

/// Folders whose Dockerfiles make something else than the program.
const ELSEWHERE: &[&str] = &[
    ".devcontainer",
    "devcontainer",
    ".github",
    ".gitlab",
    ".plim",
    "tests",
    "test",
    "testing",
    "testdata",
    "fixtures",
    "e2e",
    "examples",
    "example",
    "samples",
    "demo",
    "demos",
    "docs",
    "doc",
    "benchmarks",
    "bench",
    "vendor",
    "third_party",
];

/// Words in the name of a Dockerfile that is not for the program as it is deployed.
const DEVELOPMENT: &[&str] = &[
    "dev",
    "devel",
    "develop",
    "development",
    "test",
    "tests",
    "testing",
    "ci",
    "debug",
    "e2e",
    "local",
    "lint",
    "docs",
    "playwright",
    "cypress",
    "bench",
];

/// Ends of names that look like a Dockerfile's: templates, notes, copies.
const OTHER_ENDS: &[&str] = &[
    "dockerignore",
    "before",
    "bak",
    "orig",
    "old",
    "swp",
    "j2",
    "jinja",
    "jinja2",
    "tmpl",
    "tpl",
    "template",
    "in",
    "erb",
    "md",
    "txt",
    "sh",
    "py",
    "json",
    "yml",
    "yaml",
    "toml",
];

/// A Dockerfile of the author and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Author {
    /// The path, relative to the folder that was listed; absolute when the file lies outside of it.
    pub(super) path: Utf8PathBuf,
    pub(super) text: String,
}

impl Author {
    /// Reads a file that the user names: it may lie anywhere.
    pub(super) fn named(folder: &Folder, path: &Utf8Path) -> Result<Self, DetectError> {
        let failed = |source| DetectError::Read { path: path.to_owned(), source };
        let full = folder.root().join(path);
        let text = folder::read_text(&full).map_err(failed)?;
        // the last part stays as it is: what belongs to a link lies beside the link
        let parent = full.parent().unwrap_or(&full).canonicalize_utf8().map_err(failed)?;
        let full = parent.join(full.file_name().unwrap_or_default());
        Self::checked(full.strip_prefix(folder.real_root()).map(Utf8Path::to_owned).unwrap_or(full), text)
    }

    /// Reads a file that was found.
    pub(super) fn found(folder: &Folder, path: &Utf8Path) -> Result<Self, DetectError> {
        Self::checked(path.to_owned(), folder.manifest(path)?)
    }

    fn checked(path: Utf8PathBuf, text: String) -> Result<Self, DetectError> {
        if has_stages(&text) { Ok(Self { path, text }) } else { Err(DetectError::NoStages { path }) }
    }

    pub(super) fn sources(&self) -> Sources {
        Sources::read(&self.text)
    }
}

fn has_stages(text: &str) -> bool {
    let file = plim_dockerfile::parse(text);
    // a file with mistakes is the builder's to explain
    !file.errors.is_empty() && !file.instructions.is_empty()
        || file.instructions.iter().any(|instruction| matches!(instruction.kind, plim_dockerfile::Kind::From(_)))
}

/// The Dockerfiles that may build the project in a folder `below` the one that was listed: the one with the usual name at its
/// usual place alone, or else all others, those for development only when there is nothing else. `others` are
/// projects inside, which have Dockerfiles of their own.
pub(super) fn candidates(folder: &Folder, below: &Utf8Path, others: &[Utf8PathBuf]) -> Vec<Utf8PathBuf> {
    if let Some(usual) =
        ["Dockerfile", "Containerfile", "dockerfile"].iter().map(|name| below.join(name)).find(|path| folder.has(path))
    {
        return vec![usual];
    }
    let mut all: Vec<(Utf8PathBuf, bool)> = Vec::new();
    for path in folder.files() {
        let Ok(inside) = path.strip_prefix(below) else { continue };
        let Some(parent) = inside.parent() else { continue };
        let elsewhere = parent.components().any(|part| ELSEWHERE.contains(&part.as_str()))
            || others.iter().any(|other| other.as_path() != below && path.starts_with(other));
        if elsewhere || parent.components().count() >= DEPTH {
            continue;
        }
        let Some(words) = inside.file_name().and_then(purpose) else { continue };
        let folders = parent.components().map(|part| part.as_str().to_lowercase());
        let development = words.into_iter().chain(folders).any(|word| DEVELOPMENT.contains(&word.as_str()));
        if folder.text(path).is_some_and(|text| has_stages(&text)) {
            all.push((path.to_owned(), development));
        }
    }
    let only_development = all.iter().all(|(_, development)| *development);
    all.retain(|(_, development)| only_development || !development);
    // in its folder the usual name stands for the others, as it does at the usual place
    let usual: BTreeSet<Utf8PathBuf> = all
        .iter()
        .filter(|(path, _)| is_usual(path))
        .filter_map(|(path, _)| path.parent().map(Utf8Path::to_owned))
        .collect();
    all.retain(|(path, _)| is_usual(path) || path.parent().is_none_or(|parent| !usual.contains(parent)));
    let all: Vec<Utf8PathBuf> = all.into_iter().map(|(path, _)| path).collect();
    without_variants(&all)
}

/// Drops variants: beside `shop.dockerfile`, `shop-arm.dockerfile` is one, as `Dockerfile.arm` is beside `Dockerfile`.
fn without_variants(all: &[Utf8PathBuf]) -> Vec<Utf8PathBuf> {
    let words = |path: &Utf8Path| path.file_name().and_then(purpose).unwrap_or_default();
    let is_variant = |path: &Utf8PathBuf| {
        let of = words(path);
        all.iter().any(|other| {
            let shorter = words(other);
            other.parent() == path.parent() && shorter.len() < of.len() && of.starts_with(&shorter)
        })
    };
    all.iter().filter(|path| !is_variant(path)).cloned().collect()
}

/// Whether a name says that the file or stage is for the developers' machines or for tests.
pub(super) fn is_for_development(name: &str) -> bool {
    name.to_lowercase().split(['.', '-', '_', '/']).any(|word| DEVELOPMENT.contains(&word))
}

fn is_usual(path: &Utf8Path) -> bool {
    path.file_name().is_some_and(|name| matches!(name.to_lowercase().as_str(), "dockerfile" | "containerfile"))
}

/// The words that the name of a Dockerfile has besides that; nothing for other files.
fn purpose(name: &str) -> Option<Vec<String>> {
    let name = name.to_lowercase();
    if OTHER_ENDS.iter().any(|end| name.rsplit_once('.').is_some_and(|(_, last)| last == *end)) {
        return None;
    }
    let rest = ["dockerfile", "containerfile"].iter().find_map(|word| {
        let behind = name.strip_prefix(word).filter(|rest| rest.is_empty() || rest.starts_with(['.', '-', '_']));
        behind.or_else(|| name.strip_suffix(word).filter(|rest| rest.ends_with('.')))
    })?;
    Some(rest.split(['.', '-', '_']).filter(|word| !word.is_empty()).map(ToOwned::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_told_by_longer_names() {
        let left = |names: &[&str]| {
            let all: Vec<Utf8PathBuf> = names.iter().map(Utf8PathBuf::from).collect();
            let all = without_variants(&all);
            all.iter().map(|path| path.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(left(&["shop-arm.dockerfile", "shop.dockerfile", "shop-nginx.dockerfile"]), ["shop.dockerfile"]);
        assert_eq!(left(&["Dockerfile.web", "Dockerfile.worker"]), ["Dockerfile.web", "Dockerfile.worker"]);
        assert_eq!(left(&["a/Dockerfile.web", "b/Dockerfile.web-arm"]).len(), 2);
    }

    #[test]
    fn names_of_dockerfiles() {
        let shown = |name| purpose(name).map(|words| words.join(" "));
        assert_eq!(shown("Dockerfile").as_deref(), Some(""));
        assert_eq!(shown("Dockerfile.prod").as_deref(), Some("prod"));
        assert_eq!(shown("Dockerfile-release").as_deref(), Some("release"));
        assert_eq!(shown("alpine.Dockerfile").as_deref(), Some("alpine"));
        assert_eq!(shown("web.dev.dockerfile").as_deref(), Some("web dev"));
        assert_eq!(shown("Containerfile").as_deref(), Some(""));
        for other in ["Dockerfile.dockerignore", "Dockerfile.before", "Dockerfile.j2", "Dockerfiles", "mydockerfile"] {
            assert_eq!(shown(other), None, "{other}");
        }
    }
}
