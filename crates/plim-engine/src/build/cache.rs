//! Caches of builds that travel: read from registries and folders before a build, written there after it.
//!
//! A cache is an image manifest whose layers are those of steps, in the very bytes that images have, and whose configuration
//! is the table of the steps. An image may keep the table of its own steps, too.

use std::io::Read;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use camino::Utf8PathBuf;
use plim_build::{CacheExport, CacheMode, CacheSource, CacheTable, INLINE_CACHE};
use plim_oci::convert::Overlay;
use plim_oci::copy::Options;
use plim_oci::read::{self, Document};
use plim_oci::{
    BlobError, Blobs, BlobsMut as _, Compression, Descriptor, Events, Layout, Manifest, Origin, Platform, copy,
    media_type, write,
};

use super::mounts::MountsTo;
use crate::copy::Cargo;
use crate::pull::{self, Moved};
use crate::scratch::Scratch;
use crate::{Failure, Workspace, place};

/// The type of the artifact, and of its configuration.
pub const CACHE_TYPE: &str = "application/vnd.plimsoll.build.cache.v1+json";
/// The type of caches that are BuildKit's.
const BUILDKIT: &str = "application/vnd.buildkit.cacheconfig.v0";
/// The name of a cache in a folder.
const LOCAL_TAG: &str = "latest";

/// Where a cache is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CachePlace {
    /// A name in a registry.
    Registry(String),
    /// A folder, which is an OCI layout.
    Local(Utf8PathBuf),
}

impl std::fmt::Display for CachePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Registry(name) => f.write_str(name),
            Self::Local(dir) => f.write_str(dir.as_str()),
        }
    }
}

/// A cache to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheTo {
    /// Where.
    pub place: CachePlace,
    /// Which steps.
    pub mode: CacheMode,
    /// How its layers are compressed; none is as those of the image.
    pub compression: Option<Compression>,
    /// That it cannot be written is a warning, no failure.
    pub ignore_error: bool,
}

/// The caches of a build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caches {
    /// Those that are asked for what this machine has not got, in this order. One that cannot be read is a warning.
    pub from: Vec<CachePlace>,
    /// Those that are written.
    pub to: Vec<CacheTo>,
    /// The image keeps the table of its own steps.
    pub inline: bool,
    /// Where cache directories get their first content that are not on this machine yet.
    pub mounts_from: Vec<CachePlace>,
    /// Where the cache directories that the build names are sent.
    pub mounts_to: Vec<MountsTo>,
}

impl Caches {
    /// Checks, before anything is built, what is asked for.
    pub(super) fn check(&self, squash: bool) -> Result<(), Failure> {
        if self.inline && squash {
            return Err(Failure::tool("--cache-to type=inline and --squash exclude each other")
                .hint("a squashed image has none of the layers that steps made: write the cache elsewhere"));
        }
        let places = self.to.iter().map(|to| &to.place);
        for place in places.chain(self.mounts_to.iter().map(|to| &to.place)) {
            if let CachePlace::Registry(name) = place {
                pull::reference(name)?;
            }
        }
        let both = |to: &&CacheTo| {
            matches!(to.place, CachePlace::Registry(_)) && self.mounts_to.iter().any(|mounts| mounts.place == to.place)
        };
        if let Some(to) = self.to.iter().find(both) {
            return Err(Failure::tool(format!("--cache-to and --cache-mounts-to write both to {}", to.place))
                .hint("give one of them another tag"));
        }
        Ok(())
    }

    /// Returns what the builder is to write down, in the order of [`to`](Self::to).
    pub(super) fn exports(&self) -> Vec<CacheExport> {
        self.to.iter().map(|to| CacheExport { mode: to.mode, compression: to.compression }).collect()
    }
}

/// A cache that was found.
pub(super) struct Found {
    /// For the builder.
    pub(super) source: CacheSource,
    /// The layout, if it is one.
    pub(super) layout: Option<Layout>,
}

/// Reads the caches to read from. What is not there, or is none, is told and left out.
pub(super) fn open(workspace: &Workspace, caches: &Caches, platform: &Platform, events: &dyn Events) -> Vec<Found> {
    let found = |place: &CachePlace| match find(workspace, place, platform) {
        Ok(found) => Some(found),
        Err(failure) => {
            workspace.warn_once(events, &format!("the cache {place} is not used: {}", reasons(failure)));
            None
        }
    };
    let found = caches.from.iter().filter_map(found).collect();
    workspace.tell_warnings(events);
    found
}

