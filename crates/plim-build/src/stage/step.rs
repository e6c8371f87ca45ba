//! A step that leaves files: looked up in the cache, else done, and put on the stack.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use plim_oci::{CACHED, Digest, Layer, TaskId};

use super::Building;
use crate::cache::{Answer, FilePrint, Key, LayerRecord, Op};
use crate::error::BuildError;
use crate::export;
use crate::graph::Step;
use crate::report::{Miss, StepReport};
use crate::snapshot::Draft;
use crate::stack::StackLayer;
use crate::travel::{self, PortableInput, Recipe, Remote};

/// What a step reads.
pub(crate) enum Inputs<'f> {
    /// Digests of content.
    Content(Vec<(String, Digest)>),
    /// How the content is made, which is to be had without looking at it. Content that is equal although made otherwise
    /// still finds the earlier result.
    Definition {
        /// Digests by which this machine knows it.
        local: Vec<(String, Digest)>,
        /// What other machines know it by.
        sources: Vec<PortableInput>,
        /// Looks, and returns digests of the content.
        look: &'f mut dyn FnMut() -> Result<Vec<(String, Digest)>, BuildError>,
    },
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
    /// Lists the files that it takes, once their content was looked at; none where it takes none.
    pub(crate) files: Option<&'f dyn Fn() -> Vec<(String, FilePrint)>>,
    /// It neither reads nor changes the files of the stage.
    pub(crate) linked: bool,
    /// Does it: writes changes into the draft.
    pub(crate) execute: &'f mut dyn FnMut(&Draft, TaskId) -> Result<(), BuildError>,
    /// Does it without making any files: writes the layer of an image straight away, the same that would be made of the
    /// files. None where the step cannot do that, or where somebody needs the files.
    pub(crate) write: Option<&'f mut dyn FnMut() -> Result<Layer, BuildError>>,
}

/// What became of a step; its layer is not known yet.
#[derive(Debug, Clone)]
pub(crate) struct StepOutcome {
    /// The report, without the layer.
    pub(crate) report: StepReport,
    /// Its snapshot.
    pub(crate) snapshot: Digest,
    /// The latest time in its layer, seconds since 1970.
    pub(crate) epoch: i64,
    /// What it depends on.
    pub(crate) recipe: Recipe,
}

/// A step found or done.
struct Settled {
    snapshot: Digest,
    /// Where its files are, if they need not be here.
    remote: Option<Arc<Remote>>,
    miss: Option<Miss>,
}

