//! Layers that somebody made to do harm: each is refused with an error that names the layer and the entry, or is bounded. The
//! largest ones are made and read by `.ci/hostile`.

use std::error::Error;
use std::io::{self, Read, Write};
use std::sync::Arc;

use plim_index::{AnomalyKind, LayerIndex, dive_figures, fold, index_blob, index_tar_within};
use plim_oci::tar::Limits;
use plim_oci::{BlobError, Blobs, Descriptor, Digest, EntryHead, EntryKind, Layer, Silent, media_type};
use plim_testkit::raw::{self, MTIME, RawTar, SIZE, UID};

use crate::build::{LayerBuilder, config, inventory};

/// A place with one blob.
struct One(Vec<u8>);

impl Blobs for One {
    fn exists(&self, _descriptor: &Descriptor) -> Result<bool, BlobError> {
        Ok(true)
    }

    fn open_from(&self, _descriptor: &Descriptor, from: u64) -> Result<Box<dyn Read + Send>, BlobError> {
        Ok(Box::new(io::Cursor::new(self.0[from as usize..].to_vec())))
    }

    fn place(&self) -> String {
        "memory".to_owned()
    }
}

fn layer(blob: &[u8], diff_id: Digest) -> Layer {
    let descriptor = Descriptor::new(media_type::OCI_LAYER, Digest::of(blob), blob.len() as u64);
    Layer { descriptor, diff_id, created_by: None }
}

/// Indexes a blob that is not compressed; an error comes with its causes, the layer's digest as `LAYER`.
fn index(tar: &[u8]) -> Result<LayerIndex, String> {
    let layer = layer(tar, Digest::of(tar));
    index_blob(&layer, &One(tar.to_vec()), &Silent)
        .map_err(|error| causes(&error).replace(layer.descriptor.digest.as_str(), "LAYER"))
}

fn causes(error: &dyn Error) -> String {
    let rest = error.source().map(|source| format!(" < {}", causes(source))).unwrap_or_default();
    format!("{error}{rest}")
}

fn raw() -> RawTar {
    RawTar::new()
}

/// A header whose size field holds these bytes.
fn sized(size: &[u8]) -> Vec<u8> {
    raw().spoiled(b"f", b'0', b"", b"", |block| block[SIZE.start..SIZE.start + size.len()].copy_from_slice(size)).end()
}

