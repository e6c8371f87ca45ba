//! Building: the stages that are needed, as many at once as is allowed, then the image.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use plim_dockerfile::{Dockerfile, Kind, Warning as ParserWarning};
use plim_oci::{Events, Image, ObserveLayers};

use crate::base::{Base, BaseSource};
use crate::error::BuildError;
use crate::export;
use crate::files::FilesError;
use crate::graph::{self, ImageKey, Plan};
use crate::report::{BaseReport, Built, StepReport, Warning};
use crate::request::Request;
use crate::scope::Globals;
use crate::shared::{Session, Shared};
use crate::snapshot::Snapshots;
use crate::stack::Root;
use crate::stage::{self, Finished};
use crate::state::State;
use crate::travel::{self, CacheMount, CacheTable};

/// How often a build begins again because somebody wrote to its context at the wrong moment.
const AGAIN: usize = 2;

/// Builds an image into the store.
///
/// Stages that the target does not need are not built; independent ones are built at the same time. The
/// first failure stops the others. Warnings of a build that fails are sent to `events`.
///
/// The calling program has to call [`plim_sandbox::helper_main`] first thing in `main`.
pub fn build(
    request: &Request,
    state: &State,
    bases: &dyn BaseSource,
    observers: &dyn ObserveLayers,
    events: &dyn Events,
) -> Result<Built, BuildError> {
    let dockerfile = plim_dockerfile::parse(&String::from_utf8_lossy(&request.dockerfile));
    if !dockerfile.errors.is_empty() {
        return Err(BuildError::Dockerfile { name: request.dockerfile_name.clone(), errors: dockerfile.errors });
    }
    let mut warnings = Vec::new();
    warn_of_form(&dockerfile, &mut warnings);
    let prepared = prepare(request, &dockerfile, bases, events, &mut warnings);
    let (globals, plan) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Err(failed(error, &warnings, events)),
    };
    let session = Session::new(request);
    let mut changes = 0;
    loop {
        let snapshots =
            Snapshots::open(&state.snapshots).map_err(|source| BuildError::layers("open the snapshots", source))?;
        let shared = Shared::new(request, &session, state, observers, events, &plan, &globals, snapshots, warnings);
        let result = build_all(&shared);
        if let Err(error @ BuildError::CacheLost { .. }) = &result {
            // the layer is not asked for again, so the next attempt comes further
            events.warn(&format!("{error}; the step is done here"));
            warnings = shared.into_warnings();
            continue;
        }
        if let Err(BuildError::Files { source, .. }) = &result
            && matches!(**source, FilesError::Changed { .. })
            && changes < AGAIN
        {
            // what was done until then is found
            events.warn(&format!("{source}: building again"));
            changes += 1;
            warnings = shared.into_warnings();
            continue;
        }
        shared.save();
        let warnings = shared.into_warnings();
        return match result {
            Ok(done) => {
                let bases = bases_of(&plan)?;
                Ok(Built {
                    image: done.image,
                    root: done.root,
                    steps: done.steps,
                    caches: done.caches,
                    cache_mounts: done.cache_mounts,
                    bases,
                    warnings,
                })
            }
            Err(error) => Err(failed(error, &warnings, events)),
        };
    }
}

/// A failed build returns no warnings, and one of them may well name the cause.
fn failed(error: BuildError, warnings: &[Warning], events: &dyn Events) -> BuildError {
    for warning in warnings {
        match warning.line {
            0 => events.warn(&warning.message),
            line => events.warn(&format!("line {line}: {}", warning.message)),
        }
    }
    error
}

fn prepare(
    request: &Request,
    dockerfile: &Dockerfile,
    bases: &dyn BaseSource,
    events: &dyn Events,
    warnings: &mut Vec<Warning>,
) -> Result<(Globals, Plan), BuildError> {
    let last_name = dockerfile.instructions.iter().rev().find_map(|instruction| match &instruction.kind {
        Kind::From(from) => Some(from.alias.as_ref().map(|alias| alias.value.as_str()).unwrap_or_default()),
        _ => None,
    });
    let target = request.target.as_deref().or(last_name).unwrap_or_default();
    let globals = Globals::new(request, dockerfile, target, warnings)?;
    let plan = graph::plan(request, dockerfile, &globals, bases, events, warnings)?;
    Ok((globals, plan))
}

fn warn_of_form(dockerfile: &Dockerfile, warnings: &mut Vec<Warning>) {
    for warning in &dockerfile.warnings {
        let ParserWarning::EmptyContinuation { spans, .. } = warning;
        let line = spans.first().map_or(0, |span| dockerfile.line(span.start));
        warnings.push(Warning { line, message: "an empty line inside a continued instruction".to_owned() });
    }
    let frontend = dockerfile.directive("syntax").filter(|directive| {
        let name = directive.value.trim_start_matches("docker.io/");
        !name.starts_with("docker/dockerfile")
    });
    if let Some(directive) = frontend {
        warnings.push(Warning {
            line: dockerfile.line(directive.span.start),
            message: format!("the frontend {} is not used: the file is read as a Dockerfile", directive.value),
        });
    }
}

/// What the stages and the export give.
struct Done {
    image: Image,
    root: Root,
    steps: Vec<StepReport>,
    caches: Vec<CacheTable>,
    cache_mounts: Vec<CacheMount>,
}

