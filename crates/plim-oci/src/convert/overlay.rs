//! An image of which some content was made anew.

use std::io::Read;

use crate::blobs::Origin;
use crate::{BlobError, Blobs, Descriptor, Digest, Layout};

/// What a conversion wrote, and for all else the place where the image was.
pub struct Overlay<'a> {
    made: &'a Layout,
    rest: &'a dyn Blobs,
}

impl<'a> Overlay<'a> {
    /// Returns the content of `made` in front of that of `rest`.
    pub fn new(made: &'a Layout, rest: &'a dyn Blobs) -> Self {
        Self { made, rest }
    }
}

impl std::fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overlay").field("made", &self.made).field("rest", &self.rest.place()).finish()
    }
}

impl Blobs for Overlay<'_> {
    fn exists(&self, descriptor: &Descriptor) -> Result<bool, BlobError> {
        Ok(self.made.exists(descriptor)? || self.rest.exists(descriptor)?)
    }

    fn open_from(&self, descriptor: &Descriptor, from: u64) -> Result<Box<dyn Read + Send>, BlobError> {
        if self.made.exists(descriptor)? {
            return self.made.open_from(descriptor, from);
        }
        self.rest.open_from(descriptor, from)
    }

    fn place(&self) -> String {
        self.rest.place()
    }

    /// What is about an image that was made anew is about it by its new digest: somebody signed the same bytes.
    fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, BlobError> {
        self.rest.referrers(subject)
    }

    fn companion(&self, tag: &str) -> Result<Option<Descriptor>, BlobError> {
        self.rest.companion(tag)
    }

    fn origin(&self) -> Option<Origin> {
        self.rest.origin()
    }
}
