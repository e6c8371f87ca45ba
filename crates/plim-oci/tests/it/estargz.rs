//! eStargz layers, read by the letter of its specification: footer, table, single chunks.

use std::collections::BTreeMap;
use std::io::Read as _;

use bstr::ByteSlice as _;
use flate2::bufread::GzDecoder;
use plim_oci::compress::estargz::{NO_PREFETCH, TOC_NAME};
use plim_oci::compress::{decompressor, estargz};
use plim_oci::convert::{Conversion, convert};
use plim_oci::tar::{Limits, TarReader};
use plim_oci::{Compression, Digest, EntryHead, EntryKind, Image, Layer, LayerForm, Platform, Silent, read};
use plim_testkit::{ImageBuilder, LayerBuilder, Seen, TempLayout};
use proptest::prelude::*;
use serde_json::Value;

const CHUNK: usize = 4 << 20;

fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place.wrapping_mul(place) >> 7) as u8).collect()
}

/// Converts an image of one layer.
fn lazy(layer: LayerBuilder, force: bool) -> (TempLayout, Image, Image) {
    let layout = TempLayout::new();
    let before = ImageBuilder::new().compression(Compression::Gzip(1)).layer(layer).write(&layout);
    let conversion = Conversion { form: LayerForm::Estargz(6), force, observe: None };
    let done = convert(&*layout, &layout, &before.descriptor, conversion, &Silent).unwrap();
    let after = read::image(&*layout, &done.root, &Platform::new("linux", "amd64")).unwrap();
    (layout, before, after)
}

fn blob(layout: &TempLayout, layer: &Layer) -> Vec<u8> {
    std::fs::read(layout.blob_path(&layer.descriptor.digest)).unwrap()
}

fn gunzip(blob: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    decompressor(blob).read_to_end(&mut out).unwrap();
    out
}

/// Where the footer says that the table begins ("Footer").
fn table_at(blob: &[u8]) -> usize {
    let footer = &blob[blob.len() - 51..];
    assert_eq!(footer[..10], [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff]);
    assert_eq!(footer[10..16], [26, 0, b'S', b'G', 22, 0]);
    assert_eq!(&footer[32..38], b"STARGZ");
    usize::from_str_radix(std::str::from_utf8(&footer[16..32]).unwrap(), 16).unwrap()
}

/// The bytes of the table.
fn table(blob: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    GzDecoder::new(&blob[table_at(blob)..]).read_to_end(&mut tar).unwrap();
    let mut reader = TarReader::new(&tar[..], Limits::default());
    let head = reader.next_entry().unwrap().unwrap();
    assert_eq!((head.path.as_bytes(), head.kind), (TOC_NAME.as_bytes(), EntryKind::File));
    let mut json = Vec::new();
    reader.read_to_end(&mut json).unwrap();
    assert!(reader.next_entry().unwrap().is_none(), "the table is the last entry");
    json
}

/// Fetches every file as a lazy runtime does, and checks every digest on the way.
fn files(blob: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let json: Value = serde_json::from_slice(&table(blob)).unwrap();
    assert_eq!(json["version"], 1);
    let rows = json["entries"].as_array().unwrap();
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (place, row) in rows.iter().enumerate() {
        let name = row["name"].as_str().unwrap().to_owned();
        let number = |key: &str| row.get(key).map_or(0, |value| value.as_u64().unwrap()) as usize;
        let kind = row["type"].as_str().unwrap();
        if kind == "reg" && number("size") == 0 {
            files.insert(name, Vec::new());
        } else if kind == "reg" || kind == "chunk" {
            let file = rows[..=place].iter().rev().find(|row| row["type"] == "reg").unwrap();
            let size = file["size"].as_u64().unwrap() as usize;
            let length = match number("chunkSize") {
                0 => size - number("chunkOffset"),
                length => length,
            };
            let mut content = vec![0; length];
            // only what begins there is looked at
            GzDecoder::new(&blob[number("offset")..]).read_exact(&mut content).unwrap();
            assert_eq!(row["chunkDigest"], Digest::of(&content).to_string(), "{name}");
            let whole = files.entry(name.clone()).or_default();
            assert_eq!(whole.len(), number("chunkOffset"), "{name}");
            whole.extend(content);
            if whole.len() == size {
                assert_eq!(file["digest"], Digest::of(whole).to_string(), "{name}");
            }
        }
    }
    files
}

fn entries(tar: &[u8]) -> Vec<(EntryHead, Vec<u8>)> {
    let mut reader = TarReader::new(tar, Limits::default());
    let mut all = Vec::new();
    while let Some(head) = reader.next_entry().unwrap() {
        let mut content = Vec::new();
        reader.read_to_end(&mut content).unwrap();
        all.push((head, content));
    }
    all
}

/// A tar without its end.
fn body(tar: &[u8]) -> &[u8] {
    let zeros = tar.iter().rev().take_while(|byte| **byte == 0).count();
    &tar[..(tar.len() - zeros).next_multiple_of(512)]
}

