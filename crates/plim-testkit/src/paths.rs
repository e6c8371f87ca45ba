//! Where the repository and the fixtures beside it are.

use std::path::{Path, PathBuf};

/// Returns the root of the repository.
pub fn repo_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate is two directories below the root").to_path_buf()
}

/// Returns the directory of large fixtures beside the repository, where there is one.
pub fn shared_dir() -> Option<PathBuf> {
    let dir = repo_root().parent()?.join("shared");
    dir.is_dir().then_some(dir)
}

/// Returns a file or directory of the large fixtures; where it is absent, says so, and the test should return.
#[expect(clippy::print_stderr, reason = "the test harness shows it beside the test that does nothing")]
pub fn shared(path: &str) -> Option<PathBuf> {
    let found = shared_dir().map(|dir| dir.join(path)).filter(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: ../shared/{path} is absent");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_has_the_workspace() {
        assert!(repo_root().join("Cargo.toml").is_file());
        assert_eq!(shared("no/such/fixture"), None);
    }
}
