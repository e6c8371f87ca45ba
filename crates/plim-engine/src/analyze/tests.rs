//! The report of images that are made in code.

use plim_oci::{Platform, Silent};
use plim_testkit::{ImageBuilder, LayerBuilder};

use super::*;
use crate::testing::TestWorkspace;

const DEBIAN: &str = "docker.io/library/debian:13";
const PYTHON: &str = "docker.io/library/python:3.13";
const SHOP: &str = "docker.io/library/shop:1";

fn image() -> ImageBuilder {
    ImageBuilder::new().platform(&Platform::host())
}

fn system() -> LayerBuilder {
    LayerBuilder::new()
        .file("etc/os-release", "ID=debian\n")
        .file("usr/share/doc/a/news", vec![1; 9000])
        .created_by("ADD rootfs.tar /")
}

fn python() -> LayerBuilder {
    LayerBuilder::new().executable("usr/bin/python3", vec![2; 40_000]).created_by("RUN install python")
}

fn requirements() -> LayerBuilder {
    LayerBuilder::new().file("app/requirements.txt", "a").created_by("COPY requirements.txt /app/ # buildkit")
}

fn source() -> LayerBuilder {
    LayerBuilder::new().file("app/main.py", vec![3; 20_000]).created_by("COPY . /app # buildkit")
}

fn analyzed(workspace: &Workspace, name: &str) -> AnalyzeReport {
    analyze(workspace, name, &AnalyzeOptions::default(), &Silent).unwrap()
}

#[test]
fn the_base_is_the_image_of_the_store_that_shares_most_layers() {
    let workspace = TestWorkspace::new();
    image().layer(system()).write_as(&workspace.store, DEBIAN);
    let python_image = image().layer(system()).layer(python()).write_as(&workspace.store, PYTHON);
    let shop = image().layer(system()).layer(python()).layer(requirements()).layer(source());
    shop.write_as(&workspace.store, SHOP);
    // another name of the same image, and one with the same layers, are no bases
    shop.write_as(&workspace.store, "docker.io/library/shop:latest");
    shop.config(|config| config.user = String::from("1")).write_as(&workspace.store, "docker.io/library/shop:user");
    let report = analyzed(&workspace, SHOP);
    let base = report.base.unwrap();
    assert_eq!((base.layers, base.evidence), (2, BaseEvidence::KnownImage));
    assert_eq!(base.name.as_deref(), Some(PYTHON));
    assert_eq!(base.digest, Some(python_image.descriptor.digest.to_string()));
    assert_eq!(base.compressed_bytes, report.layers[..2].iter().map(|layer| layer.compressed_bytes).sum::<u64>());
    // the copy of a file is used again, that of the directory is not
    assert_eq!(report.cost.assumptions.reused_layers, 3);
    assert_eq!(report.cost.new_bytes_per_build, report.layers[3].compressed_bytes);
    // what stands on nothing known has no base
    assert_eq!(analyzed(&workspace, DEBIAN).base, None);
}

#[test]
fn annotations_name_the_base_and_win_over_other_images() {
    let workspace = TestWorkspace::new();
    let debian = image().layer(system()).write_as(&workspace.store, DEBIAN);
    image().layer(system()).layer(python()).write_as(&workspace.store, PYTHON);
    let shop = image().layer(system()).layer(python()).layer(source());
    shop.clone()
        .annotation("org.opencontainers.image.base.digest", debian.descriptor.digest.as_str())
        .write_as(&workspace.store, SHOP);
    let base = analyzed(&workspace, SHOP).base.unwrap();
    assert_eq!((base.layers, base.evidence), (1, BaseEvidence::Annotation));
    assert_eq!(base.name.as_deref(), Some(DEBIAN));
    shop.clone().annotation("org.opencontainers.image.base.name", "debian:13").write_as(&workspace.store, SHOP);
    assert_eq!(analyzed(&workspace, SHOP).base.unwrap().evidence, BaseEvidence::Annotation);
    // a name whose image is another one by now tells nothing
    image().layer(source()).write_as(&workspace.store, DEBIAN);
    assert_eq!(analyzed(&workspace, SHOP).base.unwrap().evidence, BaseEvidence::KnownImage);
}

