//! Layers of an image as diff directories.

use std::io::{self, Read};
use std::path::Path;

use plim_oci::compress::ahead_hashed;
use plim_oci::layout::Layout;
use plim_oci::tar::{Limits, read_layer};
use plim_oci::verify::VerifyingReader;
use plim_oci::{BlobError, Blobs, Digest, EntryHead, Events, Image, Layer, TaskId};

use super::chain_id;
use super::{Chain, Snapshots, View, node};
use crate::files::FilesError;

mod extract;
mod ids;

use extract::Extractor;
use ids::Ids;

impl Snapshots {
    /// Returns the root file system of an image, unpacking the layers that are not yet here. Bytes are
    /// checked against the digests of the blob and of the uncompressed layer before they count.
    pub fn unpack(&self, image: &Image, store: &Layout, events: &dyn Events) -> Result<Chain, FilesError> {
        let mut chain = Chain::scratch();
        let mut parent = None;
        for layer in &image.layers {
            let id = chain_id(parent.as_ref(), &layer.diff_id);
            let dir = match self.get(&id) {
                Some(dir) => dir,
                None => self.unpack_layer(layer, &id, &chain, store, events)?,
            };
            let opaque = node::hides_all(&dir).map_err(|error| FilesError::io("read", &dir, error))?;
            chain = if opaque {
                // the kernel does not look at the mark on the root of a layer
                Chain { id: id.clone(), lower: vec![dir] }
            } else {
                chain.push(id.clone(), dir)
            };
            parent = Some(id);
        }
        Ok(chain)
    }

    /// Unpacks one layer over the tree below it and keeps it under a key; checks it as [`unpack`](Self::unpack) does.
    pub(crate) fn unpack_layer(
        &self,
        layer: &Layer,
        id: &Digest,
        below: &Chain,
        store: &Layout,
        events: &dyn Events,
    ) -> Result<std::path::PathBuf, FilesError> {
        let draft = self.begin()?;
        let size = layer.descriptor.size;
        let task = events.start(&format!("unpack {}", layer.descriptor.digest.short()), Some(size));
        let own = &mut |_: &mut EntryHead| {};
        let result = read_blob(layer, &draft.fs, &View::new(below), store, own, (events, task));
        events.finish(task, "", result.is_err());
        result.map_err(|error| match error {
            FilesError::Archive { source, .. } => {
                FilesError::Archive { what: format!("layer {}", layer.descriptor.digest), source }
            }
            error => error,
        })?;
        self.commit(draft, id)
    }
}

/// Unpacks a layer into an empty directory, past both its digests; owners that this process may not give away become its
/// own. What is there after an error must not be used.
pub(crate) fn fill_from_layer(
    layer: &Layer,
    into: &Path,
    blobs: &dyn Blobs,
    events: &dyn Events,
    task: TaskId,
) -> Result<(), FilesError> {
    let ids = Ids::load();
    let mut own = |head: &mut EntryHead| {
        head.uid = if ids.has_user(head.uid) { head.uid } else { ids.user };
        head.gid = if ids.has_group(head.gid) { head.gid } else { ids.group };
    };
    read_blob(layer, into, &View::new(&Chain::scratch()), blobs, &mut own, (events, task))
}

fn read_blob(
    layer: &Layer,
    into: &Path,
    below: &View,
    store: &dyn Blobs,
    own: &mut dyn FnMut(&mut EntryHead),
    (events, task): (&dyn Events, TaskId),
) -> Result<(), FilesError> {
    let blob = Progress { inner: store.open(&layer.descriptor)?, events, task };
    let verified = VerifyingReader::of(blob, &layer.descriptor);
    let ((), actual) = ahead_hashed(verified, |tar| {
        let mut extractor = Extractor::new(into, below, events)?;
        read_layer(tar, &Limits::default(), &mut |mut head, content: &mut dyn Read| {
            if events.cancelled() {
                return Err(FilesError::Cancelled);
            }
            own(&mut head);
            extractor.entry(head, content)
        })?;
        extractor.finish()
    })?;
    if layer.diff_id.algorithm() == "sha256" && actual != layer.diff_id {
        return Err(BlobError::Corrupt { expected: layer.diff_id.clone(), actual, place: store.place() }.into());
    }
    Ok(())
}

/// Reports how much of the blob is read.
struct Progress<'a> {
    inner: Box<dyn Read + Send>,
    events: &'a dyn Events,
    task: TaskId,
}

impl Read for Progress<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.events.advance(self.task, count as u64);
        Ok(count)
    }
}
