//! Making the graph.

use super::{BaseRef, Dependency, Stage, StageError, StageGraph};
use crate::ast::{Dockerfile, ErrorKind, Instruction, ParseError};
use crate::kind::{From, Kind};
use crate::span::{Span, Spanned};
use crate::words::{Lexer, NoEnv};

pub(super) fn graph(file: &Dockerfile, build_args: &[(String, String)], predefined: &[(String, String)]) -> StageGraph {
    let lexer = Lexer::new(file.escape);
    let mut graph = StageGraph { stages: Vec::new(), global_args: Vec::new(), errors: Vec::new() };
    for (name, value) in predefined {
        let value = given(build_args, name).unwrap_or(value);
        set(&mut graph.global_args, name, value.clone());
    }
    for (index, instruction) in file.instructions.iter().enumerate() {
        match &instruction.kind {
            Kind::From(from) => graph.begin(index, from, lexer),
            Kind::Arg(args) if graph.stages.is_empty() => {
                for arg in args {
                    let value = match (given(build_args, &arg.name), &arg.default) {
                        (Some(value), _) => Some(value.clone()),
                        (None, Some(default)) => graph.expand(lexer, default, 0),
                        (None, None) => None,
                    };
                    if let Some(value) = value {
                        set(&mut graph.global_args, &arg.name, value);
                    }
                }
            }
            _ => {
                if let Some(stage) = graph.stages.last_mut() {
                    stage.body.end = index + 1;
                }
            }
        }
    }
    graph.connect(file, lexer);
    graph.find_circles(file);
    graph
}

fn given<'a>(args: &'a [(String, String)], name: &str) -> Option<&'a String> {
    args.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn set(args: &mut Vec<(String, String)>, name: &str, value: String) {
    match args.iter_mut().find(|(key, _)| key == name) {
        Some(pair) => pair.1 = value,
        None => args.push((name.to_owned(), value)),
    }
}

impl StageGraph {
    fn error(&mut self, stage: usize, always: bool, span: Span, message: String, hint: Option<String>) {
        let error = ParseError { span, message, hint, kind: ErrorKind::Instruction };
        self.errors.push(StageError { stage, always, error });
    }

    /// Expands a value of the global scope.
    fn expand(&mut self, lexer: Lexer, word: &Spanned, stage: usize) -> Option<String> {
        match lexer.process_word(word, &self.global_args) {
            Ok(expanded) => Some(expanded.text),
            Err(error) => {
                self.error(stage, true, word.span, error.to_string(), error.hint());
                None
            }
        }
    }

    fn begin(&mut self, instruction: usize, from: &From, lexer: Lexer) {
        let index = self.stages.len();
        let image = self.expand(lexer, &from.image, index).unwrap_or_else(|| from.image.value.clone());
        if image.is_empty() {
            let hint = "give the ARG a default before the first FROM, or pass it with --build-arg".to_owned();
            let message = format!("the image `{}` is empty once its variables are expanded", from.image);
            self.error(index, true, from.image.span, message, Some(hint));
        }
        let platform = from.platform.as_ref().and_then(|platform| {
            let expanded = self.expand(lexer, platform, index)?;
            if expanded.is_empty() {
                let hint = "BUILDPLATFORM and TARGETPLATFORM are always set".to_owned();
                let message = format!("the platform `{platform}` is empty once its variables are expanded");
                self.error(index, true, platform.span, message, Some(hint));
            }
            Some(expanded)
        });
        let lower = image.to_lowercase();
        let base = match self.stages.iter().rposition(|stage| stage.name.as_ref() == Some(&lower)) {
            Some(stage) => BaseRef::Stage(stage),
            None if image == "scratch" => BaseRef::Scratch,
            None => BaseRef::Image(image),
        };
        self.stages.push(Stage {
            index,
            name: from.alias.as_ref().map(|alias| alias.to_lowercase()),
            from: instruction,
            body: instruction + 1..instruction + 1,
            base,
            platform,
            dependencies: Vec::new(),
        });
    }

    /// Finds what the instructions of each stage read from.
    fn connect(&mut self, file: &Dockerfile, lexer: Lexer) {
        for index in 0..self.stages.len() {
            let stage = &self.stages[index];
            let inherited = match stage.base {
                BaseRef::Stage(base) => self.stages.get(base).map_or(0..0, |base| base.body.clone()),
                _ => 0..0,
            };
            let own = stage.body.clone();
            let mut dependencies = Vec::new();
            for at in inherited {
                if let Some(Kind::Onbuild(onbuild)) = file.instructions.get(at).map(|instruction| &instruction.kind) {
                    self.sources(&onbuild.instruction, at, index, lexer, &mut dependencies);
                }
            }
            for at in own {
                if let Some(instruction) = file.instructions.get(at) {
                    self.sources(instruction, at, index, lexer, &mut dependencies);
                }
            }
            if let Some(stage) = self.stages.get_mut(index) {
                stage.dependencies = dependencies;
            }
        }
    }

    fn sources(
        &mut self,
        instruction: &Instruction,
        at: usize,
        stage: usize,
        lexer: Lexer,
        dependencies: &mut Vec<Dependency>,
    ) {
        let found: Vec<(BaseRef, Span)> = match &instruction.kind {
            Kind::Copy(copy) => {
                let Some(from) = &copy.from else { return };
                let plain = lexer.process_word(from, &NoEnv).is_ok_and(|expanded| expanded.text == from.value);
                if !plain {
                    let hint = "name a stage with `FROM $image AS name` and copy from that".to_owned();
                    let message = "`--from` of COPY does not expand variables".to_owned();
                    self.error(stage, true, from.span, message, Some(hint));
                    return;
                }
                if from.parse::<i64>().is_ok_and(|index| usize::try_from(index).is_ok_and(|i| i < self.stages.len())) {
                    vec![(self.copy_source(from, stage), from.span)]
                } else if from.parse::<i64>().is_ok() {
                    let message = format!("there is no stage with the number {from}");
                    self.error(stage, true, from.span, message, Some("stages are counted from 0".to_owned()));
                    return;
                } else {
                    vec![(self.mount_source(from, stage), from.span)]
                }
            }
            Kind::Run(run) => run
                .mounts
                .iter()
                .filter_map(|mount| Some((mount.option("from").filter(|from| !from.is_empty())?, mount.text.span)))
                .map(|(from, span)| (self.mount_source(from, stage), span))
                .collect(),
            _ => return,
        };
        for (on, span) in found {
            if let BaseRef::Stage(other) = on
                && other >= stage
            {
                let label = |index: usize| self.stages.get(index).map(Stage::label).unwrap_or_default();
                let (this, that) = (label(stage), label(other));
                let message = if other == stage {
                    format!("stage {this} copies from itself")
                } else {
                    format!("stage {this} copies from stage {that}, which comes later in the file")
                };
                let hint = (other > stage).then(|| format!("move stage {that} above stage {this}"));
                self.error(stage, false, span, message, hint);
            }
            dependencies.push(Dependency { on, instruction: at, span });
        }
    }

    /// Notes the first circle: BuildKit refuses the whole file for it, whatever the target.
    fn find_circles(&mut self, file: &Dockerfile) {
        let circle = (0..self.stages.len()).find(|index| {
            let needs: Vec<usize> = self.stages[*index].needs().collect();
            needs.into_iter().any(|need| self.reachable(need).contains(index))
        });
        if let Some(index) = circle {
            let stage = &self.stages[index];
            let span = file.instructions.get(stage.from).map_or(Span::at(0), |instruction| instruction.span);
            let message = format!("stage {} needs itself", stage.label());
            self.error(index, true, span, message, None);
        }
    }
}
