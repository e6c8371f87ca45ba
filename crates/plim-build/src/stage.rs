//! One stage: its state while its instructions are carried out, in order.

mod step;

use std::sync::{Arc, OnceLock};

use plim_dockerfile::words::{Lexer, is_used_bare};
use plim_dockerfile::{Instruction, Keyword, Kind};
use plim_oci::ImageConfig;

pub(crate) use step::{FilesystemStep, Inputs, StepOutcome};

use crate::base::Base;
use crate::error::BuildError;
use crate::files::FilesError;
use crate::graph::{Origin, Stage, Step};
use crate::scope::{Scope, Vars};
use crate::shared::Shared;
use crate::snapshot::WorkingCopy;
use crate::stack::Stack;
use crate::{copy, instruction, run};
use crate::{history, paths};

/// How many characters of an instruction a message shows.
const LONGEST_IN_MESSAGES: usize = 120;
/// The working directory of images that start from nothing.
const ROOT: &str = "/";
/// The earliest time taken from a base, 2 January 1980: bases without a time of their own exist, and zip
/// archives (Python wheels, Java archives) cannot hold files from before 1980 in any time zone.
const EARLIEST: i64 = 315_619_200;
/// PATH of images that set none.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A stage that is done.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The configuration that an image of the stage would have.
    pub(crate) config: ImageConfig,
    /// Its files.
    pub(crate) stack: Stack,
    /// Seconds since 1970 that nothing in it is newer than.
    pub(crate) epoch: i64,
    /// Name and image of the FROM that it all stands on.
    pub(crate) root: Option<(String, Arc<Base>)>,
    /// What became of the steps.
    pub(crate) outcomes: Vec<StepOutcome>,
    scope: Scope,
}

/// The results of stages, by index.
pub(crate) type Results = [OnceLock<Finished>];

/// A stage whose instructions are being carried out.
pub(crate) struct Building<'a> {
    /// What all stages use.
    pub(crate) shared: &'a Shared<'a>,
    /// The stage.
    pub(crate) stage: &'a Stage,
    /// Results of the stages that are done.
    pub(crate) results: &'a Results,
    /// The configuration so far.
    pub(crate) config: ImageConfig,
    /// The variables so far.
    pub(crate) scope: Scope,
    /// The files so far.
    pub(crate) stack: Stack,
    /// Seconds since 1970 that nothing in it is newer than.
    pub(crate) epoch: i64,
    /// CMD was given in this stage, so ENTRYPOINT does not reset it.
    pub(crate) command_given: bool,
    /// The layers are part of the image.
    pub(crate) exported: bool,
    /// The files that a RUN worked on, where that is a copy.
    pub(crate) copy: Option<WorkingCopy>,
    /// The step from which on nobody looks at the files that steps leave, where the build needs nothing of the stage but its
    /// image.
    pub(crate) unseen_from: Option<usize>,
    root: Option<(String, Arc<Base>)>,
    outcomes: Vec<StepOutcome>,
    counter: (usize, usize),
}

/// Carries out a stage; those it depends on are done.
pub(crate) fn build(shared: &Shared<'_>, index: usize, results: &Results) -> Result<Finished, BuildError> {
    let mut building = Building::start(shared, index, results)?;
    for (number, step) in building.stage.steps.iter().enumerate() {
        shared.go_on()?;
        building.carry_out(number, step)?;
    }
    Ok(building.finish())
}

fn touches_files(step: &Step) -> bool {
    matches!(step.instruction.keyword(), Some(Keyword::Run | Keyword::Copy | Keyword::Add | Keyword::Workdir))
}

/// Returns the first of the steps at the end of a stage whose files no step looks at: the last one that leaves files, and
/// those that only linked ones follow, which never look at what is below them.
fn unseen_from(steps: &[Step]) -> Option<usize> {
    let mut first = steps.iter().rposition(touches_files)?;
    while looks_at_nothing(&steps[first])
        && let Some(before) = steps[..first].iter().rposition(touches_files)
    {
        first = before;
    }
    Some(first)
}

