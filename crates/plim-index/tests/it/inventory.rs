//! Packages, ownership, programs and sizes of small images.

use plim_index::{AnomalyKind, HiddenHow, PackageKind, fold};
use plim_oci::{EntryKind, History};

use crate::build::{LayerBuilder, config, inventory};

/// A trixie-like base: merged /usr, dash as sh, dpkg's own files.
fn base() -> LayerBuilder {
    LayerBuilder::new()
        .dir("usr")
        .dir("usr/bin")
        .symlink("bin", "usr/bin")
        .program("usr/bin/dash", "\x7fELF dash")
        .symlink("usr/bin/sh", "dash")
        .program("usr/bin/apt-get", "apt")
        .file("usr/lib/os-release", "ID=debian\nVERSION_ID=\"13\"\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n")
        .symlink("etc/os-release", "../usr/lib/os-release")
        .file("usr/share/doc/dash/copyright", "Format: x\n\nFiles: *\nLicense: BSD-3-clause\n")
        .file("var/lib/dpkg/status", status(&[("dash", "0.5.12-12", "install ok installed")]))
        .file("var/lib/dpkg/info/dash.list", "/.\n/bin\n/bin/sh\n/bin/dash\n/usr/share/doc/dash/copyright\n/gone\n")
}

fn status(packages: &[(&str, &str, &str)]) -> String {
    let paragraphs = packages.iter().map(|(name, version, status)| {
        format!("Package: {name}\nStatus: {status}\nArchitecture: amd64\nMulti-Arch: same\nVersion: {version}\nDepends: libc6 (>= 2.36), x | y\nDescription: the {name}\n long\n\n")
    });
    paragraphs.collect()
}

fn python(layer: LayerBuilder, site: &str) -> LayerBuilder {
    let info = format!("{site}/Flask_Login-0.6.dist-info");
    layer
        .file(&format!("{info}/METADATA"), "Name: Flask_Login\nVersion: 0.6\nRequires-Dist: flask>=1\n\ntext")
        .file(
            &format!("{info}/RECORD"),
            "flask_login/__init__.py,,\nFlask_Login-0.6.dist-info/METADATA,,\n../../../bin/fl,,\n",
        )
        .file(&format!("{info}/INSTALLER"), "pip\n")
        .file(&format!("{site}/flask_login/__init__.py"), "pass")
        .file(&format!("{site}/flask_login/__pycache__/__init__.cpython-313.pyc"), "compiled")
        .program("usr/bin/fl", "#!/usr/bin/python3\n")
}

#[test]
fn debian_files_are_owned_through_the_merged_usr() {
    let inventory = inventory(&[base()]);
    let dash = &inventory.packages[0];
    assert_eq!((dash.kind, dash.name.as_str(), dash.layer), (PackageKind::Deb, "dash", 0));
    assert_eq!(dash.files, ["usr/bin/dash", "usr/bin/sh", "usr/share/doc/dash/copyright"]);
    assert_eq!(dash.licenses, ["BSD-3-clause"]);
    assert_eq!(dash.depends, ["libc6 (>= 2.36)", "x | y"]);
    assert_eq!(dash.summary.as_deref(), Some("the dash"));
    assert_eq!(inventory.owner_of("/bin/sh").unwrap().name, "dash");
    assert!(inventory.owner_of("usr/bin/apt-get").is_none());
}

#[test]
fn listed_files_are_found_though_the_link_to_usr_is_gone() {
    let layer = LayerBuilder::new()
        .file("usr/lib/libz.so.1", "z")
        .file("bin/old", "o")
        .file("var/lib/dpkg/status.d/zlib1g", "Package: zlib1g\nVersion: 1\n")
        .file(
            "var/lib/dpkg/status.d/zlib1g.md5sums",
            "00000000000000000000000000000000  lib/libz.so.1\n00000000000000000000000000000000  usr/bin/old\n",
        );
    assert_eq!(inventory(&[layer]).packages[0].files, ["bin/old", "usr/lib/libz.so.1"]);
}

#[test]
fn the_last_status_counts_whole_and_a_package_keeps_its_layer() {
    let second = LayerBuilder::new().file(
        "var/lib/dpkg/status",
        status(&[
            ("dash", "0.5.12-12", "install ok installed"),
            ("curl", "8.14", "install ok installed"),
            ("old", "1", "deinstall ok config-files"),
        ]),
    );
    let third = LayerBuilder::new().file(
        "var/lib/dpkg/status",
        status(&[("dash", "0.5.12-13", "install ok installed"), ("curl", "8.14", "install ok installed")]),
    );
    let inventory = inventory(&[base(), second, third]);
    let found: Vec<(&str, &str, usize)> = inventory
        .packages
        .iter()
        .map(|package| (package.name.as_str(), package.version.as_str(), package.layer))
        .collect();
    assert_eq!(found, [("curl", "8.14", 1), ("dash", "0.5.12-13", 2)]);
}

