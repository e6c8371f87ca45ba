//! `plim tag`, `plim rm` and `plim prune`: the local store.

use std::time::{Duration, SystemTime};

use plim_build::snapshot::Snapshots;
use plim_oci::{BlobsMut as _, Digest};
use serde::Serialize;

use crate::pull::reference;
use crate::{Failure, Workspace, housekeeping, place};

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Bytes that are free now.
    pub freed_bytes: u64,
    /// Another process has the store open, so blobs were not looked at.
    pub busy: bool,
}

/// Gives an image of the store another name.
pub fn tag(workspace: &Workspace, name: &str, new_name: &str) -> Result<Digest, Failure> {
    let (from, to) = (reference(name)?, reference(new_name)?);
    if to.digest().is_some() {
        return Err(Failure::tool("a digest cannot be given: it is what the image is").hint("give a name and a tag"));
    }
    let opened = place::open(workspace, &format!("store:{from}"), &plim_oci::Silent)?;
    workspace.store.tag(&to.to_string(), &opened.root)?;
    Ok(opened.root.digest)
}

/// Takes names away, all or none, and removes what nothing needs then.
pub fn remove(workspace: &Workspace, names: &[String]) -> Result<Removed, Failure> {
    let references = names.iter().map(|name| reference(name)).collect::<Result<Vec<_>, _>>()?;
    for reference in &references {
        // also says what it may have been meant to be
        place::open(workspace, &format!("store:{reference}"), &plim_oci::Silent)?;
    }
    for reference in &references {
        if !workspace.store.untag(&reference.to_string())? {
            return Err(Failure::tool(format!("{reference} is no name of the store"))
                .hint("`plim images` lists the names; an image without a name is removed by `plim prune`"));
        }
    }
    sweep(workspace)
}

/// What `plim prune` is asked to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PruneRequest {
    /// Unpacked layers stay up to so many gigabytes; nothing means none, or with an age any number.
    pub keep_gb: Option<u64>,
    /// Names, unpacked layers and cached files go that were not used for so long, and they alone.
    pub older_than: Option<Duration>,
    /// Nothing is removed; the report says what would be.
    pub dry_run: bool,
}

/// What `plim prune` removed, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Names of images, with the days since they were last used.
    pub names: Vec<(String, u64)>,
    /// Bytes of blobs of the store.
    pub blobs_bytes: u64,
    /// Bytes of unpacked layers.
    pub unpacked_bytes: u64,
    /// Bytes of caches.
    pub cache_bytes: u64,
    /// Another process has the store open, so blobs were not looked at.
    pub busy: bool,
}

impl Pruned {
    /// Returns all bytes together.
    pub fn bytes(&self) -> u64 {
        self.blobs_bytes + self.unpacked_bytes + self.cache_bytes
    }
}

/// Removes what no image needs, unpacked layers beyond a cap, and what was not used for long.
pub fn prune(workspace: &Workspace, request: &PruneRequest) -> Result<Pruned, Failure> {
    let files = |error: plim_build::files::FilesError| Failure::from_error(&error).maybe_hint(error.hint());
    let preview = request.dry_run;
    let mut pruned = Pruned::default();
    let snapshots = Snapshots::open(&workspace.build_state().snapshots).map_err(files)?;
    if let Some(age) = request.older_than {
        let now = SystemTime::now();
        // an age beyond all time is that of nothing
        let since = now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        pruned.names = unused_names(workspace, since, now)?;
        pruned.unpacked_bytes = snapshots.prune_unused_since(since, preview).map_err(files)?;
        pruned.cache_bytes = housekeeping::prune_caches(&workspace.host.cache, since, preview);
    }
    if request.older_than.is_none() || request.keep_gb.is_some() {
        let cap = request.keep_gb.unwrap_or(0).saturating_mul(1_000_000_000);
        // what is over the cap may be too old as well
        let over = if preview { snapshots.prune_preview(cap) } else { snapshots.prune(cap) }.map_err(files)?;
        pruned.unpacked_bytes = if preview { pruned.unpacked_bytes.max(over) } else { pruned.unpacked_bytes + over };
    }
    let keep = |digest: &Digest| housekeeping::is_young_blob(workspace, digest);
    if preview {
        let without = pruned.names.iter().map(|(name, _)| name.clone()).collect();
        let sweep = workspace.store.sweep_preview(&without, &keep)?;
        return Ok(Pruned { blobs_bytes: sweep.freed, ..pruned });
    }
    for (name, _) in &pruned.names {
        workspace.store.untag(name)?;
    }
    let swept = sweep(workspace)?;
    housekeeping::forget_lost(workspace);
    Ok(Pruned { blobs_bytes: swept.freed_bytes, busy: swept.busy, ..pruned })
}

/// Lists the names that nobody has used since a time, with the days since they were.
fn unused_names(workspace: &Workspace, since: SystemTime, now: SystemTime) -> Result<Vec<(String, u64)>, Failure> {
    let mut names = Vec::new();
    for (name, manifest) in workspace.store.names()? {
        let Some(used) = workspace.store.last_used(&name, &manifest) else { continue };
        if used < since {
            let days = now.duration_since(used).unwrap_or_default().as_secs() / 86_400;
            names.push((name, days));
        }
    }
    names.sort();
    Ok(names)
}

fn sweep(workspace: &Workspace) -> Result<Removed, Failure> {
    let sweep = workspace.store.sweep_unreferenced(&|digest| housekeeping::is_young_blob(workspace, digest))?;
    Ok(Removed { freed_bytes: sweep.freed, busy: sweep.busy })
}
