//! The files of a project: listed once, within bounds, and never outside the folder.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use crate::error::DetectError;

/// The most entries that are listed: far above any project's own files, low enough to stop in a home directory.
const MAX_ENTRIES: usize = 50_000;

/// How deep the listing goes; sources of a project are never this deep.
const MAX_DEPTH: usize = 12;

/// The most that is read of one file; manifests and sources are smaller, lock files may be a few MiB.
const MAX_FILE: u64 = 8 << 20;

/// Folders that hold no source of the project: version control, caches, installed packages.
const SKIPPED: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    ".tox",
    ".nox",
    ".venv",
    "venv",
    ".env",
    "env",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    "node_modules",
    "target",
    ".idea",
    ".vscode",
    ".eggs",
    "site-packages",
    ".terraform",
    ".plim",
];

/// The files of a project, relative to its root, sorted.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: Utf8PathBuf,
    real_root: Utf8PathBuf,
    files: BTreeSet<Utf8PathBuf>,
    folders: BTreeSet<Utf8PathBuf>,
}

impl Folder {
    /// Lists a folder. Symbolic links are listed as files and never entered; names that are not UTF-8 are left out.
    pub(crate) fn read(root: &Utf8Path) -> Result<Self, DetectError> {
        let failed = |source| DetectError::Read { path: root.to_owned(), source };
        let real_root = root.canonicalize_utf8().map_err(failed)?;
        let mut folder = Self { root: root.to_owned(), real_root, files: BTreeSet::new(), folders: BTreeSet::new() };
        let mut pending = vec![(Utf8PathBuf::new(), 0)];
        while let Some((relative, depth)) = pending.pop() {
            let path = folder.root.join(&relative);
            let listing = match path.read_dir_utf8() {
                Ok(listing) => listing,
                // what cannot be listed below the root cannot be copied by a build either
                Err(_) if depth > 0 => continue,
                Err(source) => return Err(DetectError::Read { path, source }),
            };
            for entry in listing.flatten() {
                let name = relative.join(entry.file_name());
                let Ok(kind) = entry.file_type() else { continue };
                if !kind.is_dir() {
                    folder.files.insert(name);
                } else if !SKIPPED.contains(&entry.file_name()) && !entry.path().join("pyvenv.cfg").exists() {
                    folder.folders.insert(name.clone());
                    if depth + 1 < MAX_DEPTH {
                        pending.push((name, depth + 1));
                    }
                }
                if folder.files.len() + folder.folders.len() > MAX_ENTRIES {
                    return Err(DetectError::TooLarge { root: root.to_owned(), limit: MAX_ENTRIES });
                }
            }
        }
        Ok(folder)
    }

    pub(crate) fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The root without links in its path.
    pub(crate) fn real_root(&self) -> &Utf8Path {
        &self.real_root
    }

    pub(crate) fn has(&self, path: impl AsRef<Utf8Path>) -> bool {
        self.files.contains(path.as_ref())
    }

    pub(crate) fn has_folder(&self, path: impl AsRef<Utf8Path>) -> bool {
        self.folders.contains(path.as_ref())
    }

