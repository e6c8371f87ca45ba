//! Where a build keeps things between runs.

use std::path::{Path, PathBuf};

use plim_oci::Digest;
use plim_oci::compress::blob_of_frames;
use plim_oci::layout::Layout;

use crate::cache::{StepCache, prune_frames};
use crate::error::BuildError;
use crate::snapshot::Snapshots;

/// The directories of the machine that builds share. All of it may be deleted when no build runs; several
/// builds may use it at once.
#[derive(Debug)]
pub struct State {
    /// The image store: blobs of bases, layers and results.
    pub store: Layout,
    /// Unpacked layers and the results of steps.
    pub snapshots: PathBuf,
    /// Digests of files and notes about earlier builds.
    pub cache: PathBuf,
    /// The directories of `RUN --mount=type=cache`.
    pub mounts: PathBuf,
}

impl State {
    /// Removes the snapshots used longest ago until those left have at most `limit` bytes. What was used within the last
    /// hour stays. Returns the bytes freed.
    ///
    /// It looks at every file of the snapshots that are new since the last time: call it after builds that did something,
    /// not after each.
    pub fn prune(&self, limit: u64) -> Result<u64, BuildError> {
        let failed = |source| BuildError::layers("prune the snapshots", source);
        let snapshots = Snapshots::open(&self.snapshots).map_err(failed)?;
        snapshots.prune(limit).map_err(failed)
    }

    /// Removes the records of steps whose snapshots are gone, and those of layers whose blobs are. `beside` are other
    /// directories of snapshots that builds with the same cache use.
    pub fn forget_lost(&self, beside: &[PathBuf]) -> Result<(), BuildError> {
        // the same layout, and nothing is to be made where there is nothing
        let known = |snapshot: &Digest| {
            let mut all = std::iter::once(&self.snapshots).chain(beside);
            all.any(|dir| dir.join(snapshot.hex()).exists())
        };
        let blob = |blob: &Digest| self.store.size_of(blob).is_ok_and(|size| size.is_some());
        let failed = |error| BuildError::io("prune the step cache", error);
        StepCache::new(&self.cache).prune(&known, &blob).map_err(failed)?;
        let frames = |table: &Path| blob_of_frames(table).is_some_and(|digest| blob(&digest));
        prune_frames(&self.cache, &frames).map_err(failed)
    }
}
