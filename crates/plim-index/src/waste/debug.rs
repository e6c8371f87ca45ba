//! What strip(1) takes away from programs and libraries.

use std::collections::BTreeMap;

use super::{Item, Waste, WasteKind, row};
use crate::facts::ElfKind;
use crate::inventory::{Inventory, Node};

/// Returns the bytes of a file that only debuggers read: never more than it has, whatever its headers say.
pub(super) fn bytes(inventory: &Inventory, node: &Node) -> u64 {
    let Some(elf) = inventory.elf(node) else { return 0 };
    // object files and kernel modules are linked by their symbols
    if elf.malformed || !matches!(elf.kind, ElfKind::Executable | ElfKind::Library) {
        return 0;
    }
    elf.debug_bytes.saturating_add(elf.symbol_bytes).min(node.head.size)
}

/// Returns a row for each layer.
pub(super) fn rows(inventory: &Inventory) -> Vec<Waste> {
    let mut layers: BTreeMap<usize, Vec<Item<'_>>> = BTreeMap::new();
    for (path, node) in inventory.files() {
        // files of debugging symbols alone are another kind
        if path.starts_with(b"usr/lib/debug/") {
            continue;
        }
        let (bytes, Some(origin)) = (bytes(inventory, node), node.origin) else { continue };
        if bytes > 0 {
            layers.entry(origin.layer).or_default().push(Item { path, layer: origin.layer, bytes });
        }
    }
    let rows = layers.into_values().filter_map(|items| {
        let what = "debugging sections and symbol tables".to_owned();
        row(WasteKind::Debug, what, hint(inventory, &items), None, items)
    });
    rows.collect()
}

fn hint(inventory: &Inventory, items: &[Item<'_>]) -> String {
    let owned = |item: &Item<'_>| inventory.get(item.path).is_some_and(|node| node.owner.is_some());
    let go = items.iter().any(|item| {
        inventory.packages.iter().any(|package| {
            package.kind == crate::PackageKind::Go && package.location.as_slice() == item.path.as_slice()
        })
    });
    if go {
        "`go build -ldflags='-s -w'` leaves them out; for other programs `strip --strip-unneeded` in the stage that builds them"
            .to_owned()
    } else if items.iter().all(owned) {
        "packages ship them so: `strip --strip-unneeded` in the RUN that installs, where nobody debugs in the container"
            .to_owned()
    } else {
        "`strip --strip-unneeded` in the stage that builds them (Rust: `strip = true` in the release profile)"
            .to_owned()
    }
}
