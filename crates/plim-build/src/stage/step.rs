//! A step that leaves files: looked up in the cache, else done, and put on the stack.

use std::time::Instant;

use plim_oci::{Digest, TaskId};

use super::Building;
use crate::cache::{Key, Op};
use crate::error::BuildError;
use crate::graph::Step;
use crate::report::{Miss, StepReport};
use crate::snapshot::Draft;
use crate::stack::StackLayer;

/// What a step reads.
pub(crate) enum Inputs<'f> {
    /// Digests of content.
    Content(Vec<(String, Digest)>),
    /// Digests of how the content is made, which are to be had without looking at it, and a function that
    /// looks. Content that is equal although made otherwise still finds the earlier result.
    Definition(Vec<(String, Digest)>, &'f mut dyn FnMut() -> Result<Vec<(String, Digest)>, BuildError>),
}

/// A step that leaves files.
pub(crate) struct FilesystemStep<'f> {
    /// Its number in the stage, for the notes about it.
    pub(crate) number: usize,
    /// The instruction as people know it.
    pub(crate) title: String,
    /// The row of the history.
    pub(crate) created_by: String,
    /// The operation with its arguments.
    pub(crate) op: Digest,
    /// What it reads besides the files of the stage.
    pub(crate) inputs: Inputs<'f>,
    /// It neither reads nor changes the files of the stage.
    pub(crate) linked: bool,
    /// Does it: writes changes into the draft.
    pub(crate) execute: &'f mut dyn FnMut(&Draft, TaskId) -> Result<(), BuildError>,
}

/// What became of a step; its layer is not known yet.
#[derive(Debug, Clone)]
pub(crate) struct StepOutcome {
    /// The report, without the layer.
    pub(crate) report: StepReport,
    /// Its snapshot.
    pub(crate) snapshot: Digest,
}

/// A step found or done.
struct Settled {
    snapshot: Digest,
    miss: Option<Miss>,
}

impl Building<'_> {
    /// Finds or does a step, puts its files on the stack and its row into the history.
    pub(crate) fn filesystem_step(&mut self, step: &Step, mut work: FilesystemStep<'_>) -> Result<(), BuildError> {
        let started = Instant::now();
        self.counter.0 += 1;
        let (number, total) = self.counter;
        let trigger = if step.trigger { "ONBUILD " } else { "" };
        let title = if self.shared.plan.stages.len() == 1 {
            format!("[{number}/{total}] {trigger}{}", work.title)
        } else {
            format!("[{} {number}/{total}] {trigger}{}", self.stage.label, work.title)
        };
        let events = self.shared.events;
        let task = events.start(&title, None);
        let settled = match self.settle(&mut work, task) {
            Ok(settled) => settled,
            Err(error) => {
                events.finish(task, if matches!(error, BuildError::Cancelled) { "stopped" } else { "failed" }, true);
                return Err(error);
            }
        };
        let elapsed = started.elapsed();
        match &settled.miss {
            None => events.finish(task, "cached", false),
            // whoever shows tasks knows how long they took
            Some(_) => events.finish(task, "", false),
        }
        self.outcomes.push(StepOutcome {
            report: StepReport {
                stage: self.stage.label.clone(),
                line: step.line,
                instruction: work.title,
                cached: settled.miss.is_none(),
                miss: settled.miss,
                seconds: elapsed.as_secs_f64(),
                layer: None,
                bytes: 0,
            },
            snapshot: settled.snapshot.clone(),
        });
        self.stack.push(StackLayer {
            snapshot: settled.snapshot,
            linked: work.linked,
            created_by: work.created_by.clone(),
        });
        self.add_history(work.created_by, true);
        if self.exported {
            self.shared.layers.prepare(&self.stack, self.epoch);
        }
        Ok(())
    }

    fn settle(&self, work: &mut FilesystemStep<'_>, task: TaskId) -> Result<Settled, BuildError> {
        let shared = self.shared;
        let parent = (!work.linked).then(|| self.stack.id().clone());
        let key_of = |inputs| Key { parent: parent.clone(), op: work.op.clone(), inputs };
        let place = format!("{}/{}", self.stage.label, work.number);
        let (key, definition) = match &mut work.inputs {
            Inputs::Content(inputs) => (key_of(std::mem::take(inputs)), None),
            Inputs::Definition(inputs, content) => {
                let definition = definition_of(&key_of(std::mem::take(inputs)));
                if let Some(snapshot) = self.known(&definition) {
                    return Ok(Settled { snapshot, miss: None });
                }
                (key_of(content()?), Some(definition))
            }
        };
        let digest = key.digest();
        let written = |error| BuildError::io("write the step cache", error);
        let settled = match self.known(&digest) {
            Some(snapshot) => Settled { snapshot, miss: None },
            None => self.settle_alone(&key, &digest, &place, work, task)?,
        };
        if let Some(definition) = definition {
            shared.cache.put(&definition, &settled.snapshot).map_err(written)?;
        }
        shared.journal.note(&place, &key);
        Ok(settled)
    }

    /// Does a step while no other build does the same one; that one may have done it while this one waited.
    fn settle_alone(
        &self,
        key: &Key,
        digest: &Digest,
        place: &str,
        work: &mut FilesystemStep<'_>,
        task: TaskId,
    ) -> Result<Settled, BuildError> {
        let shared = self.shared;
        let written = |error| BuildError::io("write the step cache", error);
        let _lock = shared.cache.lock(digest).map_err(written)?;
        if let Some(snapshot) = self.known(digest) {
            return Ok(Settled { snapshot, miss: None });
        }
        let miss = match shared.nonce_of(self.stage) {
            Some(_) => Miss::NoCache,
            None => shared.journal.explain(place, key),
        };
        let snapshot = self.execute(digest, work, task)?;
        shared.cache.put(digest, &snapshot).map_err(written)?;
        Ok(Settled { snapshot, miss: Some(miss) })
    }

    /// Returns the snapshot that answers a key, if it is still there and the cache may be used.
    fn known(&self, key: &Digest) -> Option<Digest> {
        if self.shared.nonce_of(self.stage).is_some() {
            return None;
        }
        self.shared.cache.get(key).filter(|snapshot| self.shared.snapshots.get(snapshot).is_some())
    }

    fn execute(&self, key: &Digest, work: &mut FilesystemStep<'_>, task: TaskId) -> Result<Digest, BuildError> {
        let snapshots = &self.shared.snapshots;
        let failed = |source| BuildError::layers(format!("keep the result of {}", work.title), source);
        let draft = snapshots.begin().map_err(failed)?;
        (work.execute)(&draft, task)?;
        let snapshot = match self.shared.nonce_of(self.stage) {
            None => key.clone(),
            Some(nonce) => {
                let mut op = Op::new("uncached");
                op.field("key", key.as_str()).field("nonce", nonce.as_str());
                op.finish()
            }
        };
        snapshots.commit(draft, &snapshot).map_err(failed)?;
        Ok(snapshot)
    }
}

/// Returns the key of a definition; no key of content is equal to it.
fn definition_of(key: &Key) -> Digest {
    let mut op = Op::new("definition");
    op.field("key", key.digest().as_str());
    op.finish()
}
