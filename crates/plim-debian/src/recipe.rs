//! Base images as recipes: which packages, which of their files, what is set up around them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::DebianError;

/// How a level is made of its packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The files of the packages and a record of each below `var/lib/dpkg/status.d`; no script of a package runs.
    Plain,
    /// As dpkg leaves them: the database, and the scripts of the packages run in the sandbox.
    Configured,
}

/// Which packages a list stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// These and no others.
    Exact,
    /// These and what they depend on.
    Closure,
}

/// A base image, or one level of it: everything above the recipe that it extends becomes one layer.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Recipe {
    /// The name, as in `plim base NAME`.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// The Debian release.
    pub suite: String,
    /// The recipe that this one stands on.
    #[serde(default)]
    pub extends: Option<String>,
    /// How the level is made.
    pub kind: Kind,
    /// What the list of packages stands for.
    pub mode: Mode,
    /// The packages.
    pub packages: Vec<String>,
    /// Adds every package that is essential or of priority `required`.
    #[serde(default)]
    pub required: bool,
    /// Takes what the named packages recommend.
    #[serde(default)]
    pub recommends: bool,
    /// Files that are left out; a pattern covers the tree below, `!` keeps, the last match decides.
    #[serde(default)]
    pub drop: Vec<String>,
    /// Writes `etc/ssl/certs/ca-certificates.crt` from the certificates of the package ca-certificates.
    #[serde(default)]
    pub ca_bundle: bool,
    /// Writes apt's sources for the mirror in use.
    #[serde(default)]
    pub apt_sources: bool,
    /// Files, directories and links besides those of the packages.
    #[serde(default, rename = "file")]
    pub files: Vec<FileSpec>,
    /// Programs of the level's own root to run once its files are there.
    #[serde(default, rename = "step")]
    pub steps: Vec<StepSpec>,
    /// How the image is run; adds to what the extended recipe says.
    #[serde(default)]
    pub image: ImageSpec,
}

/// A file, directory or link to make. `{triplet}` in the path and the link stands for the multiarch directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// Path without a leading slash.
    pub path: String,
    /// Content of a regular file; without content and link it is a directory.
    #[serde(default)]
    pub content: Option<String>,
    /// Target of a symbolic link.
    #[serde(default)]
    pub link: Option<String>,
    /// Permission bits in octal (`"0644"`); by default 0755 for directories, 0644 for files.
    #[serde(default)]
    pub mode: Option<String>,
    /// Owner and group.
    #[serde(default)]
    pub owner: (u32, u32),
}

impl FileSpec {
    /// Returns the permission bits.
    pub fn permissions(&self) -> u32 {
        let given = self.mode.as_deref().and_then(|mode| u32::from_str_radix(mode, 8).ok());
        given.unwrap_or(if self.content.is_some() { 0o644 } else { 0o755 }) & 0o7777
    }
}

/// A program to run in the level's root.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// What it does, for people.
    pub title: String,
    /// Program and arguments.
    pub args: Vec<String>,
    /// Whether the image is wrong without it. One that is not may be skipped where the architecture is foreign.
    #[serde(default)]
    pub required: bool,
}

/// How the image is run.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSpec {
    /// `NAME=value`; replaces a variable of the same name.
    #[serde(default)]
    pub env: Vec<String>,
    /// User.
    #[serde(default)]
    pub user: Option<String>,
    /// Working directory.
    #[serde(default)]
    pub workdir: Option<String>,
    /// Program and fixed arguments.
    #[serde(default)]
    pub entrypoint: Option<Vec<String>>,
    /// Default arguments.
    #[serde(default)]
    pub cmd: Option<Vec<String>>,
    /// Annotations of the manifest.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl Recipe {
    /// Parses a recipe file; `name` is for messages.
    pub fn parse(name: &str, text: &str) -> Result<Self, DebianError> {
        let bad = |reason: String| DebianError::Recipe { name: name.to_owned(), reason };
        let recipe: Self = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
        for file in &recipe.files {
            let safe = file.path.split('/').all(|part| !matches!(part, "" | "." | ".."));
            if !safe || (file.content.is_some() && file.link.is_some()) {
                return Err(bad(format!("`{}` is no file that can be made", file.path)));
            }
        }
        Ok(recipe)
    }
}

macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../recipes/", $name, ".toml")))),+]
    };
}

/// The recipes that are compiled in; a recipe comes after the one it extends.
static RECIPES: LazyLock<Vec<Recipe>> = LazyLock::new(|| {
    embedded![
        "static",
        "base",
        "cc",
        "python3",
        "nodejs",
        "debian-slim",
        "python-slim",
        "python-build",
        "node-build",
        "rust-build",
        "debian",
        "buildpack-deps-curl",
        "buildpack-deps-scm",
        "buildpack-deps",
        "python",
        "node",
        "rust",
        "golang",
    ]
    .iter()
    .map(|(name, text)| Recipe::parse(name, text).expect("the tests parse every embedded recipe"))
    .collect()
});

/// Returns the recipes that are compiled in.
pub fn recipes() -> &'static [Recipe] {
    &RECIPES
}

/// Returns the recipe of a name.
pub fn recipe(name: &str) -> Option<&'static Recipe> {
    recipes().iter().find(|recipe| recipe.name == name)
}

/// Returns a recipe and those that it stands on, lowest first.
pub(crate) fn chain(top: &Recipe) -> Result<Vec<Recipe>, DebianError> {
    let mut chain = vec![top.clone()];
    while let Some(lower) = &chain[chain.len() - 1].extends {
        let found = recipe(lower).ok_or_else(|| {
            let known = recipes().iter().map(|recipe| recipe.name.as_str()).collect::<Vec<_>>().join(", ");
            DebianError::NoRecipe { name: lower.clone(), known }
        })?;
        if chain.len() > 16 {
            return Err(DebianError::Recipe { name: top.name.clone(), reason: "it extends itself".to_owned() });
        }
        chain.push(found.clone());
    }
    chain.reverse();
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_recipe_is_sound() {
        for recipe in recipes() {
            let chain = chain(recipe).unwrap();
            assert!(
                chain.iter().all(|level| level.kind == recipe.kind && level.suite == recipe.suite),
                "{}",
                recipe.name
            );
            let mut seen = std::collections::BTreeSet::new();
            for package in chain.iter().flat_map(|level| &level.packages) {
                assert!(seen.insert(package), "{} names {package} twice", recipe.name);
            }
            for variable in &recipe.image.env {
                assert!(variable.contains('='), "{variable}");
            }
        }
    }

    #[test]
    fn distroless_kinds_run_as_an_ordinary_user() {
        for recipe in recipes().iter().filter(|recipe| recipe.kind == Kind::Plain) {
            let chain = chain(recipe).unwrap();
            let user = chain.iter().rev().find_map(|level| level.image.user.as_deref());
            assert_eq!(user, Some("65532"), "{}", recipe.name);
        }
    }

    #[test]
    fn unknown_keys_and_unsafe_paths_are_refused() {
        let good = "name='x'\nsummary='x'\nsuite='trixie'\nkind='plain'\nmode='exact'\npackages=[]\n";
        assert!(Recipe::parse("x", good).is_ok());
        assert!(Recipe::parse("x", &format!("{good}packges=[]")).unwrap_err().to_string().contains("packges"));
        assert!(Recipe::parse("x", &format!("{good}[[file]]\npath='a/../b'")).is_err());
        assert!(Recipe::parse("x", &format!("{good}[[file]]\npath='/etc/x'")).is_err());
    }
}
