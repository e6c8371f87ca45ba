//! The levels of a base image, one above the other: unpacked, configured and kept as directories. While the programs of one
//! level run, the packages of the next are unpacked; and the layer of each is written by another thread, while the next
//! level is made and the first steps above the base run.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

use plim_build::files::FilesError;
use plim_build::snapshot::{Chain, Draft, LayerOptions, Snapshots, View, layer_from_dir, settle};
use plim_debian::{DebianError, Kind as RecipeKind, Level, UnpackedLevel};
use plim_oci::compress::Compression;
use plim_oci::{Blobs as _, Descriptor, Digest, Events, Layer, ObserveLayers as _, TaskId};

use super::Maker;
use super::pending::Pending;
use crate::priority::give_way;
use crate::workspace::write_whole;
use crate::{Failure, Workspace};

/// Layers that images stand on are made once and shipped with all of them, so they are worth a higher level than that of a
/// build. Layers of build stages are large, written while steps run that somebody waits for, and hardly ever shipped: the
/// fastest level takes half of that time, for 10 % more bytes.
fn compression(kind: RecipeKind) -> Compression {
    match kind {
        RecipeKind::Plain => Compression::Gzip(6),
        RecipeKind::Configured => Compression::Gzip(1),
    }
}

/// A level whose packages are unpacked, and its directory to be.
type Unpacked<'l> = Result<(UnpackedLevel<'l>, Draft), DebianError>;

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

    /// Adds levels, the lowest first: from the cache what is there of their directories and their layers.
    pub(super) fn add(&mut self, levels: &[Level]) -> Result<(), Failure> {
        let mut id = self.chain.id.clone();
        let keys: Vec<Digest> = levels
            .iter()
            .map(|level| {
                id = Digest::of(format!("{id} {}", level.key()).as_bytes());
                id.clone()
            })
            .collect();
        let dirs: Vec<Option<PathBuf>> = keys.iter().map(|key| self.snapshots.get(key)).collect();
        let mut missing = Vec::new();
        for (level, _) in levels.iter().zip(&dirs).filter(|(_, dir)| dir.is_none()) {
            missing.push((level, self.snapshots.begin().map_err(|error| files(&error))?));
        }
        let bytes = missing.iter().flat_map(|(level, _)| level.packages()).map(|package| package.size).sum();
        let underway = &self.maker.workspace.bases;
        let events = &Ending { events: self.maker.events, over: AtomicBool::new(false) };
        std::thread::scope(|scope| {
            let (sender, unpacked) = channel();
            scope.spawn(move || {
                let _turn = (!missing.is_empty()).then(|| underway.unpack(bytes));
                for (at, (level, draft)) in missing.into_iter().enumerate() {
                    if at == 1 {
                        // from here on, programs of the levels below run, one after the other, and all wait for these
                        give_way();
                    }
                    let result = level.unpack_packages(&draft.fs, events);
                    let failed = result.is_err();
                    if sender.send(result.map(|level| (level, draft))).is_err() || failed {
                        return;
                    }
                }
            });
            let result = levels
                .iter()
                .zip(keys.into_iter().zip(dirs))
                .try_for_each(|(level, (key, dir))| self.add_one(level, key, dir, &unpacked));
            events.over.store(true, Ordering::Relaxed);
            result
        })
    }

    fn add_one(
        &mut self,
        level: &Level,
        key: Digest,
        dir: Option<PathBuf>,
        unpacked: &Receiver<Unpacked<'_>>,
    ) -> Result<(), Failure> {
        let events = self.maker.events;
        let known = match self.maker.workspace.bases.layer(&key) {
            Some(pending) => Some(pending),
            None => written(self.maker.workspace, level, &key)?.map(Pending::there),
        };
        let dir = if let Some(dir) = dir {
            dir
        } else {
            let task = events.start(&format!("base {}", level.recipe().name), None);
            let made = self.make(level, &key, unpacked);
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

    /// Makes the directory of a level, the next one that is being unpacked.
    fn make(&self, level: &Level, key: &Digest, unpacked: &Receiver<Unpacked<'_>>) -> Result<PathBuf, Failure> {
        let events = self.maker.events;
        let unpacked = unpacked.recv().map_err(|_| Failure::tool("the packages are not unpacked any more"))?;
        let (unpacked, draft) = unpacked.map_err(|error| debian(&error))?;
        unpacked.stand_on(&self.chain.lower, events).map_err(|error| debian(&error))?;
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
            give_way();
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

fn files(error: &FilesError) -> Failure {
    Failure::from_error(error).maybe_hint(error.hint())
}

fn debian(error: &DebianError) -> Failure {
    Failure::from_error(error).maybe_hint(error.hint())
}

/// Events of work that also ends when nobody waits for it any more.
struct Ending<'e> {
    events: &'e dyn Events,
    over: AtomicBool,
}

impl Events for Ending<'_> {
    fn start(&self, title: &str, total: Option<u64>) -> TaskId {
        self.events.start(title, total)
    }

    fn advance(&self, task: TaskId, bytes: u64) {
        self.events.advance(task, bytes);
    }

    fn output(&self, task: TaskId, line: &str) {
        self.events.output(task, line);
    }

    fn finish(&self, task: TaskId, detail: &str, failed: bool) {
        self.events.finish(task, detail, failed);
    }

    fn note(&self, text: &str) {
        self.events.note(text);
    }

    fn warn(&self, text: &str) {
        self.events.warn(text);
    }

    fn cancelled(&self) -> bool {
        self.over.load(Ordering::Relaxed) || self.events.cancelled()
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
