//! The stages of a file and what they need of each other.

mod build;

use std::collections::BTreeSet;
use std::ops::Range;

use crate::ast::{Dockerfile, ParseError};
use crate::span::Span;
use crate::suggest;

/// Where files come from: what FROM, `COPY --from` or `--mount=from=` name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BaseRef {
    /// The stage with this index.
    Stage(usize),
    /// Nothing: `scratch`.
    Scratch,
    /// An image or named context, variables expanded.
    Image(String),
}

/// A stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its number, from 0.
    pub index: usize,
    /// Its name in lower case.
    pub name: Option<String>,
    /// Index of its FROM among the instructions.
    pub from: usize,
    /// Indexes of the instructions after FROM.
    pub body: Range<usize>,
    /// What it begins with.
    pub base: BaseRef,
    /// `--platform` with variables expanded.
    pub platform: Option<String>,
    /// What else it reads from, in the order of the file. Triggers (`ONBUILD`) of the stage it is based on are included.
    pub dependencies: Vec<Dependency>,
}

/// Something that an instruction reads from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// What it is.
    pub on: BaseRef,
    /// Index of the instruction.
    pub instruction: usize,
    /// The name as written.
    pub span: Span,
}

/// A mistake that belongs to a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageError {
    /// Index of the stage.
    pub stage: usize,
    /// Whether a build fails even if it does not need the stage.
    pub always: bool,
    /// What is wrong.
    pub error: ParseError,
}

/// All stages of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageGraph {
    /// The stages in the order of the file.
    pub stages: Vec<Stage>,
    /// The variables of the global scope: predefined ones, and ARGs before the first FROM with what they got.
    pub global_args: Vec<(String, String)>,
    /// What is wrong with the graph.
    pub errors: Vec<StageError>,
}

/// The target is no stage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no stage `{target}`")]
pub struct TargetError {
    /// What was asked for.
    pub target: String,
    /// A stage with a similar name.
    pub similar: Option<String>,
}

impl TargetError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        self.similar.as_ref().map(|name| format!("did you mean `{name}`?"))
    }
}

impl StageGraph {
    /// Reads the stages of `file`. `build_args` are the values given on the command line; they win over defaults of
    /// ARGs. `predefined` are the variables that exist without ARG in the global scope (`TARGETPLATFORM` and so on);
    /// `build_args` win over them as well.
    pub fn new(file: &Dockerfile, build_args: &[(String, String)], predefined: &[(String, String)]) -> Self {
        build::graph(file, build_args, predefined)
    }

    /// Returns the stage that `target` names: by name in any case, by number, or the last one.
    pub fn target(&self, target: Option<&str>) -> Result<usize, TargetError> {
        let Some(name) = target.filter(|name| !name.is_empty()) else {
            let none = || TargetError { target: String::new(), similar: None };
            return self.stages.len().checked_sub(1).ok_or_else(none);
        };
        let lower = name.to_lowercase();
        let named = self.stages.iter().rposition(|stage| stage.name.as_ref() == Some(&lower));
        let numbered = || name.parse().ok().filter(|index| *index < self.stages.len());
        named.or_else(numbered).ok_or_else(|| {
            let names = self.stages.iter().filter_map(|stage| stage.name.as_deref());
            TargetError { target: name.to_owned(), similar: suggest::closest(name, names).map(str::to_owned) }
        })
    }

    /// Returns the stages that building `target` needs, itself included, each after all that it needs.
    pub fn reachable(&self, target: usize) -> Vec<usize> {
        let mut seen = BTreeSet::new();
        let mut order = Vec::new();
        // a stage is entered, its needs are put above it, and it is left when it comes up again
        let mut stack = vec![(target, false)];
        while let Some((index, leave)) = stack.pop() {
            if leave {
                order.push(index);
            } else if let Some(stage) = self.stages.get(index)
                && seen.insert(index)
            {
                stack.push((index, true));
                let mut needs: Vec<usize> = stage.needs().collect();
                needs.sort_unstable();
                stack.extend(needs.into_iter().rev().map(|need| (need, false)));
            }
        }
        order
    }

    /// Returns all stages, each after those that it needs.
    pub fn order(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.stages.len());
        for index in 0..self.stages.len() {
            if !order.contains(&index) {
                order.extend(
                    self.reachable(index).into_iter().filter(|other| !order.contains(other)).collect::<Vec<_>>(),
                );
            }
        }
        order
    }

    /// Returns what keeps `target` from being built, first mistake first.
    pub fn error_for(&self, target: usize) -> Option<&StageError> {
        let needed = self.reachable(target);
        self.errors.iter().find(|error| error.always || needed.contains(&error.stage))
    }

    /// Returns the stage that the instruction with this index belongs to; `None` before the first FROM.
    pub fn stage_of(&self, instruction: usize) -> Option<usize> {
        self.stages.iter().rposition(|stage| stage.from <= instruction)
    }

    /// Returns what `--from=NAME` of a COPY in stage `stage` means: a stage by name or number, `scratch`, or else an
    /// image or named context. The nearest stage above counts; without one a stage further down, which is a mistake.
    pub fn copy_source(&self, name: &str, stage: usize) -> BaseRef {
        match name.parse::<usize>() {
            Ok(index) if index < self.stages.len() => BaseRef::Stage(index),
            _ => self.mount_source(name, stage),
        }
    }

    /// Returns what `from=NAME` of a mount in stage `stage` means: like [`StageGraph::copy_source`], but numbers are
    /// names of images.
    pub fn mount_source(&self, name: &str, stage: usize) -> BaseRef {
        let lower = name.to_lowercase();
        let is_it = |other: &Stage| other.name.as_ref() == Some(&lower);
        let above = self.stages.get(..stage).and_then(|above| above.iter().rposition(is_it));
        match above.or_else(|| self.stages.iter().rposition(is_it)) {
            Some(index) => BaseRef::Stage(index),
            None if name == "scratch" => BaseRef::Scratch,
            None => BaseRef::Image(name.to_owned()),
        }
    }
}

