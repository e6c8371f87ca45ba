//! Build contexts that come as an archive.

use std::collections::BTreeMap;
use std::path::Path;

use bstr::BString;

use crate::error::BuildError;
use crate::files::{self, CopyOp, FilesError, Source, Unpack};
use crate::snapshot::{Chain, View};

/// Says whether a file is a tar archive, compressed or not, by its content.
pub fn is_archive(file: &Path) -> Result<bool, BuildError> {
    files::is_archive(file).map_err(|error| BuildError::io(format!("read {}", file.display()), error))
}

/// Unpacks a build context into a directory, which is empty; its files are the caller's. Nothing is written outside of it,
/// whatever the archive says.
pub fn unpack_context(archive: &Path, into: &Path) -> Result<(), BuildError> {
    let (Some(dir), Some(name)) = (archive.parent(), archive.file_name()) else {
        return Err(BuildError::io(format!("read {}", archive.display()), std::io::ErrorKind::InvalidInput.into()));
    };
    let failed = |source: FilesError| BuildError::layers("unpack the build context", source);
    let overrides = BTreeMap::new();
    let source = Source::Context { root: dir, ignore: None, overrides: &overrides, known: None };
    let op = CopyOp {
        sources: vec![BString::from(name.as_encoded_bytes())],
        inline: Vec::new(),
        dest: BString::from("/"),
        owner: Some((rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())),
        chmod: None,
        parents: false,
        exclude: Vec::new(),
        unpack: Unpack::Always,
        from_context: false,
        made_after: None,
        epoch: 0,
    };
    let selection = files::select(&source, &op).map_err(failed)?;
    files::apply(&selection, &op, &View::new(&Chain::scratch()), into).map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use plim_testkit::LayerBuilder;

    use super::*;

    #[test]
    fn an_archive_becomes_a_context_and_nothing_leaves_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("context.tar");
        let tar =
            LayerBuilder::new().dir("src").file("src/a", "1").symlink("out", "/etc").file("out/passwd", "x").tar();
        std::fs::write(&file, tar).unwrap();
        assert!(is_archive(&file).unwrap());
        let into = dir.path().join("into");
        std::fs::create_dir(&into).unwrap();
        unpack_context(&file, &into).unwrap();
        assert_eq!(std::fs::read(into.join("src/a")).unwrap(), b"1");
        assert_eq!(std::fs::read(into.join("etc/passwd")).unwrap(), b"x");
    }

    #[test]
    fn a_dockerfile_is_no_archive() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("input");
        std::fs::write(&file, "FROM scratch\n").unwrap();
        assert!(!is_archive(&file).unwrap());
    }
}
