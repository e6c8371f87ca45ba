//! Package lists against those of the tools that made them, where such a tool is on this machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use plim_index::{PackageKind, fold};
use serde_json::Value;

use crate::build::{LayerBuilder, config, inventory};

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

#[test]
fn modules_of_a_go_program_are_those_of_go_version() {
    let Some(root) = output(Command::new("go").args(["env", "GOROOT"])) else { return };
    let root = String::from_utf8(root).unwrap();
    // the toolchain's own programs are made of modules too, vendored ones among them
    let program =
        ["bin/go", "bin/gofmt"].iter().map(|name| Path::new(root.trim()).join(name)).find(|path| path.is_file());
    let Some(program) = program else {
        println!("skipped: Go's own programs are not where it says");
        return;
    };
    let Some(listed) = output(Command::new("go").args(["version", "-m"]).arg(&program)) else { return };
    let listed = String::from_utf8(listed).unwrap();
    let mut expected = BTreeSet::new();
    let mut lines = listed.lines();
    let version = lines.next().unwrap().rsplit(": go").next().unwrap();
    expected.insert(("stdlib".to_owned(), version.split_whitespace().next().unwrap().to_owned()));
    for line in lines {
        let fields: Vec<&str> = line.trim().split('\t').collect();
        if let ["mod" | "dep", path, version, ..] = fields[..] {
            expected.insert((path.to_owned(), version.to_owned()));
        }
    }
    let layer = LayerBuilder::new().program("usr/bin/program", fs::read(&program).unwrap());
    assert_eq!(ours(layer, PackageKind::Go), expected);
}

/// A specification of a package with a file, a directory and a dependency.
fn specification(name: &str, epoch: u32) -> String {
    format!(
        "Name: {name}\nVersion: 1.2\nRelease: 3\nEpoch: {epoch}\nSummary: the {name}\nLicense: MIT\nBuildArch: noarch\n\
         Provides: virtual-{name} = 1\n%description\n{name}\n%install\nmkdir -p %{{buildroot}}/opt/{name}/sub\n\
         echo {name} > %{{buildroot}}/opt/{name}/sub/file\n%files\n/opt/{name}\n"
    )
}

#[test]
fn packages_of_an_rpm_root_are_those_of_rpm() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path).to_string_lossy().into_owned();
    for (name, epoch) in [("first", 0), ("second", 7)] {
        let file = at(&format!("{name}.spec"));
        fs::write(&file, specification(name, epoch)).unwrap();
        let built = Command::new("rpmbuild")
            .args(["-bb", "--quiet", "--define"])
            .arg(format!("_topdir {}", at("top")))
            .arg(&file)
            .output();
        match built {
            Ok(output) if output.status.success() => {}
            other => {
                println!("skipped: rpmbuild: {other:?}");
                return;
            }
        }
    }
    for backend in ["sqlite", "ndb"] {
        let root = at(backend);
        let rpm = || {
            let mut command = Command::new("rpm");
            command.args([
                "--root",
                &root,
                "--define",
                &format!("_db_backend {backend}"),
                "--define",
                "_dbpath /var/lib/rpm",
            ]);
            command
        };
        fs::create_dir_all(&root).unwrap();
        let packages = ["first", "second"].map(|name| at(&format!("top/RPMS/noarch/{name}-1.2-3.noarch.rpm")));
        let installed = rpm().args(["--install", "--nodeps", "--noscripts", "--force-debian"]).args(&packages).output();
        if !installed.as_ref().is_ok_and(|output| output.status.success()) {
            println!("skipped: rpm cannot write a database of {backend}: {installed:?}");
            continue;
        }
        let format = "%{NAME} %|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE} %{ARCH}\\n";
        let Some(listed) = output(rpm().args(["--query", "--all", "--queryformat", format])) else { continue };
        let expected: BTreeSet<String> = String::from_utf8(listed).unwrap().lines().map(str::to_owned).collect();
        assert_eq!(expected.len(), 2);

        let layer = LayerBuilder::new().tree("", Path::new(&root));
        let inventory = fold(&config(), &[layer.index()]);
        let packages = inventory.packages.iter().filter(|package| package.kind == PackageKind::Rpm);
        let found: BTreeSet<String> = packages
            .map(|package| {
                format!("{} {} {}", package.name, package.version, package.architecture.as_deref().unwrap_or("(none)"))
            })
            .collect();
        assert_eq!(found, expected, "{backend}");
        assert_eq!(inventory.owner_of("opt/second/sub/file").unwrap().name, "second", "{backend}");
    }
}
