//! The figures that dive made known, by its definitions: for people who have thresholds on them.
//!
//! One thing differs: dive looks no further into a layer that deletes a path which no lower layer has, and plim goes on.
//!
//! They count a path's copies in all layers. What they leave out (a directory that a later layer deletes is no waste to
//! them, and a copy that must stay is) is what `Inventory::hidden_bytes` counts.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;

use bstr::{BStr, BString, ByteSlice as _};
use plim_oci::EntryKind;

use crate::LayerIndex;

/// dive's three figures, and the paths that make the second.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DiveFigures {
    /// Smallest size of each path over the sum of all its sizes, 0 to 1; 1 for an image of nothing.
    pub efficiency: f64,
    /// Bytes of all copies of paths that several layers have.
    pub wasted_bytes: u64,
    /// Those bytes over the bytes of all layers but the lowest, 0 to 1 and above; nothing where there is one layer.
    pub user_wasted: Option<f64>,
    /// The paths that several layers have, most bytes first.
    pub wasted: Vec<WastedPath>,
}

/// A path that several layers have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WastedPath {
    /// The path, from the root of the image.
    pub path: BString,
    /// How many layers have it.
    pub count: usize,
    /// Bytes of all its copies.
    pub bytes: u64,
}

/// What is known of a path over all layers.
#[derive(Default)]
struct Seen {
    count: usize,
    bytes: u64,
    smallest: u64,
}

/// Computes the figures.
pub fn dive_figures<L: AsRef<LayerIndex>>(layers: &[L]) -> DiveFigures {
    let mut seen: HashMap<&BStr, Seen> = HashMap::new();
    let mut merged: Merged<'_> = BTreeMap::new();
    let mut user_bytes = 0;
    // only deletions ask what is below
    let asks = layers.iter().map(AsRef::as_ref).rposition(|layer| !layer.whiteouts.is_empty()).unwrap_or(0);
    for (number, layer) in layers.iter().map(AsRef::as_ref).enumerate() {
        let own = Own::of(layer);
        for (path, size) in own.leaves(&merged) {
            let seen = seen.entry(path).or_default();
            seen.smallest = if seen.count == 0 { size } else { seen.smallest.min(size) };
            seen.count += 1;
            seen.bytes += size;
        }
        if number > 0 {
            user_bytes += layer.entries.iter().map(|entry| size_in_tar(&entry.head)).sum::<u64>();
        }
        if number < asks {
            own.stack_on(&mut merged);
        }
    }
    let (smallest, all) =
        seen.values().fold((0, 0), |(smallest, all), seen| (smallest + seen.smallest, all + seen.bytes));
    let mut wasted: Vec<WastedPath> = seen
        .into_iter()
        .filter(|(_, seen)| seen.count > 1)
        .map(|(path, seen)| WastedPath { path: path.to_owned(), count: seen.count, bytes: seen.bytes })
        .collect();
    wasted.sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.path.cmp(&other.path)));
    let wasted_bytes = wasted.iter().map(|path| path.bytes).sum();
    DiveFigures {
        efficiency: if all == 0 { 1.0 } else { smallest as f64 / all as f64 },
        wasted_bytes,
        user_wasted: (user_bytes > 0).then(|| wasted_bytes as f64 / user_bytes as f64),
        wasted,
    }
}

/// The size that the tar's header says; only files have one.
fn size_in_tar(head: &plim_oci::EntryHead) -> u64 {
    if head.kind == EntryKind::File { head.size } else { 0 }
}

/// The layers so far: size, and whether it is a directory.
type Merged<'a> = BTreeMap<&'a BStr, (u64, bool)>;

/// A layer as a tree.
struct Own<'a> {
    /// Size, and whether it is a directory.
    entries: BTreeMap<&'a BStr, (u64, bool)>,
    /// Each once, however often the layer says it.
    whiteouts: BTreeSet<&'a BStr>,
    /// Paths that something of the layer is below.
    inner: HashSet<&'a BStr>,
}

impl<'a> Own<'a> {
    fn of(layer: &'a LayerIndex) -> Self {
        // a later entry of the same path replaces an earlier one
        let entries: BTreeMap<&BStr, (u64, bool)> = layer
            .entries
            .iter()
            .filter(|entry| !entry.head.path.is_empty())
            .map(|entry| (entry.head.path.as_bstr(), (size_in_tar(&entry.head), entry.head.kind == EntryKind::Dir)))
            .collect();
        let whiteouts: BTreeSet<&BStr> = layer
            .whiteouts
            .iter()
            .filter(|whiteout| !whiteout.opaque)
            .map(|whiteout| whiteout.path.as_bstr())
            .collect();
        // an opaque directory has a marker below it
        let markers = layer.whiteouts.iter().filter(|whiteout| whiteout.opaque).map(|whiteout| whiteout.path.as_bstr());
        let mut inner: HashSet<&BStr> = markers.collect();
        for path in entries.keys().chain(&whiteouts) {
            let mut rest: &BStr = path;
            while let Some(end) = rest.rfind_byte(b'/') {
                rest = rest[..end].as_bstr();
                if !inner.insert(rest) {
                    break;
                }
            }
        }
        Self { entries, whiteouts, inner }
    }

    /// The paths with nothing of the layer below them, with what they count. What a whiteout deletes counts when it was a
    /// directory: with all that was in it.
    fn leaves(&self, merged: &Merged<'a>) -> Vec<(&'a BStr, u64)> {
        let deleted = self.whiteouts.iter().filter_map(|path| {
            let (size, is_dir) = merged.get(*path)?;
            let bytes = if *is_dir { size + below(merged, path).map(|(_, (size, _))| size).sum::<u64>() } else { 0 };
            Some((*path, bytes))
        });
        let kept = self.entries.iter().filter(|(path, _)| !self.inner.contains(*path));
        deleted.chain(kept.map(|(path, (size, _))| (*path, *size))).collect()
    }

    fn stack_on(&self, merged: &mut Merged<'a>) {
        for path in &self.whiteouts {
            let gone: Vec<&BStr> = below(merged, path).map(|(path, _)| *path).collect();
            for path in gone {
                merged.remove(path);
            }
            merged.remove(*path);
        }
        for (path, entry) in &self.entries {
            merged.insert(*path, *entry);
        }
    }
}

/// What is below a directory.
fn below<'m, 'a>(merged: &'m Merged<'a>, dir: &BStr) -> impl Iterator<Item = (&'m &'a BStr, &'m (u64, bool))> {
    let first: BString = bstr::concat([dir.as_bytes(), b"/"]).into();
    // the byte after the slash
    let last: BString = bstr::concat([dir.as_bytes(), b"0"]).into();
    merged.range::<BStr, _>((Bound::Included(first.as_bstr()), Bound::Excluded(last.as_bstr())))
}
