//! Keeps what builds leave behind below a cap.

use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime};

use plim_build::snapshot::Snapshots;
use plim_oci::Events;

use crate::Workspace;

/// Bytes of unpacked layers and of blobs, each, that builds may leave when `[store] cap-gb` says nothing.
const CAP: u64 = 20_000_000_000;
/// Blobs younger than this may belong to a build that has not named its image yet.
const YOUNG: Duration = Duration::from_hours(1);

/// Removes what was not used for longest until the caps hold again. Never fails: a full disk is the next command's business.
pub(crate) fn tidy(workspace: &Workspace, events: &dyn Events) {
    let cap = workspace.config.store.cap_gb.map_or(CAP, |gigabytes| gigabytes.saturating_mul(1_000_000_000));
    let snapshots = Snapshots::open(&workspace.build_state().snapshots).and_then(|snapshots| snapshots.prune(cap));
    match snapshots {
        Ok(0) => {}
        Ok(freed) => {
            events.note(&format!("removed {} MB of unpacked layers that were not used for long", freed / 1_000_000));
        }
        Err(error) => tracing::warn!("failed to prune unpacked layers: {error}"),
    }
    if blobs_size(workspace) <= cap {
        return;
    }
    match workspace.store.sweep_unreferenced(&|digest| is_young(workspace, digest)) {
        Ok(sweep) if sweep.freed > 0 => {
            events.note(&format!("removed {} MB of layers that no image in the store needs", sweep.freed / 1_000_000));
        }
        Ok(_) => {}
        Err(error) => tracing::warn!("failed to sweep the store: {error}"),
    }
}

/// Whether a blob may belong to a build that has not named its image yet.
pub(crate) fn is_young(workspace: &Workspace, digest: &plim_oci::Digest) -> bool {
    let written = std::fs::metadata(workspace.store.blob_path(digest)).and_then(|metadata| metadata.modified());
    written.is_ok_and(|written| SystemTime::now().duration_since(written).is_ok_and(|age| age < YOUNG))
}

fn blobs_size(workspace: &Workspace) -> u64 {
    let Ok(entries) = std::fs::read_dir(workspace.store.root().join("blobs/sha256")) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.size()).sum()
}
