//! Making the plan.

use std::collections::BTreeSet;

use plim_dockerfile::words::Lexer;
use plim_dockerfile::{Dockerfile, ErrorKind, From, Instruction, Kind, ParseError, Span};
use plim_oci::{Events, Platform};

use super::origin::{Names, find};
use super::{Images, Origin, Plan, Stage, Step};
use crate::base::{BaseError, BaseSource};
use crate::error::BuildError;
use crate::report::Warning;
use crate::request::Request;
use crate::scope::Globals;
use crate::stage::brief;

/// Plans the build of a Dockerfile: resolves all names, fetches the images of the stages that are needed, and
/// puts the ONBUILD triggers of bases in place.
pub(crate) fn plan(
    request: &Request,
    dockerfile: &Dockerfile,
    globals: &Globals,
    bases: &dyn BaseSource,
    events: &dyn Events,
    warnings: &mut Vec<Warning>,
) -> Result<Plan, BuildError> {
    let names = Names::new(request);
    let mut stages = read_stages(dockerfile, &names, globals, request, warnings)?;
    if stages.is_empty() {
        return Err(no_stage(request));
    }
    let scope = (globals, Lexer::new(dockerfile.escape));
    let target = find_target(request.target.as_deref(), &stages)?;
    let mut resolved = BTreeSet::new();
    // what a stage that nobody needs names need not be there
    let mut resolve = |stages: &mut Vec<Stage>, first: usize| -> Result<(), BuildError> {
        let mut wanted = BTreeSet::from([first]);
        while let Some(index) = wanted.pop_last() {
            if resolved.insert(index) {
                let steps = std::mem::take(&mut stages[index].steps);
                let steps = steps.into_iter().map(|step| with_origins(step, &names, stages, index, scope));
                stages[index].steps = steps.collect::<Result<_, _>>()?;
                wanted.extend(stages[index].dependencies());
            }
        }
        Ok(())
    };
    resolve(&mut stages, target)?;
    let mut images = Images::default();
    let mut triggered = BTreeSet::new();
    // triggers may copy from stages that nothing needed so far, whose bases may have triggers of their own
    let needed = loop {
        let needed = reachable(&stages, target);
        let keys = needed.iter().flat_map(|index| stages[*index].images().cloned()).collect();
        images.fetch(keys, bases, events).map_err(|failure| {
            let (key, source) = *failure;
            missing_image(&stages, &needed, &key.name, source)
        })?;
        let fresh: Vec<usize> = needed.iter().copied().filter(|index| triggered.insert(*index)).collect();
        if fresh.is_empty() {
            break needed;
        }
        for index in fresh {
            let triggers = triggers_of_base(&stages, index, &images);
            let mut steps = Vec::new();
            for expression in triggers {
                let step = read_trigger(&expression, &stages[index])?;
                steps.push(with_origins(step, &names, &stages, index, scope)?);
            }
            steps.append(&mut stages[index].steps);
            stages[index].steps = steps;
            for dependency in stages[index].dependencies().collect::<Vec<_>>() {
                resolve(&mut stages, dependency)?;
            }
        }
    };
    warn_platforms(&stages, &needed, &images, warnings);
    for name in &request.no_cache_stages {
        if !stages.iter().any(|stage| stage.label.eq_ignore_ascii_case(name)) {
            warnings.push(Warning {
                line: 0,
                message: format!("no stage is called `{name}`, whose steps are to be done again"),
            });
        }
    }
    let mut exported = BTreeSet::from([target]);
    let mut index = target;
    while let Origin::Stage(base) = stages[index].base {
        exported.insert(base);
        index = base;
    }
    Ok(Plan { stages, target, needed, exported, escape: dockerfile.escape, images })
}

