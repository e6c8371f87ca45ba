//! One command in namespaces of its own: a build step, or an image started for a check.
//!
//! The caller describes the sandbox as a [`Spec`] and gets output and exit code: [`run`] blocks, [`start`] returns a
//! [`Container`]. No daemon and no runtime is needed, only a kernel with namespaces and overlayfs; as an ordinary user
//! [`userns::enter_if_needed`] comes first.
//!
//! A threaded process must not fork into code that allocates, so the program executes itself again as a small
//! single-threaded helper: [`helper_main`] has to be the first call of `main`. The helper stays outside as supervisor,
//! its child builds the mounts and becomes the command, process 1 of its own process-id namespace. When the command
//! ends, or the caller dies, the kernel ends everything in that namespace.
//!
//! ```text
//! caller (threads) ── socket ── helper ── fork ── process 1: mounts, pivot_root, limits, execve
//! ```
//!
//! This is the only crate that may contain `unsafe`; all of it stands in `sys`.

mod container;
mod error;
mod helper;
mod idmap;
pub mod isolation;
mod launch;
mod probe;
mod secret;
mod session;
mod spec;
mod stubs;
mod sys;
mod terminal;
pub mod userns;
mod wire;

pub use container::{Container, run, start};
pub use error::{ProgramFault, SandboxError, SystemError};
pub use helper::helper_main;
pub use isolation::Isolation;
pub use launch::set_helper;
pub use probe::{Support, probe};
pub use secret::Secret;
pub use spec::{Exit, Mount, MountSource, Network, ResolvConf, RootFs, Spec, Stream, Ulimit};
pub use terminal::{Terminal, run_on_terminal};