fn find(workspace: &Workspace, place: &CachePlace, platform: &Platform) -> Result<Found, Failure> {
    let Located { blobs, root, layout } = locate(workspace, place, LOCAL_TAG)?;
    let table = table(&*blobs, &root, platform)?;
    Ok(Found { source: CacheSource { name: place.to_string(), table, blobs }, layout })
}

/// An artifact that was found.
pub(super) struct Located {
    pub(super) blobs: Arc<dyn Blobs + Send + Sync>,
    pub(super) root: Descriptor,
    /// The layout, if it is in one.
    pub(super) layout: Option<Layout>,
}

/// Finds an artifact; `tag` is its name in a folder.
pub(super) fn locate(workspace: &Workspace, place: &CachePlace, tag: &str) -> Result<Located, Failure> {
    match place {
        CachePlace::Registry(name) => {
            let (repository, root) = place::resolve(workspace, &pull::reference(name)?)?;
            Ok(Located { blobs: Arc::new(repository), root, layout: None })
        }
        CachePlace::Local(dir) => {
            let layout = Layout::open(dir)?;
            let root = layout.resolve(tag)?;
            Ok(Located { blobs: Arc::new(layout.clone()), root, layout: Some(layout) })
        }
    }
}

/// A failure on one line, for a warning.
pub(super) fn reasons(failure: Failure) -> String {
    [vec![failure.message], failure.causes].concat().join(": ")
}

/// Reads the table of a cache, or that which an image keeps.
fn table(blobs: &dyn Blobs, root: &Descriptor, platform: &Platform) -> Result<CacheTable, Failure> {
    let root = read::select(blobs, root, platform)?;
    let Document::Manifest(manifest) = read::document(blobs, &root)? else {
        return Err(Failure::tool("it is no manifest"));
    };
    let json = match manifest.config.media_type.as_str() {
        CACHE_TYPE => read::bytes(blobs, &manifest.config, "configuration")?,
        BUILDKIT => return Err(Failure::tool("it is a cache of BuildKit, which names steps in its own way")),
        _ => {
            let image = read::image(blobs, &root, platform)?;
            let table = image.config.extra.get(INLINE_CACHE).and_then(serde_json::Value::as_str);
            let table = table.ok_or_else(|| Failure::tool("the image keeps no cache (--cache-to type=inline)"))?;
            STANDARD.decode(table).map_err(|error| Failure::caused("the cache in the image is malformed", &error))?
        }
    };
    CacheTable::parse(&json).map_err(|error| Failure::from_error(&error))
}

/// What was built, for the caches to write.
pub(super) struct Results<'a> {
    /// The tables, for each platform those of all caches.
    pub(super) tables: Vec<Vec<CacheTable>>,
    /// The caches that were read.
    pub(super) found: &'a [Found],
    /// The folders that are open.
    pub(super) layouts: &'a [Layout],
    /// The repositories to which the image was pushed.
    pub(super) pushed: Vec<Origin>,
}

/// Writes the caches.
pub(super) fn write(
    workspace: &Workspace,
    caches: &Caches,
    results: &Results<'_>,
    events: &dyn Events,
) -> Result<(), Failure> {
    let mut layouts = Vec::new();
    for (number, to) in caches.to.iter().enumerate() {
        let mut table = CacheTable::default();
        results.tables.iter().filter_map(|tables| tables.get(number)).for_each(|other| table.merge(other));
        let task = events.start(&format!("write the cache {}", to.place), None);
        let written = write_one(workspace, to, &table, results, &mut layouts, events);
        let detail = written.as_ref().map_or_else(|_| String::new(), |moved| described(&table, moved));
        events.finish(task, &detail, written.is_err());
        match written {
            Err(failure) if to.ignore_error => {
                events.warn(&format!("the cache {} is not written: {}", to.place, reasons(failure)));
            }
            Err(failure) => {
                return Err(failure.maybe_hint(Some(
                    "the image is in the store; ignore-error=true lets such a build succeed".to_owned(),
                )));
            }
            Ok(_) => {}
        }
    }
    for layout in layouts {
        // what only earlier caches needed would pile up for ever
        layout.sweep_unreferenced(&|_| false)?;
    }
    Ok(())
}

