//! Which packages the merged tree holds: the databases that are still visible, as their last layer left them.

use std::collections::{HashMap, HashSet};

use bstr::{BString, ByteSlice};
use plim_oci::EntryKind;

use crate::collect;
use crate::facts::{PackageFact, PackageRecord};
use crate::inventory::{Inventory, Node, Origin, Package, PackageKind};

mod language;
mod system;

const STATUS: &str = "var/lib/dpkg/status";
const STATUS_D: &str = "var/lib/dpkg/status.d";
const APK: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];
/// The directories of RPM's database, and its files in the three formats.
const RPM: ([&str; 3], [&str; 3]) =
    (["var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"], ["rpmdb.sqlite", "Packages.db", "Packages"]);

/// A package and the record that describes it.
pub(super) struct Found<'a> {
    pub(super) package: Package,
    pub(super) record: &'a PackageRecord,
}

/// Returns all packages by kind, each kind in order of name. They own no files yet.
pub(super) fn packages<'a>(inventory: &Inventory, facts: &Facts<'a>) -> Vec<Found<'a>> {
    let mut all = from_databases(inventory, facts, &[STATUS.to_owned()]);
    // an image that grew a real dpkg over distroless layers lists its packages twice
    let known: HashSet<(String, Option<String>)> =
        all.iter().map(|found| (found.package.name.clone(), found.package.architecture.clone())).collect();
    all.extend(
        from_status_d(inventory, facts)
            .filter(|found| !known.contains(&(found.package.name.clone(), found.package.architecture.clone()))),
    );
    all.extend(from_databases(inventory, facts, &APK.map(str::to_owned)));
    let rpm: Vec<String> = RPM.0.iter().flat_map(|dir| RPM.1.map(|name| format!("{dir}/{name}"))).collect();
    all.extend(from_databases(inventory, facts, &rpm));
    all.extend(of_languages(inventory, facts));
    all.sort_by(|a, b| {
        let key = |found: &Found<'_>| (found.package.kind, found.package.normalized_name.clone());
        let rest = |package: &Package| (package.architecture.clone(), package.location.clone(), package.inside.clone());
        key(a).cmp(&key(b)).then_with(|| rest(&a.package).cmp(&rest(&b.package)))
    });
    all
}

/// The facts of the layers, apart from the inventory that is being made.
pub(super) struct Facts<'a>(pub(super) &'a [std::sync::Arc<crate::LayerIndex>]);

impl<'a> Facts<'a> {
    fn of(&self, origin: Origin) -> &'a [PackageFact] {
        self.0.get(origin.layer).map_or(&[], |layer| layer.packages_of(origin.entry))
    }
}

/// Reads databases of which each counts whole as its last layer wrote it. A package came with the layer since which
/// it has been there in the same version, though every later one may have rewritten the file. What several of the
/// databases hold counts once.
fn from_databases<'a>(inventory: &Inventory, facts: &Facts<'a>, places: &[String]) -> Vec<Found<'a>> {
    let mut all = Vec::new();
    let mut seen_files: HashSet<&BString> = HashSet::new();
    let mut seen = HashSet::new();
    for place in places {
        let Some(node) = inventory.lookup(place).filter(|node| seen_files.insert(&node.head.path)) else { continue };
        let Some(last) = node.origin else { continue };
        let since = since(inventory, facts, node, last);
        for fact in facts.of(last) {
            let Some(identity) = system::identity(&fact.record) else { continue };
            let layer = since.get(&identity).copied().unwrap_or(node.layer);
            let package = system::package(inventory, &fact.record, layer, node);
            if let Some(package) = package.filter(|_| seen.insert(identity)) {
                all.push(Found { package, record: &fact.record });
            }
        }
    }
    all
}

/// Tells with which layer each package of a database came.
fn since<'a>(
    inventory: &Inventory,
    facts: &Facts<'a>,
    node: &Node,
    last: Origin,
) -> HashMap<system::Identity<'a>, usize> {
    let mut since = HashMap::new();
    for (number, layer) in inventory.indexes.iter().enumerate().take(last.layer + 1) {
        let written = layer.entries.iter().rposition(|entry| entry.head.path == node.head.path);
        let Some(entry) = written.and_then(|position| u32::try_from(position).ok()) else { continue };
        let before = std::mem::take(&mut since);
        for identity in
            facts.of(Origin { layer: number, entry }).iter().filter_map(|fact| system::identity(&fact.record))
        {
            let first = before.get(&identity).copied().unwrap_or(number);
            since.insert(identity, first);
        }
    }
    since
}

/// Reads the files of `status.d`, each on its own.
fn from_status_d<'a>(inventory: &Inventory, facts: &Facts<'a>) -> impl Iterator<Item = Found<'a>> {
    inventory
        .below(STATUS_D)
        .filter_map(|(_, node)| node.origin.map(|origin| (node, origin)))
        .flat_map(|(node, origin)| facts.of(origin).iter().map(move |fact| (node, &fact.record)))
        .filter(|(_, record)| system::identity(record).is_some())
        .filter_map(|(node, record)| {
            let package = system::package(inventory, record, node.layer, node)?;
            (package.kind == PackageKind::Deb).then_some(Found { package, record })
        })
}

/// Finds the packages of languages whose files are visible.
fn of_languages<'a>(inventory: &Inventory, facts: &Facts<'a>) -> Vec<Found<'a>> {
    let mut all = Vec::new();
    // the directories of packages of Node.js that are only linked to, as workspaces are
    let mut linked: HashSet<BString> = HashSet::new();
    for (path, node) in &inventory.nodes {
        match node.head.kind {
            EntryKind::Symlink if collect::is_npm_place(path.as_bstr()) => linked.extend(inventory.resolve(path)),
            EntryKind::File => {
                let Some(origin) = node.origin else { continue };
                let records = facts.of(origin).iter().map(|fact| &fact.record);
                all.extend(records.filter_map(|record| {
                    language::package(inventory, record, node).map(|package| Found { package, record })
                }));
            }
            _ => {}
        }
    }
    all.retain(|found| {
        let location = found.package.location.as_bstr();
        found.package.kind != PackageKind::Npm || collect::is_npm_place(location) || linked.contains(location)
    });
    all
}
