//! Archives of both kinds, written and read.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use plim_oci::archive::{Archive, write_docker, write_oci};
use plim_oci::compress::decompressor;
use plim_oci::tar::TarWriter;
use plim_oci::{
    BlobError, Blobs, Compression, Digest, EntryHead, EntryKind, Image, Platform, Reference, Silent, copy, media_type,
    read,
};
use plim_testkit::{ImageBuilder, LayerBuilder, TempLayout};

fn amd64() -> Platform {
    Platform::new("linux", "amd64")
}

fn small() -> ImageBuilder {
    ImageBuilder::new()
        .layer(LayerBuilder::new().dir("etc").created_by("first"))
        .layer(LayerBuilder::new().file("etc/x", "x").created_by("second"))
}

fn diff_ids(image: &Image) -> Vec<Digest> {
    image.layers.iter().map(|layer| layer.diff_id.clone()).collect()
}

fn tar(path: &Path, entries: &[(EntryHead, &[u8])]) {
    let mut tar = TarWriter::new(std::fs::File::create(path).unwrap());
    for (head, content) in entries {
        let head = EntryHead { size: content.len() as u64, ..head.clone() };
        tar.entry(&head, &mut &**content).unwrap();
    }
    tar.finish().unwrap();
}

fn file(path: &str) -> EntryHead {
    EntryHead::new(path, EntryKind::File, 0o644)
}

fn docker(layout: &TempLayout, image: &Image, names: &[&str]) -> PathBuf {
    let path = layout.dir().join("docker.tar");
    let names: Vec<Reference> = names.iter().map(|name| name.parse().unwrap()).collect();
    write_docker(&**layout, image, &names, &mut std::fs::File::create(&path).unwrap()).unwrap();
    path
}

#[test]
fn an_oci_archive_holds_the_same_image() {
    let layout = TempLayout::new();
    let image = small().write(&layout);
    let path = layout.dir().join("oci.tar");
    let name = "docker.io/library/x:1";
    write_oci(&*layout, &image.descriptor, Some(name), &mut std::fs::File::create(&path).unwrap()).unwrap();
    let archive = Archive::open(&path).unwrap();
    assert_eq!(archive.names()[0].0, name);
    let found = archive.resolve(name).unwrap();
    assert_eq!(found.digest, image.descriptor.digest);
    assert_eq!(archive.resolve("").unwrap(), found);
    assert!(matches!(archive.resolve("y"), Err(BlobError::NoSuchName { .. })));
    let target = TempLayout::new();
    copy::copy(&archive, &*target, &found, copy::Options::default(), &Silent).unwrap();
    let mut copied = read::image(&*target, &found, &amd64()).unwrap();
    copied.descriptor.annotations = BTreeMap::new();
    assert_eq!(copied, image);
}

#[test]
fn a_docker_archive_keeps_configuration_and_content() {
    for compression in [Compression::None, Compression::Gzip(6), Compression::Zstd(3)] {
        let layout = TempLayout::new();
        let image = small().compression(compression).write(&layout);
        let archive = Archive::open(&docker(&layout, &image, &["x:1", "localhost:5000/y"])).unwrap();
        let names: Vec<String> = archive.names().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["docker.io/library/x:1", "localhost:5000/y:latest"]);
        let read = read::image(&archive, &archive.resolve("docker.io/library/x:1").unwrap(), &amd64()).unwrap();
        assert_eq!(read.config_bytes, image.config_bytes);
        assert_eq!(diff_ids(&read), diff_ids(&image));
        let target = TempLayout::new();
        copy::copy(&archive, &*target, &read.descriptor, copy::Options::default(), &Silent).unwrap();
    }
}

#[test]
fn equal_images_give_equal_archives() {
    let write = || {
        let layout = TempLayout::new();
        let image = small().write(&layout);
        let mut oci = Vec::new();
        write_oci(&*layout, &image.descriptor, Some("v1"), &mut oci).unwrap();
        (std::fs::read(docker(&layout, &image, &["x"])).unwrap(), oci)
    };
    assert!(write() == write());
}

#[test]
fn names_in_a_docker_archive_are_docker_s_short_ones() {
    let layout = TempLayout::new();
    let image = small().write(&layout);
    let path = docker(&layout, &image, &["x", "team/y:2", "localhost:5000/z:3"]);
    let mut manifest = String::new();
    for entry in tar::Archive::new(std::fs::File::open(path).unwrap()).entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path_bytes().as_ref() == b"manifest.json" {
            entry.read_to_string(&mut manifest).unwrap();
        }
    }
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest[0]["RepoTags"], serde_json::json!(["x:latest", "team/y:2", "localhost:5000/z:3"]));
    assert_eq!(manifest[0]["Layers"][0], format!("{}.tar", image.layers[0].diff_id.hex()));
}

