//! Executes Dockerfiles without a daemon: build graph, step cache, snapshots, layer writing.
//!
//! [`build`] takes a [`Request`] and makes an image in the store of a [`State`]. Each stage is a chain of
//! steps; a step that touches files leaves one overlay-format directory ([`snapshot`]) under a key that is
//! a digest of what the step depends on. A step whose key is known is not run again, and a layer blob that
//! was written for it is not written again, so building twice reads no content.

pub mod files;
pub mod git;
pub mod snapshot;

mod base;
mod cache;
mod context;
mod copy;
mod error;
mod export;
mod flat;
mod graph;
mod history;
mod instruction;
mod paths;
mod report;
mod request;
mod run;
mod schedule;
mod scope;
mod shared;
mod ssh;
mod stack;
mod stage;
mod state;
mod travel;

pub use base::{Base, BaseError, BaseSource, LateImage, NoBases};
pub use context::{is_archive, unpack_context};
pub use error::{BuildError, ErrorKind, StepContext};
pub use plim_sandbox::{Isolation, Network, Secret, Terminal};
pub use report::{BaseReport, Built, ChangedFile, FileChange, Miss, StepReport, Warning};
pub use request::{Context, NamedContext, Request, SecretSpec};
pub use schedule::build;
pub use ssh::fuzz as fuzz_ssh;
pub use ssh::{SshAgent, SshError};
pub use stack::Root;
pub use state::State;
pub use travel::{
    CacheExport, CacheMode, CacheMount, CacheSource, CacheTable, CacheTableError, INLINE_CACHE, MountSource, MountTable,
};