#[test]
fn a_deleted_directory_is_waste_in_the_layer_that_has_it() {
    let workspace = TestWorkspace::new();
    let noise: Vec<u8> = (0..40_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    image()
        .layer(
            LayerBuilder::new()
                .file("opt/src/a.bin", noise.clone())
                .file("opt/src/b.txt", vec![b'x'; 1000])
                .created_by("COPY src /opt/src # buildkit"),
        )
        .layer(LayerBuilder::new().whiteout("opt/src").created_by("RUN /bin/sh -c rm -rf /opt/src # buildkit"))
        .write_as(&workspace.store, SHOP);
    let report = analyzed(&workspace, SHOP);
    assert_eq!((report.dive.wasted_bytes, report.hidden_bytes), (0, 161_000));
    let [row] = &report.waste[..] else { panic!("{:#?}", report.waste) };
    assert_eq!((row.kind, row.layer, row.hidden_by, row.files), (WasteKind::Deleted, 1, Some(2), 2));
    assert_eq!(row.weight, report.reclaimable);
    assert_eq!(row.paths[0], Sized { name: "/opt/src/a.bin".to_owned(), bytes: 160_000 });
    assert_eq!(row.created_by.as_deref(), Some("COPY src /opt/src # buildkit"));
    assert!(row.hint.contains(".dockerignore"), "{}", row.hint);
    // nearly all of the layer is these files, so nearly all of the blob is
    let blob = report.layers[0].compressed_bytes;
    assert!(row.weight.compressed_bytes > blob * 9 / 10 && row.weight.compressed_bytes <= blob);
}

#[test]
fn an_opaque_directory_is_waste_too() {
    let workspace = TestWorkspace::new();
    image()
        .layer(LayerBuilder::new().file("d/a", vec![1; 7000]).file("d/b", vec![2; 7000]))
        .layer(LayerBuilder::new().opaque("d").file("d/c", vec![3; 10]))
        .write_as(&workspace.store, SHOP);
    let report = analyzed(&workspace, SHOP);
    assert_eq!((report.dive.wasted_bytes, report.reclaimable.bytes), (0, 14_000));
}

#[test]
fn waste_of_the_base_says_so() {
    let workspace = TestWorkspace::new();
    image().layer(system()).write_as(&workspace.store, DEBIAN);
    image().layer(system()).layer(source()).write_as(&workspace.store, SHOP);
    let report = analyzed(&workspace, SHOP);
    assert_eq!(report.waste[0].what, "documentation");
    assert!(
        report.waste[0].hint.starts_with(&format!("it came with the base image {DEBIAN}")),
        "{}",
        report.waste[0].hint
    );
}

/// Checks that every directory is the sum of what is in it; returns the number of nodes.
fn check(node: &TreeNode) -> usize {
    assert_eq!(node.directory, !node.children.is_empty(), "{}", node.name);
    if node.directory {
        assert_eq!(node.bytes, node.children.iter().map(|child| child.bytes).sum::<u64>(), "{}", node.name);
        assert_eq!(node.files, node.children.iter().map(|child| child.files).sum::<u64>(), "{}", node.name);
    }
    1 + node.children.iter().map(check).sum::<usize>()
}

#[test]
fn the_tree_adds_up_and_is_bounded() {
    let workspace = TestWorkspace::new();
    let large = (0..2000).fold(LayerBuilder::new(), |layer, number: u32| {
        let place = format!("srv/{}/{}/{}/file-{number}", number % 7, number % 11, number % 13);
        layer.file(&place, vec![number as u8; 100 + number as usize % 50])
    });
    image().layer(system()).layer(large).layer(source()).write_as(&workspace.store, SHOP);
    let report = analyzed(&workspace, SHOP);
    assert!(check(&report.tree) <= 3000);
    assert_eq!((report.tree.name.as_str(), report.tree.files), ("/", report.files));
    let child = |node: &'static str| report.tree.children.iter().find(|child| child.name == node).unwrap();
    assert_eq!((child("srv").layer, child("app").layer, child("app").children[0].name.as_str()), (2, 3, "main.py"));
    assert_eq!(report.tree.children[0].name, "srv");
}

#[test]
fn an_image_of_nothing_has_an_empty_report() {
    let workspace = TestWorkspace::new();
    image().write_as(&workspace.store, SHOP);
    let report = analyzed(&workspace, SHOP);
    assert!(report.waste.is_empty() && report.tree.children.is_empty() && report.base.is_none());
    assert_eq!(report.reclaimable, Weight::default());
    assert_eq!(report.cost.scale_out_bytes, 0);
}

#[test]
fn owners_are_shown_in_the_tree() {
    let workspace = TestWorkspace::new();
    let layer = LayerBuilder::new()
        .file("var/lib/dpkg/status", "Package: curl\nStatus: install ok installed\nVersion: 1\n")
        .file("var/lib/dpkg/info/curl.list", "/usr/bin/curl\n")
        .executable("usr/bin/curl", vec![1; 50_000]);
    image().layer(layer).write_as(&workspace.store, SHOP);
    let report = analyzed(&workspace, SHOP);
    assert_eq!(report.tree.children[0].owner.as_deref(), Some("curl"));
    assert_eq!(report.tree.children[1].owner, None);
    assert_eq!((report.owners[0].name.as_str(), report.owners[0].bytes), ("curl", 50_000));
}

/// Returns the report as it is written.
fn written(report: &AnalyzeReport) -> String {
    serde_json::to_string_pretty(report).unwrap()
}

/// Analyses an image of which nothing is kept, and again with what the first time left; both must say the same.
fn twice(workspace: &Workspace, options: &AnalyzeOptions) -> AnalyzeReport {
    let _ = std::fs::remove_dir_all(workspace.host.cache.join("analysis"));
    let fresh = analyze(workspace, SHOP, options, &Silent).unwrap();
    assert!(Kept::of(workspace).get(&fresh.digest).is_some(), "the findings are kept");
    let again = analyze(workspace, SHOP, options, &Silent).unwrap();
    assert_eq!(written(&again), written(&fresh));
    again
}

#[test]
fn the_second_answer_is_the_first_whatever_is_asked() {
    let workspace = TestWorkspace::new();
    rich().write_as(&workspace.store, SHOP);
    let cost = AssumptionsGiven { pods: Some(3), reused_layers: Some(1), ..AssumptionsGiven::default() };
    let plain = twice(&workspace, &AnalyzeOptions::default());
    let other = twice(&workspace, &AnalyzeOptions { assumptions: cost });
    assert_ne!(plain.cost, other.cost);
    // what is kept for one set of assumptions answers for another
    let again = analyze(&workspace, SHOP, &AnalyzeOptions::default(), &Silent).unwrap();
    assert_eq!(written(&again), written(&plain));
}

#[test]
fn the_second_answer_needs_no_index() {
    let workspace = TestWorkspace::new();
    rich().write_as(&workspace.store, SHOP);
    let first = analyzed(&workspace, SHOP);
    std::fs::remove_dir_all(workspace.host.cache.join("index")).unwrap();
    assert_eq!(written(&analyzed(&workspace, SHOP)), written(&first));
    assert!(!workspace.host.cache.join("index").exists());
}

#[test]
fn a_base_that_comes_or_goes_is_seen_by_the_second_answer() {
    let workspace = TestWorkspace::new();
    rich().write_as(&workspace.store, SHOP);
    assert_eq!(twice(&workspace, &AnalyzeOptions::default()).base, None);
    image().layer(system()).write_as(&workspace.store, DEBIAN);
    let known = analyzed(&workspace, SHOP);
    assert_eq!(known.base.as_ref().unwrap().name.as_deref(), Some(DEBIAN));
    assert!(known.waste.iter().any(|row| row.hint.contains(DEBIAN)));
    assert_eq!(written(&twice(&workspace, &AnalyzeOptions::default())), written(&known));
    workspace.store.untag(DEBIAN).unwrap();
    assert_eq!(analyzed(&workspace, SHOP).base, None);
}

#[test]
fn the_same_image_by_another_name_is_the_same_but_for_the_name() {
    let workspace = TestWorkspace::new();
    rich().write_as(&workspace.store, SHOP);
    rich().write_as(&workspace.store, "docker.io/library/shop:2");
    let first = analyzed(&workspace, SHOP);
    let mut second = analyzed(&workspace, "shop:2");
    assert_eq!(second.subject, "shop:2");
    second.subject = SHOP.to_owned();
    assert_eq!(written(&second), written(&first));
}

/// An image with something for every part of the report.
fn rich() -> ImageBuilder {
    let status = "Package: curl\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n\
                  Package: gcc\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n";
    let key = format!("{}\nMIIEow\n{}\n", "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----");
    let mut image = image()
        .layer(system())
        .layer(
            LayerBuilder::new()
                .file("var/lib/dpkg/status", status)
                .file("var/lib/dpkg/info/curl.list", "/usr/bin/curl\n")
                .file("var/lib/dpkg/info/gcc.list", "/usr/bin/gcc\n")
                .executable("usr/bin/curl", vec![1; 50_000])
                .executable("usr/bin/gcc", vec![2; 60_000])
                .executable("bin/sh", vec![3; 1000])
                .executable("usr/bin/apt-get", vec![4; 1000])
                .file("root/.cache/pip/a", vec![5; 3000])
                .file("root/id_rsa", key)
                .created_by("RUN apt-get install curl gcc"),
        )
        .layer(
            LayerBuilder::new()
                .file("s/p-1.dist-info/METADATA", "Name: p\nVersion: 1\n\n")
                .file("s/p-1.dist-info/RECORD", "p.py,,\n")
                .file("s/p.py", vec![b'#'; 7000])
                .file("n/node_modules/a/package.json", r#"{"name":"a","version":"1"}"#)
                .file("twin/one", vec![6; 30_000])
                .file("twin/two", vec![6; 30_000])
                .created_by("COPY . /s # buildkit"),
        )
        .layer(
            LayerBuilder::new()
                .whiteout("root/id_rsa")
                .file("s/p.py", vec![b'%'; 8000])
                .executable("usr/bin/curl", vec![1; 50_000])
                .created_by("RUN tidy"),
        );
    for number in 0..40_u8 {
        image = image.layer(LayerBuilder::new().file(&format!("srv/{number}/f"), vec![number; 700]));
    }
    image
}

#[test]
fn what_is_found_does_not_change_without_the_number_of_its_format() {
    let workspace = TestWorkspace::new();
    let amd64 = Platform::new("linux", "amd64");
    let image = rich().platform(&amd64).write_as(&workspace.store, SHOP);
    let layers = workspace.indexes.ensure_all(&image, &workspace.store, &Silent).unwrap();
    let mut found = found(&image, &layers, &plim_index::fold(&image.config, &layers));
    found.tool.version.clear();
    let kinds: std::collections::BTreeSet<WasteKind> = found.waste.iter().map(|row| row.kind).collect();
    assert!(kinds.len() >= 7, "{kinds:?}");
    let known = [
        (1, "sha256:7abacffde0cd3d218b8598bbdea0c67c22a2e1f497f1382503db49cdf379f226"),
        (2, "sha256:a52c01518d0e5a2ab5c460fbee7d962fa6bd2dfb5e1134336cd092007bdead40"),
    ];
    let now = (kept::FORMAT, plim_oci::Digest::of(written(&found).as_bytes()).to_string());
    assert_eq!(
        known.last().map(|(format, digest)| (*format, (*digest).to_owned())),
        Some(now),
        "the same indexes give other findings: raise FORMAT in kept.rs and add the new pair"
    );
}