impl Stage {
    /// Returns the stages that this one needs directly.
    pub fn needs(&self) -> impl Iterator<Item = usize> {
        std::iter::once(&self.base).chain(self.dependencies.iter().map(|dependency| &dependency.on)).filter_map(
            |reference| match reference {
                BaseRef::Stage(index) => Some(*index),
                _ => None,
            },
        )
    }

    /// Returns how messages call the stage: its name, or its number.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("stage-{}", self.index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn graph(text: &str, args: &[(&str, &str)]) -> StageGraph {
        let file = parse(text);
        assert_eq!(file.errors, []);
        StageGraph::new(&file, &pairs(args), &pairs(&[("BUILDPLATFORM", "linux/amd64")]))
    }

    fn errors(graph: &StageGraph) -> Vec<String> {
        graph.errors.iter().map(|error| error.error.message.clone()).collect()
    }

    #[test]
    fn global_args_choose_the_base() {
        let text = "ARG V=1\nARG N=go:$V O\nFROM --platform=$BUILDPLATFORM ${N} AS a\nFROM $O\n";
        let found = graph(text, &[("O", "a")]);
        assert_eq!(found.stages[0].base, BaseRef::Image("go:1".to_owned()));
        assert_eq!(found.stages[0].platform.as_deref(), Some("linux/amd64"));
        assert_eq!(found.stages[1].base, BaseRef::Stage(0));
        let found = graph(text, &[("V", "2"), ("O", "x"), ("UNKNOWN", "y")]);
        assert_eq!(found.stages[0].base, BaseRef::Image("go:2".to_owned()));
        assert_eq!(found.stages[1].base, BaseRef::Image("x".to_owned()));
        assert_eq!(errors(&graph(text, &[])), ["the image `$O` is empty once its variables are expanded"]);
    }

    #[test]
    fn a_name_means_the_nearest_stage_above() {
        let text = "FROM x AS A\nFROM A AS a\nFROM y\nCOPY --from=a /f /\nCOPY --from=0 /f /\nCOPY --from=b /f /\n";
        let found = graph(text, &[]);
        assert_eq!(found.stages[1].base, BaseRef::Stage(0));
        let on: Vec<&BaseRef> = found.stages[2].dependencies.iter().map(|dependency| &dependency.on).collect();
        assert_eq!(on, [&BaseRef::Stage(1), &BaseRef::Stage(0), &BaseRef::Image("b".to_owned())]);
        assert_eq!(found.target(Some("a")), Ok(1));
    }

    #[test]
    fn only_what_is_needed_is_reachable() {
        let text =
            "FROM x AS a\nFROM x AS b\nFROM x AS c\nRUN --mount=from=a,target=/a true\nFROM c\nCOPY --from=2 / /\n";
        let found = graph(text, &[]);
        assert_eq!(found.reachable(3), [0, 2, 3]);
        assert_eq!(found.reachable(1), [1]);
        assert_eq!(found.order(), [0, 1, 2, 3]);
        assert_eq!(found.stage_of(0), Some(0));
        assert_eq!(found.stage_of(3), Some(2));
    }

    #[test]
    fn targets_have_suggestions() {
        let found = graph("FROM x AS build\nFROM x AS run\n", &[]);
        assert_eq!(found.target(None), Ok(1));
        assert_eq!(found.target(Some("BUILD")), Ok(0));
        assert_eq!(found.target(Some("1")), Ok(1));
        assert_eq!(found.target(Some("bulid")).unwrap_err().hint().as_deref(), Some("did you mean `build`?"));
    }

    #[test]
    fn stages_cannot_read_from_below() {
        let found = graph("FROM x AS a\nCOPY --from=b / /\nFROM y AS b\nFROM z\n", &[]);
        assert_eq!(errors(&found), ["stage a copies from stage b, which comes later in the file"]);
        assert_eq!(found.error_for(2), None);
        assert!(found.error_for(0).is_some());
        let circle = graph("FROM x AS a\nCOPY --from=b / /\nFROM a AS b\n", &[]);
        assert!(circle.errors.iter().any(|error| error.always));
        assert_eq!(circle.reachable(1).len(), 2);
        let itself = graph("FROM x AS a\nCOPY --from=a / /\n", &[]);
        assert!(itself.error_for(0).is_some());
    }

    #[test]
    fn variables_do_not_choose_the_source_of_a_copy() {
        let found = graph("ARG S=a\nFROM x AS a\nFROM y\nCOPY --from=$S / /\n", &[]);
        assert_eq!(errors(&found), ["`--from` of COPY does not expand variables"]);
    }

    #[test]
    fn triggers_of_a_stage_belong_to_those_based_on_it() {
        let found = graph("FROM x AS data\nFROM x AS base\nONBUILD COPY --from=data /f /\nFROM base\n", &[]);
        assert_eq!(found.stages[1].dependencies, []);
        assert_eq!(found.stages[2].dependencies[0].on, BaseRef::Stage(0));
        assert_eq!(found.reachable(2), [0, 1, 2]);
    }
}
