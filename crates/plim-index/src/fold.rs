//! The fold: the indexes of an image's layers put together to its merged tree.
//!
//! It follows the OCI image layer specification, and where that is silent what unpackers on overlay file systems
//! do, since that is how nearly all containers run: each layer is a tree of its own, laid over those below.
//!
//! - Whiteouts and opaque directories take away what lies in lower layers, wherever they stand in their own layer,
//!   and nothing of their own layer.
//! - A directory over a directory merges, the upper one's metadata wins. Anything else replaces what was there with
//!   all below it.
//! - A path whose parent is a symbolic link *of the same layer* goes where the link points. A symbolic link of a
//!   lower layer is not followed: the parent becomes a directory of its own and hides the link.
//! - Parents that a layer does not name become directories (0755, owned by root) unless a lower layer has them.
//! - A hard link is another name of the same file: of one in its own layer, else of the merged layers below, after
//!   the layer's whiteouts.
//!
//! What no unpacker would accept (a hard link to nothing, an entry below a file) is left out and noted as an
//! [`Anomaly`].

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};
use plim_oci::{EntryKind, ImageConfig};
use serde::Serialize;

use crate::inventory::{Inventory, LayerSummary, Node, Origin};
use crate::{LayerIndex, paths, text};

mod merge;
mod owners;
mod packages;
mod upper;

/// Something in a layer that cannot be unpacked; it is left out of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Anomaly {
    /// Number of the layer, the lowest is 0.
    pub layer: usize,
    /// The entry.
    #[serde(serialize_with = "text::path")]
    pub path: BString,
    /// What is wrong with it.
    pub kind: AnomalyKind,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnomalyKind {
    /// A hard link to something that is not there.
    DanglingHardlink,
    /// A hard link to a directory.
    HardlinkToDirectory,
    /// Its directory is reached by symbolic links that never end.
    LinkLoop,
    /// It lies below something that is no directory.
    NotADirectory,
    /// It puts something else in the place of the root directory.
    RootNotADirectory,
    /// Its layer needs more directories that it does not name than any real one: each entry may need hundreds.
    TooManyDirectories,
}

/// A file whose bytes a later layer hid: they are still downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hidden {
    /// Where it was.
    #[serde(serialize_with = "text::path")]
    pub path: BString,
    /// Number of the layer that holds the bytes.
    pub layer: usize,
    /// Its size; 0 where another name of the same file is counted or still visible.
    pub bytes: u64,
    /// Number of the layer that hid it.
    pub by: usize,
    /// How it was hidden.
    pub how: HiddenHow,
    /// Where its content stands: the key for facts.
    pub origin: Origin,
}

/// How a file was hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HiddenHow {
    /// Deleted, itself or with its directory.
    Deleted,
    /// Replaced by something with other content.
    Replaced,
    /// Replaced by a file with the same content: only metadata changed, or nothing at all.
    Rewritten,
}

/// Puts the layers of an image together, lowest first. Pure: the result depends on the arguments alone.
///
/// The history of the configuration names the instruction behind each layer.
pub fn fold(config: &ImageConfig, layers: &[Arc<LayerIndex>]) -> Inventory {
    let mut stack = merge::Stack::default();
    for (number, layer) in layers.iter().enumerate() {
        stack.apply(number, layer);
    }
    let merge::Stack { nodes, mut hidden, anomalies } = stack;
    count_hidden_once(&nodes, &mut hidden);
    let summaries = summaries(config, layers, &nodes);
    let mut inventory = Inventory {
        nodes,
        packages: Vec::new(),
        layers: summaries,
        os: None,
        hidden,
        anomalies,
        indexes: layers.to_vec(),
    };
    let found = packages::packages(&inventory, &packages::Facts(layers));
    owners::assign(&mut inventory, found);
    inventory.os = inventory.find_os();
    inventory
}

/// Sets the bytes of hidden names to 0 where another name keeps or already counts the same file.
fn count_hidden_once(nodes: &BTreeMap<BString, Node>, hidden: &mut [Hidden]) {
    if hidden.is_empty() {
        return;
    }
    let mut seen: HashSet<Origin> = nodes.values().filter_map(|node| node.origin).collect();
    for item in hidden {
        if !seen.insert(item.origin) {
            item.bytes = 0;
        }
    }
}

/// Counts what each layer brings and takes away.
fn summaries(config: &ImageConfig, layers: &[Arc<LayerIndex>], nodes: &BTreeMap<BString, Node>) -> Vec<LayerSummary> {
    let mut visible = vec![0; layers.len()];
    let mut seen = HashSet::new();
    for node in nodes.values().filter(|node| node.head.kind == EntryKind::File) {
        if let Some(origin) = node.origin.filter(|origin| seen.insert(*origin)) {
            visible[origin.layer] += node.head.size;
        }
    }
    let mut instructions = config.history.iter().filter(|row| !row.empty_layer);
    let numbered = layers.iter().zip(visible).enumerate();
    numbered
        .map(|(number, (layer, visible_bytes))| {
            let files = layer.entries.iter().filter(|entry| entry.head.kind == EntryKind::File);
            let row = instructions.next();
            LayerSummary {
                number,
                diff_id: layer.diff_id.clone(),
                size: layer.size,
                bytes_added: files.clone().map(|entry| entry.head.size).sum(),
                files: files.count(),
                entries: layer.entries.len(),
                whiteouts: layer.whiteouts.len(),
                visible_bytes,
                created_by: row.and_then(|row| row.created_by.clone()).filter(|text| !text.is_empty()),
                comment: row.and_then(|row| row.comment.clone()).filter(|text| !text.is_empty()),
            }
        })
        .collect()
}

/// Returns what lies below a directory, at any depth, in byte order.
pub(crate) fn below<'a, T>(
    tree: &'a BTreeMap<BString, T>,
    dir: &BStr,
) -> impl Iterator<Item = (&'a BString, &'a T)> + use<'a, T> {
    // in byte order everything that begins with `dir/` stands together
    let prefix = if dir.is_empty() { BString::default() } else { paths::join(dir, b"".as_bstr()) };
    let from = if dir.is_empty() { Bound::Excluded(prefix.clone()) } else { Bound::Included(prefix.clone()) };
    tree.range((from, Bound::Unbounded)).take_while(move |(path, _)| path.starts_with(prefix.as_bytes()))
}
