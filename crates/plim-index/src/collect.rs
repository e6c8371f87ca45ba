//! Collectors: what is written down about a layer, one file per ecosystem.

use std::fs::File;

use plim_oci::EntryHead;

use crate::{LayerIndex, Skipped};

mod apk;
mod bytes;
mod cargo;
mod copyright;
mod dpkg;
mod elf;
mod gem;
mod go;
mod java;
mod npm;
mod os_release;
mod paragraph;
mod python;
mod rpm;
mod script;
mod secret;

pub(crate) use npm::is_place as is_npm_place;

/// How many files one package may list; the largest real ones list some hundred thousand.
const MAX_LISTED: usize = 1_000_000;

/// How much of a file a collector wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Nothing of it.
    Nothing,
    /// The first bytes, at most so many.
    Head(usize),
    /// All of it; files above [`MAX_WHOLE`](crate::MAX_WHOLE) are noted as skipped.
    Whole,
    /// All of it, provided that it begins with these bytes, at most 16. Files above
    /// [`MAX_WHOLE`](crate::MAX_WHOLE) are handed over as a temporary file.
    Magic(&'static [u8]),
}

/// Writes down facts about the files of a layer, one at a time, as they stream by.
///
/// A collector sees each file at most once, judges nothing and takes no options: its output depends on the
/// layer alone. Whoever changes that output raises [`SCHEMA`](crate::SCHEMA).
pub trait Collector: Send {
    /// Returns a short stable name.
    fn name(&self) -> &'static str;

    /// Decides by the metadata alone how much of a regular file it needs. Called for every file, so it must be
    /// quick.
    fn wants(&self, head: &EntryHead) -> Want;

    /// Takes what it wanted of the layer's [current](LayerIndex::current) file. Whatever the bytes are, it
    /// neither fails nor panics.
    fn take(&self, head: &EntryHead, content: &[u8], index: &mut LayerIndex);

    /// Takes a file too large for memory, wanted by [`Want::Magic`].
    fn take_file(&self, head: &EntryHead, content: &mut File, index: &mut LayerIndex) {
        let (_, _) = (head, content);
        let entry = index.current();
        index.skipped.push(Skipped { entry, collector: self.name().to_owned() });
    }
}

/// Returns all collectors.
pub fn all() -> Vec<Box<dyn Collector>> {
    vec![
        Box::new(dpkg::Dpkg),
        Box::new(copyright::Copyright),
        Box::new(apk::Apk),
        Box::new(rpm::Rpm),
        Box::new(python::Python),
        Box::new(npm::Npm),
        Box::new(gem::Gem),
        Box::new(java::Java),
        Box::new(elf::Elf),
        Box::new(script::Script),
        Box::new(os_release::OsRelease),
        Box::new(secret::Secret),
    ]
}

/// Returns bytes as text of at most `limit` bytes, what is not UTF-8 replaced.
fn text(bytes: &[u8], limit: usize) -> String {
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(limit)]).into_owned();
    text.truncate(text.trim_end().len());
    text
}
