//! One repository's images in a layout that holds those of many.

use std::io::Read;

use crate::blobs::Source;
use crate::{BlobError, Blobs, BlobsMut, Descriptor, Digest, Reference};

use super::Layout;

/// The store as one repository sees it: tags beside an image's own are tags of the same repository.
#[derive(Debug, Clone)]
pub struct LayoutRepository {
    layout: Layout,
    repository: Reference,
}

impl LayoutRepository {
    /// Returns the repository of a reference.
    pub fn new(layout: Layout, reference: &Reference) -> Self {
        Self { layout, repository: reference.clone() }
    }

    fn name(&self, tag: &str) -> Option<String> {
        self.repository.with_tag(tag).ok().map(|reference| reference.to_string())
    }
}

impl Blobs for LayoutRepository {
    fn exists(&self, descriptor: &Descriptor) -> Result<bool, BlobError> {
        self.layout.exists(descriptor)
    }

    fn open_from(&self, descriptor: &Descriptor, from: u64) -> Result<Box<dyn Read + Send>, BlobError> {
        self.layout.open_from(descriptor, from)
    }

    fn place(&self) -> String {
        self.layout.place()
    }

    fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, BlobError> {
        self.layout.referrers(subject)
    }

    fn companion(&self, tag: &str) -> Result<Option<Descriptor>, BlobError> {
        match self.name(tag) {
            Some(name) => self.layout.companion(&name),
            None => Ok(None),
        }
    }
}

impl BlobsMut for LayoutRepository {
    fn put(&self, descriptor: &Descriptor, content: &mut dyn Read) -> Result<(), BlobError> {
        self.layout.put(descriptor, content)
    }

    fn put_from(&self, descriptor: &Descriptor, source: &dyn Source) -> Result<(), BlobError> {
        self.layout.put_from(descriptor, source)
    }

    fn attach(&self, subject: &Digest, referrer: &Descriptor) -> Result<(), BlobError> {
        self.layout.attach(subject, referrer)
    }

    fn tag_companion(&self, tag: &str, descriptor: &Descriptor) -> Result<(), BlobError> {
        match self.name(tag) {
            Some(name) => self.layout.tag(&name, descriptor),
            None => Ok(()),
        }
    }

    fn tag(&self, name: &str, descriptor: &Descriptor) -> Result<(), BlobError> {
        self.layout.tag(name, descriptor)
    }
}
