//! The store and every other layout.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;

use plim_oci::read::{self, Document};
use plim_oci::{
    BlobError, Blobs, BlobsMut, Descriptor, Digest, Index, Layout, Platform, Silent, copy, media_type, write,
};
use plim_testkit::{ImageBuilder, LayerBuilder, Recorder, TempLayout};

fn amd64() -> Platform {
    Platform::new("linux", "amd64")
}

fn small() -> ImageBuilder {
    ImageBuilder::new()
        .layer(LayerBuilder::new().dir("etc").created_by("first"))
        .layer(LayerBuilder::new().file("etc/x", "x").created_by("second"))
        .config(|config| config.env.push("A=b".to_owned()))
}

#[test]
fn an_image_that_was_written_is_read_back() {
    let layout = TempLayout::new();
    let written = small().write_as(&layout, "docker.io/library/x:1");
    let found = layout.resolve("docker.io/library/x:1").unwrap();
    assert_eq!(found.digest, written.descriptor.digest);
    let mut read = read::image(&*layout, &found, &amd64()).unwrap();
    read.descriptor.annotations = BTreeMap::new();
    assert_eq!(read, written);
    assert_eq!(read.layers[1].created_by.as_deref(), Some("second"));
}

#[test]
fn equal_images_have_equal_digests() {
    let digests = [small(), small()].map(|image| image.write(&TempLayout::new()).descriptor.digest);
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn an_image_without_layers_lists_none() {
    let image = ImageBuilder::new().write(&TempLayout::new());
    let manifest: serde_json::Value = serde_json::from_slice(&image.manifest_bytes).unwrap();
    assert_eq!(manifest["layers"], serde_json::json!([]));
    let config: serde_json::Value = serde_json::from_slice(&image.config_bytes).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"], serde_json::json!([]));
}

#[test]
fn names_move_and_go() {
    let layout = TempLayout::new();
    let one = small().write_as(&layout, "docker.io/library/x:1");
    let two = ImageBuilder::new().write(&layout);
    layout.tag("docker.io/library/x:2", &one.descriptor).unwrap();
    layout.tag("docker.io/library/x:1", &two.descriptor).unwrap();
    let names: Vec<(String, Digest)> =
        layout.names().unwrap().into_iter().map(|(name, descriptor)| (name, descriptor.digest)).collect();
    assert_eq!(
        names,
        [
            ("docker.io/library/x:2".to_owned(), one.descriptor.digest.clone()),
            ("docker.io/library/x:1".to_owned(), two.descriptor.digest.clone())
        ]
    );
    assert!(layout.untag("docker.io/library/x:2").unwrap());
    assert!(!layout.untag("docker.io/library/x:2").unwrap());
    assert!(matches!(layout.resolve("docker.io/library/x:2"), Err(BlobError::NoSuchName { .. })));
    // by digest it is there until a sweep
    assert_eq!(layout.resolve(one.descriptor.digest.as_str()).unwrap().media_type, media_type::OCI_MANIFEST);
    let pinned = format!("docker.io/library/y@{}", two.descriptor.digest);
    assert_eq!(layout.resolve(&pinned).unwrap().digest, two.descriptor.digest);
}

#[test]
fn the_empty_name_is_the_only_image() {
    let layout = TempLayout::new();
    let image = small().write_as(&layout, "v1");
    layout.tag("v2", &image.descriptor).unwrap();
    assert_eq!(layout.resolve("").unwrap().digest, image.descriptor.digest);
    ImageBuilder::new().write_as(&layout, "v3");
    assert!(layout.resolve("").is_err());
}

#[test]
fn writers_on_many_threads_lose_no_name() {
    let layout = TempLayout::new();
    let image = small().write(&layout);
    std::thread::scope(|scope| {
        for number in 0..20 {
            let (layout, image) = (&layout, &image);
            scope.spawn(move || layout.tag(&format!("v{number}"), &image.descriptor).unwrap());
        }
    });
    assert_eq!(layout.names().unwrap().len(), 20);
}

#[test]
fn a_sweep_keeps_what_is_named_or_claimed() {
    let layout = TempLayout::new();
    let kept = small().write_as(&layout, "keep");
    let gone = ImageBuilder::new().layer(LayerBuilder::new().file("big", vec![7; 5000])).write(&layout);
    let claimed = write::put(&*layout, "text/plain", b"claimed").unwrap();
    let sweep = layout.sweep_unreferenced(&|digest| *digest == claimed.digest).unwrap();
    assert_eq!((sweep.removed, sweep.busy), (3, false));
    assert!(sweep.freed > 0);
    assert!(!layout.exists(&gone.descriptor).unwrap());
    assert!(layout.exists(&claimed).unwrap());
    read::image(&*layout, &kept.descriptor, &amd64()).unwrap();
    assert!(kept.layers.iter().all(|layer| layout.exists(&layer.descriptor).unwrap()));
}

#[test]
fn nothing_is_swept_while_somebody_else_has_the_layout_open() {
    let layout = TempLayout::new();
    small().write(&layout);
    let other = Layout::open(layout.root()).unwrap();
    assert!(layout.sweep_unreferenced(&|_| false).unwrap().busy);
    drop(other);
    assert_eq!(layout.sweep_unreferenced(&|_| false).unwrap().removed, 4);
}

#[test]
fn unfinished_files_are_removed_when_nobody_writes_them_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(dir.path()).unwrap();
    std::fs::write(dir.path().join(".plim/tmp/dead"), "x").unwrap();
    let second = Layout::open(dir.path()).unwrap();
    assert!(dir.path().join(".plim/tmp/dead").exists(), "the first may be writing it");
    drop((layout, second));
    Layout::open(dir.path()).unwrap();
    assert!(!dir.path().join(".plim/tmp/dead").exists());
}

