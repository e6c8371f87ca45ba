//! Which packages the merged tree holds: the databases that are still visible, as their last layer left them.

use std::collections::{HashMap, HashSet};

use bstr::{BStr, ByteSlice};
use plim_oci::EntryKind;

use crate::facts::{DebRecord, PackageRecord, PythonRecord};
use crate::inventory::{Inventory, Node, Package, PackageKind, Source};
use crate::paths;

const STATUS: &str = "var/lib/dpkg/status";
const STATUS_D: &str = "var/lib/dpkg/status.d";

/// Returns all packages: Debian's first, then Python's, each in order of name. They own no files yet.
pub(super) fn packages(inventory: &Inventory) -> Vec<Package> {
    let mut debs = from_status(inventory);
    // an image that grew a real dpkg over distroless layers lists its packages twice
    let known: HashSet<(String, Option<String>)> =
        debs.iter().map(|deb| (deb.name.clone(), deb.architecture.clone())).collect();
    debs.extend(from_status_d(inventory).filter(|deb| !known.contains(&(deb.name.clone(), deb.architecture.clone()))));
    let mut all = debs;
    all.extend(pythons(inventory));
    all.sort_by(|a, b| {
        (a.kind, &a.normalized_name, &a.architecture, &a.location).cmp(&(
            b.kind,
            &b.normalized_name,
            &b.architecture,
            &b.location,
        ))
    });
    all
}

/// Reads `status`, which counts whole as its last layer wrote it. A package came with the layer since which it has
/// been there in the same version, though every later one may have rewritten the file.
fn from_status(inventory: &Inventory) -> Vec<Package> {
    let Some(node) = inventory.lookup(STATUS) else { return Vec::new() };
    let Some(last) = node.origin else { return Vec::new() };
    let mut since: HashMap<(&str, &str), (&str, usize)> = HashMap::new();
    for (number, layer) in inventory.indexes.iter().enumerate().take(last.layer + 1) {
        let written = layer.entries.iter().rposition(|entry| entry.head.path == node.head.path);
        let Some(written) = written.and_then(|position| u32::try_from(position).ok()) else { continue };
        let before = std::mem::take(&mut since);
        for deb in layer.packages_of(written).iter().filter_map(|fact| deb(&fact.record)).filter(|deb| installed(deb)) {
            let key = (deb.package.as_str(), deb.architecture.as_str());
            let first =
                before.get(&key).filter(|(version, _)| *version == deb.version).map_or(number, |(_, first)| *first);
            since.insert(key, (&deb.version, first));
        }
    }
    let records = inventory.indexes[last.layer].packages_of(last.entry).iter().filter_map(|fact| deb(&fact.record));
    records
        .filter(|record| installed(record))
        .map(|record| {
            let first =
                since.get(&(record.package.as_str(), record.architecture.as_str())).map_or(node.layer, |found| found.1);
            deb_package(inventory, record, first, node)
        })
        .collect()
}

/// Reads the files of `status.d`, each on its own.
fn from_status_d(inventory: &Inventory) -> impl Iterator<Item = Package> {
    inventory
        .below(STATUS_D)
        .filter_map(|(_, node)| node.origin.map(|origin| (node, origin)))
        .flat_map(|(node, origin)| {
            inventory.indexes[origin.layer].packages_of(origin.entry).iter().map(move |fact| (node, fact))
        })
        .filter_map(|(node, fact)| deb(&fact.record).map(|record| (node, record)))
        .filter(|(_, record)| installed(record))
        .map(|(node, record)| deb_package(inventory, record, node.layer, node))
}

fn deb(record: &PackageRecord) -> Option<&DebRecord> {
    match record {
        PackageRecord::Deb(deb) => Some(deb),
        PackageRecord::Python(_) => None,
    }
}

/// Says whether the files of a package are there: its third status word tells; no status is distroless' way.
fn installed(deb: &DebRecord) -> bool {
    let state = deb.status.as_deref().map(|status| status.split_whitespace().nth(2).unwrap_or_default());
    !matches!(state, Some("not-installed" | "config-files"))
}

fn deb_package(inventory: &Inventory, record: &DebRecord, layer: usize, node: &Node) -> Package {
    let copyright = format!("usr/share/doc/{}/copyright", record.package);
    let licenses = inventory
        .lookup(&copyright)
        .and_then(|node| node.origin)
        .and_then(|origin| inventory.indexes[origin.layer].copyright_of(origin.entry))
        .map(|fact| fact.licenses.clone());
    let depends = [&record.pre_depends, &record.depends].into_iter().flatten().flat_map(|text| text.split(','));
    Package {
        kind: PackageKind::Deb,
        name: record.package.clone(),
        normalized_name: record.package.clone(),
        version: record.version.clone(),
        architecture: Some(record.architecture.clone()).filter(|text| !text.is_empty()),
        source: Some(source(record)),
        layer,
        location: node.head.path.clone(),
        files: Vec::new(),
        within: None,
        maintainer: record.maintainer.clone(),
        homepage: record.homepage.clone(),
        summary: record.summary.clone(),
        licenses: licenses.unwrap_or_default(),
        depends: depends.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect(),
        provides: record.provides.iter().flat_map(|text| text.split(',')).map(|text| text.trim().to_owned()).collect(),
        section: record.section.clone(),
        essential: record.essential,
        installed_size: record.installed_size.map(|kib| kib.saturating_mul(1024)),
        installer: None,
    }
}