#[test]
fn old_archives_with_linked_and_compressed_layers_are_read() {
    let layout = TempLayout::new();
    let image = small().compression(Compression::None).write(&layout);
    let bytes = |place: usize| {
        let mut bytes = Vec::new();
        layout.open(&image.layers[place].descriptor).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes(1)).unwrap();
    let second = gzip.finish().unwrap();
    let manifest = r#"[{"Config":"c.json","RepoTags":null,"Layers":["two/layer.tar","three/layer.tar"]}]"#;
    let link =
        EntryHead { link: "../one/layer.tar".into(), ..EntryHead::new("two/layer.tar", EntryKind::Symlink, 0o777) };
    let path = layout.dir().join("old.tar");
    tar(
        &path,
        &[
            (file("c.json"), &image.config_bytes),
            (file("one/layer.tar"), &bytes(0)),
            (link, b""),
            (file("three/layer.tar"), &second),
            (file("manifest.json"), manifest.as_bytes()),
        ],
    );
    let archive = Archive::open(&path).unwrap();
    assert_eq!(archive.names(), []);
    let read = read::image(&archive, &archive.resolve("").unwrap(), &amd64()).unwrap();
    assert_eq!(diff_ids(&read), diff_ids(&image));
    assert_eq!(read.layers[0].descriptor.media_type, media_type::OCI_LAYER);
    assert_eq!(read.layers[1].descriptor.media_type, media_type::OCI_LAYER_GZIP);
    assert_eq!(read.layers[1].descriptor.digest, Digest::of(&second));
    let mut content = Vec::new();
    decompressor(archive.open(&read.layers[1].descriptor).unwrap()).read_to_end(&mut content).unwrap();
    assert_eq!(content, bytes(1));
}

#[test]
fn an_archive_with_both_descriptions_is_read_by_the_whole_one() {
    let layout = TempLayout::new();
    let image = small().compression(Compression::None).write(&layout);
    let mut first = Vec::new();
    layout.open(&image.layers[0].descriptor).unwrap().read_to_end(&mut first).unwrap();
    let mut second = Vec::new();
    layout.open(&image.layers[1].descriptor).unwrap().read_to_end(&mut second).unwrap();
    let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let paths = [&image.layers[0].descriptor.digest, &image.layers[1].descriptor.digest].map(blob);
    let config = blob(&image.manifest.config.digest);
    let manifest = serde_json::json!([{"Config": config, "RepoTags": ["x:1"], "Layers": paths}]).to_string();
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [image.descriptor]}).to_string();
    let mut entries: Vec<(EntryHead, &[u8])> = vec![
        (file(&config), &image.config_bytes),
        (file(&paths[0]), &first),
        (file(&paths[1]), &second),
        (file("manifest.json"), manifest.as_bytes()),
        (file("index.json"), index.as_bytes()),
    ];
    let path = layout.dir().join("both.tar");
    tar(&path, &entries);
    // the index points to a manifest that is not there
    assert_eq!(Archive::open(&path).unwrap().names()[0].0, "docker.io/library/x:1");
    let document = blob(&image.descriptor.digest);
    entries.push((file(&document), &image.manifest_bytes));
    tar(&path, &entries);
    let archive = Archive::open(&path).unwrap();
    assert_eq!(archive.resolve("").unwrap().digest, image.descriptor.digest);
}

#[test]
fn an_archive_that_is_compressed_as_a_whole_is_read() {
    let layout = TempLayout::new();
    let image = small().write(&layout);
    let plain = std::fs::read(docker(&layout, &image, &["x"])).unwrap();
    let path = layout.dir().join("x.tar.zst");
    std::fs::write(&path, zstd::bulk::compress(&plain, 1).unwrap()).unwrap();
    assert_eq!(Archive::open(&path).unwrap().names().len(), 1);
    assert_eq!(Archive::from_reader(&plain[..], "standard input").unwrap().place(), "standard input");
}

#[test]
fn what_is_no_image_archive_is_refused_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.tar");
    tar(&path, &[(file("readme"), b"hello")]);
    let error = Archive::open(&path).unwrap_err();
    assert!(error.to_string().contains("x.tar"), "{error}");
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(reason, "this is no image archive: it has neither index.json nor manifest.json");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..514]).unwrap();
    let error = Archive::open(&path).unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("ends within `readme`"));
}