#[test]
fn a_directory_that_is_no_layout_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Layout::open(dir.path()).is_err());
    std::fs::write(dir.path().join("oci-layout"), r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    assert!(Layout::open(dir.path()).is_err());
}

#[test]
fn content_that_differs_from_its_descriptor_is_refused() {
    let layout = TempLayout::new();
    let descriptor = Descriptor::new("text/plain", Digest::of(b"right"), 5);
    assert!(layout.put(&descriptor, &mut &b"wrong"[..]).is_err());
    assert!(layout.put(&descriptor, &mut &b"right, and more"[..]).is_err());
    assert!(!layout.exists(&descriptor).unwrap());
    // what a power cut left half written is written again
    std::fs::write(layout.blob_path(&descriptor.digest), "ri").unwrap();
    layout.put(&descriptor, &mut &b"right"[..]).unwrap();
    assert_eq!(read::bytes(&*layout, &descriptor, "text").unwrap(), b"right");
}

#[test]
fn damaged_manifests_are_not_believed() {
    let layout = TempLayout::new();
    let image = small().write(&layout);
    let path = layout.blob_path(&image.descriptor.digest);
    let mut bytes = image.manifest_bytes.clone();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(read::image(&*layout, &image.descriptor, &amd64()), Err(BlobError::Corrupt { .. })));
    bytes.push(b' ');
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(read::image(&*layout, &image.descriptor, &amd64()), Err(BlobError::Malformed { .. })));
}

#[test]
fn manifest_and_configuration_must_agree_on_the_layers() {
    let layout = TempLayout::new();
    let image = small().write(&layout);
    let mut manifest = image.manifest.clone();
    manifest.layers.pop();
    let descriptor = write::put(&*layout, media_type::OCI_MANIFEST, &serde_json::to_vec(&manifest).unwrap()).unwrap();
    let error = read::image(&*layout, &descriptor, &amd64()).unwrap_err();
    assert!(error.to_string().ends_with("it lists 2 layers, the manifest 1"), "{error}");
}

fn index(layout: &Layout) -> Descriptor {
    let mut index = Index::default();
    for platform in ["linux/amd64", "linux/arm64", "linux/arm/v7"] {
        let platform: Platform = platform.parse().unwrap();
        let image = small().platform(&platform).write(layout);
        index.manifests.push(Descriptor { platform: Some(platform), ..image.descriptor });
    }
    let mut attestation = index.manifests[0].clone();
    attestation.platform = Some(Platform::new("unknown", "unknown"));
    index.manifests.insert(0, attestation);
    write::put(layout, media_type::OCI_INDEX, &serde_json::to_vec(&index).unwrap()).unwrap()
}

#[test]
fn of_an_index_the_image_for_the_platform_is_read() {
    let layout = TempLayout::new();
    let index = index(&layout);
    for (wanted, found) in [("linux/arm64", "arm64"), ("linux/arm64/v8", "arm64"), ("linux/arm/v7", "arm")] {
        let image = read::image(&*layout, &index, &wanted.parse().unwrap()).unwrap();
        assert_eq!(image.config.architecture, found);
    }
    let error = read::image(&*layout, &index, &"linux/s390x".parse().unwrap()).unwrap_err();
    assert!(
        error.to_string().ends_with("has no image for linux/s390x, only for linux/amd64, linux/arm64, linux/arm/v7")
    );
    assert!(error.hint().unwrap().contains("--platform"));
}

