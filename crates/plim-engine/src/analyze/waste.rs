//! The waste of an image as rows of the report, and what of it could be saved.

use plim_index::{Inventory, WasteFound};
use plim_oci::Image;

use super::{Base, Sized, WasteKind, WasteRow, Weight};
use crate::why::Lines;

/// How many rows a report has at most; those that are left out weigh least.
const MAX_ROWS: usize = 300;

/// Says what bytes of files in a layer weigh as they are downloaded: in proportion to the sizes of the layer.
pub(super) fn compressed(image: &Image, inventory: &Inventory, layer: usize, bytes: u64) -> u64 {
    let (Some(blob), Some(tar)) = (image.layers.get(layer), inventory.layers.get(layer)) else { return 0 };
    let (blob, tar) = (u128::from(blob.descriptor.size), u128::from(tar.size.max(1)));
    u64::try_from((u128::from(bytes) * blob / tar).min(blob)).unwrap_or(u64::MAX)
}

/// Returns what all waste comes to, no byte counted twice.
pub(super) fn reclaimable(found: &WasteFound, image: &Image, inventory: &Inventory) -> Weight {
    let parts = found.reclaimable.iter().enumerate();
    Weight {
        bytes: found.reclaimable.iter().sum(),
        compressed_bytes: parts.map(|(layer, bytes)| compressed(image, inventory, layer, *bytes)).sum(),
    }
}

/// Returns the rows, most bytes first, as far as the image alone tells; [`told`] adds the rest.
pub(super) fn rows(found: &WasteFound, image: &Image, inventory: &Inventory) -> Vec<WasteRow> {
    // rows without bytes are few, and matter most: they are never left out
    let (heavy, light): (Vec<_>, Vec<_>) = found.rows.iter().partition(|waste| waste.bytes > 0);
    heavy
        .into_iter()
        .take(MAX_ROWS)
        .chain(light)
        .map(|waste| WasteRow {
            kind: waste.kind.into(),
            what: waste.what.clone(),
            weight: Weight {
                bytes: waste.bytes,
                compressed_bytes: waste
                    .layers
                    .iter()
                    .map(|(layer, bytes)| compressed(image, inventory, *layer, *bytes))
                    .sum(),
            },
            files: waste.files as u64,
            layer: waste.layer + 1,
            hidden_by: waste.hidden_by.map(|layer| layer + 1),
            created_by: created_by(image, inventory, waste.layer),
            line: None,
            paths: waste
                .paths
                .iter()
                .map(|path| Sized { name: format!("/{}", path.path), bytes: path.bytes })
                .collect(),
            hint: waste.hint.clone(),
        })
        .collect()
}

/// Returns the instruction that made a layer.
pub(super) fn created_by(image: &Image, inventory: &Inventory, layer: usize) -> Option<String> {
    let row = image.layers.get(layer).and_then(|layer| layer.created_by.clone());
    row.or_else(|| inventory.layers.get(layer)?.created_by.clone())
}

/// Adds the line of the Dockerfile to a row, and what the base has to do with it.
pub(super) fn told(row: WasteRow, image: &Image, base: Option<&Base>, lines: &Lines) -> WasteRow {
    let layer = row.layer.checked_sub(1).and_then(|layer| image.layers.get(layer));
    let line = layer.and_then(|layer| lines.line_of(&layer.descriptor.digest));
    WasteRow { line, hint: hint(&row, base), ..row }
}

/// What came with the base cannot be changed where it is made: say so.
fn hint(row: &WasteRow, base: Option<&Base>) -> String {
    let Some(base) = base.filter(|base| row.layer <= base.layers) else { return row.hint.clone() };
    let name = base.name.as_ref().map_or_else(|| "the base image".to_owned(), |name| format!("the base image {name}"));
    if row.kind == WasteKind::HiddenSecret {
        return format!("it is in {name}; {}", row.hint);
    }
    match row.hidden_by {
        Some(by) if by > base.layers => {
            format!("it came with {name}, so it is downloaded whatever layer {by} does: choose a smaller base")
        }
        _ => format!("it came with {name}: choose a smaller base; in the base itself: {}", row.hint),
    }
}

impl From<plim_index::WasteKind> for WasteKind {
    fn from(kind: plim_index::WasteKind) -> Self {
        use plim_index::WasteKind as Found;
        match kind {
            Found::Deleted => Self::Deleted,
            Found::Replaced => Self::Replaced,
            Found::Rewritten => Self::Rewritten,
            Found::Duplicate => Self::Duplicate,
            Found::Leftover => Self::Leftover,
            Found::Droppable => Self::Droppable,
            Found::Debug => Self::Debug,
            Found::BuildTool => Self::BuildTool,
            Found::Setuid => Self::Setuid,
            Found::HiddenSecret => Self::HiddenSecret,
        }
    }
}
