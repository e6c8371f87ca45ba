//! The levels of a base image, one above the other: unpacked, configured and kept as directories. The layer of each is
//! written by another thread, while the next level is made and the first steps above the base run.

use std::path::PathBuf;

use plim_build::snapshot::{Chain, LayerOptions, Snapshots, View, layer_from_dir, settle};
use plim_debian::{DebianError, Kind as RecipeKind, Level};
use plim_oci::compress::Compression;
use plim_oci::{Blobs as _, Descriptor, Digest, Layer, ObserveLayers as _};

use super::Maker;
use super::pending::Pending;
use crate::workspace::write_whole;
use crate::{Failure, Workspace};

/// Layers of build stages are large, made before anything else can begin, and hardly ever shipped: they are compressed
/// about as well as by gzip's own default, in three quarters of the time.
fn compression(kind: RecipeKind) -> Compression {
    match kind {
        RecipeKind::Plain => Compression::default(),
        RecipeKind::Configured => Compression::Gzip(4),
    }
}

/// The directories of a level and those below it, and its layer to be.
pub(super) struct LevelBuilder<'m, 'scope, 'env> {
    pub(super) maker: &'m Maker<'scope, 'env>,
    pub(super) snapshots: Snapshots,
    /// The unpacked levels. Its id, the digest of everything that decides their bytes, is known before the layers are.
    pub(super) chain: Chain,
    /// The layers, lowest first, each with its history row and the key under which its directory is kept.
    pub(super) layers: Vec<(Digest, Pending<Layer>)>,
}

impl<'m, 'scope, 'env> LevelBuilder<'m, 'scope, 'env> {
    pub(super) fn open(maker: &'m Maker<'scope, 'env>) -> Result<Self, Failure> {
        let snapshots =
            Snapshots::open(&maker.workspace.build_state().snapshots).map_err(|error| Failure::from_error(&error))?;
        Ok(Self { maker, snapshots, chain: Chain::scratch(), layers: Vec::new() })
    }

    /// Adds a level: from the cache what is there of its directory and its layer.
    pub(super) fn add(&mut self, level: &Level) -> Result<(), Failure> {
        let events = self.maker.events;
        let key = Digest::of(format!("{} {}", self.chain.id, level.key()).as_bytes());
        let known = match self.maker.workspace.bases.layer(&key) {
            Some(pending) => Some(pending),
            None => written(self.maker.workspace, level, &key)?.map(Pending::there),
        };
        let dir = if let Some(dir) = self.snapshots.get(&key) {
            dir
        } else {
            let task = events.start(&format!("base {}", level.recipe().name), None);
            let made = self.make(level, &key);
            events.finish(task, "", made.is_err());
            made?
        };
        let layer = match known {
            Some(layer) => layer,
            None => self.begin_layer(level, &key, dir.clone())?,
        };
        self.chain = self.chain.push(key.clone(), dir);
        self.layers.push((key, layer));
        Ok(())
    }

    /// Makes the directory of a level.
    fn make(&self, level: &Level, key: &Digest) -> Result<PathBuf, Failure> {
        let files = |error: &plim_build::files::FilesError| Failure::from_error(error).maybe_hint(error.hint());
        let debian = |error: &DebianError| Failure::from_error(error).maybe_hint(error.hint());
        let events = self.maker.events;
        let draft = self.snapshots.begin().map_err(|error| files(&error))?;
        level.unpack(&draft.fs, &self.chain.lower, events).map_err(|error| debian(&error))?;
        self.configure_all(&level.steps().map_err(|error| debian(&error))?, &draft, events)?;
        level.finish(&draft.fs).map_err(|error| debian(&error))?;
        // what stands on the base must not depend on whether it was made here or unpacked
        let epoch = level.epoch().map_err(|error| debian(&error))?;
        settle(&draft.fs, &View::new(&self.chain), epoch, events).map_err(|error| files(&error))?;
        self.snapshots.commit(draft, key).map_err(|error| files(&error))
    }

    /// Has the layer of a level written by a thread that gives way to all that somebody waits for.
    fn begin_layer(&self, level: &Level, key: &Digest, dir: PathBuf) -> Result<Pending<Layer>, Failure> {
        let Maker { workspace, events, scope } = *self.maker;
        let options = LayerOptions {
            epoch: level.epoch().map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))?,
            compression: compression(level.recipe().kind),
            created_by: level.created_by(),
            frames: None,
        };
        let (pending, promise) = Pending::new();
        workspace.bases.begin(key, &pending);
        let (lower, key) = (View::new(&self.chain), key.clone());
        let title = format!("layer of {}", level.recipe().name);
        scope.spawn(move || {
            be_nice();
            let task = events.start(&title, None);
            let observer = Some(workspace.indexes.observe());
            let written = layer_from_dir(&dir, &lower, &workspace.store, &options, observer, events)
                .map_err(|error| Failure::from_error(&error).maybe_hint(error.hint()))
                .and_then(|layer| keep(workspace, &key, &layer).map(|()| layer));
            events.finish(task, "", written.is_err());
            // first the others, who have it in hand, then the way to it
            promise.keep(written);
            workspace.bases.end(&key);
        });
        Ok(pending)
    }
}

/// Lowers the priority of the thread, and of those that it starts.
fn be_nice() {
    /// A third of the time of a thread that is not nice; more would starve it on a machine where others work, too.
    const NICENESS: i32 = 5;
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}

/// Returns the layer of a level that was written earlier, if it is still there.
fn written(workspace: &Workspace, level: &Level, key: &Digest) -> Result<Option<Layer>, Failure> {
    let known: Option<(Digest, Descriptor)> =
        std::fs::read(record(workspace, key)?).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Some((diff_id, descriptor)) = known else { return Ok(None) };
    let there = workspace.store.exists(&descriptor)?;
    Ok(there.then(|| Layer { descriptor, diff_id, created_by: Some(level.created_by()) }))
}

fn keep(workspace: &Workspace, key: &Digest, layer: &Layer) -> Result<(), Failure> {
    let json = serde_json::to_vec(&(&layer.diff_id, &layer.descriptor))
        .map_err(|error| Failure::caused("failed to keep a record", &error))?;
    write_whole(&record(workspace, key)?, &json)
}

fn record(workspace: &Workspace, key: &Digest) -> Result<camino::Utf8PathBuf, Failure> {
    Ok(workspace.cache_dir("bases")?.join(format!("level-{}.json", key.hex())))
}
