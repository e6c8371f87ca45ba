//! What a build says about itself.

use plim_oci::{Digest, Image};
use serde::Serialize;

use crate::stack::Root;
use crate::travel::{CacheMount, CacheTable};

/// The result of a build.
#[derive(Debug)]
pub struct Built {
    /// The image, in the store; it has no name there yet.
    pub image: Image,
    /// Its files, as the directories that the build worked on.
    pub root: Root,
    /// The steps of the stages that were needed, stage by stage, in order.
    pub steps: Vec<StepReport>,
    /// The caches that were asked for.
    pub caches: Vec<CacheTable>,
    /// The cache directories that the needed stages name, be they used this time or not.
    pub cache_mounts: Vec<CacheMount>,
    /// The images that the build read.
    pub bases: Vec<BaseReport>,
    /// What looks wrong but did not stop the build.
    pub warnings: Vec<Warning>,
}

/// An image that a build read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BaseReport {
    /// Its name in the Dockerfile, or that of the named context in its place.
    pub name: String,
    /// The platform it was asked for.
    pub platform: String,
    /// Digest of its manifest.
    pub digest: Digest,
}

/// What became of one instruction that touches files.
#[derive(Debug, Clone, Serialize)]
pub struct StepReport {
    /// Name of the stage, or its number.
    pub stage: String,
    /// Line of the Dockerfile, from 1; 0 for triggers of the base image.
    pub line: usize,
    /// The instruction as the history shows it.
    pub instruction: String,
    /// Nothing was done: the result was there.
    pub cached: bool,
    /// The cache of another machine that answered; `None` when it was this one's, or when nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imported: Option<String>,
    /// Why something had to be done; `None` when cached.
    pub miss: Option<Miss>,
    /// Time it took, in seconds.
    pub seconds: f64,
    /// The layer's blob, when the step is part of the image.
    pub layer: Option<Digest>,
    /// Size of that blob in bytes.
    pub bytes: u64,
}

/// Why the cache did not answer for a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Miss {
    /// The cache was switched off.
    NoCache,
    /// No earlier build of this Dockerfile had this step.
    FirstBuild,
    /// The instruction, its arguments or its environment are others than last time.
    InstructionChanged,
    /// Something that the step reads has changed.
    InputChanged {
        /// What: a source of COPY, a mount.
        input: String,
        /// The first of the files that are others, where that is known.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        files: Vec<ChangedFile>,
        /// How many others there are.
        #[serde(skip_serializing_if = "is_zero")]
        more: usize,
    },
    /// An earlier step of the stage has changed.
    ParentChanged,
    /// Nothing has changed, but the result is no longer in the cache.
    Forgotten,
}

impl std::fmt::Display for Miss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoCache => f.write_str("the cache is switched off"),
            Self::FirstBuild => f.write_str("first build"),
            Self::InstructionChanged => f.write_str("instruction changed"),
            Self::InputChanged { input, files, more } => {
                write!(f, "{input} changed")?;
                for (number, file) in files.iter().enumerate() {
                    write!(f, "{}{file}", if number == 0 { ": " } else { ", " })?;
                }
                if *more > 0 { write!(f, " and {more} more") } else { Ok(()) }
            }
            Self::ParentChanged => f.write_str("an earlier step changed"),
            Self::Forgotten => f.write_str("no longer in the cache"),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A file that is another one than in the last build.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ChangedFile {
    /// Its path in the source.
    pub path: String,
    /// What became of it.
    pub change: FileChange,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileChange {
    /// Its content, owner, mode or another property is not the same.
    Changed,
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
}

impl std::fmt::Display for ChangedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.escape_debug();
        match self.change {
            FileChange::Changed => write!(f, "{path}"),
            FileChange::Added => write!(f, "{path} (new)"),
            FileChange::Removed => write!(f, "{path} (gone)"),
        }
    }
}

/// Something that looks wrong in the Dockerfile or the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Line of the Dockerfile, from 1; 0 when it is about no line.
    pub line: usize,
    /// What looks wrong.
    pub message: String,
}
