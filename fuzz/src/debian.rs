//! The Debian archive: what a mirror may send.

use std::cmp::Ordering;
use std::io::Read as _;

use jiff::Timestamp;
use plim_debian::deb::Deb;
use plim_debian::index::{Index, Universe};
use plim_debian::{Keyring, Recipe, SuiteKind, relation, version};

/// The first line is compared as versions and relations; the whole is read as package index, signed release and recipe.
pub fn indexes(data: &[u8]) {
    let verified = Keyring::debian().verify(SuiteKind::Archive, data, Timestamp::UNIX_EPOCH);
    assert!(verified.is_err(), "nobody but Debian signs");
    crate::text(data, |text| {
        let _ = Recipe::parse("fuzz", text);
        let Ok(index) = Index::parse(text) else { return };
        for entry in index.entries() {
            let _ = (entry.name(), entry.version(), entry.architecture(), entry.source(), entry.filename());
            let _ = (entry.size(), entry.digest(), entry.priority(), entry.is_essential(), entry.replaces());
            let _ = (entry.depends().count(), entry.recommends().count(), entry.conflicts().count());
            let _ = entry.provides().count();
        }
        let universe = Universe::new([&index]);
        let _ = universe.required();
    });
    crate::two_texts(data, |first, _| {
        let (left, right) = first.split_once(' ').unwrap_or((first, first));
        assert_eq!(version::compare(left, right), version::compare(right, left).reverse());
        assert_eq!(version::compare(left, left), Ordering::Equal);
        for alternatives in relation::parse(first) {
            for wanted in alternatives {
                let _ = (wanted.accepts("1.0-1"), wanted.accepts_provided(None), wanted.accepts_provided(Some("1")));
            }
        }
    });
}

/// A package of any bytes is unpacked or refused, and the same with its data as zstd.
pub fn package(data: &[u8]) {
    let Some(entries) = entries(data) else { return };
    let mut repacked = std::io::Cursor::new(Vec::new());
    if plim_debian::deb::repack(data, &mut repacked) == Ok(true) {
        assert_eq!(self::entries(repacked.get_ref()), Some(entries));
    }
}

/// What a reader gets of a package that it reads to the end, the beginning of its files with it.
fn entries(data: &[u8]) -> Option<String> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    std::fs::write(file.path(), data).expect("a file can be written");
    let deb = Deb::open(file.path()).ok()?;
    let mut text = format!("{} {:?}\n", deb.epoch(), deb.control());
    deb.unpack(&mut |entry, content| {
        let mut start = Vec::new();
        let read = content.take(1 << 16).read_to_end(&mut start);
        text += &format!("{entry:?} {start:?} {}\n", read.is_ok());
        Ok(())
    })
    .ok()?;
    Some(text)
}
