//! What all stages of one build use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use plim_oci::{Compression, Digest, Events, ObserveLayers};

use crate::cache::{Journal, Op, StepCache};
use crate::error::BuildError;
use crate::export::LayerTable;
use crate::files::FileDigests;
use crate::graph::{Plan, Stage};
use crate::report::{Miss, Warning};
use crate::request::Request;
use crate::run::Trust;
use crate::scope::Globals;
use crate::snapshot::Snapshots;
use crate::stack::Stack;
use crate::state::State;
use crate::travel::{CacheMode, CacheMount, Imports};

/// A user's name with its numbers, and the files in which it was looked up.
pub(crate) type LookedUp = (Stack, String, (u32, u32));

/// What outlives an attempt: a build begins again when a cache has not got what it promised, and when a file of the
/// context is not what it was when the key of its step was made.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    /// The caches of other machines.
    pub(crate) imports: Imports<'a>,
    /// The steps that were done, by place: why, and the seconds they took. In the next attempt they are found.
    done: Mutex<BTreeMap<String, (Miss, f64)>>,
    /// Makes the results of this build its own where the cache is switched off.
    nonce: Digest,
}

impl<'a> Session<'a> {
    /// Begins to work on a request.
    pub(crate) fn new(request: &'a Request) -> Self {
        Self { imports: Imports::new(&request.cache_from), done: Mutex::default(), nonce: fresh() }
    }

    /// Notes that a step was done.
    pub(crate) fn note_done(&self, place: &str, miss: &Miss, seconds: f64) {
        self.done().insert(place.to_owned(), (miss.clone(), seconds));
    }

    /// Returns why an earlier attempt did a step, and the seconds it took.
    pub(crate) fn done_before(&self, place: &str) -> Option<(Miss, f64)> {
        self.done().get(place).cloned()
    }

    fn done(&self) -> MutexGuard<'_, BTreeMap<String, (Miss, f64)>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What all stages of one build use.
pub(crate) struct Shared<'a> {
    /// What is asked for.
    pub(crate) request: &'a Request,
    /// What the attempts at this build share.
    pub(crate) session: &'a Session<'a>,
    /// The machine's directories.
    pub(crate) state: &'a State,
    /// Those who watch layers being written.
    pub(crate) observers: &'a dyn ObserveLayers,
    /// Progress.
    pub(crate) events: &'a dyn Events,
    /// The stages.
    pub(crate) plan: &'a Plan,
    /// The global scope.
    pub(crate) globals: &'a Globals,
    /// Unpacked layers and results of steps.
    pub(crate) snapshots: Snapshots,
    /// Known digests of files of contexts.
    pub(crate) digests: FileDigests,
    /// Which snapshot answers a step.
    pub(crate) cache: StepCache,
    /// What the last build looked like.
    pub(crate) journal: Journal,
    /// The layers that were written or found.
    pub(crate) layers: LayerTable,
    /// What steps need to trust the user's certificate authorities.
    pub(crate) trust: Trust,
    /// Users that were looked up in files.
    pub(crate) owners: Mutex<Vec<LookedUp>>,
    /// The cache directories that steps name.
    cache_mounts: Mutex<BTreeSet<CacheMount>>,
    /// What looked wrong so far.
    pub(crate) warnings: Mutex<Vec<Warning>>,
    stop: AtomicBool,
    warned: AtomicBool,
}

impl<'a> Shared<'a> {
    /// Puts together what the stages use.
    #[expect(clippy::too_many_arguments, reason = "called once, with what a build consists of")]
    pub(crate) fn new(
        request: &'a Request,
        session: &'a Session<'a>,
        state: &'a State,
        observers: &'a dyn ObserveLayers,
        events: &'a dyn Events,
        plan: &'a Plan,
        globals: &'a Globals,
        snapshots: Snapshots,
        warnings: Vec<Warning>,
    ) -> Self {
        Self {
            request,
            session,
            state,
            observers,
            events,
            plan,
            globals,
            snapshots,
            digests: FileDigests::load(&digests_of(&state.cache, &request.context.root)),
            cache: StepCache::new(&state.cache),
            journal: Journal::load(&state.cache, &request.context.root, &request.dockerfile_name),
            layers: LayerTable::default(),
            trust: Trust::new(request),
            owners: Mutex::default(),
            cache_mounts: Mutex::default(),
            warnings: Mutex::new(warnings),
            stop: AtomicBool::new(false),
            warned: AtomicBool::new(false),
        }
    }

    /// Returns what makes the results of a stage this build's own, if the cache is switched off for it.
    pub(crate) fn nonce_of(&self, stage: &Stage) -> Option<&Digest> {
        let named = |name: &String| name.eq_ignore_ascii_case(&stage.label);
        (self.request.no_cache || self.request.no_cache_stages.iter().any(named)).then_some(&self.session.nonce)
    }

    /// Returns the compressions in which a layer is wanted that is part of the image, or that is not.
    pub(crate) fn wanted(&self, exported: bool) -> Vec<Compression> {
        let own = self.request.compression;
        let mut wanted: Vec<Compression> = exported.then_some(own).into_iter().collect();
        for cache in self.request.cache_to.iter().filter(|cache| exported || cache.mode == CacheMode::Max) {
            let compression = cache.compression.unwrap_or(own);
            if !wanted.contains(&compression) {
                wanted.push(compression);
            }
        }
        wanted
    }

    /// Returns the cache directories that steps name.
    pub(crate) fn cache_mounts(&self) -> MutexGuard<'_, BTreeSet<CacheMount>> {
        self.cache_mounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the build and returns what looked wrong.
    pub(crate) fn into_warnings(self) -> Vec<Warning> {
        self.warnings.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a warning, once.
    pub(crate) fn warn(&self, line: usize, message: String) {
        let warning = Warning { line, message };
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// Tells something at once that holds for the whole build, and only the first time.
    pub(crate) fn warn_once(&self, message: &str) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            self.events.warn(message);
        }
    }

    /// Makes all stages stop soon.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Says whether to stop: another stage failed or the user asked for it.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.events.cancelled()
    }

    /// Fails when it is time to stop.
    pub(crate) fn go_on(&self) -> Result<(), BuildError> {
        if self.stopped() { Err(BuildError::Cancelled) } else { Ok(()) }
    }

    /// Writes down what later builds profit from. Failing costs time then, no more.
    pub(crate) fn save(&self) {
        for (what, result) in [("file digests", self.digests.save()), ("step notes", self.journal.save())] {
            if let Err(error) = result {
                tracing::warn!("failed to save the {what}: {error}");
            }
        }
    }
}

/// Returns the file with the digests of a context's files: one for each project, so that none reads what others have.
fn digests_of(cache: &Path, context: &Path) -> PathBuf {
    cache.join("files").join(format!("{}.bin", Digest::of(context.as_os_str().as_encoded_bytes()).hex()))
}

/// Returns a digest that no other build has.
fn fresh() -> Digest {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut op = Op::new("nonce");
    op.field("time", now.as_nanos().to_le_bytes()).field("process", std::process::id().to_le_bytes());
    op.finish()
}
