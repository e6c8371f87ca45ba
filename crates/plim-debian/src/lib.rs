//! The Debian archive as a source of base images.
//!
//! A [`Recipe`] names packages. [`Archive::plan`] reads the archive's signed indexes, chooses versions and returns a
//! [`Plan`]: one [`Level`] per recipe along its `extends` chain, lowest first. Each level becomes one layer. The caller
//! makes it in three moves on an empty directory: [`Level::unpack`], then the [`Level::steps`] inside that root (a
//! sandbox is not this crate's business), then [`Level::finish`], after which the directory depends on nothing but the
//! packages and may be written as a layer. The first move may be made in two, [`Level::unpack_packages`] while the level
//! below is still being made, and [`UnpackedLevel::stand_on`] afterwards.
//!
//! Nothing is used before it is verified: the `InRelease` file by a signature of a pinned key, the package index by the
//! digest in that file, each package by the digest in the index.

pub mod archive;
pub mod deb;
mod deb822;
pub mod error;
mod fetch;
mod glob;
pub mod index;
pub mod keyring;
pub mod level;
pub mod mirror;
pub mod plan;
pub mod recipe;
pub mod relation;
mod release;
pub mod resolve;
mod root;
pub mod transport;
pub mod version;

pub use archive::{Archive, ArchiveOptions};
pub use error::DebianError;
pub use keyring::{Keyring, SuiteKind};
pub use level::{ConfigureStep, Level, UnpackedLevel};
pub use mirror::{Mirror, find_mirror};
pub use plan::{Package, Plan};
pub use recipe::{Kind, Recipe, recipe, recipes};
pub use transport::{Transport, TransportError};