fn described(table: &CacheTable, moved: &Moved) -> String {
    format!("{} layers, {} bytes sent", table.blobs().count(), moved.copied_bytes)
}

fn write_one(
    workspace: &Workspace,
    to: &CacheTo,
    table: &CacheTable,
    results: &Results<'_>,
    layouts: &mut Vec<Layout>,
    events: &dyn Events,
) -> Result<Moved, Failure> {
    let scratch = Scratch::new(workspace)?;
    let config = write::put(scratch.layout(), CACHE_TYPE, &table.to_json())?;
    let layers = table.blobs().cloned().collect();
    let root = artifact(scratch.layout(), CACHE_TYPE, config, layers)?;
    let mut pool = Pool { store: &workspace.store, found: results.found, origin: None };
    match &to.place {
        CachePlace::Registry(name) => {
            let reference = pull::reference(name)?;
            let elsewhere = results.found.iter().filter_map(|found| found.source.blobs.origin());
            let mut origins = results.pushed.iter().cloned().chain(elsewhere);
            pool.origin = origins.find(|origin| origin.registry == reference.registry());
            let blobs = Overlay::new(scratch.layout(), &pool);
            let cargo = Cargo { blobs: &blobs, root: &root };
            pull::to_registry(workspace, &cargo, &reference, Options::default(), events)
        }
        CachePlace::Local(dir) => {
            let layout = layout_at(dir, results.layouts.iter())?;
            let blobs = Overlay::new(scratch.layout(), &pool);
            let report = copy::copy(&blobs, &layout, &root, Options::default(), events)?;
            layout.tag(LOCAL_TAG, &root)?;
            layouts.push(layout);
            Ok(Moved::new(dir.to_string(), &root, report))
        }
    }
}

/// Writes the manifest of an artifact.
pub(super) fn artifact(
    layout: &Layout,
    kind: &str,
    config: Descriptor,
    mut layers: Vec<Descriptor>,
) -> Result<Descriptor, Failure> {
    if layers.is_empty() {
        // registries want one (image specification, "Guidance for an Empty Descriptor")
        layers.push(write::put(layout, "application/vnd.oci.empty.v1+json", b"{}")?);
    }
    let mut manifest = Manifest::new(config, layers);
    manifest.artifact_type = Some(kind.to_owned());
    let bytes = serde_json::to_vec(&manifest).map_err(|error| Failure::caused("failed to write a manifest", &error))?;
    Ok(write::put(layout, media_type::OCI_MANIFEST, &bytes)?)
}

/// Opens a folder to write to; one that is open already is not opened twice: nobody could sweep it then.
pub(super) fn layout_at<'a>(dir: &Utf8PathBuf, open: impl Iterator<Item = &'a Layout>) -> Result<Layout, Failure> {
    let same = |layout: &&Layout| {
        let real = dir.canonicalize().ok();
        real.is_some() && layout.root().canonicalize().ok() == real
    };
    let mut open = open;
    match open.find(same) {
        Some(layout) => Ok(layout.clone()),
        None => Ok(Layout::create(dir)?),
    }
}

/// The store, and behind it the caches that were read.
struct Pool<'a> {
    store: &'a Layout,
    found: &'a [Found],
    origin: Option<Origin>,
}

impl Blobs for Pool<'_> {
    fn exists(&self, descriptor: &Descriptor) -> Result<bool, BlobError> {
        self.store.exists(descriptor)
    }

    fn open_from(&self, descriptor: &Descriptor, from: u64) -> Result<Box<dyn Read + Send>, BlobError> {
        let mut result = self.store.open_from(descriptor, from);
        for found in self.found {
            if result.is_ok() {
                break;
            }
            if found.source.table.blobs().any(|blob| blob.digest == descriptor.digest) {
                result = found.source.blobs.open_from(descriptor, from);
            }
        }
        result
    }

    fn place(&self) -> String {
        self.store.place()
    }

    fn origin(&self) -> Option<Origin> {
        self.origin.clone()
    }
}
