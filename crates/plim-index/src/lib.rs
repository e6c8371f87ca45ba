//! One read of a layer into facts, and the fold of layers into an inventory.
//!
//! A layer is streamed once past the [`collect`]ors, which write down what is there and judge nothing. The
//! result, a [`LayerIndex`], belongs to the layer's diffID and never changes, so it is kept ([`Indexes`]).
//! [`fold`] puts the indexes of an image's layers together to an [`Inventory`]: the merged tree in which every
//! path knows its layer and its package. Every question after that is a query on the inventory.

pub mod collect;
mod dive;
mod error;
pub mod facts;
mod fold;
mod indexer;
mod inventory;
mod layer;
mod paths;
mod read;
mod store;
mod text;
mod waste;

pub use dive::{DiveFigures, WastedPath, dive_figures};
pub use error::IndexError;
pub use fold::{Anomaly, AnomalyKind, Hidden, HiddenHow, fold};
pub use indexer::{Indexer, MAX_SPOOL, MAX_WHOLE};
pub use inventory::{
    FileSize, Inventory, LayerSummary, Node, Origin, OsRelease, OwnerSize, Package, PackageKind, SizeOf, Source, Who,
};
pub use layer::{ContentDigest, Entry, LayerIndex, SCHEMA, Skipped, Whiteout};
pub use read::{index_blob, index_tar, index_tar_within};
pub use store::Indexes;
pub use waste::{Waste, WasteFound, WasteKind, WastePath, waste};
