//! What need not be in an image.

use std::collections::{BTreeMap, HashSet};

use bstr::BString;
use plim_index::{Inventory, Waste, WasteFound, WasteKind, waste};
use plim_oci::{EntryHead, EntryKind};
use proptest::prelude::*;

use crate::build::{LayerBuilder, inventory};

fn layer() -> LayerBuilder {
    LayerBuilder::new()
}

fn rows(found: &WasteFound, kind: WasteKind) -> Vec<&Waste> {
    found.rows.iter().filter(|row| row.kind == kind).collect()
}

fn only(found: &WasteFound, kind: WasteKind) -> &Waste {
    let rows = rows(found, kind);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    rows[0]
}

fn head(path: &str, mode: u32, owner: u32) -> EntryHead {
    EntryHead { uid: owner, gid: owner, ..EntryHead::new(path, EntryKind::File, mode) }
}

/// A content of its own, large enough to be compared.
fn content(byte: u8) -> Vec<u8> {
    vec![byte; 5000]
}

fn status(packages: &[(&str, &str)]) -> String {
    let paragraph = |(name, section): &(&str, &str)| {
        format!("Package: {name}\nStatus: install ok installed\nVersion: 1\nSection: {section}\n\n")
    };
    packages.iter().map(paragraph).collect()
}

#[test]
fn a_deleted_directory_is_all_that_was_in_it_where_dive_sees_nothing() {
    let layers = [
        layer().dir("d").file("d/a", content(1)).file("d/b", content(2)).file("e", content(3)),
        layer().file(".wh.d", "").file("c", "1"),
    ];
    let found = waste(&inventory(&layers));
    let row = only(&found, WasteKind::Deleted);
    assert_eq!((row.bytes, row.files, row.layer, row.hidden_by), (10_000, 2, 0, Some(1)));
    assert_eq!(row.what, "files below /d deleted by a later layer");
    assert_eq!(found.reclaimable, [10_000, 0]);
    let indexes: Vec<_> = layers.iter().map(LayerBuilder::index).collect();
    let dive = plim_index::dive_figures(&indexes);
    assert_eq!((dive.wasted_bytes, dive.wasted.len()), (0, 0));
}

#[test]
fn an_opaque_directory_hides_what_was_in_it_and_stays() {
    let layers = [
        layer().dir("d").file("d/a", content(1)).file("d/b", content(2)),
        layer().dir("d").file("d/.wh..wh..opq", "").file("d/b", content(3)),
    ];
    let found = waste(&inventory(&layers));
    assert_eq!(only(&found, WasteKind::Deleted).bytes, 10_000);
    assert_eq!(found.reclaimable, [10_000, 0]);
    let indexes: Vec<_> = layers.iter().map(LayerBuilder::index).collect();
    // of the two it knows the one that was written again, and counts the copy that stays with it
    assert_eq!(plim_index::dive_figures(&indexes).wasted_bytes, 10_000);
    assert_eq!(plim_index::dive_figures(&indexes).wasted[0].path, "d/b");
}

#[test]
fn what_is_replaced_is_told_from_what_only_changes_hands() {
    let found = waste(&inventory(&[
        layer()
            .push(head("a/replaced", 0o644, 0), &content(1))
            .push(head("a/owner", 0o644, 0), &content(2))
            .push(head("a/mode", 0o644, 0), &content(3))
            .push(head("a/both", 0o644, 0), &content(4))
            .push(head("a/again", 0o644, 0), &content(5)),
        layer()
            .push(head("a/replaced", 0o644, 0), &content(9))
            .push(head("a/owner", 0o644, 1000), &content(2))
            .push(head("a/mode", 0o755, 0), &content(3))
            .push(head("a/both", 0o755, 1000), &content(4))
            .push(head("a/again", 0o644, 0), &content(5)),
    ]));
    assert_eq!(only(&found, WasteKind::Replaced).what, "/a/replaced replaced by a later layer");
    let whats: Vec<&str> = rows(&found, WasteKind::Rewritten).iter().map(|row| row.what.as_str()).collect();
    let expected = [
        "/a/again written again as before",
        "/a/both copied by chown and chmod",
        "/a/mode copied by chmod",
        "/a/owner copied by chown",
    ];
    assert_eq!(whats, expected);
    assert_eq!(found.reclaimable, [25_000, 0]);
}

