//! Packages of programming languages in small images.

use plim_index::{Inventory, PackageKind};

use crate::build::{LayerBuilder, inventory};

fn manifest(name: &str, version: &str) -> String {
    format!(r#"{{"name":"{name}","version":"{version}","license":"MIT","dependencies":{{"left-pad":"^1.0"}}}}"#)
}

/// Names, versions and places of the packages of a kind.
fn found(inventory: &Inventory, kind: PackageKind) -> Vec<String> {
    let packages = inventory.packages.iter().filter(|package| package.kind == kind);
    packages.map(|package| format!("{} {} {}", package.name, package.version, package.location)).collect()
}

fn node_project() -> LayerBuilder {
    LayerBuilder::new()
        .file("app/package.json", manifest("app", "0.1.0"))
        .file("app/node_modules/.package-lock.json", "{}")
        .file("app/node_modules/a/package.json", manifest("a", "1.0.0"))
        .file("app/node_modules/a/lib/x.js", "xxxx")
        .file("app/node_modules/a/esm/package.json", r#"{"type":"module"}"#)
        .file("app/node_modules/a/vendored/package.json", manifest("vendored", "9.0.0"))
        .file("app/node_modules/a/test/node_modules/fake/package.json", manifest("fake", "9.0.0"))
        .file("app/node_modules/a/node_modules/@s/b/package.json", manifest("@s/b", "2.0.0"))
        .file("app/node_modules/a/node_modules/@s/b/b.js", "bb")
        .file("app/packages/w/package.json", manifest("w", "3.0.0"))
        .file("app/packages/w/w.js", "w")
        .file("app/packages/unlinked/package.json", manifest("unlinked", "3.0.0"))
        .symlink("app/node_modules/w", "../packages/w")
}

#[test]
fn node_packages_are_those_that_npm_counts() {
    let inventory = inventory(&[node_project()]);
    assert_eq!(
        found(&inventory, PackageKind::Npm),
        ["@s/b 2.0.0 app/node_modules/a/node_modules/@s/b", "a 1.0.0 app/node_modules/a", "w 3.0.0 app/packages/w"]
    );
    assert_eq!(inventory.packages[1].depends, ["left-pad ^1.0"]);
    assert_eq!(inventory.packages[1].licenses, ["MIT"]);
}

#[test]
fn a_node_package_owns_what_lies_below_it_but_not_below_a_deeper_one() {
    let inventory = inventory(&[node_project()]);
    let owner = |path: &str| inventory.owner_of(path).map(|package| package.name.as_str());
    assert_eq!(owner("app/node_modules/a/lib/x.js"), Some("a"));
    assert_eq!(owner("app/node_modules/a/test/node_modules/fake/package.json"), Some("a"));
    assert_eq!(owner("app/node_modules/a/node_modules/@s/b/b.js"), Some("@s/b"));
    assert_eq!(owner("app/node_modules/w/w.js"), Some("w"));
    assert_eq!(owner("app/package.json"), None);
    assert_eq!(owner("app/node_modules/.package-lock.json"), None);
    let sizes = inventory.size_by_owner();
    let b = inventory.packages[0].files.iter().map(|path| inventory.get(path).unwrap().head.size).sum::<u64>();
    assert_eq!(sizes.iter().find(|size| size.package == Some(0)).unwrap().bytes, b);
}

#[test]
fn a_node_package_that_is_replaced_or_deleted_in_a_later_layer_is_the_later_one() {
    let later = LayerBuilder::new()
        .file("app/node_modules/a/package.json", manifest("a", "1.0.1"))
        .file("app/node_modules/.wh.w", "")
        .file("app/node_modules/a/node_modules/.wh.@s", "");
    let inventory = inventory(&[node_project(), later]);
    assert_eq!(found(&inventory, PackageKind::Npm), ["a 1.0.1 app/node_modules/a"]);
    assert_eq!(inventory.packages[0].layer, 1);
}

#[test]
fn a_node_package_of_a_debian_package_is_within_it() {
    let layer = LayerBuilder::new()
        .file("usr/lib/node_modules/npm/package.json", manifest("npm", "11.0.0"))
        .file("usr/lib/node_modules/npm/x.js", "x")
        .file("var/lib/dpkg/status", "Package: nodejs\nStatus: install ok installed\nVersion: 24\n")
        .file("var/lib/dpkg/info/nodejs.list", "/usr/lib/node_modules/npm/package.json\n");
    let inventory = inventory(&[layer]);
    assert_eq!(inventory.packages[1].within, Some(0));
    assert_eq!(inventory.owner_of("usr/lib/node_modules/npm/package.json").unwrap().kind, PackageKind::Deb);
    assert_eq!(inventory.owner_of("usr/lib/node_modules/npm/x.js").unwrap().kind, PackageKind::Npm);
}
