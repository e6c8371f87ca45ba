use std::fmt::Write as _;

use super::*;

/// Returns an index of packages written as `name version` and further fields, one paragraph each.
pub(crate) fn index(packages: &[(&str, &str, &str)]) -> Index {
    let digest = "0".repeat(64);
    let mut text = String::new();
    for (name, version, fields) in packages {
        write!(
            text,
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\nFilename: pool/{name}_{version}.deb\n\
             Size: 1\nSHA256: {digest}\n{fields}\n\n"
        )
        .unwrap();
    }
    Index::parse(&text).unwrap()
}

#[test]
fn reads_the_fields_and_skips_what_cannot_be_fetched() {
    let text = "Package: a\nVersion: 1\n\n\
                Package: b\nVersion: 2\nSource: bee (1.9)\nArchitecture: all\nEssential: yes\nMulti-Arch: same\n\
                Description: text\n more\nFilename: pool/b.deb\nSize: 12\nSHA256: ";
    let text = format!("{text}{}\n", "ab".repeat(32));
    let index = Index::parse(&text).unwrap();
    assert_eq!(index.len(), 1);
    let entry = index.entries().next().unwrap();
    assert_eq!((entry.name(), entry.version(), entry.source(), entry.size()), ("b", "2", "bee", 12));
    assert!(entry.is_essential() && entry.is_multi_arch_same());
    assert_eq!(entry.digest().hex(), "ab".repeat(32));
}

#[test]
fn the_kept_form_reads_back() {
    let before = index(&[("a", "1", "Depends: b"), ("b", "2", "Provides: c (= 3)")]);
    let after = Index::from_bytes(&before.to_bytes()).unwrap();
    let shown = |index: &Index| format!("{:?}", index.rows);
    assert_eq!(shown(&before), shown(&after));
    assert_eq!(after.entries().nth(1).unwrap().provides().collect::<Vec<_>>(), [("c", Some("3"))]);
}

#[test]
fn a_damaged_kept_form_is_no_panic() {
    let bytes = index(&[("a", "1", "Depends: b")]).to_bytes();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        if let Some(index) = Index::from_bytes(&damaged) {
            for entry in index.entries() {
                let _ = (entry.name(), entry.filename(), entry.depends().count());
            }
        }
        let _ = Index::from_bytes(&bytes[..at]);
    }
}

#[test]
fn the_newest_version_of_all_suites_comes_first() {
    let (old, new) = (index(&[("a", "1.0-1", "")]), index(&[("a", "1.0-1+deb13u1", "")]));
    let universe = Universe::new([&old, &new]);
    let versions: Vec<_> = universe.versions("a").iter().map(|id| universe.entry(*id).version()).collect();
    assert_eq!(versions, ["1.0-1+deb13u1", "1.0-1"]);
    assert_eq!(universe.suite(universe.versions("a")[0]), 1);
}