#[test]
fn each_of_several_copies_is_compared_with_the_next() {
    let file = |mode, owner| layer().push(head("x", mode, owner), &content(1));
    let found = waste(&inventory(&[file(0o644, 0), file(0o755, 0), file(0o755, 7)]));
    let whats: Vec<(usize, &str)> =
        rows(&found, WasteKind::Rewritten).iter().map(|row| (row.layer, row.what.as_str())).collect();
    assert_eq!(whats, [(0, "/x copied by chmod"), (1, "/x copied by chown")]);
    assert_eq!(found.reclaimable, [5000, 5000, 0]);
}

#[test]
fn equal_files_count_but_for_one_and_hard_links_do_not() {
    let found = waste(&inventory(&[
        layer().file("app/x", content(1)).file("small", "1").file("small2", "1").hardlink("app/link", "app/x"),
        layer().file("build/x", content(1)).file("build/y", content(2)),
        layer().file("other/y", content(2)).file("copy/y", content(2)),
    ]));
    let duplicates = rows(&found, WasteKind::Duplicate);
    let whats: Vec<&str> = duplicates.iter().map(|row| row.what.as_str()).collect();
    assert_eq!(
        whats,
        ["/build/x is a copy of /app/x", "/copy/y is a copy of /build/y", "/other/y is a copy of /build/y"]
    );
    assert_eq!(found.reclaimable, [0, 5000, 10_000]);
}

#[test]
fn a_tree_that_is_copied_is_one_row() {
    let tree =
        |dir: &str| layer().file(&format!("{dir}/lib/a.js"), content(1)).file(&format!("{dir}/lib/b/c.js"), content(2));
    let found = waste(&inventory(&[tree("app"), tree("srv/build")]));
    let row = only(&found, WasteKind::Duplicate);
    assert_eq!(row.what, "2 files below /srv/build are those below /app");
    assert_eq!((row.bytes, row.layer, row.hidden_by), (10_000, 1, None));
}

#[test]
fn of_equal_files_one_stays_also_when_another_lies_in_a_cache() {
    let found = waste(&inventory(&[layer().file("root/.cache/pip/w", content(1)).file("usr/lib/w", content(1))]));
    assert!(rows(&found, WasteKind::Duplicate).is_empty());
    assert_eq!(only(&found, WasteKind::Leftover).what, "caches of Python's installers");
    assert_eq!(found.reclaimable, [5000]);
}

#[test]
fn a_file_is_only_gone_when_all_its_names_are() {
    let store = || {
        layer()
            .file("root/.local/share/pnpm/store/v3/x", content(1))
            .hardlink("app/node_modules/a/x.js", "root/.local/share/pnpm/store/v3/x")
    };
    assert_eq!(waste(&inventory(&[store()])).reclaimable, [0]);
    assert!(waste(&inventory(&[store()])).rows.is_empty());
    let gone = waste(&inventory(&[layer()
        .file("root/.npm/_cacache/x", content(1))
        .hardlink("tmp/x", "root/.npm/_cacache/x")]));
    // neither rule alone takes both names
    assert!(gone.rows.is_empty());
    assert_eq!(gone.reclaimable, [5000]);
}

#[test]
fn leftovers_are_told_by_layer() {
    let found = waste(&inventory(&[
        layer().file("var/lib/apt/lists/a", content(1)).file("var/log/dpkg.log", content(2)),
        layer()
            .file("var/lib/apt/lists/b", content(3))
            .file("app/.git/index", content(4))
            .file("var/lib/dpkg/status-old", content(5)),
    ]));
    let seen: Vec<(&str, usize, u64)> =
        rows(&found, WasteKind::Leftover).iter().map(|row| (row.what.as_str(), row.layer, row.bytes)).collect();
    assert_eq!(
        seen,
        [
            ("apt's package lists", 0, 5000),
            ("logs", 0, 5000),
            ("apt's package lists", 1, 5000),
            ("backups of package databases", 1, 5000),
            ("version control", 1, 5000),
        ]
    );
    assert_eq!(found.reclaimable, [10_000, 15_000]);
}

