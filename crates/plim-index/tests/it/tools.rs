//! Package lists against those of the tools that made them, where such a tool is on this machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use plim_index::PackageKind;
use serde_json::Value;

use crate::build::{LayerBuilder, inventory};

/// Runs a program and returns what it prints; nothing, with a note, where it is not installed.
fn output(command: &mut Command) -> Option<Vec<u8>> {
    match command.output() {
        // npm ls fails where a project's lock and its modules differ, and prints the list all the same
        Ok(output) if !output.stdout.is_empty() => Some(output.stdout),
        Ok(output) => {
            println!("skipped: {command:?} printed nothing: {}", String::from_utf8_lossy(&output.stderr));
            None
        }
        Err(error) => {
            println!("skipped: {command:?}: {error}");
            None
        }
    }
}

/// Names and versions of the packages of a kind in a tree.
fn ours(layer: LayerBuilder, kind: PackageKind) -> BTreeSet<(String, String)> {
    let inventory = inventory(&[layer]);
    let packages = inventory.packages.into_iter().filter(|package| package.kind == kind);
    packages.map(|package| (package.name, package.version)).collect()
}

/// Takes the names and versions out of npm's tree.
fn npm_tree(node: &Value, all: &mut BTreeSet<(String, String)>) {
    for (name, package) in node["dependencies"].as_object().into_iter().flatten() {
        if let Some(version) = package["version"].as_str() {
            all.insert((name.clone(), version.to_owned()));
        }
        npm_tree(package, all);
    }
}

#[test]
fn global_node_packages_are_those_of_npm_ls() {
    let root = output(Command::new("npm").args(["root", "--global"]));
    let Some(root) = root.and_then(|bytes| String::from_utf8(bytes).ok()) else { return };
    let root = Path::new(root.trim());
    let listed = output(Command::new("npm").args(["ls", "--global", "--all", "--json"]));
    let Some(tree) = listed.and_then(|bytes| serde_json::from_slice(&bytes).ok()) else { return };
    if !root.is_dir() {
        println!("skipped: npm has no global packages");
        return;
    }
    let mut expected = BTreeSet::new();
    npm_tree(&tree, &mut expected);
    let layer = LayerBuilder::new().tree("usr/lib/node_modules", root);
    assert_eq!(ours(layer, PackageKind::Npm), expected);
}

#[test]
fn node_packages_of_a_project_are_those_of_npm_ls() {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "package.json",
        r#"{"name":"app","version":"1.0.0","dependencies":{"a":"1","@s/c":"*"},"workspaces":["packages/*"]}"#,
    );
    write("node_modules/a/package.json", r#"{"name":"a","version":"1.2.0","dependencies":{"b":"^2"}}"#);
    write("node_modules/a/dist/esm/package.json", r#"{"name":"esm","version":"7.0.0"}"#);
    write("node_modules/a/test/node_modules/t/package.json", r#"{"name":"t","version":"7.0.0"}"#);
    write("node_modules/a/node_modules/b/package.json", r#"{"name":"b","version":"2.0.0"}"#);
    write("node_modules/b/package.json", r#"{"name":"b","version":"3.0.0"}"#);
    write("node_modules/@s/c/package.json", r#"{"name":"@s/c","version":"0.0.1","dependencies":{"b":"3"}}"#);
    write("packages/w/package.json", r#"{"name":"w","version":"5.0.0"}"#);
    std::os::unix::fs::symlink("../packages/w", dir.path().join("node_modules/w")).unwrap();
    let listed = output(Command::new("npm").args(["ls", "--all", "--json"]).current_dir(dir.path()));
    let Some(tree) = listed.and_then(|bytes| serde_json::from_slice(&bytes).ok()) else { return };
    let mut expected = BTreeSet::new();
    npm_tree(&tree, &mut expected);
    assert_eq!(expected.len(), 5, "{expected:?}");
    assert_eq!(ours(LayerBuilder::new().tree("app", dir.path()), PackageKind::Npm), expected);
}
