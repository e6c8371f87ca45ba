//! What is known of files from a layer that was written before.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::BString;
use plim_oci::Digest;

use crate::{Entry, Indexes, LayerIndex};

/// The layer that another one takes the place of. What its index says of a file holds for the same file in the new layer:
/// collectors look at one file at a time, at its metadata and its bytes alone.
pub(super) enum Earlier {
    /// There is none.
    None,
    /// It is not looked into before the digest of a file is given: most layers are written without any.
    Named(Digest),
    Known {
        index: Arc<LayerIndex>,
        /// Where files stand among the entries.
        places: HashMap<BString, u32>,
    },
}

impl Earlier {
    /// Returns where the very same file stands: with this content and metadata, whatever its time. Not one that a
    /// collector did not get: there may be room for it this time.
    pub(super) fn same(&mut self, entry: &Entry, store: Option<&Indexes>) -> Option<(Arc<LayerIndex>, u32)> {
        if let Self::Named(diff_id) = self {
            *self = store.and_then(|store| store.get(diff_id)).map_or(Self::None, Self::of);
        }
        let Self::Known { index, places } = self else { return None };
        let at = *places.get(&entry.head.path)?;
        let other = index.entries.get(at as usize)?;
        let mut head = other.head.clone();
        head.mtime = entry.head.mtime;
        let same = other.digest == entry.digest && head == entry.head && !index.is_skipped(at);
        same.then(|| (Arc::clone(index), at))
    }

    fn of(index: Arc<LayerIndex>) -> Self {
        let files = index.entries.iter().zip(0_u32..).filter(|(entry, _)| entry.digest.is_some());
        let places = files.map(|(entry, at)| (entry.head.path.clone(), at)).collect();
        Self::Known { index, places }
    }
}
