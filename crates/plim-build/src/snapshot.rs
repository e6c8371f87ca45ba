//! Unpacked layers and results of steps: directories in the format of overlayfs.
//!
//! Every layer, and every step that touches files, is one *diff directory* that holds only what it changes:
//! a deleted path is a character device 0/0, a directory that hides all below it carries the attribute
//! `overlay.opaque`. A [`Chain`] of such directories is a root file system. The kernel joins it when a
//! command runs; [`View`] joins it here, without a mount, when files are copied or looked up.

mod bytecode;
mod chain;
mod difference;
mod export;
mod extract;
mod layer;
mod marks;
mod names;
mod node;
mod settle;
mod store;
pub(crate) mod tree;
mod unpack;
mod view;
mod working;
pub(crate) mod write;
pub(crate) mod xattrs;

pub use chain::{Chain, chain_id};
pub use export::{Ownership, export_dir};
pub use layer::{LayerOptions, layer_from_dir, settle};
pub use node::Node;
pub use store::{Draft, Snapshots};
pub(crate) use unpack::fill_from_layer;
pub use view::View;
pub use working::WorkingCopy;

pub(crate) use extract::extract;
pub(crate) use layer::{Body, DEPTH, LayerSink, WHITEOUT};
pub(crate) use node::{KnownContent, OnDisk, Siblings, Stamp, fill, open, open_without_links, read_node};

#[cfg(test)]
pub(crate) mod tests;
