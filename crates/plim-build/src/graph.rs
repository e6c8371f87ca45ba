//! The plan of a build: which stages there are, what each starts from and reads, and which are needed.

mod images;
mod origin;
mod plan;

use std::collections::BTreeSet;
use std::sync::Arc;

use plim_dockerfile::Instruction;
use plim_oci::Platform;

use crate::base::{Base, BaseError};
use crate::error::BuildError;

pub(crate) use images::{ImageKey, Images};
pub(crate) use plan::plan;

/// Where a FROM, a `--from` or a mount takes files from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nothing.
    Scratch,
    /// A stage, by index.
    Stage(usize),
    /// An image.
    Image(ImageKey),
    /// A directory among the request's named contexts, by index.
    Dir(usize),
}

/// An instruction of a stage.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The instruction.
    pub(crate) instruction: Instruction,
    /// Line of the Dockerfile, from 1; 0 for a trigger of a base image.
    pub(crate) line: usize,
    /// It is an ONBUILD trigger of the base.
    pub(crate) trigger: bool,
    /// Where its `--from` or each of its mounts reads; `None` is the build context or nothing.
    pub(crate) origins: Vec<Option<Origin>>,
}

/// A stage.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    /// The name as written, else the index.
    pub(crate) label: String,
    /// The name in lower case, as it is looked up.
    pub(crate) name: Option<String>,
    /// Line of its FROM, from 1.
    pub(crate) line: usize,
    /// The FROM instruction as written.
    pub(crate) text: String,
    /// The base's name, expanded.
    pub(crate) base_name: String,
    /// What it starts from.
    pub(crate) base: Origin,
    /// The platform of its base and its steps.
    pub(crate) platform: Platform,
    /// Its instructions, triggers of the base first.
    pub(crate) steps: Vec<Step>,
}

impl Stage {
    /// Returns the stages that must be done before this one.
    pub(crate) fn dependencies(&self) -> impl Iterator<Item = usize> + '_ {
        self.origins().filter_map(|origin| match origin {
            Origin::Stage(index) => Some(*index),
            _ => None,
        })
    }

    /// Returns the images that it starts from or reads.
    fn images(&self) -> impl Iterator<Item = &ImageKey> {
        self.origins().filter_map(|origin| match origin {
            Origin::Image(key) => Some(key),
            _ => None,
        })
    }

    fn origins(&self) -> impl Iterator<Item = &Origin> {
        std::iter::once(&self.base).chain(self.steps.iter().flat_map(|step| step.origins.iter().flatten()))
    }
}

/// The plan of a build.
#[derive(Debug)]
pub(crate) struct Plan {
    /// All stages, in order of the file.
    pub(crate) stages: Vec<Stage>,
    /// The stage that becomes the image.
    pub(crate) target: usize,
    /// The stages that have to be built.
    pub(crate) needed: BTreeSet<usize>,
    /// The stages whose layers are part of the image: the target and the stages it is FROM.
    pub(crate) exported: BTreeSet<usize>,
    /// The escape character of the Dockerfile.
    pub(crate) escape: char,
    images: Images,
}

impl Plan {
    /// Returns an image that the plan names.
    pub(crate) fn image(&self, key: &ImageKey) -> Option<&Arc<Base>> {
        self.images.get(key)
    }

    /// Returns the error of an image that could not be had after all, with the line that names it.
    pub(crate) fn image_failed(&self, name: &str, source: BaseError) -> BuildError {
        BuildError::Base { name: name.to_owned(), line: plan::line_of(&self.stages, &self.needed, name), source }
    }

    /// Returns all images that the stages that are needed read.
    pub(crate) fn images(&self) -> impl Iterator<Item = (&ImageKey, &Arc<Base>)> {
        self.images.iter()
    }
}