#[test]
fn what_no_layer_may_have_is_refused_by_name() {
    let refused: &[(&str, Vec<u8>, &str)] = &[
        ("path above the root", raw().entry(b"../../etc/shadow", b'0', b"", b"x").end(), "`../../etc/shadow`"),
        ("path through ..", raw().entry(b"a/../b", b'0', b"", b"x").end(), "`a/../b` has a path that contains `..`"),
        ("long path above", raw().long_name(b"/x/../../y").entry(b"y", b'0', b"", b"").end(), "`/x/../../y`"),
        ("pax path above", raw().pax(&[("path", b"../p")]).entry(b"p", b'0', b"", b"").end(), "`../p`"),
        ("hard link above", raw().entry(b"h", b'1', b"../../etc/passwd", b"").end(), "`h` is a hard link to a path"),
        ("NUL in a pax path", raw().pax(&[("path", b"a\0b")]).entry(b"a", b'0', b"", b"").end(), "contains a NUL"),
        (
            "NUL in a target",
            raw().pax(&[("linkpath", b"a\0b")]).entry(b"l", b'2', b"", b"").end(),
            "`l` links to a path with a NUL",
        ),
        ("GNU sparse", raw().entry(b"s", b'S', b"", b"").end(), "`s` is a sparse file"),
        (
            "pax sparse",
            raw().pax(&[("path", b"s"), ("GNU.sparse.major", b"1")]).entry(b"s", b'0', b"", b"").end(),
            "`s` is a sparse file",
        ),
        ("file without a name", raw().entry(b"/", b'2', b"x", b"").end(), "`/` has no name"),
        ("unknown type", raw().entry(b"m", b'M', b"", b"").end(), "`m` has the unknown type `M`"),
        ("path too long", raw().long_name(&[b'a'; 5000]).entry(b"a", b'0', b"", b"").end(), "4096 bytes in a path"),
        ("deep path", raw().long_name(&b"a/".repeat(600)).entry(b"a", b'5', b"", b"").end(), "deeper than 512"),
        ("huge pax header", raw().pax(&[("comment", &vec![b'x'; 2 << 20])]).end(), "bytes of extended headers"),
        ("huge GNU name", raw().long_name(&vec![b'n'; 2 << 20]).end(), "bytes of extended headers"),
        (
            "many pax headers",
            (0..40).fold(raw(), |tar, _| tar.pax(&[("comment", &vec![b'x'; 60_000])])).end(),
            "bytes of extended headers",
        ),
        ("broken pax record", raw().entry(b"x", b'x', b"", b"99 path=a\n").end(), "record is broken"),
        ("pax size is no number", raw().pax(&[("size", b"-5")]).entry(b"f", b'0', b"", b"").end(), "size is no number"),
        (
            "pax size beyond 64 bits",
            raw().pax(&[("size", b"99999999999999999999")]).entry(b"f", b'0', b"", b"").end(),
            "size is no number",
        ),
        ("negative size", sized(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"), "byte 0: the size is no number"),
        ("size beyond 64 bits", sized(b"\x81\0\0\0\0\0\0\0\0\0\0\0"), "byte 0: the size is no number"),
        ("size of 8 EiB and no content", sized(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), "ends within an entry"),
        ("size of letters", sized(b"0000000z\0"), "byte 0: the size is no number"),
        (
            "time beyond 64 bits",
            raw().spoiled(b"f", b'0', b"", b"", |block| block[MTIME].copy_from_slice(&[0xbf; 12])).end(),
            "the time is no number",
        ),
        (
            "owner beyond 32 bits",
            raw().spoiled(b"f", b'0', b"", b"", |block| block[UID].copy_from_slice(b"\x80\0\0\x01\0\0\0\0")).end(),
            "the owner is too large",
        ),
        ("cut in a header", raw().entry(b"f", b'0', b"", b"").cut()[..300].to_vec(), "ends within a header"),
        ("cut in content", raw().entry(b"f", b'0', b"", &[1; 900]).cut()[..1000].to_vec(), "ends within an entry"),
        ("no tar", vec![b'x'; 4096], "this is no tar"),
        (
            "garbage between entries",
            [raw().entry(b"f", b'0', b"", b"").cut(), &[b'x'; 512]].concat(),
            "byte 512: the header's checksum is wrong",
        ),
        ("pax header without entry", raw().pax(&[("path", b"a")]).end(), "an extended header without its entry"),
    ];
    for (what, tar, part) in refused {
        let error = index(tar).map(|index| index.entries.len()).expect_err(what);
        assert!(error.starts_with("failed to read layer LAYER: "), "{what}: {error}");
        assert!(error.contains(part), "{what}: {error}");
    }
}

#[test]
fn odd_but_harmless_entries_are_taken_as_they_are() {
    let tar = raw()
        .entry(b"/abs/file", b'0', b"", b"x")
        .entry(b"new\nline", b'0', b"", b"x")
        .entry(b"\xff\xfe/\x1b[31m", b'0', b"", b"x")
        .entry(b"escape", b'2', b"../../../../etc/passwd", b"")
        .entry(b"dev", b'3', b"", b"")
        .entry(b"twice", b'0', b"", b"one")
        .entry(b"twice", b'0', b"", b"three")
        .spoiled(b"old", b'0', b"", b"", |block| block[MTIME].copy_from_slice(&[0xff; 12]))
        .end();
    let index = Arc::new(index(&tar).unwrap());
    let paths: Vec<&[u8]> = index.entries.iter().map(|entry| entry.head.path.as_slice()).collect();
    assert_eq!(
        paths,
        [&b"abs/file"[..], b"new\nline", b"\xff\xfe/\x1b[31m", b"escape", b"dev", b"twice", b"twice", b"old"]
    );
    assert_eq!(index.entries[7].head.mtime, -1);
    let inventory = fold(&config(), &[index]);
    assert_eq!(inventory.get("twice").unwrap().head.size, 5, "the later one counts");
    assert_eq!(inventory.hidden.iter().map(|hidden| hidden.bytes).sum::<u64>(), 3);
    assert_eq!(inventory.resolve("escape"), None, "there is no etc/passwd inside");
    assert_eq!(inventory.anomalies, []);
}

#[test]
fn links_that_lead_nowhere_or_round_and_round_are_noted() {
    let inventory = inventory(&[LayerBuilder::new()
        .symlink("a", "b")
        .symlink("b", "a")
        .file("a/x", "1")
        .symlink("self", "self/self")
        .file("self/x", "1")
        .hardlink("h", "missing")
        .dir("d")
        .hardlink("to-dir", "d")
        .file("f", "1")
        .file("f/x", "1")]);
    let found: Vec<(String, AnomalyKind)> =
        inventory.anomalies.iter().map(|anomaly| (anomaly.path.to_string(), anomaly.kind)).collect();
    let expected = [
        ("a/x", AnomalyKind::LinkLoop),
        ("self/x", AnomalyKind::LinkLoop),
        ("to-dir", AnomalyKind::HardlinkToDirectory),
        ("f/x", AnomalyKind::NotADirectory),
        ("h", AnomalyKind::DanglingHardlink),
    ];
    assert_eq!(found, expected.map(|(path, kind)| (path.to_owned(), kind)));
}

#[test]
fn the_directories_that_a_layer_needs_without_naming_them_are_bounded() {
    // 50 entries whose paths would need 25,000 directories with 19 MB of paths
    let deep = |number: u32| format!("{number:04}/{}f", "ab/".repeat(500));
    let layer = (0..50).fold(LayerBuilder::new(), |layer, number| layer.file(&deep(number), ""));
    let inventory = inventory(&[layer.file("plain", "x")]);
    assert!(inventory.nodes.keys().map(|path| path.len()).sum::<usize>() < 18 << 20);
    assert!(inventory.get("plain").is_some());
    let last = inventory.anomalies.last().unwrap();
    assert_eq!((last.path.to_string(), last.kind), (deep(49), AnomalyKind::TooManyDirectories));
}

#[test]
fn entries_and_what_they_say_of_themselves_are_bounded() {
    let many = |count: u32| (0..count).fold(raw(), |tar, _| tar.entry(b"same", b'5', b"", b"")).end();
    let limits = Limits { entries: 1000, ..Limits::default() };
    assert_eq!(index_tar_within(&many(1000)[..], &limits).unwrap().entries.len(), 1000);
    let error = index_tar_within(&many(1001)[..], &limits).unwrap_err();
    assert_eq!(error.to_string(), "the layer has more than 1000 entries");

    let attributes = |count: u32| {
        let value = vec![b'v'; 60_000];
        (0..count).fold(raw(), |tar, _| tar.pax(&[("SCHILY.xattr.user.x", &value)]).entry(b"f", b'0', b"", b"")).end()
    };
    let limits = Limits { metadata: 1 << 20, ..Limits::default() };
    assert!(index_tar_within(&attributes(10)[..], &limits).is_ok());
    let error = index_tar_within(&attributes(20)[..], &limits).unwrap_err();
    assert_eq!(error.to_string(), "the layer has more than 1048576 bytes of paths, links and attributes");
}

/// Compresses one file of so many megabytes of zeros.
fn bomb(megabytes: u64, mut into: impl Write) {
    let size = megabytes << 20;
    into.write_all(&raw::header(b"zeros", b'0', b"", 0, |block| {
        block[SIZE.start..SIZE.end - 1].copy_from_slice(format!("{size:011o}").as_bytes());
    }))
    .unwrap();
    let chunk = vec![0; 1 << 20];
    (0..megabytes).for_each(|_| into.write_all(&chunk).unwrap());
    into.write_all(&[0; 1024]).unwrap();
}

fn zstd_bomb(megabytes: u64) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    bomb(megabytes, &mut encoder);
    encoder.finish().unwrap()
}

fn gzip_bomb(megabytes: u64) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb(megabytes, &mut encoder);
    encoder.finish().unwrap()
}

