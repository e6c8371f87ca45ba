//! Which recipe a well-known base image name means, for `--bases plim`.

/// A name of a well-known image and the recipe that stands in for it.
struct WellKnown {
    repository: &'static str,
    tags: &'static [&'static str],
    recipe: &'static str,
}

/// Only names whose contents the recipe really matches: same Debian release, same language version.
const WELL_KNOWN: &[WellKnown] = &[
    WellKnown {
        repository: "docker.io/library/python",
        tags: &["3.13-slim", "3.13-slim-trixie"],
        recipe: "python-build",
    },
    WellKnown { repository: "docker.io/library/python", tags: &["3.13", "3.13-trixie"], recipe: "python" },
    WellKnown {
        repository: "docker.io/library/rust",
        tags: &["1-slim", "1.96-slim", "slim", "1-slim-trixie", "1.96-slim-trixie", "slim-trixie"],
        recipe: "rust-build",
    },
    WellKnown {
        repository: "docker.io/library/rust",
        tags: &["1", "1.96", "latest", "1-trixie", "1.96-trixie", "trixie"],
        recipe: "rust",
    },
    WellKnown {
        repository: "docker.io/library/debian",
        tags: &["trixie", "trixie-slim", "13", "13-slim", "stable-slim", "stable"],
        recipe: "debian-slim",
    },
    WellKnown { repository: "gcr.io/distroless/static-debian13", tags: &["latest", "nonroot"], recipe: "static" },
    WellKnown { repository: "gcr.io/distroless/base-debian13", tags: &["latest", "nonroot"], recipe: "base" },
    WellKnown { repository: "gcr.io/distroless/cc-debian13", tags: &["latest", "nonroot"], recipe: "cc" },
    WellKnown { repository: "gcr.io/distroless/python3-debian13", tags: &["latest", "nonroot"], recipe: "python3" },
];

/// Returns the recipe that stands in for a repository and tag.
pub(crate) fn well_known(repository: &str, tag: &str) -> Option<&'static str> {
    WELL_KNOWN
        .iter()
        .find(|known| known.repository == repository && known.tags.contains(&tag))
        .map(|known| known.recipe)
}

#[cfg(test)]
mod tests {
    use super::{WELL_KNOWN, well_known};

    #[test]
    fn slim_python_is_the_build_recipe() {
        assert_eq!(well_known("docker.io/library/python", "3.13-slim"), Some("python-build"));
        assert_eq!(well_known("docker.io/library/python", "3.12"), None);
    }

    #[test]
    fn rust_images_are_told_apart() {
        assert_eq!(well_known("docker.io/library/rust", "1-slim"), Some("rust-build"));
        assert_eq!(well_known("docker.io/library/rust", "1"), Some("rust"));
        assert_eq!(well_known("docker.io/library/rust", "1-alpine"), None);
        assert_eq!(well_known("docker.io/library/rust", "1.75-slim"), None);
    }

    #[test]
    fn every_recipe_of_the_table_exists() {
        for known in WELL_KNOWN {
            assert!(plim_debian::recipe(known.recipe).is_some(), "{}", known.recipe);
        }
    }
}