fn bases_of(plan: &Plan) -> Result<Vec<BaseReport>, BuildError> {
    let report = |(key, base): (&ImageKey, &Arc<Base>)| {
        let image = base.image().map_err(|source| plan.image_failed(&key.name, source))?;
        Ok(BaseReport {
            name: key.name.clone(),
            platform: key.platform.to_string(),
            digest: image.descriptor.digest.clone(),
        })
    };
    plan.images().map(report).collect()
}

fn build_all(shared: &Shared<'_>) -> Result<Done, BuildError> {
    let results: Vec<OnceLock<Finished>> = shared.plan.stages.iter().map(|_| OnceLock::new()).collect();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| export::write_layers(shared));
        let built = build_stages(shared, &results);
        shared.layers.close();
        // a panic of the writer is passed on by the scope
        let _ = writer.join();
        built
    })?;
    let target = results[shared.plan.target].get().ok_or(BuildError::Cancelled)?;
    let table = shared.request.cache_inline.then(|| travel::inline(shared, &results)).transpose()?;
    let image = export::image(shared, target, table.map(|table| table.to_json()).as_deref())?;
    let caches = shared.request.cache_to.iter().map(|cache| travel::table(shared, &results, *cache));
    let caches = caches.collect::<Result<_, _>>()?;
    let cache_mounts = shared.cache_mounts().iter().cloned().collect();
    Ok(Done {
        image,
        root: Root::new(&target.stack, target.epoch),
        steps: reports(shared, &results),
        caches,
        cache_mounts,
    })
}

fn reports(shared: &Shared<'_>, results: &[OnceLock<Finished>]) -> Vec<StepReport> {
    let mut reports = Vec::new();
    for outcome in results.iter().filter_map(OnceLock::get).flat_map(|finished| &finished.outcomes) {
        let mut report = outcome.report.clone();
        if let Some(layer) = shared.layers.get(&outcome.snapshot, outcome.epoch, shared.request.compression) {
            report.layer = Some(layer.descriptor.digest);
            report.bytes = layer.descriptor.size;
        }
        reports.push(report);
    }
    reports
}

/// Which stages wait, run and are done.
#[derive(Debug)]
struct Board {
    waiting: BTreeSet<usize>,
    done: BTreeSet<usize>,
    failure: Option<BuildError>,
    over: bool,
}

impl Board {
    /// Takes a stage off the waiting list whose dependencies are done.
    fn take_ready(&mut self, plan: &Plan) -> Option<usize> {
        let ready = |index: &usize| plan.stages[*index].dependencies().all(|needed| self.done.contains(&needed));
        let index = self.waiting.iter().copied().find(ready)?;
        self.waiting.remove(&index);
        Some(index)
    }
}

fn build_stages(shared: &Shared<'_>, results: &[OnceLock<Finished>]) -> Result<(), BuildError> {
    let board =
        Mutex::new(Board { waiting: shared.plan.needed.clone(), done: BTreeSet::new(), failure: None, over: false });
    let changed = Condvar::new();
    let jobs = match shared.request.jobs {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        jobs => jobs,
    };
    let workers = jobs.min(shared.plan.needed.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(shared, results, &board, &changed));
        }
    });
    let board = board.into_inner().unwrap_or_else(PoisonError::into_inner);
    board.failure.map_or(Ok(()), Err)
}

fn work(shared: &Shared<'_>, results: &[OnceLock<Finished>], board: &Mutex<Board>, changed: &Condvar) {
    let lock = || board.lock().unwrap_or_else(PoisonError::into_inner);
    // a worker that panics must not leave the others waiting for its stage
    let _alarm = Alarm { board, changed };
    while let Some(index) = next(shared, lock(), changed) {
        let result = stage::build(shared, index, results);
        let mut board = lock();
        match result {
            Ok(finished) => {
                let _ = results[index].set(finished);
                board.done.insert(index);
            }
            Err(error) => {
                shared.stop();
                board.over = true;
                // what stopped because another stage failed is no failure of its own
                if board.failure.as_ref().is_none_or(|known| weight(known) < weight(&error)) {
                    board.failure = Some(error);
                }
            }
        }
        changed.notify_all();
    }
}

/// Says which of two failures is told: one that another attempt may mend is no reason to begin again beside one that stays.
fn weight(error: &BuildError) -> u8 {
    match error {
        BuildError::Cancelled => 0,
        error if error.is_changed() => 1,
        _ => 2,
    }
}

/// Waits for a stage that can be built; `None` when there is nothing left to do.
fn next(shared: &Shared<'_>, mut board: MutexGuard<'_, Board>, changed: &Condvar) -> Option<usize> {
    loop {
        if board.over || board.waiting.is_empty() {
            return None;
        }
        if let Some(index) = board.take_ready(shared.plan) {
            return Some(index);
        }
        board = changed.wait(board).unwrap_or_else(PoisonError::into_inner);
    }
}

struct Alarm<'a> {
    board: &'a Mutex<Board>,
    changed: &'a Condvar,
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.board.lock().unwrap_or_else(PoisonError::into_inner).over = true;
            self.changed.notify_all();
        }
    }
}
