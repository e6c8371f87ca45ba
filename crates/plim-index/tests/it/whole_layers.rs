//! Layers as tars: written past an observer, read from a store, damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use plim_index::{IndexError, Indexes, LayerIndex, index_blob};
use plim_oci::{
    Compression, Digest, EntryHead, EntryKind, Events, Image, Layer, LayerWriter, Layout, ObserveLayers, Silent, TaskId,
};

use crate::build::{LayerBuilder, config};

fn sample(name: &str) -> LayerBuilder {
    let special = EntryHead {
        uid: 3_000_000,
        gid: 70_000,
        mtime: 1_700_000_000,
        xattrs: BTreeMap::from([("security.capability".into(), b"\x01\0\0\x02".as_slice().into())]),
        ..EntryHead::new(format!("{name}/{}", "long".repeat(60)), EntryKind::File, 0o4755)
    };
    let device = EntryHead { device: (1, 3), ..EntryHead::new(format!("{name}/null"), EntryKind::Char, 0o666) };
    LayerBuilder::new()
        .dir("")
        .dir(name)
        .push(special, b"#!/bin/sh\n")
        .push(device, b"")
        .file("var/lib/dpkg/status", format!("Package: {name}\nVersion: 1\n"))
        .symlink(&format!("{name}/link"), "../x")
        .hardlink(&format!("{name}/hard"), "var/lib/dpkg/status")
        .file(&format!("{name}/.wh.gone"), "")
        .file(&format!("{name}/.wh..wh..opq"), "")
        .file(&format!("{name}/large"), vec![7; 300_000])
}

fn write(layout: &Layout, layer: &LayerBuilder, compression: Compression, indexes: Option<&Indexes>) -> Layer {
    let observer = indexes.map(ObserveLayers::observe);
    let mut writer = LayerWriter::new(layout, compression, observer).unwrap();
    for (head, content) in &layer.entries {
        writer.entry(head, &mut &content[..]).unwrap();
    }
    writer.finish(None, &Silent).unwrap()
}

fn image(dir: &Path, names: &[&str]) -> (Layout, Image) {
    let layout = Layout::create(dir).unwrap();
    let layers: Vec<Layer> =
        names.iter().map(|name| write(&layout, &sample(name), Compression::default(), None)).collect();
    let image = plim_oci::write::image(&layout, &config(), &layers, &BTreeMap::new()).unwrap();
    (layout, image)
}

#[test]
fn reading_a_layer_gives_the_index_that_writing_it_gave() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(dir.path().join("store")).unwrap();
    for compression in [Compression::None, Compression::Gzip(6), Compression::Zstd(3)] {
        let indexes = Indexes::new(dir.path().join(compression.to_string()));
        let layer = write(&layout, &sample("a"), compression, Some(&indexes));
        let written = fs::read(indexes.path(&layer.diff_id)).unwrap();
        fs::remove_file(indexes.path(&layer.diff_id)).unwrap();
        indexes.ensure(&layer, &layout, &Silent).unwrap();
        assert!(fs::read(indexes.path(&layer.diff_id)).unwrap() == written, "{compression}");
        assert_eq!(indexes.get(&layer.diff_id).unwrap().entries.len(), 8);
    }
}

#[test]
fn all_layers_come_in_their_order_and_the_same_one_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let (layout, image) = image(&dir.path().join("store"), &["a", "b", "a", "c"]);
    let indexes = Indexes::new(dir.path().join("index"));
    let events = Recorder::default();
    let all = indexes.ensure_all(&image, &layout, &events).unwrap();
    let found: Vec<&Digest> = all.iter().map(|index| &index.diff_id).collect();
    assert_eq!(found, image.layers.iter().map(|layer| &layer.diff_id).collect::<Vec<_>>());
    assert_eq!(events.started.lock().unwrap().len(), 3);
    indexes.ensure_all(&image, &layout, &events).unwrap();
    assert_eq!(events.started.lock().unwrap().len(), 3);
}

#[test]
fn damaged_bytes_are_an_error_and_leave_no_index() {
    let dir = tempfile::tempdir().unwrap();
    let (layout, image) = image(&dir.path().join("store"), &["a", "b"]);
    let indexes = Indexes::new(dir.path().join("index"));
    let layer = &image.layers[1];
    let path = layout.blob_path(&layer.descriptor.digest);
    let good = fs::read(&path).unwrap();
    // the last byte belongs to the gzip trailer, and a byte more is none of the blob's
    for (damage, change) in [("flipped", good.len() - 1), ("middle", good.len() / 2), ("more", good.len())] {
        let mut bad = good.clone();
        if change == good.len() {
            bad.push(0);
        } else {
            bad[change] ^= 0xff;
        }
        fs::remove_file(&path).unwrap();
        fs::write(&path, &bad).unwrap();
        let error = indexes.ensure_all(&image, &layout, &Silent).unwrap_err();
        assert!(matches!(error, IndexError::Malformed { .. }), "{damage}: {error:?}");
        assert!(indexes.get(&layer.diff_id).is_none(), "{damage}");
    }
    fs::remove_file(&path).unwrap();
    let error = indexes.ensure_all(&image, &layout, &Silent).unwrap_err();
    assert!(matches!(error, IndexError::Blob { .. }), "{error:?}");
    assert!(error.hint().is_some());
}

#[test]
fn a_layer_that_is_not_what_the_configuration_says_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (layout, image) = image(&dir.path().join("store"), &["a"]);
    let wrong = Layer { diff_id: Digest::of(b"another"), ..image.layers[0].clone() };
    let error = index_blob(&wrong, &layout, &Silent).unwrap_err();
    assert!(matches!(error, IndexError::DiffId { .. }), "{error:?}");
}

#[test]
fn an_index_that_cannot_be_kept_is_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let (layout, image) = image(&dir.path().join("store"), &["a"]);
    fs::write(dir.path().join("file"), b"").unwrap();
    let events = Recorder::default();
    let all = Indexes::new(dir.path().join("file")).ensure_all(&image, &layout, &events).unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(events.warnings.lock().unwrap().len(), 1);
}

#[test]
fn a_request_to_stop_is_obeyed() {
    let dir = tempfile::tempdir().unwrap();
    let (layout, image) = image(&dir.path().join("store"), &["a"]);
    let events = Recorder { stop: true, ..Recorder::default() };
    let error = Indexes::new(dir.path().join("index")).ensure_all(&image, &layout, &events).unwrap_err();
    assert!(matches!(error, IndexError::Cancelled), "{error:?}");
}

#[test]
fn bytes_that_are_no_tar_never_panic() {
    for bytes in [&b""[..], b"x", &[0; 512], &[0xff; 2048], &vec![b'a'; 100_000]] {
        let _: Option<LayerIndex> = plim_index::index_tar(bytes).ok();
    }
}

#[derive(Default)]
struct Recorder {
    started: Mutex<Vec<String>>,
    warnings: Mutex<Vec<String>>,
    stop: bool,
}

impl Events for Recorder {
    fn start(&self, title: &str, _total: Option<u64>) -> TaskId {
        self.started.lock().unwrap().push(title.to_owned());
        TaskId(0)
    }
    fn advance(&self, _task: TaskId, _bytes: u64) {}
    fn output(&self, _task: TaskId, _line: &str) {}
    fn finish(&self, _task: TaskId, _detail: &str, _failed: bool) {}
    fn note(&self, _text: &str) {}
    fn warn(&self, text: &str) {
        self.warnings.lock().unwrap().push(text.to_owned());
    }
    fn cancelled(&self) -> bool {
        self.stop
    }
}