/// Tells the source package: `Source: name (version)`, each part being the package's own where it is left out.
fn source(record: &DebRecord) -> Source {
    let text = record.source.as_deref().unwrap_or(&record.package);
    let (name, version) = match text.split_once('(') {
        Some((name, version)) => (name.trim(), version.trim_end().trim_end_matches(')').trim()),
        None => (text.trim(), record.version.as_str()),
    };
    Source { name: name.to_owned(), version: version.to_owned() }
}

/// Finds the distributions whose metadata is visible.
fn pythons(inventory: &Inventory) -> impl Iterator<Item = Package> {
    inventory
        .nodes
        .values()
        .filter(|node| node.head.kind == EntryKind::File)
        .filter_map(|node| node.origin.map(|origin| (node, origin)))
        .flat_map(|(node, origin)| {
            inventory.indexes[origin.layer].packages_of(origin.entry).iter().map(move |fact| (node, fact))
        })
        .filter_map(|(node, fact)| match &fact.record {
            PackageRecord::Python(record) => Some(python_package(inventory, record, node)),
            PackageRecord::Deb(_) => None,
        })
}

fn python_package(inventory: &Inventory, record: &PythonRecord, node: &Node) -> Package {
    let (dir, name) = paths::split(node.head.path.as_bstr());
    // the single file of distutils is its own location, the others have a directory
    let location: &BStr = if name.ends_with(b".egg-info") { node.head.path.as_bstr() } else { dir };
    let installer = inventory
        .get(paths::join(location, b"INSTALLER".as_bstr()))
        .and_then(|node| node.origin)
        .and_then(|origin| inventory.indexes[origin.layer].installer_of(origin.entry));
    // a classifier ends with the licence: `License :: OSI Approved :: MIT License`
    let classified = || {
        record.license_classifiers.iter().filter_map(|text| text.rsplit("::").next()).map(|text| text.trim().to_owned())
    };
    Package {
        kind: PackageKind::Python,
        name: record.name.clone(),
        normalized_name: normalized(&record.name),
        version: record.version.clone(),
        architecture: None,
        source: None,
        layer: node.layer,
        location: location.to_owned(),
        files: Vec::new(),
        within: None,
        maintainer: record.author.clone(),
        homepage: record.homepage.clone(),
        summary: record.summary.clone(),
        licenses: record.license.clone().map_or_else(|| classified().collect(), |license| vec![license]),
        depends: record.requires.clone(),
        provides: Vec::new(),
        section: None,
        essential: false,
        installed_size: None,
        installer: installer.map(|fact| fact.name.clone()),
    }
}

/// Returns the form of a distribution's name that compares equal (PEP 503, "Normalized Names").
fn normalized(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        if !matches!(c, '-' | '_' | '.') {
            text.push(c.to_ascii_lowercase());
        } else if !text.ends_with('-') {
            text.push('-');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_and_separators_are_the_same() {
        for name in ["Foo.Bar_baz", "foo-bar-baz", "FOO--bar..baz", "foo_-.bar-baz"] {
            assert_eq!(normalized(name), "foo-bar-baz");
        }
    }

    #[test]
    fn the_source_is_the_package_itself_unless_it_says_otherwise() {
        let record = |source: Option<&str>| DebRecord {
            package: "libc6".to_owned(),
            version: "2.41-12+b1".to_owned(),
            source: source.map(str::to_owned),
            ..DebRecord::default()
        };
        let parts = |text| {
            let found = super::source(&record(text));
            (found.name, found.version)
        };
        assert_eq!(parts(None), ("libc6".to_owned(), "2.41-12+b1".to_owned()));
        assert_eq!(parts(Some("glibc")), ("glibc".to_owned(), "2.41-12+b1".to_owned()));
        assert_eq!(parts(Some("glibc (2.41-12)")), ("glibc".to_owned(), "2.41-12".to_owned()));
    }

    #[test]
    fn removed_packages_are_not_installed() {
        let record = |status: &str| DebRecord { status: Some(status.to_owned()), ..DebRecord::default() };
        assert!(installed(&DebRecord::default()));
        assert!(installed(&record("install ok installed")));
        assert!(installed(&record("install ok half-configured")));
        assert!(!installed(&record("deinstall ok config-files")));
        assert!(!installed(&record("purge ok not-installed")));
    }
}
