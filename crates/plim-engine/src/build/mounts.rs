//! The directories of `RUN --mount=type=cache`, brought from elsewhere and sent there.
//!
//! They travel apart from the results of steps: as an artifact with a layer for each directory.

use std::sync::Arc;

use plim_build::{Built, CacheMount, MountSource, MountTable};
use plim_oci::copy::Options;
use plim_oci::read::{self, Document};
use plim_oci::{BlobsMut as _, Events, Layout, Reference, copy, write};

use super::cache::{CachePlace, Caches, artifact, layout_at, locate, reasons};
use crate::copy::Cargo;
use crate::scratch::Scratch;
use crate::{Failure, Workspace, pull};

/// The type of the artifact, and of its configuration.
pub const MOUNTS_TYPE: &str = "application/vnd.plimsoll.build.mounts.v1+json";
/// The name of the artifact in a folder, which may hold a cache as well.
const LOCAL_TAG: &str = "mounts";

/// Where to send cache directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountsTo {
    /// Where.
    pub place: CachePlace,
    /// That they cannot be sent is a warning, no failure.
    pub ignore_error: bool,
}

/// Directories that were found.
pub(super) struct FoundMounts {
    /// For the builder.
    pub(super) source: MountSource,
    /// The layout, if they are in one.
    pub(super) layout: Option<Layout>,
}

/// Finds the directories to read from. What is not there, or is none, is told and left out.
pub(super) fn open(workspace: &Workspace, caches: &Caches, events: &dyn Events) -> Vec<FoundMounts> {
    let found = |place: &CachePlace| match find(workspace, place) {
        Ok(found) => Some(found),
        Err(failure) => {
            events.warn(&format!("the cache directories in {place} are not used: {}", reasons(failure)));
            None
        }
    };
    let found = caches.mounts_from.iter().filter_map(found).collect();
    workspace.tell_warnings(events);
    found
}

fn find(workspace: &Workspace, place: &CachePlace) -> Result<FoundMounts, Failure> {
    let located = locate(workspace, place, LOCAL_TAG)?;
    let blobs = Arc::clone(&located.blobs);
    let Document::Manifest(manifest) = read::document(&*blobs, &located.root)? else {
        return Err(Failure::tool("it is no manifest"));
    };
    if manifest.config.media_type != MOUNTS_TYPE {
        return Err(Failure::tool("it holds no cache directories (--cache-mounts-to writes them)"));
    }
    let json = read::bytes(&*blobs, &manifest.config, "configuration")?;
    let table = MountTable::parse(&json).map_err(|error| Failure::from_error(&error))?;
    Ok(FoundMounts { source: MountSource { name: place.to_string(), table, blobs }, layout: located.layout })
}

/// Returns the directories that builds named, each once.
pub(super) fn named<'a>(built: impl Iterator<Item = &'a Built>) -> Vec<CacheMount> {
    let mut all: Vec<CacheMount> = built.flat_map(|built| built.cache_mounts.iter().cloned()).collect();
    all.sort();
    all.dedup();
    all
}

/// Sends the directories. `layouts` are open already.
pub(super) fn write(
    workspace: &Workspace,
    caches: &Caches,
    mounts: &[CacheMount],
    layouts: &[Layout],
    events: &dyn Events,
) -> Result<(), Failure> {
    if caches.mounts_to.is_empty() {
        return Ok(());
    }
    // packed once, and gone with the command
    let scratch = Scratch::new(workspace)?;
    let (state, into) = (workspace.build_state(), scratch.layout());
    let mut table = MountTable::default();
    for mount in mounts {
        let task = events.start(&format!("pack the cache {}", mount.id.escape_debug()), None);
        let layer = state.pack_cache_mount(mount, into, events);
        events.finish(task, "", layer.is_err());
        if let Some(layer) = layer.map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))? {
            table.add(mount, &layer);
        }
    }
    let config = write::put(into, MOUNTS_TYPE, &table.to_json())?;
    let root = artifact(into, MOUNTS_TYPE, config, table.blobs())?;
    for to in &caches.mounts_to {
        let task = events.start(&format!("write the cache directories to {}", to.place), None);
        let sent = match &to.place {
            CachePlace::Registry(name) => {
                let send = |reference: Reference| {
                    let cargo = Cargo { blobs: into, root: &root };
                    pull::to_registry(workspace, &cargo, &reference, Options::default(), events).map(drop)
                };
                pull::reference(name).and_then(send)
            }
            CachePlace::Local(dir) => layout_at(dir, layouts.iter()).and_then(|layout| {
                copy::copy(into, &layout, &root, Options::default(), events)?;
                layout.tag(LOCAL_TAG, &root)?;
                layout.sweep_unreferenced(&|_| false)?;
                Ok(())
            }),
        };
        events.finish(task, "", sent.is_err());
        match sent {
            Err(failure) if to.ignore_error => {
                events.warn(&format!("the cache directories are not written to {}: {}", to.place, reasons(failure)));
            }
            sent => sent?,
        }
    }
    Ok(())
}
