//! Packages of programming languages.

use bstr::{BStr, BString, ByteSlice};

use crate::facts::{CargoRecord, GemRecord, GoRecord, JavaRecord, NpmRecord, PackageRecord, PythonRecord};
use crate::inventory::{Inventory, Node, Package, PackageKind};
use crate::paths;

/// Describes the package of a record that a file holds; nothing for those of operating systems.
pub(super) fn package(inventory: &Inventory, record: &PackageRecord, node: &Node) -> Option<Package> {
    match record {
        PackageRecord::Python(record) => Some(python_package(inventory, record, node)),
        PackageRecord::Npm(record) => Some(npm_package(record, node)),
        PackageRecord::Gem(record) => Some(gem_package(record, node)),
        PackageRecord::Java(record) => Some(java_package(record, node)),
        PackageRecord::Go(record) => Some(go_package(record, node)),
        // what only ran during the build is not in the program
        PackageRecord::Cargo(record) => (!record.build).then(|| cargo_package(record, node)),
        PackageRecord::Deb(_) | PackageRecord::Apk(_) | PackageRecord::Rpm(_) => None,
    }
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
    let base = Package::new(PackageKind::Python, &record.name, &record.version, node.layer, location.to_owned());
    Package {
        normalized_name: normalized(&record.name),
        maintainer: record.author.clone(),
        homepage: record.homepage.clone(),
        summary: record.summary.clone(),
        licenses: record.license.clone().map_or_else(|| classified().collect(), |license| vec![license]),
        depends: record.requires.clone(),
        installer: installer.map(|fact| fact.name.clone()),
        ..base
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

fn npm_package(record: &NpmRecord, node: &Node) -> Package {
    let directory: BString = paths::split(node.head.path.as_bstr()).0.to_owned();
    Package {
        maintainer: record.author.clone(),
        homepage: record.homepage.clone(),
        summary: record.summary.clone(),
        licenses: record.licenses.clone(),
        depends: record.dependencies.clone(),
        ..Package::new(PackageKind::Npm, &record.name, &record.version, node.layer, directory)
    }
}

fn gem_package(record: &GemRecord, node: &Node) -> Package {
    Package {
        architecture: Some(record.platform.clone()).filter(|platform| platform != "ruby"),
        maintainer: record.author.clone(),
        homepage: record.homepage.clone(),
        summary: record.summary.clone(),
        licenses: record.licenses.clone(),
        depends: record.dependencies.clone(),
        ..Package::new(PackageKind::Gem, &record.name, &record.version, node.layer, node.head.path.clone())
    }
}

fn java_package(record: &JavaRecord, node: &Node) -> Package {
    let name = match &record.group {
        Some(group) => format!("{group}:{}", record.artifact),
        None => record.artifact.clone(),
    };
    Package {
        inside: Some(record.inside.clone()).filter(|inside| !inside.is_empty()),
        maintainer: record.vendor.clone(),
        licenses: record.license.iter().cloned().collect(),
        ..Package::new(PackageKind::Java, &name, &record.version, node.layer, node.head.path.clone())
    }
}

/// Describes what is really in the program: the module that replaces another, unless it is a directory.
fn go_package(record: &GoRecord, node: &Node) -> Package {
    let (path, version) = match &record.replaced_by {
        Some((path, version)) if !version.is_empty() => (path, version),
        _ => (&record.path, &record.version),
    };
    Package::new(PackageKind::Go, path, version, node.layer, node.head.path.clone())
}

fn cargo_package(record: &CargoRecord, node: &Node) -> Package {
    Package {
        depends: record.dependencies.clone(),
        ..Package::new(PackageKind::Cargo, &record.name, &record.version, node.layer, node.head.path.clone())
    }
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
}