fn everything() -> LayerBuilder {
    let mut capable = EntryHead::new("bin/ping", EntryKind::File, 0o4755);
    capable.xattrs.insert("security.capability".into(), b"\x01\x00\xff".to_vec().into());
    capable.mtime = 1_700_000_000;
    (capable.uid, capable.gid) = (7, 8);
    let device = EntryHead { device: (1, 3), ..EntryHead::new("dev/null", EntryKind::Char, 0o666) };
    LayerBuilder::new()
        .dir("bin")
        .entry(capable, "ping")
        .file("empty", "")
        .file("large", noise(2 * CHUNK + 77))
        .file("exact", noise(CHUNK))
        .symlink("bin/link", "../large")
        .hardlink("bin/hard", "bin/ping")
        .entry(device, "")
        .entry(EntryHead::new("pipe", EntryKind::Fifo, 0o600), "")
        .file(&format!("{}long", "directory/".repeat(30)), "long")
        .whiteout("gone")
}

#[test]
fn each_file_can_be_fetched_alone() {
    let (layout, before, after) = lazy(everything(), false);
    let blob = blob(&layout, &after.layers[0]);
    let files = files(&blob);
    for (head, content) in everything().entries() {
        if head.kind == EntryKind::File {
            assert!(files[&head.path.to_string()] == *content, "{}", head.path);
        }
    }
    assert_eq!(files[NO_PREFETCH], [0xf]);
    assert_eq!(files.len(), 6 + 1);
    // and it is what it was
    let own = before_tar(&layout, &before);
    assert!(gunzip(&blob)[1024..].starts_with(body(&own)), "after the landmark the tar is the old one");
}

fn before_tar(layout: &TempLayout, before: &Image) -> Vec<u8> {
    gunzip(&blob(layout, &before.layers[0]))
}

#[test]
fn the_table_says_what_the_tar_says() {
    let (layout, _, after) = lazy(everything(), false);
    let blob = blob(&layout, &after.layers[0]);
    let json: Value = serde_json::from_slice(&table(&blob)).unwrap();
    let rows = json["entries"].as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}"));
    let ping = row("bin/ping");
    assert_eq!(ping["xattrs"]["security.capability"], "AQD/");
    assert_eq!((&ping["uid"], &ping["gid"], &ping["mode"]), (&7.into(), &8.into(), &0o4755.into()));
    assert_eq!(ping["modtime"], "2023-11-14T22:13:20Z");
    assert_eq!(row("bin/")["type"], "dir");
    assert_eq!((&row("bin/link")["type"], &row("bin/link")["linkName"]), (&"symlink".into(), &"../large".into()));
    assert_eq!((&row("bin/hard")["type"], &row("bin/hard")["linkName"]), (&"hardlink".into(), &"bin/ping".into()));
    assert_eq!((&row("dev/null")["devMajor"], &row("dev/null")["devMinor"]), (&1.into(), &3.into()));
    assert_eq!(row("pipe")["type"], "fifo");
    let chunks: Vec<(u64, u64)> = rows
        .iter()
        .filter(|row| row["name"] == "large")
        .map(|row| (row["chunkOffset"].as_u64().unwrap_or(0), row["chunkSize"].as_u64().unwrap_or(0)))
        .collect();
    let chunk = CHUNK as u64;
    assert_eq!(chunks, [(0, chunk), (chunk, chunk), (2 * chunk, 0)]);
    assert_eq!(rows.iter().filter(|row| row["name"] == "exact").count(), 1);
}

#[test]
fn the_descriptor_and_the_configuration_say_what_the_layer_is_now() {
    let (layout, before, after) = lazy(everything(), false);
    let layer = &after.layers[0];
    let blob = blob(&layout, layer);
    let tar = gunzip(&blob);
    let notes = &layer.descriptor.annotations;
    assert_eq!(notes["containerd.io/snapshot/stargz/toc.digest"], Digest::of(&table(&blob)).to_string());
    assert_eq!(notes["io.containers.estargz.uncompressed-size"], tar.len().to_string());
    assert_eq!(layer.diff_id, Digest::of(&tar));
    assert_ne!(layer.diff_id, before.layers[0].diff_id);
    // nothing else in the configuration changed
    let config = |image: &Image| {
        let mut config: Value = serde_json::from_slice(&image.config_bytes).unwrap();
        config["rootfs"]["diff_ids"] = Value::Null;
        config
    };
    assert_eq!(config(&before), config(&after));
}

#[test]
fn an_observer_sees_the_layers_own_entries() {
    let layout = TempLayout::new();
    let before = ImageBuilder::new().layer(everything()).write(&layout);
    let seen = Seen::new();
    let conversion = Conversion { form: LayerForm::Estargz(1), force: false, observe: Some(&seen) };
    let done = convert(&*layout, &layout, &before.descriptor, conversion, &Silent).unwrap();
    let after = read::image(&*layout, &done.root, &Platform::new("linux", "amd64")).unwrap();
    assert_eq!(seen.layers()[0].entries, everything().entries());
    let tar = gunzip(&blob(&layout, &after.layers[0]));
    assert_eq!(seen.layers()[0].finished, Some((after.layers[0].diff_id.clone(), tar.len() as u64)));
}