#[test]
fn droppable_data_is_told_by_its_place() {
    let files = [
        "usr/share/doc/a/changelog.gz",
        "usr/share/doc/a/copyright",
        "usr/share/man/man1/a.1.gz",
        "usr/share/locale/de/LC_MESSAGES/a.mo",
        "usr/lib/x86_64-linux-gnu/gconv/IBM037.so",
        "usr/include/a.h",
        "usr/lib/x86_64-linux-gnu/liba.a",
        "usr/lib/x86_64-linux-gnu/pkgconfig/a.pc",
        "app/node_modules/a/index.js.map",
        "app/node_modules/a/index.d.ts",
        "app/node_modules/a/test/x.js",
        "usr/local/lib/python3.13/site-packages/numpy/core/tests/x.py",
        "usr/local/lib/python3.13/test/test_os.py",
        "app/Shop.pdb",
        "app/Shop.dll",
        "app/1abc.pdb",
        "usr/lib/jvm/java-21/jmods/java.base.jmod",
        "usr/local/bundle/gems/rack-3/spec/x.rb",
    ];
    let files = files.iter().enumerate().fold(layer(), |layer, (number, path)| layer.file(path, content(number as u8)));
    let files = files.program("usr/lib/jvm/java-21/bin/javac", content(200));
    let found = waste(&inventory(&[files]));
    let mut seen: Vec<String> = rows(&found, WasteKind::Droppable)
        .iter()
        .flat_map(|row| row.paths.iter().map(|path| format!("{}: {}", row.what, path.path)))
        .collect();
    seen.sort();
    insta::assert_snapshot!(seen.join("\n"));
    assert_eq!(found.reclaimable, [15 * 5000]);
}

#[test]
fn build_tools_are_told_by_package_and_by_place() {
    let base = layer()
        .file(
            "var/lib/dpkg/status",
            status(&[("gcc-14", "devel"), ("libc6", "libs"), ("libc6-dev", "libdevel"), ("apt", "admin")]),
        )
        .file("var/lib/dpkg/info/gcc-14.list", "/usr/bin/gcc-14\n")
        .file("var/lib/dpkg/info/libc6.list", "/usr/lib/libc.so.6\n")
        .file("var/lib/dpkg/info/libc6-dev.list", "/usr/include/stdio.h\n")
        .file("var/lib/dpkg/info/apt.list", "/usr/bin/apt\n")
        .program("usr/bin/gcc-14", content(1))
        .file("usr/lib/libc.so.6", content(2))
        .file("usr/include/stdio.h", content(3))
        .program("usr/bin/apt", content(4));
    let python = |name: &str, requires: &str| {
        let site = "usr/lib/python3.13/site-packages";
        layer()
            .file(&format!("{site}/{name}-1.dist-info/METADATA"), format!("Name: {name}\nVersion: 1\n{requires}\n"))
            .file(&format!("{site}/{name}-1.dist-info/RECORD"), format!("{name}/x.py,,\n"))
            .file(&format!("{site}/{name}/x.py"), format!("{name}{}", "x".repeat(5000)))
    };
    let found = waste(&inventory(&[
        base,
        python("pip", ""),
        python("setuptools", ""),
        python("zope", "Requires-Dist: setuptools\n"),
        layer().file("usr/local/lib/node_modules/npm/lib/x.js", content(5)).program("usr/local/go/bin/go", content(6)),
    ]));
    let seen: Vec<String> =
        rows(&found, WasteKind::BuildTool).iter().map(|row| format!("{} {}", row.layer, row.what)).collect();
    insta::assert_snapshot!(seen.join("\n"));
}

#[test]
fn rights_are_rows_without_bytes() {
    let mut capable = EntryHead::new("bin/ping", EntryKind::File, 0o755);
    capable.xattrs.insert("security.capability".into(), "x".into());
    let found = waste(&inventory(&[
        layer().push(EntryHead::new("bin/su", EntryKind::File, 0o4755), b"1").push(capable, b"2"),
        layer().push(EntryHead::new("bin/wall", EntryKind::File, 0o2755), b"3"),
    ]));
    let seen: Vec<(&str, usize, u64)> =
        found.rows.iter().map(|row| (row.what.as_str(), row.layer, row.bytes)).collect();
    let expected = [("programs with file capabilities", 0, 0), ("setuid programs", 0, 0), ("setgid programs", 1, 0)];
    assert_eq!(seen, expected);
    assert_eq!(found.reclaimable, [0, 0]);
}

