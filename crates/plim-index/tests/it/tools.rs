//! Package lists against those of the tools that made them, where such a tool is on this machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use plim_index::{PackageKind, fold};
use plim_testkit::tools::{done, skipped};
use serde_json::Value;

use crate::build::{LayerBuilder, config, inventory};

/// Runs a program and returns what it prints; nothing, with a note, where it is not installed.
fn output(command: &mut Command) -> Option<Vec<u8>> {
    let tool = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        // npm ls fails where a project's lock and its modules differ, and prints the list all the same
        Ok(output) if !output.stdout.is_empty() => return Some(output.stdout),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            skipped(&tool, &format!("{command:?} printed nothing: {said}"));
        }
        Err(error) => skipped(&tool, &format!("{command:?}: {error}")),
    }
    None
}

/// Names and versions of the packages of a kind in a tree.
fn ours(layer: LayerBuilder, kind: PackageKind) -> BTreeSet<(String, String)> {
    let inventory = inventory(&[layer]);
    let packages = inventory.packages.into_iter().filter(|package| package.kind == kind);
    packages.map(|package| (package.name, package.version)).collect()
}

/// Takes the names and versions out of npm's tree. Only `npm ls --long` names a package that stands under another name.
fn npm_tree(node: &Value, all: &mut BTreeSet<(String, String)>) {
    for (place, package) in node["dependencies"].as_object().into_iter().flatten() {
        if let Some(version) = package["version"].as_str() {
            let name = package["name"].as_str().unwrap_or(place);
            all.insert((name.to_owned(), version.to_owned()));
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
    // what `npm ls --all --json` lists of this tree: written by hand, and held against npm where that is installed
    let recorded = [("@s/c", "0.0.1"), ("a", "1.2.0"), ("b", "2.0.0"), ("b", "3.0.0"), ("w", "5.0.0")];
    let recorded: BTreeSet<_> = recorded.map(|(name, version)| (name.to_owned(), version.to_owned())).into();
    assert_eq!(ours(LayerBuilder::new().tree("app", dir.path()), PackageKind::Npm), recorded);
    let listed = output(Command::new("npm").args(["ls", "--all", "--json"]).current_dir(dir.path()));
    let Some(tree) = listed.and_then(|bytes| serde_json::from_slice(&bytes).ok()) else { return };
    let mut expected = BTreeSet::new();
    npm_tree(&tree, &mut expected);
    assert_eq!(expected, recorded, "npm lists something else by now");
}

/// What real projects have: packages in several versions below each other, one under another name, with a scope, for other
/// systems only, for development only, and packages that bring a `package.json` of no package along.
const NODE_PROJECT: &str = r#"{
    "name": "app",
    "version": "1.0.0",
    "dependencies": {
        "chalk": "2.4.2",
        "styles": "npm:ansi-styles@6.2.1",
        "@types/ms": "2.1.0",
        "glob": "10.3.10",
        "chokidar": "3.6.0"
    },
    "devDependencies": { "semver": "7.6.0" }
}"#;

#[test]
fn node_packages_that_npm_installed_are_those_of_npm_ls() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("package.json"), NODE_PROJECT).unwrap();
    let npm = |args: &[&str]| {
        let mut command = Command::new("npm");
        command.args(args).current_dir(dir.path());
        command
    };
    let install = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    if done("npm", &mut npm(&install)).is_none() {
        return;
    }
    let compare = |least: usize, more: &[&str]| {
        let list = [&["ls", "--all", "--json", "--long"], more].concat();
        let Some(listed) = done("npm", &mut npm(&list)) else { return };
        let mut expected = BTreeSet::new();
        npm_tree(&serde_json::from_slice(&listed).unwrap(), &mut expected);
        assert!(expected.len() >= least, "{expected:?}");
        assert!(expected.contains(&("ansi-styles".to_owned(), "6.2.1".to_owned())), "{expected:?}");
        assert_eq!(ours(LayerBuilder::new().tree("app", dir.path()), PackageKind::Npm), expected);
    };
    compare(50, &[]);
    // what an image should hold: without the packages for development
    if done("npm", &mut npm(&["prune", "--omit=dev", "--ignore-scripts", "--no-audit", "--loglevel=error"])).is_some() {
        compare(40, &["--omit=dev"]);
    }
}

