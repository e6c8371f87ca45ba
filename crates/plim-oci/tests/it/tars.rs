//! What is written is what is read, and what is hostile is refused.

use std::borrow::Cow;
use std::io::{self, Read};

use bstr::BString;
use plim_oci::tar::{Limits, TarError, TarWriter, read_layer};
use plim_oci::{EntryHead, EntryKind};
use plim_testkit::LayerBuilder;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

type Entry = (EntryHead, Vec<u8>);

fn write(entries: &[Entry]) -> Vec<u8> {
    LayerBuilder::from_entries(entries.iter().cloned()).tar()
}

fn read_within(tar: &[u8], limits: &Limits) -> Result<Vec<Entry>, TarError> {
    let mut out = Vec::new();
    read_layer(tar, limits, &mut |head, content| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        out.push((head, bytes));
        Ok::<_, TarError>(())
    })?;
    Ok(out)
}

fn read(tar: &[u8]) -> Result<Vec<Entry>, TarError> {
    read_within(tar, &Limits::default())
}

fn component() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("no slash, no NUL", |byte| *byte != b'/' && *byte != 0);
    prop_oneof![4 => vec(byte.clone(), 1..20), 1 => vec(byte, 90..300)]
        .prop_filter("no dots alone", |name| name != b"." && name != b"..")
}

fn path() -> impl Strategy<Value = BString> {
    vec(component(), 1..8).prop_map(|parts| BString::from(parts.join(&b'/')))
}

fn number(small: u32) -> impl Strategy<Value = u32> {
    prop_oneof![3 => 0..small, 1 => any::<u32>()]
}

