//! The indexes of layers: what the collectors make of files, and what a damaged cache does.

use std::sync::Arc;

use plim_index::{Indexes, LayerIndex, fold, index_tar};
use plim_oci::tar::TarWriter;
use plim_oci::{Digest, EntryHead, EntryKind, ImageConfig, Platform};

/// Places at which a collector looks.
const PATHS: &[&str] = &[
    "usr/lib/libx.so.1",
    "usr/bin/program",
    "var/lib/dpkg/status",
    "var/lib/dpkg/status.d/package",
    "var/lib/dpkg/info/package.list",
    "var/lib/dpkg/info/package.md5sums",
    "usr/share/doc/package/copyright",
    "etc/os-release",
    "usr/lib/os-release",
    "usr/lib/python3/dist-packages/x-1.0.dist-info/METADATA",
    "usr/lib/python3/dist-packages/x-1.0.dist-info/RECORD",
    "usr/lib/python3/dist-packages/x-1.0.dist-info/INSTALLER",
    "usr/lib/python3/dist-packages/y.egg-info",
    "usr/lib/python3/dist-packages/x/.wh..wh..opq",
    "usr/bin/.wh.program",
];

/// The bytes are files, each a place, a length and a content. They are put into a layer, indexed and folded.
pub fn collect(data: &[u8]) {
    let mut tar = TarWriter::new(Vec::new());
    let mut rest = data;
    while let [place, low, high, more @ ..] = rest {
        let path = PATHS[usize::from(*place) % PATHS.len()];
        let size = usize::from(u16::from_le_bytes([*low, *high])).min(more.len());
        let (mut content, after) = more.split_at(size);
        let head = EntryHead { size: size as u64, ..EntryHead::new(path, EntryKind::File, 0o755) };
        tar.entry(&head, &mut content).expect("memory takes everything");
        rest = after;
    }
    let tar = tar.finish().expect("memory takes everything");
    let index = index_tar(&tar[..]).expect("a well-formed layer is indexed whatever its files hold");
    assert_eq!(index.diff_id, Digest::of(&tar));
    check(index);
    // the bytes as a layer of their own
    if let Ok(index) = index_tar(data) {
        check(index);
    }
}

fn check(index: LayerIndex) {
    let layers = [Arc::new(index)];
    let inventory = fold(&ImageConfig::new(&Platform::new("linux", "amd64")), &layers);
    for package in 0..inventory.packages.len() {
        let _ = inventory.packages[package].version.len();
    }
    let _ = inventory.size_by_owner();
    let _ = inventory.shells();
    let _ = inventory.package_managers();
    let _ = inventory.largest(10);
}

/// A cached index whose content is these bytes is read or counts as missing; one that is read can be folded.
pub fn decode(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let indexes = Indexes::new(dir.path());
    let sample = index_tar(&[0; 1024][..]).expect("an empty layer is indexed");
    let path = indexes.path(&sample.diff_id);
    indexes.put(&sample).expect("an index can be kept");
    // the checksum would stop all that a fuzzer changes, so it is made to fit
    let mut file = std::fs::read(&path).expect("what was kept can be read");
    let body = body_of(&file);
    file.truncate(body - CHECKSUM);
    file.extend(checksum(data));
    file.extend(data);
    std::fs::write(&path, file).expect("a file can be written");
    if let Some(index) = indexes.get(&sample.diff_id) {
        check(Arc::unwrap_or_clone(index));
    }
}

/// Bytes of the SHA-256 before the content of an index file.
const CHECKSUM: usize = 32;

/// Where the content of an index file begins: behind its own checksum.
fn body_of(file: &[u8]) -> usize {
    (CHECKSUM..file.len())
        .find(|at| file[at - CHECKSUM..*at] == checksum(&file[*at..]))
        .expect("an index file has a checksum")
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    let digest = Digest::of(body);
    std::array::from_fn(|at| {
        u8::from_str_radix(&digest.hex()[2 * at..2 * at + 2], 16).expect("digests are hexadecimal")
    })
}
