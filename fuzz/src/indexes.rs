//! The indexes of layers: what the collectors make of files, and what a damaged cache does. Layers on each other: [`stacks`].

pub mod stacks;

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
    "lib/apk/db/installed",
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/rpm/Packages.db",
    "var/lib/rpm/Packages",
    "app/package.json",
    "app/node_modules/x/package.json",
    "app/node_modules/x/node_modules/@y/z/package.json",
    "usr/lib/ruby/gems/3.3.0/specifications/x-1.gemspec",
    "usr/lib/ruby/gems/3.3.0/gems/x-1/lib/x.rb",
    "opt/app-1.0.war",
    "etc/token",
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

/// The bytes are a file at a place at which a collector looks.
pub fn file(path: &str, data: &[u8]) {
    let mut tar = TarWriter::new(Vec::new());
    let head = EntryHead { size: data.len() as u64, ..EntryHead::new(path, EntryKind::File, 0o755) };
    tar.entry(&head, &mut &data[..]).expect("memory takes everything");
    let tar = tar.finish().expect("memory takes everything");
    check(index_tar(&tar[..]).expect("a well-formed layer is indexed whatever its files hold"));
}

/// The bytes are a database of RPM; the first says in which format.
pub fn rpm(data: &[u8]) {
    if let [format, rest @ ..] = data {
        let mut database = rest.to_vec();
        match format % 3 {
            0 => database.splice(..rest.len().min(16), *b"SQLite format 3\0").for_each(drop),
            1 => database.splice(..rest.len().min(4), *b"RpmP").for_each(drop),
            _ if rest.len() > 16 => database[12..16].copy_from_slice(&0x0006_1561_u32.to_le_bytes()),
            _ => {}
        }
        file("var/lib/rpm/Packages", &database);
    }
}

/// The bytes are the build information of a Go program.
pub fn go_program(data: &[u8]) {
    file("usr/bin/program", &program(".go.buildinfo", &[&b"\xff Go buildinf:"[..], data].concat()));
}

/// The bytes are the list of crates of a Rust program.
pub fn rust_program(data: &[u8]) {
    file("usr/bin/program", &program(".dep-v0", data));
    // packed, so that what a fuzzer changes comes through
    let Ok(size) = u16::try_from(data.len()) else { return };
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    let sum = (b << 16 | a).to_be_bytes();
    let packed = [&[0x78, 1, 1][..], &size.to_le_bytes(), &(!size).to_le_bytes(), data, &sum].concat();
    file("usr/bin/program", &program(".dep-v0", &packed));
}

/// Makes an ELF file with one section of a name, which is loaded to an address too.
fn program(section: &str, data: &[u8]) -> Vec<u8> {
    let names = format!("\0{section}\0");
    let (data_at, names_at) = (64 + 56, 64 + 56 + data.len() as u64);
    let sections_at = names_at + names.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    file.extend([0, 64, sections_at].map(u64::to_le_bytes).concat());
    file.extend([0; 4]);
    file.extend([64_u16, 56, 1, 64, 3, 2].map(u16::to_le_bytes).concat());
    let size = data.len() as u64;
    file.extend([1_u32, 6].map(u32::to_le_bytes).concat());
    file.extend([data_at, 0x1000, 0x1000, size, size, 8].map(u64::to_le_bytes).concat());
    file.extend(data);
    file.extend(names.as_bytes());
    for (name, kind, at, size) in [(0, 0, 0, 0), (1_u32, 1_u32, data_at, size), (0, 3, names_at, names.len() as u64)] {
        file.extend([name, kind].map(u32::to_le_bytes).concat());
        file.extend([0, 0, at, size, 0, 0, 0].map(u64::to_le_bytes).concat());
    }
    file
}

fn check(index: LayerIndex) {
    let layers = [Arc::new(index)];
    let inventory = fold(&ImageConfig::new(&Platform::new("linux", "amd64")), &layers);
    for package in 0..inventory.packages.len() {
        let _ = inventory.packages[package].version.len();
    }
    let _ = inventory.size_by_owner();
    let _ = inventory.shells();
    for package in &inventory.packages {
        assert!(package.files.iter().all(|path| inventory.get(path).is_some()));
    }
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