fn read_stages(
    dockerfile: &Dockerfile,
    names: &Names<'_>,
    globals: &Globals,
    request: &Request,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Stage>, BuildError> {
    let lexer = Lexer::new(dockerfile.escape);
    let mut stages: Vec<Stage> = Vec::new();
    for instruction in &dockerfile.instructions {
        if let Kind::From(from) = &instruction.kind {
            let stage = read_stage(instruction, from, &stages, names, globals, lexer, request, warnings)?;
            stages.push(stage);
        } else if let Some(stage) = stages.last_mut() {
            stage.steps.push(Step {
                instruction: instruction.clone(),
                line: instruction.line,
                trigger: false,
                origins: Vec::new(),
            });
        }
    }
    for stage in &mut stages {
        // a stage that a named context replaces is that context and nothing else
        let Some(origin) = stage.name.as_deref().and_then(|name| names.replaces_stage(name, &stage.platform)) else {
            continue;
        };
        stage.base = origin;
        stage.steps.clear();
    }
    Ok(stages)
}

#[expect(clippy::too_many_arguments, reason = "the whole surroundings of a FROM line")]
fn read_stage(
    instruction: &Instruction,
    from: &From,
    before: &[Stage],
    names: &Names<'_>,
    globals: &Globals,
    lexer: Lexer,
    request: &Request,
    warnings: &mut Vec<Warning>,
) -> Result<Stage, BuildError> {
    let label = from.alias.as_ref().map_or_else(|| before.len().to_string(), |alias| alias.value.clone());
    let fail = |message: String, hint: Option<String>| BuildError::Instruction {
        line: instruction.line,
        stage: label.clone(),
        instruction: brief(instruction),
        message,
        hint,
    };
    let expand = |word: &str, warnings: &mut Vec<Warning>| {
        let expanded =
            lexer.process_word(word, globals.vars()).map_err(|error| fail(error.to_string(), error.hint()))?;
        for name in &expanded.unmatched {
            warnings.push(Warning {
                line: instruction.line,
                message: format!("FROM uses `{name}`, which no ARG before the first FROM gives a value"),
            });
        }
        Ok::<String, BuildError>(expanded.text)
    };
    let image = expand(&from.image.value, warnings)?;
    if image.is_empty() {
        return Err(fail(
            format!("`{}` is empty", from.image.value),
            Some("give the argument a value with --build-arg or a default at its ARG".to_owned()),
        ));
    }
    let platform = match &from.platform {
        None => request.platform.clone(),
        Some(word) => {
            let text = expand(&word.value, warnings)?;
            text.parse::<Platform>().map_err(|message| {
                fail(format!("--platform={}: {message}", word.value), Some("for example linux/amd64".to_owned()))
            })?
        }
    };
    let base = names.base(&image, before, &platform);
    let platform = match base {
        Origin::Stage(index) => before[index].platform.clone(),
        // the empty base is of every platform
        Origin::Scratch => request.platform.clone(),
        _ => platform,
    };
    Ok(Stage {
        name: from.alias.as_ref().map(|alias| alias.value.to_lowercase()),
        label,
        line: instruction.line,
        text: instruction.one_line().to_owned(),
        base_name: image,
        base,
        platform,
        steps: Vec::new(),
    })
}

/// Resolves the `from` of a COPY or of each mount of a RUN. Other than for BuildKit it may use the arguments of the global
/// scope, as FROM does; those of the stage are not known before it is built.
fn with_origins(
    mut step: Step,
    names: &Names<'_>,
    stages: &[Stage],
    index: usize,
    (globals, lexer): (&Globals, Lexer),
) -> Result<Step, BuildError> {
    let stage = &stages[index];
    let resolve = |name: &str, what: &str| {
        let fail = |message: String, hint: Option<String>| BuildError::Instruction {
            line: step.line,
            stage: stage.label.clone(),
            instruction: brief(&step.instruction),
            message,
            hint,
        };
        let expanded =
            lexer.process_word(name, globals.vars()).map_err(|error| fail(error.to_string(), error.hint()))?;
        if let Some(unset) = expanded.unmatched.first() {
            return Err(fail(
                format!("{what} uses `{unset}`, which no ARG before the first FROM gives a value"),
                Some(format!("write `ARG {unset}=NAME` before the first FROM, or give it with --build-arg there")),
            ));
        }
        if expanded.text.is_empty() {
            return Err(fail(format!("{what} is empty"), None));
        }
        let origin = names
            .from(&expanded.text, stages, &stage.platform)
            .map_err(|number| fail(format!("there is no stage number {number}"), None))?;
        match origin {
            Origin::Stage(other) if other >= index => Err(fail(
                format!("{what} names stage `{}`, which is not built before this one", stages[other].label),
                Some("move that stage up, above this one".to_owned()),
            )),
            origin => Ok(origin),
        }
    };
    step.origins = match &step.instruction.kind {
        Kind::Copy(copy) => vec![copy.from.as_ref().map(|from| resolve(&from.value, "--from")).transpose()?],
        Kind::Run(run) => run
            .mounts
            .iter()
            .map(|mount| mount.option("from").filter(|from| !from.is_empty()))
            .map(|from| from.map(|from| resolve(from, "a mount's from")).transpose())
            .collect::<Result<_, _>>()?,
        _ => Vec::new(),
    };
    Ok(step)
}

fn find_target(target: Option<&str>, stages: &[Stage]) -> Result<usize, BuildError> {
    let Some(target) = target.filter(|target| !target.is_empty()) else { return Ok(stages.len() - 1) };
    if let Some(index) = find(target, stages) {
        return Ok(index);
    }
    if let Some(index) = target.parse::<usize>().ok().filter(|index| *index < stages.len()) {
        return Ok(index);
    }
    let names: Vec<String> =
        stages.iter().filter(|stage| stage.name.is_some()).map(|stage| stage.label.clone()).collect();
    let similar = most_similar(target, names.iter().map(String::as_str));
    Err(BuildError::Target { target: target.to_owned(), stages: names, similar })
}

/// Returns the name that a misspelt one was probably meant to be.
fn most_similar<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let name = name.to_lowercase();
    names
        .map(|known| (strsim::damerau_levenshtein(&name, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= 1 + known.chars().count() / 4)
        .min()
        .map(|(_, known)| known.to_owned())
}

fn reachable(stages: &[Stage], target: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = vec![target];
    while let Some(index) = open.pop() {
        if found.insert(index) {
            open.extend(stages[index].dependencies());
        }
    }
    found
}

/// Returns the ONBUILD triggers that a stage inherits from the image or stage that it starts from.
fn triggers_of_base(stages: &[Stage], index: usize, images: &Images) -> Vec<String> {
    match &stages[index].base {
        Origin::Image(key) => images.get(key).map(|image| image.config().config.on_build.clone()).unwrap_or_default(),
        Origin::Stage(base) => stages[*base]
            .steps
            .iter()
            .filter_map(|step| match &step.instruction.kind {
                Kind::Onbuild(onbuild) => Some(onbuild.expression.clone()),
                _ => None,
            })
            .collect(),
        Origin::Scratch | Origin::Dir(_) => Vec::new(),
    }
}

fn read_trigger(expression: &str, stage: &Stage) -> Result<Step, BuildError> {
    let mut parsed = plim_dockerfile::parse_trigger(expression);
    let fail = |message: String, hint: Option<String>| BuildError::Instruction {
        line: stage.line,
        stage: stage.label.clone(),
        instruction: format!("{} (ONBUILD {expression})", stage.text),
        message: format!("the base image has a trigger that cannot be carried out: {message}"),
        hint,
    };
    if let Some(error) = parsed.first_error() {
        return Err(fail(error.message.clone(), error.hint.clone()));
    }
    match parsed.instructions.pop() {
        Some(Instruction { kind: Kind::From(_) | Kind::Onbuild(_) | Kind::Maintainer(_), .. }) | None => {
            Err(fail("FROM, ONBUILD and MAINTAINER cannot be triggers".to_owned(), None))
        }
        Some(instruction) => Ok(Step { instruction, line: 0, trigger: true, origins: Vec::new() }),
    }
}

fn missing_image(stages: &[Stage], needed: &BTreeSet<usize>, name: &str, mut source: BaseError) -> BuildError {
    let similar = most_similar(name, stages.iter().filter_map(|stage| stage.name.as_deref()));
    if let Some(similar) = similar {
        source.hint = Some(format!("did you mean the stage `{similar}`?"));
    }
    BuildError::Base { name: name.to_owned(), line: line_of(stages, needed, name), source }
}

/// Returns the line that first names an image.
pub(super) fn line_of(stages: &[Stage], needed: &BTreeSet<usize>, name: &str) -> usize {
    let is_it = |origin: &Origin| matches!(origin, Origin::Image(key) if key.name == name);
    let line_in = |stage: &Stage| {
        let from = is_it(&stage.base).then_some(stage.line);
        let reading = |step: &&Step| step.origins.iter().flatten().any(is_it);
        from.or_else(|| stage.steps.iter().find(reading).map(|step| step.line))
    };
    needed.iter().find_map(|index| line_in(&stages[*index])).unwrap_or(0)
}

fn warn_platforms(stages: &[Stage], needed: &BTreeSet<usize>, images: &Images, warnings: &mut Vec<Warning>) {
    let mut seen = BTreeSet::new();
    for index in needed {
        let stage = &stages[*index];
        let Origin::Image(key) = &stage.base else { continue };
        let Some(image) = images.get(key) else { continue };
        let (os, architecture) = (image.config().os.as_str(), image.config().architecture.as_str());
        let differs = (!os.is_empty() && os != key.platform.os)
            || (!architecture.is_empty() && architecture != key.platform.architecture);
        if differs && seen.insert(key) {
            warnings.push(Warning {
                line: stage.line,
                message: format!("{key} is an image for {os}/{architecture}, not for {}", key.platform),
            });
        }
    }
}

fn no_stage(request: &Request) -> BuildError {
    BuildError::Dockerfile {
        name: request.dockerfile_name.clone(),
        errors: vec![ParseError {
            span: Span { start: 0, end: 0 },
            message: "there is no FROM, so there is nothing to build".to_owned(),
            hint: Some("begin with the image to start from, for example `FROM scratch`".to_owned()),
            kind: ErrorKind::Instruction,
        }],
    }
}
