//! What it costs to move an image about: a model whose every assumption can be set.

use plim_oci::Image;

use super::{Assumptions, Base, Cost};

/// Assumptions that the user makes in place of the defaults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AssumptionsGiven {
    /// Bytes a second of a download.
    pub pull_bytes_per_second: Option<u64>,
    /// Uncompressed bytes a second of unpacking.
    pub unpack_bytes_per_second: Option<u64>,
    /// Builds a day that push.
    pub builds_per_day: Option<u64>,
    /// Nodes that pull the image when the pods are scaled out.
    pub pods: Option<u64>,
    /// Layers, from the lowest, that a build of a change to the source uses again.
    pub reused_layers: Option<usize>,
}

impl AssumptionsGiven {
    /// Fills in the defaults; `reused` layers are those that the image itself suggests.
    pub(super) fn over(self, reused: usize) -> Assumptions {
        let defaults = Assumptions::default();
        Assumptions {
            pull_bytes_per_second: self.pull_bytes_per_second.unwrap_or(defaults.pull_bytes_per_second),
            unpack_bytes_per_second: self.unpack_bytes_per_second.unwrap_or(defaults.unpack_bytes_per_second),
            builds_per_day: self.builds_per_day.unwrap_or(defaults.builds_per_day),
            pods: self.pods.unwrap_or(defaults.pods),
            reused_layers: self.reused_layers.unwrap_or(reused),
        }
    }
}

/// Computes the costs of layers, given as bytes of the tar and of the blob, lowest first.
pub(super) fn cost(layers: &[(u64, u64)], assumptions: Assumptions) -> Cost {
    let size: u64 = layers.iter().map(|(size, _)| size).sum();
    let compressed: u64 = layers.iter().map(|(_, compressed)| compressed).sum();
    let new: u64 = layers.iter().skip(assumptions.reused_layers).map(|(_, compressed)| compressed).sum();
    let seconds = |bytes: u64, rate: u64| bytes as f64 / rate.max(1) as f64;
    Cost {
        assumptions,
        pull_seconds: seconds(compressed, assumptions.pull_bytes_per_second),
        unpack_seconds: seconds(size, assumptions.unpack_bytes_per_second),
        new_bytes_per_build: new,
        registry_bytes_per_day: new.saturating_mul(assumptions.builds_per_day),
        scale_out_bytes: compressed.saturating_mul(assumptions.pods),
    }
}

/// Tells how many layers a build of a change to the source uses again: those of the base, and those above until the
/// first that copies a directory. Where none does, nothing tells which are new, and all above the base count as such.
pub(super) fn reused(image: &Image, base: Option<&Base>) -> usize {
    let base = base.map_or(0, |base| base.layers).min(image.layers.len());
    let mut above = image.layers.iter().skip(base);
    let first = above.position(|layer| copies_directory(layer.created_by.as_deref().unwrap_or_default()));
    base + first.unwrap_or(0)
}

/// Says whether a history row is a COPY or ADD of a directory. BuildKit's rows do not tell directories from files, so a
/// source without an ending in its name counts as one; the older builder writes `dir:` and `file:`.
fn copies_directory(created_by: &str) -> bool {
    let text = created_by.trim_start();
    let text = text.strip_prefix("/bin/sh -c #(nop)").unwrap_or(text).trim_start();
    let Some(text) = text.strip_prefix("COPY ").or_else(|| text.strip_prefix("ADD ")) else { return false };
    let text = text.strip_suffix("# buildkit").unwrap_or(text);
    let words: Vec<&str> = text.split_whitespace().filter(|word| !word.starts_with("--")).collect();
    match words.first() {
        Some(word) if word.starts_with("dir:") || word.starts_with("multi:") => return true,
        Some(word) if word.starts_with("file:") => return false,
        _ => {}
    }
    let sources = words.split_last().map_or(&[][..], |(_, sources)| sources);
    sources.iter().any(|source| is_directory(source))
}

fn is_directory(source: &str) -> bool {
    if source.starts_with("<<") {
        return false;
    }
    let name = source.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    // files of projects whose names have no ending
    let known = ["Gemfile", "Pipfile", "Procfile", "Makefile", "Rakefile", "LICENSE", "gradlew", "mvnw", "artisan"];
    let ending = name.trim_start_matches('.').contains('.');
    source.ends_with('/') || !(ending || known.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    #[test]
    fn fifty_builds_of_a_gigabyte_against_fifty_of_a_tenth_save_45_gigabytes_a_day() {
        let assumptions = AssumptionsGiven::default().over(0);
        let large = cost(&[(2 * GB, GB)], assumptions);
        let small = cost(&[(GB / 4, GB / 10)], assumptions);
        assert_eq!(large.registry_bytes_per_day, 50 * GB);
        assert_eq!(large.registry_bytes_per_day - small.registry_bytes_per_day, 45 * GB);
        assert!((large.pull_seconds - 10.0).abs() < 1e-9);
        assert!((large.unpack_seconds - 10.0).abs() < 1e-9);
        assert_eq!(large.scale_out_bytes, 10 * GB);
    }

    #[test]
    fn layers_that_are_used_again_are_pushed_once() {
        let given = AssumptionsGiven { reused_layers: Some(1), builds_per_day: Some(3), ..AssumptionsGiven::default() };
        let found = cost(&[(10, 5), (4, 2)], given.over(0));
        assert_eq!((found.new_bytes_per_build, found.registry_bytes_per_day), (2, 6));
        let all = AssumptionsGiven { reused_layers: Some(9), ..AssumptionsGiven::default() };
        assert_eq!(cost(&[(10, 5)], all.over(0)).new_bytes_per_build, 0);
    }

    #[test]
    fn nothing_divides_by_nothing() {
        let given =
            AssumptionsGiven { pull_bytes_per_second: Some(0), unpack_bytes_per_second: Some(0), ..Default::default() };
        let found = cost(&[(u64::MAX / 2, 1)], given.over(0));
        assert!(found.pull_seconds.is_finite() && found.unpack_seconds.is_finite());
    }

    #[test]
    fn a_copy_of_a_directory_is_told_from_one_of_files() {
        for row in [
            "COPY . /app # buildkit",
            "COPY src /app/src # buildkit",
            "COPY --chown=1:1 package.json app/ /app/ # buildkit",
            "/bin/sh -c #(nop) COPY dir:0123 in /app ",
            "ADD ./ /srv",
        ] {
            assert!(copies_directory(row), "{row}");
        }
        for row in [
            "COPY package.json package-lock.json ./ # buildkit",
            "COPY Gemfile Gemfile.lock ./ # buildkit",
            "COPY .npmrc.ci /root/.npmrc # buildkit",
            "/bin/sh -c #(nop) ADD file:0123 in / ",
            "COPY <<EOF /etc/x # buildkit",
            "RUN /bin/sh -c cp -r . /app # buildkit",
        ] {
            assert!(!copies_directory(row), "{row}");
        }
    }
}
