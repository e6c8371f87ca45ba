//! Two images that are made in code.

use plim_oci::{EntryHead, EntryKind, Platform, Silent};
use plim_testkit::{ImageBuilder, LayerBuilder};

use super::*;
use crate::testing::TestWorkspace;

fn status(packages: &[(&str, &str)]) -> String {
    let paragraph = |(name, version): &(&str, &str)| {
        format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\n\n")
    };
    packages.iter().map(paragraph).collect()
}

fn base() -> LayerBuilder {
    LayerBuilder::new()
        .file("etc/os-release", "ID=debian\n")
        .file("var/lib/dpkg/status", status(&[("curl", "8.1"), ("git", "2.1"), ("zlib1g", "1")]))
        .created_by("base")
}

fn app(head: EntryHead, status_of: &str, files: &[(&str, usize)]) -> LayerBuilder {
    let layer = LayerBuilder::new().entry(head, vec![7; 300]).file("var/lib/dpkg/status", status_of);
    files.iter().fold(layer, |layer, (path, size)| layer.file(path, vec![b'x'; *size])).created_by("app")
}

fn pair(workspace: &Workspace) {
    let image = |layer: LayerBuilder| ImageBuilder::new().platform(&Platform::host()).layer(base()).layer(layer);
    image(app(
        EntryHead::new("app/run", EntryKind::File, 0o644),
        &status(&[("curl", "8.1"), ("git", "2.1"), ("zlib1g", "1")]),
        &[("app/gone", 4000), ("app/grows", 100), ("app/same", 10)],
    ))
    .config(|config| {
        config.env = vec!["PATH=/bin".to_owned(), "MODE=old".to_owned(), "GONE=1".to_owned()];
        config.cmd = Some(vec!["/app/run".to_owned()]);
        config.exposed_ports.insert("80/tcp".to_owned(), serde_json::json!({}));
    })
    .write_as(&workspace.store, "docker.io/library/shop:1");
    image(app(
        EntryHead { uid: 7, ..EntryHead::new("app/run", EntryKind::File, 0o755) },
        &status(&[("curl", "8.2"), ("zlib1g", "1"), ("jq", "1.7")]),
        &[("app/new", 5000), ("app/grows", 900), ("app/same", 10)],
    ))
    .config(|config| {
        config.user = String::from("65532");
        config.env = vec!["PATH=/bin".to_owned(), "MODE=new".to_owned()];
        config.entrypoint = Some(vec!["/app/run".to_owned()]);
        config.labels.insert("version".to_owned(), "2".to_owned());
    })
    .write_as(&workspace.store, "docker.io/library/shop:2");
}

#[test]
fn everything_that_is_different_is_told() {
    let workspace = TestWorkspace::new();
    pair(&workspace);
    let report = diff(&workspace, "shop:1", "shop:2", &Silent).unwrap();
    assert_eq!((report.layers.shared, report.layers.gone, report.layers.new.len()), (1, 1, 1));
    assert_eq!(report.layers.new[0].layer, 2);
    let files = report.files;
    assert_eq!(files.added, FileSum { files: 1, before: 0, after: 5000 });
    assert_eq!(files.removed, FileSum { files: 1, before: 4000, after: 0 });
    assert_eq!(files.metadata, FileSum { files: 1, before: 300, after: 300 });
    assert_eq!((files.changed.files, files.same.files), (2, 2));
    let shown = serde_json::json!({
        "packages": report.packages,
        "paths": report.paths,
        "config": report.config,
    });
    insta::assert_json_snapshot!(shown);
}

#[test]
fn an_image_is_not_different_from_itself() {
    let workspace = TestWorkspace::new();
    pair(&workspace);
    let report = diff(&workspace, "shop:1", "shop:1", &Silent).unwrap();
    assert!(
        report.packages.is_empty() && report.paths.is_empty() && report.config.is_empty() && report.owners.is_empty()
    );
    assert_eq!((report.layers.shared, report.layers.gone, report.layers.new_compressed_bytes), (2, 0, 0));
    assert_eq!(report.files.same.files, report.after.files);
}

#[test]
fn kinds_links_and_attributes_are_told_and_times_are_not() {
    let workspace = TestWorkspace::new();
    let image = |layer: LayerBuilder, name: &str| {
        ImageBuilder::new().platform(&Platform::host()).layer(layer).write_as(&workspace.store, name);
    };
    let mut capable = EntryHead::new("ping", EntryKind::File, 0o755);
    image(
        LayerBuilder::new().symlink("link", "a").file("x", "1").entry(capable.clone(), "p").dir("d").file("t", "t"),
        "docker.io/library/a:1",
    );
    capable.xattrs.insert("security.capability".into(), "x".into());
    let dir = EntryHead { gid: 5, ..EntryHead::new("d", EntryKind::Dir, 0o755) };
    let touched = EntryHead { mtime: 99, ..EntryHead::new("t", EntryKind::File, 0o644) };
    image(
        LayerBuilder::new().symlink("link", "b").dir("x").entry(capable, "p").entry(dir, "").entry(touched, "t"),
        "docker.io/library/a:2",
    );
    let report = diff(&workspace, "a:1", "a:2", &Silent).unwrap();
    let mut seen: Vec<String> = report
        .paths
        .iter()
        .map(|path| format!("{:?} {} {}", path.change, path.path, path.details.join("; ")))
        .collect();
    seen.sort();
    let expected = [
        "Changed /link target a -> b",
        "Changed /x file -> directory; mode 644 -> 755",
        "Metadata /d owner 0:0 -> 0:5",
        "Metadata /ping attribute security.capability",
    ];
    assert_eq!(seen, expected);
}
