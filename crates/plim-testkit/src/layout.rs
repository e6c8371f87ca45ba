//! A layout that lives as long as its test.

use std::ops::Deref;
use std::path::Path;

use plim_oci::Layout;
use tempfile::TempDir;

/// An empty layout in a temporary directory.
#[derive(Debug)]
pub struct TempLayout {
    layout: Layout,
    dir: TempDir,
}

impl TempLayout {
    /// Makes one.
    #[expect(clippy::new_without_default, reason = "making a directory is no default")]
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let layout = Layout::create(dir.path().join("store")).expect("an empty layout can be made");
        Self { layout, dir }
    }

    /// Returns the temporary directory around the layout, for other files of the test.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Deref for TempLayout {
    type Target = Layout;

    fn deref(&self) -> &Layout {
        &self.layout
    }
}
