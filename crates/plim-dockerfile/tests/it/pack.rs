//! Finding and unpacking the data packs beside the repository.

use std::path::{Path, PathBuf};

/// Returns the file `path` of the shared data, or says that it is not there and returns nothing.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if file.exists() {
        return Some(file);
    }
    println!("skipped: the data pack shared/{path} is not there");
    None
}

/// Unpacks the entries of a `.tar.zst` whose path begins with one of `prefixes`.
pub(crate) fn unpack(archive: &Path, prefixes: &[&str]) -> tempfile::TempDir {
    unpack_files(archive, &|path| prefixes.iter().any(|prefix| path.starts_with(prefix)))
}

/// Unpacks the regular files of a `.tar.zst` that `wanted` chooses by their path.
pub(crate) fn unpack_files(archive: &Path, wanted: &dyn Fn(&str) -> bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let reader = zstd::Decoder::new(std::fs::File::open(archive).unwrap()).unwrap();
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        if entry.header().entry_type().is_file() && wanted(path.strip_prefix("./").unwrap_or(&path)) {
            entry.unpack_in(dir.path()).unwrap();
        }
    }
    dir
}

/// Returns the sorted paths in a directory.
pub(crate) fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
