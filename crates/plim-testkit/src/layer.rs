//! Layers in a few lines.

use bstr::BString;
use plim_oci::tar::TarWriter;
use plim_oci::{
    BlobsMut as _, Compression, Descriptor, Digest, EntryHead, EntryKind, Layer, LayerObserver, LayerWriter, Layout,
    Silent, media_type,
};

use crate::chunked;

/// Builds a layer from entries in the order in which they are given. Modes are what is usual; `entry` takes
/// anything.
#[derive(Debug, Clone, Default)]
pub struct LayerBuilder {
    entries: Vec<(EntryHead, Vec<u8>)>,
    raw: Option<Vec<u8>>,
    chunked: bool,
    created_by: Option<String>,
}

impl LayerBuilder {
    /// Returns an empty layer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a layer of entries that are there already.
    pub fn from_entries(entries: impl IntoIterator<Item = (EntryHead, Vec<u8>)>) -> Self {
        entries.into_iter().fold(Self::new(), |layer, (head, content)| layer.entry(head, content))
    }

    /// Returns a layer whose uncompressed bytes are these, whatever they are.
    pub fn raw(tar: Vec<u8>) -> Self {
        Self { raw: Some(tar), ..Self::default() }
    }

    /// Adds an entry; for files the size is that of the content.
    #[must_use]
    pub fn entry(mut self, mut head: EntryHead, content: impl Into<Vec<u8>>) -> Self {
        let content = content.into();
        if head.kind == EntryKind::File {
            head.size = content.len() as u64;
        }
        self.entries.push((head, content));
        self
    }

    /// Adds a file of mode 0644.
    #[must_use]
    pub fn file(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.entry(EntryHead::new(path, EntryKind::File, 0o644), content)
    }

    /// Adds a file of mode 0755.
    #[must_use]
    pub fn executable(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.entry(EntryHead::new(path, EntryKind::File, 0o755), content)
    }

    /// Adds a directory of mode 0755.
    #[must_use]
    pub fn dir(self, path: &str) -> Self {
        self.entry(EntryHead::new(path, EntryKind::Dir, 0o755), [])
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn symlink(self, path: &str, target: &str) -> Self {
        let head = EntryHead { link: BString::from(target), ..EntryHead::new(path, EntryKind::Symlink, 0o777) };
        self.entry(head, [])
    }

    /// Adds a hard link to a path of this layer.
    #[must_use]
    pub fn hardlink(self, path: &str, target: &str) -> Self {
        let head = EntryHead { link: BString::from(target), ..EntryHead::new(path, EntryKind::Hardlink, 0o644) };
        self.entry(head, [])
    }

    /// Removes a path of the layers below.
    #[must_use]
    pub fn whiteout(self, path: &str) -> Self {
        let (dir, name) = path.rsplit_once('/').map_or(("", path), |(dir, name)| (dir, name));
        let slash = if dir.is_empty() { "" } else { "/" };
        self.file(&format!("{dir}{slash}.wh.{name}"), [])
    }

    /// Hides all that the layers below have in a directory.
    #[must_use]
    pub fn opaque(self, dir: &str) -> Self {
        self.file(&format!("{dir}/.wh..wh..opq"), [])
    }

    /// Says which instruction made the layer.
    #[must_use]
    pub fn created_by(mut self, text: &str) -> Self {
        self.created_by = Some(text.to_owned());
        self
    }

    /// Stores the layer as `zstd:chunked`, whatever compression is asked for.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Returns the heads and contents.
    pub fn entries(&self) -> &[(EntryHead, Vec<u8>)] {
        &self.entries
    }

    /// Returns the uncompressed tar.
    pub fn tar(&self) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let mut tar = TarWriter::new(Vec::new());
        for (head, content) in &self.entries {
            tar.entry(head, &mut &content[..]).expect("the entry can be written");
        }
        tar.finish().expect("memory takes everything")
    }

    /// Writes the layer into a layout; one of raw bytes as a plain blob.
    pub fn write(&self, layout: &Layout, compression: Compression) -> Layer {
        if let Some(raw) = &self.raw {
            let descriptor = Descriptor::new(media_type::OCI_LAYER, Digest::of(raw), raw.len() as u64);
            layout.put(&descriptor, &mut &raw[..]).expect("the blob can be written");
            return Layer { diff_id: descriptor.digest.clone(), descriptor, created_by: self.created_by.clone() };
        }
        if self.chunked {
            let (descriptor, diff_id) = chunked::write(layout, &self.entries);
            return Layer { descriptor, diff_id, created_by: self.created_by.clone() };
        }
        self.write_observed(layout, compression, None)
    }

    /// Writes the layer into a layout past an observer.
    pub fn write_observed(
        &self,
        layout: &Layout,
        compression: Compression,
        observer: Option<Box<dyn LayerObserver>>,
    ) -> Layer {
        let mut writer = LayerWriter::new(layout, compression, observer).expect("a layer can be begun");
        for (head, content) in &self.entries {
            writer.entry(head, &mut &content[..]).expect("the entry can be written");
        }
        writer.finish(self.created_by.clone(), &Silent).expect("the layer can be ended")
    }
}
