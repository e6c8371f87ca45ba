//! COPY and ADD: which files a step takes, what is in them, and what they become in the image.
//!
//! A step goes through three values. [`select`] looks at the source and gives a [`Selection`]: every file
//! with its metadata, no bytes read. [`Selection::digest`] is the key under which the result is cached.
//! [`apply`] lays the selection over the destination, first in memory, where all rules are, then as files of
//! a diff directory; [`write_layer`] writes the same straight to a layer instead.

mod apply;
mod archive;
mod cache;
mod canvas;
mod checked;
mod chmod;
mod content;
mod context;
mod digest;
mod error;
mod glob;
mod operation;
mod owner;
mod place;
mod select;
mod written;

pub use apply::{Applied, apply, make_dir};
pub(crate) use archive::is_archive;
pub use cache::FileDigests;
pub use error::FilesError;
pub use operation::{CopyOp, Inline, InlineContent, Source, Unpack};
pub use owner::resolve_owner;
pub use select::{Selection, select};
pub use written::write_layer;

#[cfg(test)]
mod tests;