fn looks_at_nothing(step: &Step) -> bool {
    let (link, chmod, chown) = match &step.instruction.kind {
        Kind::Copy(copy) => (copy.link, &copy.chmod, &copy.chown),
        Kind::Add(add) => (add.link, &add.chmod, &add.chown),
        _ => return false,
    };
    // --chmod switches --link off; a name is looked up in the files of the stage
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    link && chmod.is_none() && chown.as_ref().is_none_or(|chown| is_number(&chown.value))
}

impl<'a> Building<'a> {
    fn start(shared: &'a Shared<'a>, index: usize, results: &'a Results) -> Result<Self, BuildError> {
        let stage = &shared.plan.stages[index];
        let total = stage.steps.iter().filter(|step| touches_files(step)).count();
        // no stage can stand on the target
        let unseen_from = (index == shared.plan.target).then(|| unseen_from(&stage.steps)).flatten();
        let mut building = Self {
            shared,
            stage,
            results,
            config: ImageConfig::new(&stage.platform),
            scope: Scope::default(),
            stack: Stack::scratch(),
            epoch: shared.globals.epoch.unwrap_or(0),
            command_given: false,
            exported: shared.plan.exported.contains(&index),
            copy: None,
            unseen_from,
            root: None,
            outcomes: Vec::new(),
            counter: (0, total),
        };
        match &stage.base {
            Origin::Scratch => ROOT.clone_into(&mut building.config.config.working_dir),
            Origin::Stage(base) => building.start_from_stage(*base)?,
            Origin::Image(key) => {
                let image = shared.plan.image(key).ok_or_else(|| missing(&key.name))?;
                building.start_from_image(&key.name, image);
            }
            Origin::Dir(context) => {
                ROOT.clone_into(&mut building.config.config.working_dir);
                copy::named_context(&mut building, *context)?;
            }
        }
        building.settle_config();
        Ok(building)
    }

    fn start_from_stage(&mut self, base: usize) -> Result<(), BuildError> {
        let base = self.results[base].get().ok_or_else(|| missing(&self.stage.base_name))?;
        self.config = base.config.clone();
        self.config.config.on_build.clear();
        self.scope = base.scope.clone();
        self.stack = base.stack.clone();
        self.epoch = base.epoch;
        self.root.clone_from(&base.root);
        Ok(())
    }

    fn start_from_image(&mut self, name: &str, image: &Arc<Base>) {
        self.config = image.config().clone();
        // what else producers left there describes their build, not this one
        self.config.extra.retain(|key, _| key.starts_with("os."));
        self.config.config.extra.clear();
        self.config.config.on_build.clear();
        self.stack = Stack::of_image(name, image);
        self.root = Some((name.to_owned(), Arc::clone(image)));
        if self.shared.globals.epoch.is_none() {
            let created = image.config().created.as_deref().and_then(|created| created.parse::<jiff::Timestamp>().ok());
            self.epoch = created.map_or(0, jiff::Timestamp::as_second).max(EARLIEST);
        }
    }

    /// Gives the configuration what every image has, and the scope the variables of the base.
    fn settle_config(&mut self) {
        let platform = &self.stage.platform;
        self.config.os.clone_from(&platform.os);
        self.config.architecture.clone_from(&platform.architecture);
        if platform.variant.is_some() {
            self.config.variant.clone_from(&platform.variant);
        }
        let config = &mut self.config.config;
        if platform.os != paths::WINDOWS && Vars::of_env(&config.env).get("PATH").is_none() {
            config.env.push(DEFAULT_PATH.to_owned());
        }
        if platform.os == paths::WINDOWS {
            config.working_dir = paths::of_windows(&config.working_dir);
        }
        if !config.working_dir.is_empty() {
            config.working_dir = paths::clean(&config.working_dir);
        }
        self.scope.take_env(&config.env);
    }

    fn carry_out(&mut self, number: usize, step: &Step) -> Result<(), BuildError> {
        match &step.instruction.kind {
            Kind::Run(run) => run::run(self, number, step, run),
            Kind::Copy(copy) => copy::copy(self, number, step, copy),
            Kind::Add(add) => copy::add(self, number, step, add),
            Kind::Workdir(path) => instruction::workdir(self, number, step, &path.value),
            _ => instruction::metadata(self, step),
        }
    }