#[test]
fn a_copy_brings_everything_once() {
    let (source, target) = (TempLayout::new(), TempLayout::new());
    let index = index(&source);
    let recorder = Recorder::new();
    let report = copy::copy(&*source, &*target, &index, copy::Options::default(), &recorder).unwrap();
    // three manifests and configurations, two shared layers, the index
    assert_eq!((report.copied, report.present), (9, 0));
    assert!(matches!(read::document(&*target, &index).unwrap(), Document::Index(_)));
    read::image(&*target, &index, &"linux/arm/v7".parse().unwrap()).unwrap();
    let again = copy::copy(&*source, &*target, &index, copy::Options::default(), &Silent).unwrap();
    assert_eq!((again.copied, again.present, again.present_bytes), (0, 9, report.copied_bytes));
}

#[test]
fn a_copy_that_meets_damage_or_the_user_s_wish_stops_before_the_manifest() {
    let source = TempLayout::new();
    let image = small().write(&source);
    let cancelled = Recorder::new();
    cancelled.cancel();
    let target = TempLayout::new();
    assert!(matches!(
        copy::copy(&*source, &*target, &image.descriptor, copy::Options::default(), &cancelled),
        Err(BlobError::Cancelled)
    ));
    let path = source.blob_path(&image.layers[0].descriptor.digest);
    let size = std::fs::metadata(&path).unwrap().len();
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(&vec![1; size as usize]).unwrap();
    assert!(copy::copy(&*source, &*target, &image.descriptor, copy::Options::default(), &Silent).is_err());
    assert!(!target.exists(&image.descriptor).unwrap());
}

#[test]
fn a_document_that_is_two_things_at_once_is_refused() {
    let layout = TempLayout::new();
    let image = small().write(&layout);
    let mut manifest: serde_json::Value = serde_json::from_slice(&image.manifest_bytes).unwrap();
    manifest["manifests"] = serde_json::json!([]);
    let bytes = serde_json::to_vec(&manifest).unwrap();
    let descriptor = write::put(&*layout, media_type::OCI_MANIFEST, &bytes).unwrap();
    assert!(read::document(&*layout, &descriptor).is_err());
    let one = br#"{"schemaVersion":1,"fsLayers":[]}"#;
    let descriptor = write::put(&*layout, "application/json", one).unwrap();
    assert!(read::document(&*layout, &descriptor).unwrap_err().to_string().contains("schema version 1"));
}

#[test]
fn the_use_of_names_is_noted() {
    let layout = TempLayout::new();
    let image = ImageBuilder::new().layer(LayerBuilder::new().file("a", "a")).write_as(&layout, "r.example/team/app:1");
    let name = "r.example/team/app:1";
    let day = std::time::Duration::from_hours(24);
    let manifest = layout.blob_path(&image.descriptor.digest);
    let long_ago = std::time::SystemTime::now() - 30 * day;
    std::fs::File::options().write(true).open(manifest).unwrap().set_modified(long_ago).unwrap();
    let age = || layout.last_used(name, &image.descriptor).unwrap().elapsed().unwrap();
    assert!(age() < day, "a name that was given was used");
    std::fs::remove_dir_all(layout.root().join(".plim/used")).unwrap();
    assert!(age() > 29 * day, "without a note the manifest tells");
    layout.mark_used(name);
    assert!(age() < day);
    layout.untag(name).unwrap();
    assert_eq!(std::fs::read_dir(layout.root().join(".plim/used")).unwrap().count(), 0);
}

#[test]
fn a_preview_of_a_sweep_removes_nothing() {
    let layout = TempLayout::new();
    let shared = LayerBuilder::new().file("shared", "shared");
    ImageBuilder::new().layer(shared.clone()).layer(LayerBuilder::new().file("a", "a")).write_as(&layout, "old");
    ImageBuilder::new().layer(shared).write_as(&layout, "new");
    assert_eq!(layout.sweep_preview(&HashSet::new(), &|_| false).unwrap().removed, 0);
    let would = layout.sweep_preview(&HashSet::from(["old".to_owned()]), &|_| false).unwrap();
    // the layer that both have stays
    assert_eq!(would.removed, 3);
    assert!(layout.resolve("old").is_ok());
    layout.untag("old").unwrap();
    assert_eq!(layout.sweep_unreferenced(&|_| false).unwrap(), would);
}
