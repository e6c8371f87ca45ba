//! Results of steps that travel: what one machine built answers for steps on another.
//!
//! Keys of the local cache name results by how they were made on this machine. Keys that travel name them by
//! what they are: the digests of the layers below, the operation, what it reads. So a result is used only on
//! top of the very layers that it was made on, whoever made them, and results of builds without the cache
//! travel under keys that are as true as any.

mod key;
mod mounts;
mod records;
mod remote;
mod table;

pub use mounts::{CacheMount, MountSource, MountTable};
pub use remote::CacheSource;
pub use table::{CacheTable, CacheTableError};

pub(crate) use key::{PortableInput, Recipe, owner_key, state_id};
pub(crate) use mounts::{First, first_content};
pub(crate) use records::{inline, table};
pub(crate) use remote::{Answer, Imports, Remote};

use plim_oci::Compression;
use serde::{Deserialize, Serialize};

/// Where an image's configuration keeps the table of its own steps, as base64.
pub const INLINE_CACHE: &str = "plimsoll.build.cache.v1";

/// Which steps a cache is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheMode {
    /// Those whose layers are part of the image.
    #[default]
    Min,
    /// Those of all stages that were needed.
    Max,
}

/// A cache that a build is to write down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheExport {
    /// Which steps.
    pub mode: CacheMode,
    /// How its layers are compressed; `None` is as those of the image, which are then the same blobs.
    pub compression: Option<Compression>,
}