    fn finish(self) -> Finished {
        Finished {
            config: self.config,
            stack: self.stack,
            epoch: self.epoch,
            root: self.root,
            outcomes: self.outcomes,
            scope: self.scope,
        }
    }

    /// Returns the number that the step at hand gets in progress, and how many there are in the stage.
    pub(crate) fn next_number(&self) -> (usize, usize) {
        (self.counter.0 + 1, self.counter.1)
    }

    /// Adds a row to the history.
    pub(crate) fn add_history(&mut self, created_by: String, layer: bool) {
        self.config.history.push(history::row(created_by, layer, self.epoch));
    }

    /// Expands a word with the variables of the stage. Unset ones vanish with a warning.
    pub(crate) fn expand(&self, step: &Step, word: &str) -> Result<String, BuildError> {
        self.expand_with(step, word, Lexer::new(self.shared.plan.escape)).map(|expanded| expanded.text)
    }

    /// Expands text with the variables of the stage by the rules of a lexer.
    pub(crate) fn expand_with(
        &self,
        step: &Step,
        word: &str,
        lexer: Lexer,
    ) -> Result<plim_dockerfile::words::Expanded, BuildError> {
        let expanded = lexer
            .process_word(word, self.scope.vars())
            .map_err(|error| self.fail(step, error.to_string(), error.hint()))?;
        let forgotten = |name: &&String| !self.scope.declares(name) && is_used_bare(word, name);
        for name in expanded.unmatched.iter().filter(forgotten) {
            self.shared.warn(step.line, format!("variable `{name}` is not set and becomes nothing"));
        }
        Ok(expanded)
    }

    /// Returns a path of the image with slashes, whatever the system that the image is for writes.
    pub(crate) fn path_of(&self, path: String) -> String {
        if self.stage.platform.os == paths::WINDOWS { paths::of_windows(&path) } else { path }
    }

    /// Returns the epoch of the stage that a step reads; what is newer there was made by this build.
    pub(crate) fn epoch_of(&self, origin: Option<&Origin>) -> Option<i64> {
        match origin {
            Some(Origin::Stage(index)) => self.results[*index].get().map(|result| result.epoch),
            _ => None,
        }
    }

    /// Returns the files of a stage, image or nothing that a step reads.
    pub(crate) fn stack_of(&self, origin: &Origin) -> Result<Stack, BuildError> {
        match origin {
            Origin::Stage(index) => {
                let result = self.results[*index].get().ok_or_else(|| missing(&index.to_string()))?;
                Ok(result.stack.clone())
            }
            Origin::Image(key) => {
                let image = self.shared.plan.image(key).ok_or_else(|| missing(&key.name))?;
                Ok(Stack::of_image(&key.name, image))
            }
            Origin::Scratch | Origin::Dir(_) => Ok(Stack::scratch()),
        }
    }

    /// Returns an error about an instruction.
    pub(crate) fn fail(&self, step: &Step, message: impl Into<String>, hint: Option<String>) -> BuildError {
        BuildError::Instruction {
            line: step.line,
            stage: self.stage.label.clone(),
            instruction: brief(&step.instruction),
            message: message.into(),
            hint,
        }
    }

    /// Gives an error about files the instruction that met it.
    pub(crate) fn files_failed(&self, step: &Step) -> impl Fn(FilesError) -> BuildError + use<> {
        let (line, stage) = (step.line, self.stage.label.clone());
        let instruction = brief(&step.instruction);
        move |source| match source {
            FilesError::Cancelled => BuildError::Cancelled,
            source => BuildError::Files {
                line,
                stage: stage.clone(),
                instruction: instruction.clone(),
                source: Box::new(source),
            },
        }
    }
}

/// Returns an instruction on one line of a length that fits into a message.
pub(crate) fn brief(instruction: &Instruction) -> String {
    let text = one_space(instruction.one_line());
    match text.char_indices().nth(LONGEST_IN_MESSAGES) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Joins the words of an instruction that was written over several lines.
pub(crate) fn one_space(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The plan fetches images and the scheduler builds stages before anybody asks for them.
fn missing(name: &str) -> BuildError {
    BuildError::Request { message: format!("`{name}` was needed before it was there"), hint: None }
}
