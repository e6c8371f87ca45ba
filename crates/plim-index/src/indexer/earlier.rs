//! What is known of files from a layer that was written before.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::{BStr, BString};

use crate::{Entry, LayerIndex};

/// The index of the layer that another one takes the place of. What it says of a file holds for the same file in the new
/// layer: collectors look at one file at a time, at its metadata and its bytes alone.
pub(super) struct Earlier {
    index: Arc<LayerIndex>,
    /// Where files stand among the entries.
    places: HashMap<BString, u32>,
}

impl Earlier {
    pub(super) fn new(index: Arc<LayerIndex>) -> Self {
        let files = index.entries.iter().zip(0_u32..).filter(|(entry, _)| entry.digest.is_some());
        let places = files.map(|(entry, at)| (entry.head.path.clone(), at)).collect();
        Self { index, places }
    }

    /// Returns where the very same file stands: with this content and metadata, whatever its time.
    pub(super) fn same(&self, entry: &Entry) -> Option<(Arc<LayerIndex>, u32)> {
        let path: &BStr = entry.head.path.as_ref();
        let at = *self.places.get(path)?;
        let other = self.index.entries.get(at as usize)?;
        let mut head = other.head.clone();
        head.mtime = entry.head.mtime;
        (other.digest == entry.digest && head == entry.head).then(|| (Arc::clone(&self.index), at))
    }
}