/// Indexes a compressed blob whose configuration gives another diffID: how far reading got shows in the error.
fn refused(blob: Vec<u8>) -> String {
    let layer = layer(&blob, Digest::of(b"other"));
    causes(&index_blob(&layer, &One(blob), &Silent).unwrap_err())
}

#[test]
fn what_grows_a_thousandfold_is_read_to_its_end() {
    for (name, blob, ratio) in [("zstd", zstd_bomb(64), 5000), ("gzip", gzip_bomb(64), 900)] {
        assert!((blob.len() as u64) * ratio < 64 << 20, "{name}: {} bytes", blob.len());
        let error = refused(blob);
        assert!(error.contains("unpacks to sha256:"), "{name}: {error}");
    }
}

#[test]
fn a_deletion_said_over_and_over_counts_once() {
    let lower = LayerBuilder::new().dir("d").file("d/a", vec![0; 10]).file("d/b", vec![0; 10]);
    let once = LayerBuilder::new().file(".wh.d", "").file("c", "1");
    let often = (0..1000).fold(LayerBuilder::new(), |layer, _| layer.file(".wh.d", "")).file("c", "1");
    let figures = |upper: &LayerBuilder| dive_figures(&[lower.index(), upper.index()]);
    assert_eq!(figures(&often), figures(&once));
    let device = EntryHead { device: (1, 3), ..EntryHead::new("d", EntryKind::Char, 0o666) };
    let both = inventory(&[lower, often.push(device, b"")]);
    assert_eq!(both.hidden.len(), 2);
}
