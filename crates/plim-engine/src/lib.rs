//! One module per command: a request goes in, a report comes out. Composes the floors below, prints nothing.
//!
//! What the engine must know of the machine (directories, environment, the time) is handed in by
//! [`Workspace::open`]; it reads no environment variable and asks no terminal.

pub mod analyze;
pub mod base;
pub mod build;
pub mod config;
pub mod copy;
pub mod diff;
pub mod failure;
pub mod images;
pub mod inspect;
pub mod isolation;
pub mod lint;
pub mod optimize;
pub mod pull;
pub mod recompress;
pub mod run;
pub mod store;
pub mod why;
pub mod workspace;

mod aliases;
mod bases;
mod housekeeping;
mod place;
mod priority;
mod scratch;
#[cfg(test)]
mod testing;

pub use config::Config;
pub use failure::{Failure, Kind};
pub use plim_oci::{CACHED, Events, LayerForm, Platform, Silent, TaskId};
pub use workspace::{Host, Sockets, Workspace};

/// The name and version that reports carry.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Tool {
    /// Always `plim`.
    pub name: String,
    /// The version of plim.
    pub version: String,
}

impl Tool {
    /// Returns this version of plim.
    pub fn this() -> Self {
        Self { name: "plim".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}
