//! What need not be in an image: facts about bytes that are downloaded for nothing, by kind.
//!
//! Pure queries on an [`Inventory`]. Each row has the bytes of one layer or of two that belong together; rows of different
//! kinds may have the same file. [`WasteFound::reclaimable`] is their union: there each byte of a layer counts once at most,
//! a file with several names only when every name is waste, and of equal files one stays.

use std::collections::{BTreeMap, HashMap, HashSet};

use bstr::BString;
use plim_oci::EntryKind;
use serde::Serialize;

use crate::inventory::{Inventory, Node, Origin};
use crate::text;

mod debug;
mod droppable;
mod duplicates;
mod hidden;
mod leftover;
mod rights;
mod table;
mod tools;

/// How many paths a row names; those with most bytes.
const PATHS: usize = 20;

/// A kind of waste.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WasteKind {
    /// Files that a later layer deletes.
    Deleted,
    /// Files that a later layer replaces with other content.
    Replaced,
    /// Files that a later layer holds again with the same content.
    Rewritten,
    /// The same content at several paths; hard links are no copies.
    Duplicate,
    /// Caches, package lists, logs, version control, core dumps.
    Leftover,
    /// Documentation, translations, static libraries, headers, tests, source maps.
    Droppable,
    /// Debugging sections and symbol tables of programs and libraries.
    Debug,
    /// Compilers, packages of headers, version control, package managers.
    BuildTool,
    /// Programs with more rights than who starts them; the row has no bytes.
    Setuid,
    /// Something like a secret in a layer, hidden by a later one; the row has no bytes.
    HiddenSecret,
}

/// Something that need not be in the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waste {
    /// Its kind.
    pub kind: WasteKind,
    /// What it is, in a few words.
    pub what: String,
    /// Bytes of the files; of `Debug` those of the sections.
    pub bytes: u64,
    /// How many files; several names of one count once.
    pub files: usize,
    /// Number of the layer that has most of the bytes, the lowest is 0.
    pub layer: usize,
    /// The bytes by number of the layer, where there are any.
    pub layers: Vec<(usize, u64)>,
    /// Number of the layer that hides them.
    pub hidden_by: Option<usize>,
    /// The paths with most bytes, at most 20.
    pub paths: Vec<WastePath>,
    /// What to do about it.
    pub hint: String,
}

/// A path and the bytes that are waste there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WastePath {
    /// The path, relative to the root.
    #[serde(serialize_with = "text::path")]
    pub path: BString,
    /// The bytes.
    pub bytes: u64,
}

/// All waste of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct WasteFound {
    /// The rows, most bytes first.
    pub rows: Vec<Waste>,
    /// What the rows come to, by number of the layer, no byte counted twice.
    pub reclaimable: Vec<u64>,
}

/// Finds all waste of an image.
pub fn waste(inventory: &Inventory) -> WasteFound {
    let mut sheet = Sheet::of(inventory);
    let mut rows = hidden::rows(inventory);
    rows.extend(leftover::rows(&mut sheet));
    rows.extend(droppable::rows(&mut sheet));
    rows.extend(tools::rows(&mut sheet));
    // of equal files only those compete that nothing else takes away: one of them has to stay
    rows.extend(duplicates::rows(&mut sheet));
    rows.extend(debug::rows(inventory));
    rows.extend(rights::rows(inventory));
    rows.extend(hidden::secrets(inventory));
    rows.sort_by(|a, b| {
        b.bytes.cmp(&a.bytes).then_with(|| (a.kind, a.layer, &a.what).cmp(&(b.kind, b.layer, &b.what)))
    });
    WasteFound { rows, reclaimable: sheet.reclaimable() }
}

/// A name in the merged tree.
type Named<'a> = (&'a BString, &'a Node);

/// Turns groups of names into rows, and remembers which names are taken away whole.
struct Sheet<'a> {
    inventory: &'a Inventory,
    /// How many names files have that have several.
    names: HashMap<Origin, usize>,
    taken: HashSet<&'a BString>,
}

