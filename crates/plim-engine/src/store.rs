//! `plim tag`, `plim rm` and `plim prune`: the local store.

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

/// Removes what no image needs, and unpacked layers beyond a cap.
pub fn prune(workspace: &Workspace, keep_gb: u64) -> Result<Removed, Failure> {
    let snapshots = Snapshots::open(&workspace.build_state().snapshots)
        .and_then(|snapshots| snapshots.prune(keep_gb.saturating_mul(1_000_000_000)))
        .map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))?;
    let swept = sweep(workspace)?;
    Ok(Removed { freed_bytes: swept.freed_bytes + snapshots, ..swept })
}

fn sweep(workspace: &Workspace) -> Result<Removed, Failure> {
    let sweep = workspace.store.sweep_unreferenced(&|digest| housekeeping::is_young_blob(workspace, digest))?;
    Ok(Removed { freed_bytes: sweep.freed, busy: sweep.busy })
}