#[test]
fn a_secret_that_is_deleted_is_named_but_never_shown() {
    let token = format!("ghp_{}", "0123456789abcdefghij0123456789abcdefghij");
    let found = waste(&inventory(&[
        layer().file("app/.netrc", &token).file("kept", &token).file("app/tests/key", &token),
        layer().file("app/.wh..netrc", "").file("app/.wh.tests", ""),
    ]));
    let row = only(&found, WasteKind::HiddenSecret);
    assert_eq!((row.layer, row.hidden_by, row.paths[0].path.to_string()), (0, Some(1), "app/.netrc".to_owned()));
    assert!(!format!("{found:?}").contains("0123456789"));
}

#[test]
fn hostile_sizes_of_sections_never_exceed_the_file() {
    let program = std::env::current_exe().and_then(std::fs::read).unwrap_or_default();
    if !program.starts_with(b"\x7fELF") {
        println!("skipped: the test program is no ELF file");
        return;
    }
    let mut index = (*layer().program("bin/test", &program).index()).clone();
    let exact = waste(&plim_index::fold(&crate::build::config(), &[std::sync::Arc::new(index.clone())]));
    let fact = &index.elves[0];
    assert_eq!(only(&exact, WasteKind::Debug).bytes, fact.debug_bytes + fact.symbol_bytes);
    assert_eq!(exact.reclaimable, [fact.debug_bytes + fact.symbol_bytes]);
    index.elves[0].debug_bytes = u64::MAX;
    let hostile = waste(&plim_index::fold(&crate::build::config(), &[std::sync::Arc::new(index)]));
    assert_eq!(hostile.reclaimable, [program.len() as u64]);
}

const PLACES: [&str; 8] =
    ["tmp/a", "tmp/b", "app/a", "app/b", "root/.npm/_cacache/a", "usr/share/doc/a", "srv/a", "srv/b"];

/// Layers of files, hard links and whiteouts in a few places.
fn layers() -> impl Strategy<Value = Vec<LayerBuilder>> {
    let entry = (0..PLACES.len(), 0..PLACES.len(), 0..4u8, 0..3u8);
    let one = proptest::collection::vec(entry, 0..8).prop_map(|entries| {
        entries.into_iter().fold(layer(), |layer, (place, other, what, fill)| match what {
            0 => {
                let (dir, name) = PLACES[place].rsplit_once('/').unwrap();
                layer.file(&format!("{dir}/.wh.{name}"), "")
            }
            1 => layer.hardlink(PLACES[place], PLACES[other]),
            _ => layer.file(PLACES[place], vec![fill; 4000 + 1000 * usize::from(fill)]),
        })
    });
    proptest::collection::vec(one, 1..5)
}

/// What can be saved, by another way: what is hidden, files of which all names lie in places of waste, and of the other
/// files those with the content of another one.
fn expected(inventory: &Inventory) -> u64 {
    let waste = |path: &BString| {
        ["tmp/", "root/.npm/", "usr/share/doc/"].iter().any(|place| path.starts_with(place.as_bytes()))
    };
    let files = || inventory.nodes.iter().filter(|(_, node)| node.head.kind == EntryKind::File);
    let mut stays = BTreeMap::new();
    for (path, node) in files() {
        *stays.entry(node.origin).or_insert(false) |= !waste(path);
    }
    let sizes: BTreeMap<_, _> =
        files().map(|(_, node)| (node.origin, (node.head.size, node.digest.unwrap().to_string()))).collect();
    let mut contents = HashSet::new();
    let gone =
        sizes.iter().filter(|(origin, (size, digest))| !stays[*origin] || (*size >= 4096 && !contents.insert(digest)));
    inventory.hidden_bytes() + gone.map(|(_, (size, _))| size).sum::<u64>()
}

proptest! {
    #[test]
    fn no_byte_is_counted_twice(layers in layers()) {
        let inventory = inventory(&layers);
        let found = waste(&inventory);
        for (summary, reclaimable) in inventory.layers.iter().zip(&found.reclaimable) {
            prop_assert!(*reclaimable <= summary.bytes_added);
        }
        let reclaimable: u64 = found.reclaimable.iter().sum();
        prop_assert_eq!(reclaimable, expected(&inventory));
        for row in &found.rows {
            prop_assert!(row.bytes <= reclaimable, "{row:?}");
            prop_assert_eq!(row.bytes, row.layers.iter().map(|(_, bytes)| bytes).sum::<u64>());
            prop_assert_eq!(row.bytes, row.paths.iter().map(|path| path.bytes).sum::<u64>());
        }
    }
}
