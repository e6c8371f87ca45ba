//! The inventory of an image: its merged tree, in which every path knows its layer and its package.

use std::collections::BTreeMap;
use std::sync::Arc;

use bstr::BString;
use plim_oci::{Digest, EntryHead};
use serde::Serialize;

use crate::{Anomaly, ContentDigest, Hidden, LayerIndex};

mod lookup;
mod package;
mod programs;
mod sizes;

pub use lookup::Who;
pub(crate) use lookup::step;
pub use package::{Package, PackageKind, Source};
pub use sizes::{FileSize, OwnerSize, SizeOf};

/// What an image holds, put together from the indexes of its layers by [`fold`](crate::fold()).
#[derive(Debug, Clone)]
pub struct Inventory {
    /// The merged tree by path. Paths are relative to the root; the root itself, if a layer names it, is the empty
    /// path. No key contains a symbolic link as a directory.
    pub nodes: BTreeMap<BString, Node>,
    /// The packages by kind, each kind in order of name.
    pub packages: Vec<Package>,
    /// The layers, lowest first.
    pub layers: Vec<LayerSummary>,
    /// The operating system.
    pub os: Option<OsRelease>,
    /// Files that layers hold but later ones hide.
    pub hidden: Vec<Hidden>,
    /// What could not be unpacked.
    pub anomalies: Vec<Anomaly>,
    /// The indexes that it is made of, lowest layer first.
    pub indexes: Vec<Arc<LayerIndex>>,
}

/// Something in the merged tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its metadata; `path` is its key in the tree, and a hard link has the head of the file that it names.
    pub head: EntryHead,
    /// Digest of the content of a regular file.
    pub digest: Option<ContentDigest>,
    /// Number of the layer that put this name here, the lowest is 0.
    pub layer: usize,
    /// Where its content stands; none for a directory that no layer names. Names with the same origin are hard links
    /// of each other.
    pub origin: Option<Origin>,
    /// The package that it belongs to, as an index into [`Inventory::packages`].
    pub owner: Option<usize>,
}

/// An entry of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Origin {
    /// Number of the layer, the lowest is 0.
    pub layer: usize,
    /// Position among the layer's entries.
    pub entry: u32,
}

/// What a layer brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// Its number, the lowest is 0.
    pub number: usize,
    /// Digest of the uncompressed layer tar.
    pub diff_id: Digest,
    /// Size of the uncompressed layer tar in bytes.
    pub size: u64,
    /// Bytes of the files in it.
    pub bytes_added: u64,
    /// Regular files in it.
    pub files: usize,
    /// Entries in it, whiteouts not counted.
    pub entries: usize,
    /// Whiteouts in it.
    pub whiteouts: usize,
    /// Bytes of its files that no later layer hides.
    pub visible_bytes: u64,
    /// The instruction that made it, as the builder writes it.
    pub created_by: Option<String>,
    /// What the builder says beside it.
    pub comment: Option<String>,
}

/// The operating system, from os-release(5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OsRelease {
    /// `ID`, `linux` when left out.
    pub id: String,
    /// `ID_LIKE`.
    pub id_like: Vec<String>,
    /// `NAME`.
    pub name: Option<String>,
    /// `PRETTY_NAME`.
    pub pretty_name: Option<String>,
    /// `VERSION_ID`.
    pub version_id: Option<String>,
    /// `VERSION_CODENAME`.
    pub version_codename: Option<String>,
}