impl<'a> Sheet<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let mut names: HashMap<Origin, usize> = HashMap::new();
        for (_, origin, _) in names_of_files(inventory) {
            *names.entry(origin).or_default() += 1;
        }
        names.retain(|_, count| *count > 1);
        Self { inventory, names, taken: HashSet::new() }
    }

    /// Makes the row of names in one or more layers; none when nothing is gained.
    fn row(&mut self, kind: WasteKind, what: String, hint: String, members: &[Named<'a>]) -> Option<Waste> {
        let mut counts: HashMap<Origin, usize> = HashMap::new();
        for origin in members.iter().filter_map(|(_, node)| node.origin) {
            *counts.entry(origin).or_default() += 1;
        }
        let mut seen = HashSet::new();
        let mut items = Vec::new();
        for (path, node) in members {
            self.taken.insert(path);
            let Some(origin) = node.origin else { continue };
            // another name keeps the file
            let gone = self.names.get(&origin).is_none_or(|all| counts.get(&origin) == Some(all));
            if gone && seen.insert(origin) {
                items.push(Item { path, layer: origin.layer, bytes: node.head.size });
            }
        }
        row(kind, what, hint, None, items)
    }

    /// Makes a row for each rule and layer.
    fn rows_by<K: Ord>(
        &mut self,
        kind: WasteKind,
        groups: BTreeMap<(K, usize), Vec<Named<'a>>>,
        words: impl Fn(&K) -> (String, String),
    ) -> Vec<Waste> {
        let rows = groups.into_iter().filter_map(|((key, _), members)| {
            let (what, hint) = words(&key);
            self.row(kind, what, hint, &members)
        });
        rows.collect()
    }

    /// Adds up what goes when all that was taken goes.
    fn reclaimable(&self) -> Vec<u64> {
        let mut sums = vec![0; self.inventory.layers.len()];
        let mut add = |layer: usize, bytes: u64| {
            if let Some(sum) = sums.get_mut(layer) {
                *sum += bytes;
            }
        };
        for hidden in &self.inventory.hidden {
            add(hidden.layer, hidden.bytes);
        }
        let kept: HashSet<Origin> = names_of_files(self.inventory)
            .filter(|(path, _, _)| !self.taken.contains(path))
            .map(|(_, origin, _)| origin)
            .collect();
        let mut seen = HashSet::new();
        for (_, origin, node) in names_of_files(self.inventory) {
            if seen.insert(origin) {
                let whole = !kept.contains(&origin);
                add(origin.layer, if whole { node.head.size } else { debug::bytes(self.inventory, node) });
            }
        }
        sums
    }
}

/// Returns all names of regular files.
fn names_of_files(inventory: &Inventory) -> impl Iterator<Item = (&BString, Origin, &Node)> {
    let files = inventory.nodes.iter().filter(|(_, node)| node.head.kind == EntryKind::File);
    files.filter_map(|(path, node)| Some((path, node.origin?, node)))
}

/// A file of a row.
struct Item<'a> {
    path: &'a BString,
    layer: usize,
    bytes: u64,
}

/// Puts a row together; none when it has no bytes.
fn row(kind: WasteKind, what: String, hint: String, by: Option<usize>, mut items: Vec<Item<'_>>) -> Option<Waste> {
    let mut layers: BTreeMap<usize, u64> = BTreeMap::new();
    for item in items.iter().filter(|item| item.bytes > 0) {
        *layers.entry(item.layer).or_default() += item.bytes;
    }
    // of layers with equal bytes the lowest
    let (layer, _) = layers.iter().max_by_key(|(layer, bytes)| (**bytes, std::cmp::Reverse(**layer)))?;
    items.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(b.path)));
    Some(Waste {
        kind,
        what,
        bytes: layers.values().sum(),
        files: items.len(),
        layer: *layer,
        hidden_by: by,
        paths: items.iter().take(PATHS).map(|item| WastePath { path: item.path.clone(), bytes: item.bytes }).collect(),
        layers: layers.into_iter().collect(),
        hint,
    })
}
