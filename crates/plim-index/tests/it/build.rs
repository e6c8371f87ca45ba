//! Layers and inventories made in code.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use plim_index::{Indexer, Inventory, LayerIndex, fold};
use plim_oci::{Digest, EntryHead, EntryKind, ImageConfig, Platform};

/// A layer: entries and the content of files.
#[derive(Debug, Clone, Default)]
pub(crate) struct LayerBuilder {
    pub(crate) entries: Vec<(EntryHead, Vec<u8>)>,
}

impl LayerBuilder {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn push(mut self, head: EntryHead, content: &[u8]) -> Self {
        self.entries.push((EntryHead { size: content.len() as u64, ..head }, content.to_vec()));
        self
    }

    pub(crate) fn dir(self, path: &str) -> Self {
        self.push(EntryHead::new(path, EntryKind::Dir, 0o755), b"")
    }

    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.push(EntryHead::new(path, EntryKind::File, 0o644), content.as_ref())
    }

    pub(crate) fn program(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.push(EntryHead::new(path, EntryKind::File, 0o755), content.as_ref())
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.push(EntryHead { link: target.into(), ..EntryHead::new(path, EntryKind::Symlink, 0o777) }, b"")
    }

    pub(crate) fn hardlink(self, path: &str, target: &str) -> Self {
        self.push(EntryHead { link: target.into(), ..EntryHead::new(path, EntryKind::Hardlink, 0o644) }, b"")
    }

    /// Adds what a directory of this machine holds, in order of names.
    pub(crate) fn tree(mut self, place: &str, dir: &Path) -> Self {
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        for name in names {
            let (path, inside) = (dir.join(&name), format!("{place}/{}", name.to_string_lossy()));
            let inside = inside.trim_start_matches('/');
            let metadata = fs::symlink_metadata(&path).unwrap();
            self = if metadata.is_symlink() {
                self.symlink(inside, &fs::read_link(&path).unwrap().to_string_lossy())
            } else if metadata.is_dir() {
                self.dir(inside).tree(inside, &path)
            } else if metadata.is_file() {
                let mode = metadata.permissions().mode() & 0o7777;
                self.push(EntryHead::new(inside, EntryKind::File, mode), &fs::read(&path).unwrap())
            } else {
                self
            };
        }
        self
    }

    pub(crate) fn index(&self) -> Arc<LayerIndex> {
        let mut indexer = Indexer::new();
        for (head, content) in &self.entries {
            indexer.entry(head);
            indexer.data(content);
            indexer.end();
        }
        Arc::new(indexer.into_index(&Digest::of(format!("{:?}", self.entries).as_bytes()), 10240))
    }
}

pub(crate) fn config() -> ImageConfig {
    ImageConfig::new(&Platform::new("linux", "amd64"))
}

pub(crate) fn inventory(layers: &[LayerBuilder]) -> Inventory {
    let indexes: Vec<Arc<LayerIndex>> = layers.iter().map(LayerBuilder::index).collect();
    fold(&config(), &indexes)
}