#[test]
fn status_d_files_come_and_go_one_by_one() {
    let first = LayerBuilder::new()
        .file("var/lib/dpkg/status.d/libc6", "Package: libc6\nVersion: 2\nArchitecture: amd64\nSource: glibc (1.9)\n")
        .file("var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2026a\n")
        .file("var/lib/dpkg/status.d/libc6.md5sums", "00000000000000000000000000000000  usr/lib/libc.so.6\n")
        .file("usr/lib/libc.so.6", "c");
    let second = LayerBuilder::new().file("var/lib/dpkg/status.d/.wh.tzdata", "");
    let inventory = inventory(&[first, second]);
    assert_eq!(inventory.packages.len(), 1);
    let source = inventory.packages[0].source.as_ref().unwrap();
    assert_eq!((source.name.as_str(), source.version.as_str()), ("glibc", "1.9"));
    assert_eq!(inventory.packages[0].files, ["usr/lib/libc.so.6"]);
    assert_eq!(inventory.packages[0].location, "var/lib/dpkg/status.d/libc6");
}

#[test]
fn a_distribution_knows_its_files_its_installer_and_its_bytecode() {
    let inventory = inventory(&[base(), python(LayerBuilder::new(), "usr/lib/python3/site-packages")]);
    let flask = &inventory.packages[1];
    assert_eq!((flask.name.as_str(), flask.normalized_name.as_str()), ("Flask_Login", "flask-login"));
    assert_eq!((flask.installer.as_deref(), flask.layer, flask.within), (Some("pip"), 1, None));
    assert_eq!(
        flask.files,
        [
            "usr/bin/fl",
            "usr/lib/python3/site-packages/Flask_Login-0.6.dist-info/INSTALLER",
            "usr/lib/python3/site-packages/Flask_Login-0.6.dist-info/METADATA",
            "usr/lib/python3/site-packages/Flask_Login-0.6.dist-info/RECORD",
            "usr/lib/python3/site-packages/flask_login/__init__.py",
            "usr/lib/python3/site-packages/flask_login/__pycache__/__init__.cpython-313.pyc",
        ]
    );
    let script = inventory.lookup("/bin/fl").and_then(|node| inventory.script(node)).unwrap();
    assert_eq!(script.interpreter, "/usr/bin/python3");
}

#[test]
fn a_distribution_that_a_debian_package_ships_is_within_it() {
    let site = "usr/lib/python3/dist-packages";
    let layer = LayerBuilder::new()
        .file(&format!("{site}/six-1.17.egg-info/PKG-INFO"), "Name: six\nVersion: 1.17\n")
        .file(&format!("{site}/six-1.17.egg-info/top_level.txt"), "six\n")
        .file(&format!("{site}/six.py"), "pass")
        .file(&format!("{site}/sixty.py"), "pass")
        .file("var/lib/dpkg/status", status(&[("python3-six", "1.17-1", "install ok installed")]))
        .file("var/lib/dpkg/info/python3-six.list", format!("/{site}/six.py\n/{site}/six-1.17.egg-info/PKG-INFO\n"));
    let inventory = inventory(&[layer]);
    let six = &inventory.packages[1];
    assert_eq!(six.within, Some(0));
    assert_eq!(
        six.files,
        [
            format!("{site}/six-1.17.egg-info/PKG-INFO"),
            format!("{site}/six-1.17.egg-info/top_level.txt"),
            format!("{site}/six.py")
        ]
    );
    assert_eq!(inventory.owner_of(format!("{site}/six.py")).unwrap().kind, PackageKind::Deb);
}

#[test]
fn a_removed_distribution_is_gone() {
    let site = "opt/site";
    let gone = LayerBuilder::new().file("opt/.wh.site", "");
    assert!(inventory(&[python(LayerBuilder::new(), site), gone]).packages.is_empty());
}

#[test]
fn the_system_is_known_through_the_link() {
    let os = inventory(&[base()]).os.unwrap();
    assert_eq!((os.id.as_str(), os.version_id.as_deref()), ("debian", Some("13")));
    let broken = LayerBuilder::new().file("usr/lib/.wh.os-release", "");
    assert_eq!(inventory(&[base(), broken]).os, None);
}

#[test]
fn shells_and_package_managers_must_exist_and_be_executable() {
    let layer = LayerBuilder::new()
        .file("usr/share/completions/bash", "text")
        .symlink("usr/bin/zsh", "/nowhere")
        .symlink("opt/node/bin/npm", "../lib/npm-cli.js")
        .program("opt/node/lib/npm-cli.js", "#!/usr/bin/env node\n")
        .program("usr/bin/pip3.13", "#!/usr/bin/python3\n")
        .program("etc/cron.daily/dpkg", "#!/bin/sh\n")
        .program("usr/bin/pipewire", "x");
    let found = inventory(&[base(), layer]);
    assert_eq!(found.shells(), ["usr/bin/dash", "usr/bin/sh"]);
    assert_eq!(found.package_managers(), ["opt/node/bin/npm", "usr/bin/apt-get", "usr/bin/pip3.13"]);
    assert_eq!(found.has_shell().unwrap(), "usr/bin/dash");
    let removed = LayerBuilder::new().file("usr/bin/.wh.dash", "");
    assert_eq!(inventory(&[base(), removed]).has_shell(), None);
}

