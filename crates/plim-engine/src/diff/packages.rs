//! Which packages came, went or have another version.

use std::collections::{BTreeMap, BTreeSet};

use plim_index::{Inventory, PackageKind};

use super::{Change, PackageChange};

/// The versions of a package in both images. An image may have several: npm nests them, archives are copied about.
#[derive(Default)]
struct Versions {
    name: String,
    before: BTreeSet<String>,
    after: BTreeSet<String>,
}

/// Returns what is different, by kind and name.
pub(super) fn compare(old: &Inventory, new: &Inventory) -> Vec<PackageChange> {
    let mut all: BTreeMap<(PackageKind, String), Versions> = BTreeMap::new();
    for (inventory, is_new) in [(old, false), (new, true)] {
        for package in &inventory.packages {
            let versions = all.entry((package.kind, package.normalized_name.clone())).or_default();
            versions.name.clone_from(&package.name);
            let side = if is_new { &mut versions.after } else { &mut versions.before };
            side.insert(package.version.clone());
        }
    }
    let rows = all.into_iter().filter(|(_, versions)| versions.before != versions.after);
    rows.map(|((kind, _), versions)| PackageChange {
        kind: kind.name().to_owned(),
        change: match (versions.before.is_empty(), versions.after.is_empty()) {
            (true, _) => Change::Added,
            (_, true) => Change::Removed,
            _ => Change::Changed,
        },
        before: versions.before.difference(&versions.after).cloned().collect(),
        after: versions.after.difference(&versions.before).cloned().collect(),
        name: versions.name,
    })
    .collect()
}
