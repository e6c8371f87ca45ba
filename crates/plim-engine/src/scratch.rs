//! Content on its way, kept on the disk for as long as a command runs.

use std::fs::File;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use plim_oci::layout::Layout;
use tempfile::TempDir;

use crate::{Failure, Workspace};

/// The folder in the cache.
const DIR: &str = "scratch";
/// What is older belongs to a command that was killed, or to one that makes blobs for longer than any does.
const LEFT: Duration = Duration::from_hours(24);

/// A layout that is gone when it is dropped.
pub(crate) struct Scratch {
    layout: Layout,
    _dir: TempDir,
}

impl Scratch {
    /// Makes an empty one; what commands that were killed left is removed.
    pub(crate) fn new(workspace: &Workspace) -> Result<Self, Failure> {
        let parent = workspace.cache_dir(DIR)?;
        remove_left(&parent);
        let dir = tempfile::Builder::new()
            .prefix("layout-")
            .tempdir_in(&parent)
            .map_err(|error| Failure::caused(format!("failed to create a folder in {parent}"), &error))?;
        let layout = Layout::create(dir.path())?;
        Ok(Self { layout, _dir: dir })
    }

    /// Returns the layout.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }
}

/// Makes a file without a name, which is gone when it is closed, however the process ends.
pub(crate) fn file(workspace: &Workspace) -> Result<File, Failure> {
    let parent = workspace.cache_dir(DIR)?;
    tempfile::tempfile_in(&parent)
        .map_err(|error| Failure::caused(format!("failed to create a file in {parent}"), &error))
}

fn remove_left(parent: &Utf8Path) {
    let Ok(entries) = parent.read_dir_utf8() else { return };
    let old: Vec<Utf8PathBuf> = entries
        .flatten()
        .filter(|entry| {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let age = modified.map(|time| SystemTime::now().duration_since(time));
            age.is_ok_and(|age| age.is_ok_and(|age| age > LEFT))
        })
        .map(|entry| entry.path().to_owned())
        .collect();
    for path in old {
        if let Err(error) = std::fs::remove_dir_all(&path) {
            tracing::debug!("failed to remove {path}: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_command_left_is_removed_after_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let parent = Utf8Path::from_path(dir.path()).unwrap();
        for name in ["layout-old", "layout-new"] {
            std::fs::create_dir(parent.join(name)).unwrap();
        }
        let old = SystemTime::now() - LEFT - Duration::from_mins(1);
        File::open(parent.join("layout-old")).unwrap().set_modified(old).unwrap();
        remove_left(parent);
        assert!(!parent.join("layout-old").exists() && parent.join("layout-new").exists());
    }
}