fn entry() -> impl Strategy<Value = Entry> {
    let kind = prop_oneof![
        4 => Just(EntryKind::File),
        2 => Just(EntryKind::Dir),
        1 => Just(EntryKind::Symlink),
        1 => Just(EntryKind::Hardlink),
        1 => Just(EntryKind::Char),
        1 => Just(EntryKind::Block),
        1 => Just(EntryKind::Fifo),
    ];
    let name = vec(any::<u8>().prop_filter("no = and no NUL", |byte| *byte != b'=' && *byte != 0), 1..30);
    let xattrs = btree_map(name.prop_map(BString::from), vec(any::<u8>(), 0..200).prop_map(BString::from), 0..3);
    let owners = (number(70_000), number(70_000));
    let device = (number(5000), number(5000));
    let content = prop_oneof![3 => vec(any::<u8>(), 0..600), 1 => vec(any::<u8>(), 511..514)];
    (kind, path(), path(), 0..0o10_000_u32, owners, any::<i64>(), device, xattrs, content).prop_map(
        |(kind, path, link, mode, (uid, gid), mtime, device, xattrs, content)| {
            let content = if kind == EntryKind::File { content } else { Vec::new() };
            let head = EntryHead {
                path,
                kind,
                mode,
                uid,
                gid,
                size: content.len() as u64,
                mtime,
                link: match kind {
                    EntryKind::Symlink | EntryKind::Hardlink => link,
                    _ => BString::default(),
                },
                device: match kind {
                    EntryKind::Char | EntryKind::Block => device,
                    _ => (0, 0),
                },
                xattrs,
            };
            (head, content)
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_read(entries in vec(entry(), 0..12)) {
        prop_assert_eq!(read(&write(&entries)).unwrap(), entries);
    }

    #[test]
    fn no_stream_makes_the_reader_panic(
        entries in vec(entry(), 0..4),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut tar = write(&entries);
        for (place, byte) in changes {
            let place = place.index(tar.len());
            tar[place] = byte;
        }
        tar.truncate(cut.index(tar.len() + 1));
        let _ = read(&tar);
    }
}

#[test]
fn another_reader_understands_what_is_written() {
    let long = "directory/".repeat(30) + "file";
    let mut deep = EntryHead::new(long.as_str(), EntryKind::File, 0o640);
    deep.uid = 3_000_000_000;
    deep.mtime = -5;
    deep.xattrs.insert("security.capability".into(), BString::from(&b"\x01\0\0\x02\xff"[..]));
    let split = format!("{}/{}", "p".repeat(120), "n".repeat(100));
    let tar = LayerBuilder::new()
        .dir("")
        .dir("etc")
        .file("etc/passwd", "root:x:0:0:::\n")
        .symlink("etc/link", &"target/".repeat(20))
        .file(&split, "split")
        .entry(deep, "content")
        .tar();
    let mut archive = tar::Archive::new(&tar[..]);
    let mut seen = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        let path = entry.path_bytes().into_owned().into_iter().collect::<Vec<u8>>();
        let link = entry.link_name_bytes().map(Cow::into_owned);
        let xattrs: Vec<(String, Vec<u8>)> = entry
            .pax_extensions()
            .unwrap()
            .into_iter()
            .flatten()
            .flatten()
            .filter(|record| record.key().unwrap().starts_with("SCHILY"))
            .map(|record| (record.key().unwrap().to_owned(), record.value_bytes().to_vec()))
            .collect();
        seen.push((
            BString::from(path),
            entry.header().entry_type(),
            link,
            content,
            xattrs,
            entry.header().uid().unwrap(),
        ));
    }
    let paths: Vec<&BString> = seen.iter().map(|entry| &entry.0).collect();
    assert_eq!(paths, ["./", "etc/", "etc/passwd", "etc/link", split.as_str(), long.as_str()]);
    assert_eq!(seen[3].2.as_deref(), Some("target/".repeat(20).as_bytes()));
    assert_eq!(seen[5].3, "content");
    assert_eq!(seen[5].4, [("SCHILY.xattr.security.capability".to_owned(), b"\x01\0\0\x02\xff".to_vec())]);
}

#[test]
fn archives_of_gnu_tar_are_read() {
    let mut builder = tar::Builder::new(Vec::new());
    let long = "a-rather-long-component/".repeat(8) + "file";
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    header.set_mode(0o644);
    header.set_uid(3_000_000_000);
    builder.append_data(&mut header, &long, &b"abc"[..]).unwrap();
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    builder.append_link(&mut link, "link", &long).unwrap();
    let read = read(&builder.into_inner().unwrap()).unwrap();
    assert_eq!(read[0].0.path, long);
    assert_eq!(read[0].0.uid, 3_000_000_000);
    assert_eq!(read[0].1, b"abc");
    assert_eq!(read[1].0.link, long);
}

#[test]
fn names_come_normalised_whatever_the_archive_writes() {
    for name in ["./usr/bin", "/usr/bin", "usr//bin/", "usr/./bin"] {
        let tar = raw(name.as_bytes(), b'5', b"");
        assert_eq!(read(&tar).unwrap()[0].0.path, "usr/bin");
    }
}

#[test]
fn an_entry_that_would_leave_the_root_is_refused_by_name() {
    let error = read(&raw(b"../../etc/shadow", b'0', b"")).unwrap_err();
    assert_eq!(error.to_string(), "layer entry `../../etc/shadow` has a path that contains `..`");
    let error = read(&raw(b"x", b'1', b"a/../../b")).unwrap_err();
    assert_eq!(error.to_string(), "layer entry `x` is a hard link to a path that contains `..`");
    // where a symbolic link leads is decided when it is followed
    assert_eq!(read(&raw(b"x", b'2', b"../../b")).unwrap()[0].0.link, "../../b");
}

#[test]
fn kinds_that_no_layer_has_are_refused() {
    let error = read(&raw(b"x", b'S', b"")).unwrap_err();
    assert!(error.to_string().contains("sparse"), "{error}");
    let error = read(&raw(b"x", b'M', b"")).unwrap_err();
    assert!(error.to_string().contains("unknown type `M`"), "{error}");
    let error = read(&raw(b"", b'2', b"x")).unwrap_err();
    assert!(error.to_string().contains("no name"), "{error}");
}

#[test]
fn limits_hold() {
    let many: Vec<Entry> =
        (0..20).map(|number| (EntryHead::new(format!("{number}"), EntryKind::Dir, 0o755), Vec::new())).collect();
    let error = read_within(&write(&many), &Limits { entries: 10, ..Limits::default() }).unwrap_err();
    assert_eq!(error.to_string(), "the layer has more than 10 entries");
    let deep = [(EntryHead::new("a/".repeat(20) + "b", EntryKind::Dir, 0o755), Vec::new())];
    assert!(read_within(&write(&deep), &Limits { depth: 10, ..Limits::default() }).is_err());
    assert!(read_within(&write(&deep), &Limits { path: 10, ..Limits::default() }).is_err());
    let mut wide = EntryHead::new("a", EntryKind::Dir, 0o755);
    wide.xattrs.insert("user.x".into(), vec![0; 5000].into());
    let error = read_within(&write(&[(wide, Vec::new())]), &Limits { header: 4096, ..Limits::default() }).unwrap_err();
    assert!(error.to_string().contains("extended headers"), "{error}");
}

#[test]
fn streams_that_are_no_tar_or_stop_early_are_errors() {
    assert_eq!(read(&[b'x'; 2048]).unwrap_err().to_string(), "malformed tar at byte 0: this is no tar");
    let tar = write(&[(EntryHead::new("a", EntryKind::File, 0o644), vec![1; 1000])]);
    assert!(read(&tar[..700]).is_err());
    assert!(read(&tar[..300]).is_err());
    // without the blocks at the end it is still whole
    assert_eq!(read(&tar[..1536]).unwrap().len(), 1);
    assert_eq!(read(b"").unwrap(), []);
}

#[test]
fn a_file_that_shrinks_while_it_is_written_is_an_error() {
    let mut head = EntryHead::new("a", EntryKind::File, 0o644);
    head.size = 10;
    let error = TarWriter::new(Vec::new()).entry(&head, &mut &b"short"[..]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn an_empty_layer_is_the_one_that_everybody_writes() {
    let digest = plim_oci::Digest::of(&write(&[]));
    assert_eq!(digest.as_str(), "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
}

/// One entry with a header of which the test chooses what the writer would not write.
fn raw(name: &[u8], kind: u8, link: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 512];
    block[..name.len()].copy_from_slice(name);
    block[100..107].copy_from_slice(b"0000755");
    block[156] = kind;
    block[157..157 + link.len()].copy_from_slice(link);
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    [&block[..], &[0; 1024]].concat()
}
