//! Which recipe a well-known base image name means, for `--bases plim`.
//!
//! A recipe has one version of its language, Debian's. Where a name asks for another one the recipe still stands in, and
//! the difference is said: whoever passes `--bases plim` asks for that.

/// A recipe that stands in for a well-known image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StandIn {
    /// The recipe.
    pub(crate) recipe: &'static str,
    /// What is different, in words, where something is that can matter.
    pub(crate) differs: Option<String>,
    /// The well-known image runs as root, where the recipe names a user.
    pub(crate) as_root: bool,
}

/// The Debian release of the recipes, and its number.
const DEBIAN: (&str, &str) = ("trixie", "13");

/// Releases of Debian that tags name, and their numbers.
const RELEASES: [(&str, &str); 7] = [
    ("buster", "10"),
    ("bullseye", "11"),
    ("bookworm", "12"),
    ("trixie", "13"),
    ("forky", "14"),
    ("stable", "13"),
    ("oldstable", "12"),
];

/// A language with its images: the full one with compilers, and the slim one.
struct Language {
    repository: &'static str,
    name: &'static str,
    /// The version that the recipes have.
    version: &'static str,
    /// Newer compilers compile what older ones do, so only a version that is newer than the recipe's is another one.
    compiled: bool,
    full: &'static str,
    slim: &'static str,
}

const LANGUAGES: [Language; 4] = [
    Language {
        repository: "docker.io/library/python",
        name: "Python",
        version: PYTHON,
        compiled: false,
        full: "python",
        slim: "python-slim",
    },
    Language {
        repository: "docker.io/library/node",
        name: "Node.js",
        version: NODE,
        compiled: false,
        full: "node",
        slim: "node-build",
    },
    Language {
        repository: "docker.io/library/rust",
        name: "Rust",
        version: RUST,
        compiled: true,
        full: "rust",
        slim: "rust-build",
    },
    Language {
        repository: "docker.io/library/golang",
        name: "Go",
        version: "1.24",
        compiled: true,
        full: "golang",
        slim: "golang",
    },
];

/// The version of Python in plim's recipes.
pub(crate) const PYTHON: &str = "3.13";
/// The version of Node.js in plim's recipes.
pub(crate) const NODE: &str = "20";
/// The version of Rust in plim's recipes.
const RUST: &str = "1.96";

