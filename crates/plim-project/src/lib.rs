//! A project folder as facts, and the Dockerfile written from them.
//!
//! [`detect`] reads a folder: its manifests, its sources, and the Dockerfile that the author wrote, which is evidence of how
//! the program is started, where it listens and what it needs. The result is a [`StackProfile`] in which every value names
//! the file and line that it comes from. What cannot be decided is not guessed: [`DetectError::Ambiguous`] lists the
//! candidates and how to choose.
//!
//! [`rewrite`] is a pure function from these facts to a multi-stage Dockerfile and its `.dockerignore`.

mod command;
mod compose;
mod detect;
mod error;
mod evidence;
mod folder;
mod project;
mod rewrite;
mod stack;

pub use command::{NeedsShell, parse_command};
pub use compose::fuzz as fuzz_compose;
pub use compose::yaml;
pub use compose::{ComposeFacts, Need, Settings};
pub use detect::detect;
pub use error::DetectError;
pub use evidence::{
    About, CopyFrom, CopyPair, Declared, Ecosystem, EntryScript, Evidence, Fact, Kept, Outputs, Placed, PlacedSource,
    Purpose, RunCommand, RunStep, Segment, SystemPackage, Told, debian_package_of, settle,
};
pub use project::{
    Artifact, Carried, CarryChoice, Choices, Finding, Install, KeptStage, Native, Output, Place, Project, Replaced,
    StackKind, StackProfile, Step, WantedVersion,
};
pub use rewrite::{Explanation, INIT, Rewrite, RewriteError, RewriteOptions, rewrite};
