//! What all stages of one build use.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use plim_oci::{Digest, Events, ObserveLayers};

use crate::cache::{Journal, Op, StepCache};
use crate::error::BuildError;
use crate::export::LayerTable;
use crate::files::FileDigests;
use crate::graph::{Plan, Stage};
use crate::report::Warning;
use crate::request::Request;
use crate::run::Trust;
use crate::scope::Globals;
use crate::snapshot::Snapshots;
use crate::state::State;

/// What all stages of one build use.
pub(crate) struct Shared<'a> {
    /// What is asked for.
    pub(crate) request: &'a Request,
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
    /// Makes the results of this build its own where the cache is switched off.
    nonce: Digest,
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
            nonce: fresh(),
            warnings: Mutex::new(warnings),
            stop: AtomicBool::new(false),
            warned: AtomicBool::new(false),
        }
    }

    /// Returns what makes the results of a stage this build's own, if the cache is switched off for it.
    pub(crate) fn nonce_of(&self, stage: &Stage) -> Option<&Digest> {
        let named = |name: &String| name.eq_ignore_ascii_case(&stage.label);
        (self.request.no_cache || self.request.no_cache_stages.iter().any(named)).then_some(&self.nonce)
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