/// Returns the recipe that stands in for a repository and tag. Names of other distributions (alpine, ubuntu, windows) have
/// none: what works there need not work on Debian.
pub(crate) fn well_known(repository: &str, tag: &str) -> Option<StandIn> {
    let words: Vec<&str> = tag.split('-').collect();
    if words.iter().any(|word| is_elsewhere(word)) {
        return None;
    }
    if let Some(language) = LANGUAGES.iter().find(|language| language.repository == repository) {
        return language.stand_in(&words);
    }
    if let Some(name) = repository.strip_prefix("gcr.io/distroless/") {
        return distroless(name, &words);
    }
    // the recipes of a repository, each with the word of a tag that asks for it
    let (whole, parts): (_, &[(&str, &'static str)]) = match repository {
        "docker.io/library/debian" => ("debian", &[("slim", "debian-slim")]),
        "docker.io/library/buildpack-deps" => {
            ("buildpack-deps", &[("curl", "buildpack-deps-curl"), ("scm", "buildpack-deps-scm")])
        }
        _ => return None,
    };
    let part = parts.iter().find(|(word, _)| words.contains(word));
    let recipe = part.map_or(whole, |(_, recipe)| *recipe);
    let known = |word: &str| {
        release(word).is_some() || word == "latest" || is_version(word) || parts.iter().any(|(part, _)| *part == word)
    };
    let release = words.iter().find_map(|word| release(word));
    words.iter().all(|word| known(word)).then(|| StandIn {
        recipe,
        differs: differing_release(release),
        as_root: false,
    })
}

impl Language {
    fn stand_in(&self, words: &[&str]) -> Option<StandIn> {
        let asked = words.iter().find(|word| is_version(word)).copied();
        let known = |word: &&&str| {
            is_version(word)
                || release(word).is_some()
                || matches!(**word, "slim" | "latest" | "lts" | "current" | "" | "iron")
        };
        if !words.iter().all(|word| known(&word)) {
            return None;
        }
        let other_version = asked
            .filter(|asked| !same_version(asked, self.version))
            .filter(|asked| !self.compiled || numbers(asked) > numbers(self.version))
            .map(|asked| format!("{} {asked} is asked for, the recipe has {}", self.name, self.version));
        let other_release = differing_release(words.iter().find_map(|word| release(word)));
        let differs: Vec<String> = other_version.into_iter().chain(other_release).collect();
        Some(StandIn {
            recipe: if words.contains(&"slim") { self.slim } else { self.full },
            differs: (!differs.is_empty()).then(|| differs.join("; ")),
            as_root: false,
        })
    }
}

/// The distroless images: `python3-debian12:nonroot`, `nodejs22-debian12`, `static`.
fn distroless(name: &str, words: &[&str]) -> Option<StandIn> {
    if words.iter().any(|word| !matches!(*word, "latest" | "nonroot" | "amd64" | "arm64")) {
        return None;
    }
    let (kind, debian) = name.split_once("-debian").map_or((name, None), |(kind, number)| (kind, Some(number)));
    let (recipe, other) = match kind {
        "static" => ("static", None),
        "base" | "base-nossl" => ("base", None),
        "cc" => ("cc", None),
        "python3" => ("python3", None),
        kind => {
            let version = kind.strip_prefix("nodejs")?;
            let other = (version != NODE && !version.is_empty())
                .then(|| format!("Node.js {version} is asked for, the recipe has {NODE}"));
            ("nodejs", other)
        }
    };
    let differs: Vec<String> = other.into_iter().chain(differing_release(debian)).collect();
    Some(StandIn {
        recipe,
        differs: (!differs.is_empty()).then(|| differs.join("; ")),
        as_root: !words.contains(&"nonroot"),
    })
}

fn is_elsewhere(word: &str) -> bool {
    ["alpine", "windows", "nanoserver", "ubuntu", "jammy", "noble", "focal", "bionic", "debug", "rc", "onbuild"]
        .iter()
        .any(|other| word.starts_with(other))
}

/// `3`, `3.12`, `3.12.4`, `20260101`.
fn is_version(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && word.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// The number of the Debian release that a word of a tag names.
fn release(word: &str) -> Option<&'static str> {
    RELEASES.iter().find(|(name, number)| *name == word || *number == word).map(|(_, number)| *number)
}

fn differing_release(number: Option<&str>) -> Option<String> {
    number
        .filter(|number| *number != DEBIAN.1)
        .map(|number| format!("Debian {number} is asked for, the recipe is Debian {} ({})", DEBIAN.1, DEBIAN.0))
}

/// Says whether one version is the other as far as both are said: `3` and `3.13.2` are `3.13`, `3.12` is not.
fn same_version(asked: &str, have: &str) -> bool {
    asked.split('.').zip(have.split('.')).all(|(one, other)| one == other)
}

fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(repository: &str, tag: &str) -> String {
        match well_known(repository, tag) {
            None => "-".to_owned(),
            Some(stand_in) => {
                let root = if stand_in.as_root { " as root" } else { "" };
                format!(
                    "{}{root}{}",
                    stand_in.recipe,
                    stand_in.differs.map_or(String::new(), |text| format!(": {text}"))
                )
            }
        }
    }

    #[test]
    fn names_of_languages_mean_recipes_and_other_versions_are_said() {
        let python = |tag| shown("docker.io/library/python", tag);
        assert_eq!(python("3.13"), "python");
        assert_eq!(python("3.13.2-slim-trixie"), "python-slim");
        assert_eq!(python("slim"), "python-slim");
        assert_eq!(python("3"), "python");
        assert_eq!(
            python("3.11-slim-bookworm"),
            "python-slim: Python 3.11 is asked for, the recipe has 3.13; Debian 12 is asked for, the recipe is Debian 13 (trixie)"
        );
        assert_eq!(python("3.12-alpine"), "-");
        assert_eq!(python("3.13-windowsservercore"), "-");
        assert_eq!(shown("docker.io/library/node", "lts-slim"), "node-build");
        assert_eq!(shown("docker.io/library/node", "22"), "node: Node.js 22 is asked for, the recipe has 20");
        assert_eq!(shown("docker.io/library/rust", "latest"), "rust");
        assert_eq!(shown("docker.io/library/golang", "1.22"), "golang");
        assert_eq!(shown("docker.io/library/golang", "1.99"), "golang: Go 1.99 is asked for, the recipe has 1.24");
    }

    #[test]
    fn distributions_and_distroless_images_are_known() {
        assert_eq!(shown("docker.io/library/debian", "stable-slim"), "debian-slim");
        assert_eq!(
            shown("docker.io/library/debian", "bookworm"),
            "debian: Debian 12 is asked for, the recipe is Debian 13 (trixie)"
        );
        assert_eq!(shown("docker.io/library/buildpack-deps", "trixie-curl"), "buildpack-deps-curl");
        assert_eq!(shown("docker.io/library/buildpack-deps", "scm"), "buildpack-deps-scm");
        assert_eq!(shown("docker.io/library/buildpack-deps", "trixie"), "buildpack-deps");
        assert_eq!(shown("docker.io/library/debian", "scm"), "-");
        assert_eq!(shown("docker.io/library/alpine", "3.20"), "-");
        assert_eq!(shown("docker.io/library/ubuntu", "24.04"), "-");
        assert_eq!(shown("gcr.io/distroless/cc-debian13", "nonroot"), "cc");
        assert_eq!(shown("gcr.io/distroless/static-debian13", "latest"), "static as root");
        assert_eq!(shown("gcr.io/distroless/python3-debian13", "debug-nonroot"), "-");
        assert_eq!(
            shown("gcr.io/distroless/nodejs22-debian13", "nonroot"),
            "nodejs: Node.js 22 is asked for, the recipe has 20"
        );
    }
}