    /// Whether only the owner, or the owner's group, may read a file or enter a folder. Links count as what they are.
    pub(crate) fn is_private(&self, path: &Utf8Path) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let Ok(metadata) = self.root.join(path).symlink_metadata() else { return false };
            let needed = if metadata.is_dir() { 0o005 } else { 0o004 };
            metadata.permissions().mode() & needed != needed
        }
        #[cfg(not(unix))]
        {
            let _ = path;
            false
        }
    }

    /// All files, sorted by path.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Utf8Path> {
        self.files.iter().map(Utf8PathBuf::as_path)
    }

    /// All folders, sorted by path.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &Utf8Path> {
        self.folders.iter().map(Utf8PathBuf::as_path)
    }

    /// The entries of the root: name, and whether it is a folder.
    pub(crate) fn top(&self) -> impl Iterator<Item = (&Utf8Path, bool)> {
        let top = |path: &&Utf8Path| path.components().count() == 1;
        self.folders().filter(top).map(|path| (path, true)).chain(self.files().filter(top).map(|path| (path, false)))
    }

    /// Returns the text of a file, or nothing if it is missing, too large, not text, or a link out of the folder.
    pub(crate) fn text(&self, path: impl AsRef<Utf8Path>) -> Option<String> {
        let path = path.as_ref();
        if !self.has(path) {
            return None;
        }
        self.read_text(path).ok()
    }

    /// Returns the text of a file that must be there.
    pub(crate) fn manifest(&self, path: &Utf8Path) -> Result<String, DetectError> {
        self.read_text(path).map_err(|source| DetectError::Read { path: path.to_owned(), source })
    }

    fn read_text(&self, path: &Utf8Path) -> io::Result<String> {
        let real = self.root.join(path).canonicalize_utf8()?;
        if !real.starts_with(&self.real_root) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the link leads out of the project folder"));
        }
        read_text(&real)
    }

    /// Adds files and folders of the build context that lie outside of this folder, which is `below` it. Their paths begin
    /// with `../`.
    pub(crate) fn add_outside(&mut self, context: &Self, below: &Utf8Path, sources: &[Utf8PathBuf]) {
        self.real_root.clone_from(&context.real_root);
        for source in sources {
            let of = |paths: &BTreeSet<Utf8PathBuf>| -> Vec<Utf8PathBuf> {
                paths.iter().filter(|path| path.starts_with(source)).map(|path| from_below(below, path)).collect()
            };
            self.files.extend(of(&context.files));
            self.folders.extend(of(&context.folders));
        }
    }
}

/// Returns the path by which something in the context is reached from a folder `below` it.
pub(crate) fn from_below(below: &Utf8Path, path: &Utf8Path) -> Utf8PathBuf {
    match path.strip_prefix(below) {
        Ok(inside) => inside.to_owned(),
        Err(_) => below.components().map(|_| "..").collect::<Utf8PathBuf>().join(path),
    }
}

/// Reads a text file within bounds.
pub(crate) fn read_text(path: &Utf8Path) -> io::Result<String> {
    let file = fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut text = String::new();
    file.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is too large"));
    }
    Ok(text)
}

/// Joins a path written in a file at `from` and cleans it; nothing if it leaves the root.
pub(crate) fn resolve(from: &Utf8Path, written: &str) -> Option<Utf8PathBuf> {
    if written.starts_with('/') {
        return None;
    }
    let mut out = from.parent().unwrap_or(Utf8Path::new("")).to_owned();
    for component in Utf8Path::new(written).components() {
        match component {
            Utf8Component::Normal(name) => out.push(name),
            Utf8Component::ParentDir if !out.pop() => return None,
            _ => {}
        }
    }
    (!out.as_str().is_empty()).then_some(out)
}

/// Returns the number (from 1) of the first line with `needle` in it, 1 if there is none.
pub(crate) fn line_of(text: &str, needle: &str) -> usize {
    text.lines().position(|line| line.contains(needle)).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_paths_stay_in_the_root() {
        let from = Utf8Path::new("requirements/prod.txt");
        assert_eq!(resolve(from, "base.txt").unwrap(), "requirements/base.txt");
        assert_eq!(resolve(from, "../common.txt").unwrap(), "common.txt");
        assert_eq!(resolve(from, "../../x"), None);
        assert_eq!(resolve(from, "/etc/passwd"), None);
    }

    #[cfg(unix)]
    #[test]
    fn links_out_of_the_folder_are_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap().join("project");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("../secret"), "x").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("requirements.txt")).unwrap();
        let folder = Folder::read(&root).unwrap();
        assert!(folder.has("requirements.txt"));
        assert_eq!(folder.text("requirements.txt"), None);
    }
}