#[test]
fn a_table_that_is_there_already_is_made_anew() {
    let (layout, _, first) = lazy(everything(), false);
    let conversion = Conversion { form: LayerForm::Estargz(6), force: true, observe: None };
    let again = convert(&*layout, &layout, &first.descriptor, conversion, &Silent).unwrap();
    assert_eq!(again.root.digest, first.descriptor.digest, "nothing is added twice");
    // as it stands in the middle of a layer that somebody made of an unpacked image
    let odd = LayerBuilder::new()
        .file(NO_PREFETCH, [0xf])
        .file("a", "a")
        .file(TOC_NAME, "{}")
        .file(estargz::PREFETCH, [0xf])
        .file("b", "b");
    let (layout, _, after) = lazy(odd, false);
    let tar = gunzip(&blob(&layout, &after.layers[0]));
    let names: Vec<String> = entries(&tar).into_iter().map(|(head, _)| head.path.to_string()).collect();
    assert_eq!(names, [NO_PREFETCH, "a", "b", TOC_NAME]);
    assert_eq!(files(&blob(&layout, &after.layers[0]))["b"], b"b");
}

#[test]
fn padding_and_unusual_headers_of_other_producers_are_kept() {
    // a header that no writer of ours makes: GNU's format, with the names of users
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_path("a").unwrap();
    header.set_username("captain").unwrap();
    header.set_size(5);
    header.set_mode(0o644);
    header.set_cksum();
    builder.append(&header, &b"hello"[..]).unwrap();
    let tar = [builder.into_inner().unwrap(), vec![0; 9 * 512]].concat();
    let layout = TempLayout::new();
    let layer = plim_oci::compress::store_layer(&layout, &tar[..], Compression::None, None, None, &Silent).unwrap();
    let config = plim_oci::ImageConfig::new(&Platform::new("linux", "amd64"));
    let before = plim_oci::write::image(&*layout, &config, &[layer], &BTreeMap::new()).unwrap();
    let conversion = Conversion { form: LayerForm::Estargz(6), force: false, observe: None };
    let done = convert(&*layout, &layout, &before.descriptor, conversion, &Silent).unwrap();
    let after = read::image(&*layout, &done.root, &Platform::new("linux", "amd64")).unwrap();
    let written = gunzip(&blob(&layout, &after.layers[0]));
    assert!(written.find(body(&tar)).is_some(), "headers and content are there byte for byte");
    assert_eq!(files(&blob(&layout, &after.layers[0]))["a"], b"hello");
}

#[test]
fn headers_without_end_are_refused() {
    // a global header of any size means nothing to anybody
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::XGlobalHeader);
    header.set_path("g").unwrap();
    header.set_size(64 << 20);
    header.set_cksum();
    let tar = [header.as_bytes().to_vec(), vec![b'x'; 64 << 20], vec![0; 1024]].concat();
    let layout = TempLayout::new();
    let layer = plim_oci::compress::store_layer(&layout, &tar[..], Compression::None, None, None, &Silent).unwrap();
    let config = plim_oci::ImageConfig::new(&Platform::new("linux", "amd64"));
    let before = plim_oci::write::image(&*layout, &config, &[layer], &BTreeMap::new()).unwrap();
    let conversion = Conversion { form: LayerForm::Estargz(6), force: false, observe: None };
    convert(&*layout, &layout, &before.descriptor, conversion, &Silent).unwrap_err();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_layer_reads_the_same_by_its_table_and_as_a_tar(
        sizes in prop::collection::vec(prop_oneof![0_usize..2000, Just(CHUNK - 1), Just(CHUNK), Just(CHUNK + 1)], 0..6),
        dirs in 0_usize..3,
    ) {
        let mut layer = LayerBuilder::new();
        for dir in 0..dirs {
            layer = layer.dir(&format!("d{dir}"));
        }
        for (place, size) in sizes.iter().enumerate() {
            layer = layer.file(&format!("f{place}"), noise(*size)).symlink(&format!("l{place}"), "f0");
        }
        let wanted = layer.clone();
        let (layout, before, after) = lazy(layer, false);
        let blob = blob(&layout, &after.layers[0]);
        let fetched = files(&blob);
        let mut own = entries(&gunzip(&blob));
        prop_assert_eq!(own.remove(0).0.path, NO_PREFETCH);
        prop_assert_eq!(own.pop().unwrap().0.path, TOC_NAME);
        prop_assert_eq!(&own, &entries(&before_tar(&layout, &before)));
        for (head, content) in wanted.entries().iter().filter(|(head, _)| head.kind == EntryKind::File) {
            prop_assert!(&fetched[&head.path.to_string()] == content);
        }
    }
}