impl Settled {
    fn found(snapshot: Digest, remote: Option<Arc<Remote>>) -> Self {
        Self { snapshot, remote, miss: None }
    }
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
        let place = self.place(work.number);
        let (settled, recipe) = match self.settle(&mut work, &place, task) {
            Ok(settled) => settled,
            Err(error) => {
                events.finish(task, &error.outcome(), true);
                return Err(error);
            }
        };
        let seconds = started.elapsed().as_secs_f64();
        let imported = settled.remote.as_ref().map(|remote| remote.source().to_owned());
        match (&settled.miss, &imported) {
            (None, None) => events.finish(task, CACHED, false),
            (None, Some(source)) => events.finish(task, &format!("{CACHED} in {source}"), false),
            // whoever shows tasks knows how long they took
            (Some(_), _) => events.finish(task, "", false),
        }
        let session = self.shared.session;
        let fresh = settled.miss.is_some();
        let done = match settled.miss {
            Some(miss) => {
                session.note_done(&place, &miss, seconds);
                Some((miss, seconds))
            }
            None => session.done_before(&place),
        };
        let (miss, seconds) = done.map_or((None, seconds), |(miss, seconds)| (Some(miss), seconds));
        self.outcomes.push(StepOutcome {
            report: StepReport {
                stage: self.stage.label.clone(),
                line: step.line,
                instruction: work.title,
                cached: miss.is_none(),
                imported,
                miss,
                seconds,
                layer: None,
                bytes: 0,
            },
            snapshot: settled.snapshot.clone(),
            epoch: self.epoch,
            recipe,
        });
        // what no image needs is not fetched to be kept in a cache that has it already
        let elsewhere = settled.remote.is_some() && !self.exported;
        self.stack.push(StackLayer {
            snapshot: settled.snapshot,
            linked: work.linked,
            created_by: work.created_by.clone(),
            epoch: self.epoch,
            fresh,
            place,
            remote: settled.remote,
        });
        self.add_history(work.created_by, true);
        for compression in self.shared.wanted(self.exported).into_iter().filter(|_| !elsewhere) {
            self.shared.layers.prepare(&self.stack, compression);
        }
        Ok(())
    }

    /// Names a step, for the notes about it.
    pub(crate) fn place(&self, number: usize) -> String {
        format!("{}/{number}", self.stage.label)
    }

    fn settle(
        &self,
        work: &mut FilesystemStep<'_>,
        place: &str,
        task: TaskId,
    ) -> Result<(Settled, Recipe), BuildError> {
        let shared = self.shared;
        let parent = (!work.linked).then(|| self.stack.id().clone());
        let key_of = |inputs| Key { parent: parent.clone(), op: work.op.clone(), inputs };
        let nameless = |inputs: &[Digest]| inputs.iter().map(|input| (String::new(), input.clone())).collect();
        let written = |error| BuildError::io("write the step cache", error);
        let mut recipe =
            Recipe { op: work.op.clone(), linked: work.linked, epoch: self.epoch, sources: Vec::new(), content: None };
        let makes_files = self.makes_files_of_layers(work);
        let (key, definition) = match &mut work.inputs {
            Inputs::Content(inputs) => {
                recipe.sources = inputs.iter().map(|(_, digest)| PortableInput::Content(digest.clone())).collect();
                (key_of(std::mem::take(inputs)), None)
            }
            Inputs::Definition { local, sources, look } => {
                recipe.sources = std::mem::take(sources);
                let definition = definition_of(&key_of(std::mem::take(local)));
                if let Some((answer, form)) = self.known(&definition)
                    && (form == Form::Files || !makes_files)
                {
                    recipe.content = Some(answer.inputs).filter(|inputs| !inputs.is_empty());
                    return Ok((Settled::found(answer.snapshot, None), recipe));
                }
                if let Some((snapshot, found)) = self.imported(&recipe, None, parent.as_ref()) {
                    let inputs = found.inputs.unwrap_or_default();
                    if !inputs.is_empty() {
                        let key = key_of(nameless(&inputs)).digest();
                        shared.cache.put(&key, &snapshot.clone().into()).map_err(written)?;
                        recipe.content = Some(inputs.clone());
                    }
                    let answer = Answer { snapshot: snapshot.clone(), inputs };
                    shared.cache.put(&definition, &answer).map_err(written)?;
                    return Ok((Settled::found(snapshot, Some(found.remote)), recipe));
                }
                (key_of(look()?), Some(definition))
            }
        };
        let inputs: Vec<Digest> = key.inputs.iter().map(|(_, digest)| digest.clone()).collect();
        let digest = key.digest();
        let settled = if let Some((answer, form)) = self.known(&digest) {
            if form == Form::Layer && makes_files {
                self.make_files(&digest, &answer.snapshot, work, task)?;
            }
            Settled::found(answer.snapshot, None)
        } else if let Some((snapshot, found)) = self.imported(&recipe, Some(&inputs), parent.as_ref()) {
            shared.cache.put(&digest, &snapshot.clone().into()).map_err(written)?;
            Settled::found(snapshot, Some(found.remote))
        } else {
            self.settle_alone(&key, &digest, place, work, task)?
        };
        if let Some(definition) = definition {
            let answer = Answer { snapshot: settled.snapshot.clone(), inputs: inputs.clone() };
            shared.cache.put(&definition, &answer).map_err(written)?;
        }
        recipe.content = Some(inputs);
        shared.journal.note(place, &key);
        if let Some(files) = work.files {
            shared.journal.note_files(place, &key, files);
        }
        Ok((settled, recipe))
    }

    /// Asks the caches of other machines for a step by what its inputs consist of, or by their content. Returns the name
    /// of the snapshot that its layer makes here, whenever somebody needs the files.
    fn imported(
        &self,
        recipe: &Recipe,
        content: Option<&[Digest]>,
        parent: Option<&Digest>,
    ) -> Option<(Digest, travel::Answer)> {
        let (shared, imports) = (self.shared, &self.shared.session.imports);
        if imports.is_empty() || shared.nonce_of(self.stage).is_some() {
            return None;
        }
        let below = if recipe.linked { None } else { Some(export::learn_state(shared, &self.stack)?) };
        let key = match content {
            Some(content) => recipe.by_content(below.as_ref(), content),
            None => recipe.by_sources(below.as_ref(), &mut |stack| export::state_of(shared, stack))?,
        };
        let found = imports.step(&key)?;
        let mut op = Op::new("imported");
        op.option("parent", parent.map(Digest::as_str)).field("layer", found.remote.layer.diff_id.as_str());
        op.field("epoch", self.epoch.to_le_bytes());
        Some((op.finish(), found))
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
        if let Some((answer, form)) = self.known(digest)
            && (form == Form::Files || !self.makes_files_of_layers(work))
        {
            return Ok(Settled::found(answer.snapshot, None));
        }
        let miss = match shared.nonce_of(self.stage) {
            Some(_) => Miss::NoCache,
            None => shared.journal.explain(place, key, work.files),
        };
        let snapshot = self.execute(digest, work, task)?;
        shared.cache.put(digest, &snapshot.clone().into()).map_err(written)?;
        Ok(Settled { snapshot, remote: None, miss: Some(miss) })
    }

    /// Returns what answers a key and what there is of it, if there is anything and the cache may be used.
    fn known(&self, key: &Digest) -> Option<(Answer, Form)> {
        let shared = self.shared;
        let answer = match shared.nonce_of(self.stage) {
            // an earlier attempt of this build may have done it
            Some(nonce) => uncached(key, nonce).into(),
            None => shared.cache.get(key)?,
        };
        if shared.snapshots.get(&answer.snapshot).is_some() {
            return Some((answer, Form::Files));
        }
        let has_layer = |dir: &Path| LayerRecord::find(dir, self.epoch, &shared.state.store).is_some();
        shared.snapshots.uses(&answer.snapshot, &has_layer).then_some((answer, Form::Layer))
    }

    /// Says whether a step of which only the layer is there must make its files: where later steps work on them they are
    /// to be the same, to the times that a layer does not keep, as where no earlier build left anything. Only a step that
    /// writes layers straight away can; all others get them from the layer when somebody needs them.
    fn makes_files_of_layers(&self, work: &FilesystemStep<'_>) -> bool {
        work.write.is_some() && !self.is_unseen(work.number)
    }

    /// Says whether nothing in this build will look at the files that the step leaves.
    fn is_unseen(&self, number: usize) -> bool {
        // what a stage starts from has a number behind all of them
        self.unseen_from.is_some_and(|first| (first..self.stage.steps.len()).contains(&number))
    }

    /// Makes the files of a step of which the layer is there.
    fn make_files(
        &self,
        key: &Digest,
        snapshot: &Digest,
        work: &mut FilesystemStep<'_>,
        task: TaskId,
    ) -> Result<(), BuildError> {
        let snapshots = &self.shared.snapshots;
        let _lock = self.shared.cache.lock(key).map_err(|error| BuildError::io("write the step cache", error))?;
        if snapshots.get(snapshot).is_some() {
            return Ok(());
        }
        let failed = |source| BuildError::layers(format!("keep the result of {}", work.title), source);
        let draft = snapshots.begin().map_err(failed)?;
        (work.execute)(&draft, task)?;
        snapshots.commit(draft, snapshot).map(drop).map_err(failed)
    }

    fn execute(&self, key: &Digest, work: &mut FilesystemStep<'_>, task: TaskId) -> Result<Digest, BuildError> {
        let snapshots = &self.shared.snapshots;
        let failed = |source| BuildError::layers(format!("keep the result of {}", work.title), source);
        let snapshot = match self.shared.nonce_of(self.stage) {
            None => key.clone(),
            Some(nonce) => uncached(key, nonce),
        };
        if let Some(write) = work.write.as_mut().filter(|_| self.is_unseen(work.number)) {
            let layer = write()?;
            let compression = self.shared.request.compression;
            snapshots
                .keep_beside(&snapshot, &|dir| LayerRecord::save(dir, compression, self.epoch, &layer))
                .map_err(failed)?;
            return Ok(snapshot);
        }
        let draft = snapshots.begin().map_err(failed)?;
        (work.execute)(&draft, task)?;
        snapshots.commit(draft, &snapshot).map_err(failed)?;
        Ok(snapshot)
    }
}

/// What there is of a step's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Its files, as a snapshot.
    Files,
    /// Only the layer that was written for it.
    Layer,
}

/// Names the result of a step for one build alone.
fn uncached(key: &Digest, nonce: &Digest) -> Digest {
    let mut op = Op::new("uncached");
    op.field("key", key.as_str()).field("nonce", nonce.as_str());
    op.finish()
}

/// Returns the key of a definition; no key of content is equal to it.
fn definition_of(key: &Key) -> Digest {
    let mut op = Op::new("definition");
    op.field("key", key.digest().as_str());
    op.finish()
}
