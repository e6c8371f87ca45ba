//! The stages of a Dockerfile, and which of them make up the image.

use plim_dockerfile::stages::{BaseRef, StageGraph};
use plim_dockerfile::{Dockerfile, Instruction};

/// The instructions of a file by stage.
pub(super) struct Stages<'a> {
    file: &'a Dockerfile,
    graph: StageGraph,
}

impl<'a> Stages<'a> {
    pub(super) fn of(file: &'a Dockerfile) -> Self {
        Self { file, graph: StageGraph::new(file, &[], &[]) }
    }

    pub(super) fn len(&self) -> usize {
        self.graph.stages.len()
    }

    /// What stands before the first stage; nothing if there is no stage.
    pub(super) fn globals(&self) -> &'a [Instruction] {
        self.graph.stages.first().map_or(&[], |stage| &self.file.instructions[..stage.from])
    }

    /// The instructions of a stage, FROM first.
    pub(super) fn instructions(&self, number: usize) -> &'a [Instruction] {
        self.graph.stages.get(number).map_or(&[], |stage| &self.file.instructions[stage.from..stage.body.end])
    }

    /// Returns the stage that another one begins with.
    pub(super) fn below(&self, number: usize) -> Option<usize> {
        match self.graph.stages.get(number)?.base {
            // a stage that begins with itself or a later one is a mistake
            BaseRef::Stage(below) if below < number => Some(below),
            _ => None,
        }
    }

    /// Returns the image at the bottom of a stage, variables replaced.
    pub(super) fn image(&self, number: usize) -> String {
        let bottom = self.chain(Some(number)).first().copied().unwrap_or(number);
        match self.graph.stages.get(bottom).map(|stage| &stage.base) {
            Some(BaseRef::Image(image)) => image.clone(),
            Some(BaseRef::Scratch) => "scratch".to_owned(),
            _ => String::new(),
        }
    }

    /// Returns the stages that one is made of, the lowest first.
    pub(super) fn chain(&self, last: Option<usize>) -> Vec<usize> {
        let mut chain: Vec<usize> = last.into_iter().collect();
        while let Some(below) = chain.last().and_then(|current| self.below(*current)) {
            chain.push(below);
        }
        chain.reverse();
        chain
    }

    /// Returns the stages that the last one needs, itself included, each after all that it needs.
    pub(super) fn needed(&self) -> Vec<usize> {
        self.len().checked_sub(1).map(|last| self.graph.reachable(last)).unwrap_or_default()
    }

    /// Returns the stage that `COPY --from=NAME` means in another one.
    pub(super) fn copy_source(&self, name: &str, stage: usize) -> Option<usize> {
        match self.graph.copy_source(name, stage) {
            BaseRef::Stage(number) => Some(number),
            _ => None,
        }
    }

    /// Returns the values of ARGs before the first stage.
    pub(super) fn global_args(&self) -> &[(String, String)] {
        &self.graph.global_args
    }
}