#[test]
fn debian_packages_of_this_machine_are_those_of_dpkg_query() {
    let format = "${db:Status-Status} ${Package} ${Version} ${Architecture}\\n";
    let Some(listed) = output(Command::new("dpkg-query").args(["-W", "-f", format])) else { return };
    let listed = String::from_utf8(listed).unwrap();
    let expected: BTreeSet<&str> = listed.lines().filter_map(|line| line.strip_prefix("installed ")).collect();

    // one package with its files: where dpkg lists /bin/x, a merged machine has usr/bin/x
    let Some(files) = output(Command::new("dpkg-query").args(["-L", "dpkg"])) else { return };
    let files: BTreeSet<PathBuf> = String::from_utf8(files).unwrap().lines().filter_map(real_file).collect();
    assert!(files.contains(Path::new("/usr/bin/dpkg")));
    let inside = |path: &Path| path.to_string_lossy().trim_start_matches('/').to_owned();
    let mut layer = LayerBuilder::new().file("var/lib/dpkg/status", fs::read("/var/lib/dpkg/status").unwrap());
    for name in ["dpkg.list", "dpkg.md5sums"] {
        let path = Path::new("/var/lib/dpkg/info").join(name);
        layer = layer.file(&inside(&path), fs::read(&path).unwrap());
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        if let Ok(target) = fs::read_link(Path::new("/").join(name)) {
            layer = layer.symlink(name, &target.to_string_lossy());
        }
    }
    let layer = files.iter().fold(layer, |layer, path| layer.file(&inside(path), ""));

    let inventory = inventory(&[layer]);
    let packages = inventory.packages.iter().filter(|package| package.kind == PackageKind::Deb);
    let found: BTreeSet<String> = packages
        .map(|package| {
            format!("{} {} {}", package.name, package.version, package.architecture.as_deref().unwrap_or_default())
        })
        .collect();
    assert_eq!(found.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    let dpkg = inventory.packages.iter().find(|package| package.name == "dpkg").unwrap();
    let owned: BTreeSet<PathBuf> = dpkg.files.iter().map(|path| Path::new("/").join(path.to_string())).collect();
    // its own list is of no package's
    assert_eq!(owned.intersection(&files).collect::<Vec<_>>(), files.iter().collect::<Vec<_>>());
}

/// Returns where a listed file is, links of its directories followed; nothing for directories and what is not there.
fn real_file(listed: &str) -> Option<PathBuf> {
    let path = Path::new(listed);
    let metadata = path.symlink_metadata().ok().filter(|metadata| !metadata.is_dir())?;
    // a link is not what the layer below makes of it
    let real = path.parent()?.canonicalize().ok()?.join(path.file_name()?);
    metadata.is_file().then_some(real)
}

#[test]
fn python_packages_of_an_environment_are_those_of_pip_list() {
    let dir = tempfile::tempdir().unwrap();
    let environment = dir.path().join("venv");
    let run = |command: &mut Command| done("pip", command);
    if run(Command::new("python3").args(["-m", "venv"]).arg(&environment)).is_none() {
        return;
    }
    let pip = || {
        let mut command = Command::new(environment.join("bin/python"));
        command.args(["-m", "pip", "--disable-pip-version-check"]);
        command
    };
    // names with capitals, dots and dashes, and packages that others need
    let packages = ["python-dateutil", "Jinja2", "zope.event"];
    if run(pip().args(["install", "--quiet", "--no-compile"]).args(packages)).is_none() {
        return;
    }
    let Some(listed) = run(pip().args(["list", "--format", "json"])) else { return };
    let listed: Value = serde_json::from_slice(&listed).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = listed.as_array().unwrap().iter();
    let expected: BTreeSet<(String, String)> = rows.map(|row| (text(&row["name"]), text(&row["version"]))).collect();
    assert!(expected.len() >= 6, "{expected:?}");
    assert_eq!(ours(LayerBuilder::new().tree("app/venv", &environment), PackageKind::Python), expected);
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
        let topdir = format!("_topdir {}", at("top"));
        let mut build = Command::new("rpmbuild");
        if done("rpm", build.args(["-bb", "--quiet", "--define", &topdir]).arg(&file)).is_none() {
            return;
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
        let install = ["--install", "--nodeps", "--noscripts", "--force-debian"];
        // not every rpm is built with both
        let tool = if backend == "sqlite" { "rpm" } else { "rpm with ndb" };
        if done(tool, rpm().args(install).args(&packages)).is_none() {
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