#[test]
fn programs_are_found_on_the_search_path() {
    let found = inventory(&[base()]);
    let path = "/usr/local/bin:/bin";
    assert_eq!(found.which("sh", path).unwrap(), ("usr/bin/sh".into(), "usr/bin/dash".into()));
    assert_eq!(found.which("/bin/sh", "").unwrap().1, "usr/bin/dash");
    assert_eq!(found.which("os-release", "/etc"), None);
}

#[test]
fn sizes_count_hard_links_once() {
    let layer =
        LayerBuilder::new().file("a/x", "12345").hardlink("a/y", "a/x").file("b/deep/z", "123").file("top", "1");
    let found = inventory(&[layer]);
    assert_eq!((found.total_size(), found.files_count()), (9, 3));
    let dirs: Vec<(String, u64)> =
        found.size_by_dir(2).into_iter().map(|size| (size.path.to_string(), size.bytes)).collect();
    assert_eq!(dirs, [("a".to_owned(), 5), ("b".to_owned(), 3), ("b/deep".to_owned(), 3)]);
    assert_eq!(found.largest(1)[0].path, "a/x");
    assert_eq!(found.size_by_owner()[0].bytes, 9);
}

#[test]
fn hidden_bytes_tell_deletion_from_rewriting() {
    let first = LayerBuilder::new()
        .file("tmp/cache/a", "aaaa")
        .file("app/b", "bbb")
        .file("app/c", "cc")
        .hardlink("app/d", "app/c");
    let second = LayerBuilder::new()
        .file("tmp/.wh.cache", "")
        .push(plim_oci::EntryHead::new("app/b", EntryKind::File, 0o600), b"bbb")
        .file("app/c", "new");
    let found = inventory(&[first, second]);
    let hidden: Vec<(String, u64, HiddenHow)> =
        found.hidden.iter().map(|hidden| (hidden.path.to_string(), hidden.bytes, hidden.how)).collect();
    assert_eq!(
        hidden,
        [
            ("tmp/cache/a".to_owned(), 4, HiddenHow::Deleted),
            ("app/b".to_owned(), 3, HiddenHow::Rewritten),
            ("app/c".to_owned(), 0, HiddenHow::Replaced),
        ]
    );
    assert_eq!(found.hidden_bytes(), 7);
}

#[test]
fn a_path_knows_its_layer_and_its_instruction() {
    let mut config = config();
    let row =
        |text: &str, empty_layer| History { created_by: Some(text.to_owned()), empty_layer, ..History::default() };
    config.history = vec![row("FROM", false), row("ENV", true), row("RUN pip", false)];
    let second = python(LayerBuilder::new(), "usr/lib/python3/site-packages");
    let found = fold(&config, &[base().index(), second.index()]);
    let who = found.who("/bin/fl").unwrap();
    assert_eq!((who.path.to_string().as_str(), who.layer), ("usr/bin/fl", 1));
    assert_eq!(who.created_by.as_deref(), Some("RUN pip"));
    assert_eq!(who.package_name.as_deref(), Some("Flask_Login 0.6"));
    assert_eq!(found.who("bin/sh").unwrap().target.unwrap(), "usr/bin/dash");
    assert!(found.who("nowhere").is_none());
    assert_eq!(found.layers[1].created_by.as_deref(), Some("RUN pip"));
    insta::assert_json_snapshot!(found.who("usr/bin/sh").unwrap(), @r#"
    {
      "path": "usr/bin/sh",
      "target": "usr/bin/dash",
      "bytes": 0,
      "layer": 0,
      "created_by": "FROM",
      "package": 0,
      "package_name": "dash 0.5.12-12"
    }
    "#);
}

#[test]
fn what_cannot_be_unpacked_is_noted() {
    let layer = LayerBuilder::new()
        .hardlink("a", "nothing")
        .dir("d")
        .hardlink("b", "d")
        .symlink("l", "l")
        .file("l/x", "")
        .file("f", "")
        .file("f/x", "");
    let found = inventory(&[layer]);
    let kinds: Vec<(String, AnomalyKind)> =
        found.anomalies.iter().map(|anomaly| (anomaly.path.to_string(), anomaly.kind)).collect();
    assert_eq!(
        kinds,
        [
            ("b".to_owned(), AnomalyKind::HardlinkToDirectory),
            ("l/x".to_owned(), AnomalyKind::LinkLoop),
            ("f/x".to_owned(), AnomalyKind::NotADirectory),
            ("a".to_owned(), AnomalyKind::DanglingHardlink),
        ]
    );
    assert_eq!(found.nodes.keys().map(ToString::to_string).collect::<Vec<_>>(), ["d", "f", "l"]);
}
