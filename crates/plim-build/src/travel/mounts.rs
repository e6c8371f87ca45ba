//! What steps keep in the directories of `RUN --mount=type=cache`, for other machines.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use plim_oci::compress::Compression;
use plim_oci::lock::lock_exclusive;
use plim_oci::{Blobs, Descriptor, Events, Layer, Layout};
use serde::{Deserialize, Serialize};

use super::CacheTableError;
use super::remote::in_words;
use super::table::{CachedLayer, check, read_version};
use crate::error::BuildError;
use crate::snapshot::{Chain, LayerOptions, View, fill_from_layer, layer_from_dir};
use crate::state::State;

/// How many directories are read.
const MAX_MOUNTS: usize = 1_024;
/// Bytes of JSON.
const MAX_BYTES: usize = 1 << 20;
/// Fast, and good enough for what is packed anew each time.
const COMPRESSION: Compression = Compression::Zstd(3);

/// A cache directory that a build named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CacheMount {
    /// Its name on disk: a digest of the id, the namespace, the owner, the mode and the first content.
    pub name: String,
    /// The id, which is the target where none is given.
    pub id: String,
}

/// The directories in an artifact, one layer each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MountTable {
    mounts: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    name: String,
    id: String,
    #[serde(flatten)]
    layer: CachedLayer,
}

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    version: u32,
    mounts: Vec<Entry>,
}

impl MountTable {
    /// Reads a table, and refuses what no build writes.
    pub fn parse(json: &[u8]) -> Result<Self, CacheTableError> {
        read_version(json, MAX_BYTES)?;
        let document: Document = serde_json::from_slice(json).map_err(CacheTableError::Malformed)?;
        if document.mounts.len() > MAX_MOUNTS {
            return Err(CacheTableError::TooLarge { what: "directories", most: MAX_MOUNTS });
        }
        let mut mounts = BTreeMap::new();
        for mount in document.mounts {
            check(&mount.layer)?;
            // names become paths
            if mount.name.len() != 64 || !mount.name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(CacheTableError::Wrong(format!("`{}` names no directory", mount.name.escape_debug())));
            }
            mounts.insert(mount.name.clone(), mount);
        }
        Ok(Self { mounts })
    }

    /// Writes the table.
    pub fn to_json(&self) -> Vec<u8> {
        let document = Document { version: super::table::VERSION, mounts: self.mounts.values().cloned().collect() };
        serde_json::to_vec(&document).expect("a table has only string keys")
    }

    /// Adds a directory and its layer, as [`State::pack_cache_mount`] made it.
    pub fn add(&mut self, mount: &CacheMount, layer: &Layer) {
        let Descriptor { media_type, digest, size, .. } = &layer.descriptor;
        let blob = Descriptor::new(media_type, digest.clone(), *size);
        let layer = CachedLayer { blob, diff_id: layer.diff_id.clone(), compression: COMPRESSION };
        self.mounts.insert(mount.name.clone(), Entry { name: mount.name.clone(), id: mount.id.clone(), layer });
    }

    /// Returns the blobs of the layers.
    pub fn blobs(&self) -> Vec<Descriptor> {
        let mut blobs: Vec<Descriptor> = Vec::new();
        for mount in self.mounts.values() {
            if !blobs.contains(&mount.layer.blob) {
                blobs.push(mount.layer.blob.clone());
            }
        }
        blobs
    }
}

/// An artifact with cache directories to read from.
#[derive(Clone)]
pub struct MountSource {
    /// Its name, for messages.
    pub name: String,
    /// What it has.
    pub table: MountTable,
    /// Where its layers are.
    pub blobs: Arc<dyn Blobs + Send + Sync>,
}

impl fmt::Debug for MountSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MountSource").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Gives a new cache directory the content that one of the sources has for it. Says whether one had; what it could not
/// give is a warning, and `dir` then holds something incomplete that must not be used.
pub(crate) fn first_content(
    sources: &[MountSource],
    name: &str,
    dir: &Path,
    events: &dyn Events,
) -> Result<First, BuildError> {
    let Some((source, mount)) = sources.iter().find_map(|source| Some((source, source.table.mounts.get(name)?))) else {
        return Ok(First::Nothing);
    };
    let CachedLayer { blob, diff_id, .. } = &mount.layer;
    let layer = Layer { descriptor: blob.clone(), diff_id: diff_id.clone(), created_by: None };
    let title = format!("fetch the cache {} from {}", mount.id.escape_debug(), source.name);
    let task = events.start(&title, Some(blob.size));
    let result = fill_from_layer(&layer, dir, &*source.blobs, events, task);
    events.finish(task, "", result.is_err());
    match result {
        Ok(()) => Ok(First::Filled),
        Err(_) if events.cancelled() => Err(BuildError::Cancelled),
        Err(error) => {
            let reason = in_words(&error);
            events.warn(&format!("the cache {} begins empty: {}: {reason}", mount.id.escape_debug(), source.name));
            Ok(First::Spoilt)
        }
    }
}

/// What a new cache directory has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    /// Nothing: no source knows it.
    Nothing,
    /// All that a source has.
    Filled,
    /// A part, which must go.
    Spoilt,
}

impl State {
    /// Packs a cache directory as a layer into a layout while no step uses it; none if it is not there.
    pub fn pack_cache_mount(
        &self,
        mount: &CacheMount,
        into: &Layout,
        events: &dyn Events,
    ) -> Result<Option<Layer>, BuildError> {
        let failed = |error| BuildError::io(format!("lock the cache {}", mount.id), error);
        let dir = self.mounts.join(format!("{}.0", mount.name));
        if !dir.is_dir() {
            return Ok(None);
        }
        let _alone = lock_exclusive(&self.mounts.join(format!("{}.0.lock", mount.name))).map_err(failed)?;
        // nothing in it is newer than the end of time: programs compare these times with one another
        let options = LayerOptions {
            epoch: i64::MAX,
            compression: COMPRESSION,
            created_by: format!("cache {}", mount.id),
            frames: None,
        };
        layer_from_dir(&dir, &View::new(&Chain::scratch()), into, &options, None, events)
            .map(Some)
            .map_err(|source| BuildError::layers(format!("pack the cache {}", mount.id), source))
    }
}

#[cfg(test)]
mod tests {
    use plim_oci::Digest;

    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let name = "a".repeat(64);
        let layer = Layer {
            descriptor: Descriptor::new(COMPRESSION.media_type(), Digest::of(b"blob"), 4),
            diff_id: Digest::of(b"tar"),
            created_by: None,
        };
        let mut table = MountTable::default();
        table.add(&CacheMount { name: name.clone(), id: "/root/.cache".to_owned() }, &layer);
        let json = String::from_utf8(table.to_json()).unwrap();
        assert_eq!(MountTable::parse(json.as_bytes()).unwrap(), table);
        for other in ["../../etc", "", &"A".repeat(64), &"a".repeat(65), &format!("{}/", "a".repeat(63))] {
            let error = MountTable::parse(json.replace(&name, other).as_bytes()).unwrap_err();
            assert!(matches!(error, CacheTableError::Wrong(_)), "{other}: {error}");
        }
        assert!(MountTable::parse(json.replace("\"version\":1", "\"version\":7").as_bytes()).is_err());
        assert!(MountTable::parse(json.replace("zstd:3", "gzip:1").as_bytes()).is_err());
    }
}
