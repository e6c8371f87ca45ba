//! Layers are written once, the same on every machine, past an observer.

use std::io::Read;

use plim_oci::compress::{adopt_layer, decompressor, store_layer};
use plim_oci::{Blobs, Compression, Descriptor, Digest, EntryHead, EntryKind, Layer, Layout, Silent, media_type};
use plim_testkit::{LayerBuilder, Seen, TempLayout};

const ALL: [Compression; 3] = [Compression::None, Compression::Gzip(6), Compression::Zstd(3)];

fn uncompressed(layout: &Layout, layer: &Layer) -> Vec<u8> {
    let mut out = Vec::new();
    decompressor(layout.open(&layer.descriptor).unwrap()).read_to_end(&mut out).unwrap();
    out
}

/// Bytes that compress a little, more than a few chunks of them.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 27) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_layer_is_its_tar_however_it_is_compressed() {
    for size in [0, 10, 11 << 20] {
        let builder = LayerBuilder::new().dir("a").file("a/b", noise(size));
        let tar = builder.tar();
        for compression in ALL {
            let layout = TempLayout::new();
            let layer = builder.write(&layout, compression);
            assert_eq!(layer.diff_id, Digest::of(&tar));
            assert_eq!(layer.descriptor.media_type, compression.media_type());
            assert!(uncompressed(&layout, &layer) == tar, "{compression} of {size}");
            let blob = std::fs::read(layout.blob_path(&layer.descriptor.digest)).unwrap();
            assert_eq!(Digest::of(&blob), layer.descriptor.digest);
            assert_eq!(blob.len() as u64, layer.descriptor.size);
        }
    }
}

#[test]
fn equal_entries_give_equal_blobs() {
    let builder = LayerBuilder::new().file("x", noise(5 << 20));
    for compression in ALL {
        let digests: Vec<Digest> =
            (0..3).map(|_| builder.write(&TempLayout::new(), compression).descriptor.digest).collect();
        assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{compression}");
    }
}

#[test]
fn an_observer_sees_every_entry_and_byte() {
    let builder = LayerBuilder::new().dir("a").file("a/b", noise(300_000)).symlink("c", "a/b").file("d", "");
    let layout = TempLayout::new();
    let seen = Seen::new();
    let layer = builder.write_observed(&layout, Compression::Gzip(1), Some(seen.observer()));
    assert_eq!(seen.layers()[0].entries, builder.entries());
    assert_eq!(seen.layers()[0].finished, Some((layer.diff_id, builder.tar().len() as u64)));
}

#[test]
fn a_stored_tar_keeps_its_bytes() {
    // a producer's own padding is part of the diffID
    let tar = [LayerBuilder::new().file("a", "hello").tar(), vec![0; 8192]].concat();
    let layout = TempLayout::new();
    let seen = Seen::new();
    let layer = store_layer(&layout, &tar[..], Compression::Gzip(6), Some(seen.observer()), None, &Silent).unwrap();
    assert_eq!(layer.diff_id, Digest::of(&tar));
    assert_eq!(uncompressed(&layout, &layer), tar);
    assert_eq!(seen.layers()[0].entries[0].1, b"hello");
    assert_eq!(seen.layers()[0].finished, Some((Digest::of(&tar), tar.len() as u64)));
}

#[test]
fn an_adopted_blob_stays_as_it_is_and_is_read_once() {
    for compression in ALL {
        let source = TempLayout::new();
        let written = LayerBuilder::new().file("a", noise(3 << 20)).write(&source, compression);
        let target = TempLayout::new();
        let seen = Seen::new();
        let open = |from| source.open_from(&written.descriptor, from);
        adopt_layer(&target, &written.descriptor, &open, seen.observer(), &Silent).unwrap();
        assert_eq!(uncompressed(&target, &written), uncompressed(&source, &written));
        assert_eq!(seen.layers()[0].finished.as_ref().unwrap().0, written.diff_id);
    }
}

#[test]
fn an_adopted_blob_that_is_not_what_was_promised_leaves_nothing() {
    let tar = LayerBuilder::new().file("a", "hello").tar();
    let layout = TempLayout::new();
    let promised = Descriptor::new(media_type::OCI_LAYER, Digest::of(b"other"), tar.len() as u64);
    let seen = Seen::new();
    let open = |_| Ok(Box::new(std::io::Cursor::new(tar.clone())) as Box<dyn Read + Send>);
    adopt_layer(&layout, &promised, &open, seen.observer(), &Silent).unwrap_err();
    assert!(!layout.exists(&promised).unwrap());
    assert_eq!(seen.layers()[0].finished, None);
    assert_eq!(std::fs::read_dir(layout.root().join(".plim/partial")).unwrap().count(), 0);
}

#[test]
fn a_blob_that_is_no_layer_is_stored_and_nothing_is_known_of_it() {
    let bytes = b"no tar at all".repeat(100);
    let layout = TempLayout::new();
    let descriptor = Descriptor::new(media_type::OCI_LAYER, Digest::of(&bytes), bytes.len() as u64);
    let seen = Seen::new();
    let open = |_| Ok(Box::new(std::io::Cursor::new(bytes.clone())) as Box<dyn Read + Send>);
    adopt_layer(&layout, &descriptor, &open, seen.observer(), &Silent).unwrap();
    assert!(layout.exists(&descriptor).unwrap());
    assert_eq!(seen.layers()[0].finished, None);
}

#[test]
fn a_layer_that_is_given_up_leaves_nothing() {
    let layout = TempLayout::new();
    let mut writer = plim_oci::LayerWriter::new(&layout, Compression::Gzip(1), None).unwrap();
    let content = noise(8 << 20);
    let head = EntryHead { size: content.len() as u64, ..EntryHead::new("a", EntryKind::File, 0o644) };
    writer.entry(&head, &mut &content[..]).unwrap();
    drop(writer);
    assert_eq!(std::fs::read_dir(layout.root().join(".plim/tmp")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(layout.root().join("blobs/sha256")).unwrap().count(), 0);
}

#[test]
fn a_writer_whose_entry_failed_cannot_finish() {
    let layout = TempLayout::new();
    let mut writer = plim_oci::LayerWriter::new(&layout, Compression::None, None).unwrap();
    let head = EntryHead { size: 5, ..EntryHead::new("a", EntryKind::File, 0o644) };
    writer.entry(&head, &mut &b"abc"[..]).unwrap_err();
    writer.entry(&head, &mut &b"abcde"[..]).unwrap_err();
    writer.finish(None, &Silent).unwrap_err();
}
