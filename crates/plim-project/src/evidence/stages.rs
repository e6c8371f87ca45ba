//! The stages of a Dockerfile, and which of them make up the image.

use plim_dockerfile::{From, Instruction, Kind};

/// The instructions of a file by stage.
#[derive(Clone, Copy, Default)]
pub(super) struct Stages<'a> {
    instructions: &'a [Instruction],
}

impl<'a> Stages<'a> {
    pub(super) fn of(instructions: &'a [Instruction]) -> Self {
        Self { instructions }
    }

    pub(super) fn starts(self) -> impl Iterator<Item = (usize, &'a From)> {
        self.instructions.iter().enumerate().filter_map(|(index, instruction)| match &instruction.kind {
            Kind::From(from) => Some((index, from)),
            _ => None,
        })
    }

    pub(super) fn len(self) -> usize {
        self.starts().count()
    }

    /// What stands before the first stage; nothing if there is no stage.
    pub(super) fn globals(self) -> &'a [Instruction] {
        self.starts().next().map_or(&[], |(first, _)| &self.instructions[..first])
    }

    pub(super) fn instructions(self, number: usize) -> &'a [Instruction] {
        let mut starts = self.starts().skip(number).map(|(index, _)| index);
        let Some(start) = starts.next() else { return &[] };
        &self.instructions[start..starts.next().unwrap_or(self.instructions.len())]
    }

    /// Returns the number of the stage before `below` with that name or number.
    pub(super) fn find(self, name: &str, below: usize) -> Option<usize> {
        let named =
            self.starts().take(below).enumerate().filter(|(_, (_, from))| {
                from.alias.as_ref().is_some_and(|alias| alias.value.eq_ignore_ascii_case(name))
            });
        named.last().map(|(number, _)| number).or_else(|| name.parse().ok().filter(|number| *number < below))
    }

    /// Returns the stages that one is made of, the lowest first.
    pub(super) fn chain(self, last: Option<usize>) -> Vec<usize> {
        let mut chain: Vec<usize> = last.into_iter().collect();
        while let Some(current) = chain.last().copied()
            && let Some((_, from)) = self.starts().nth(current)
            && let Some(below) = self.find(&from.image.value, current)
        {
            chain.push(below);
        }
        chain.reverse();
        chain
    }
}
