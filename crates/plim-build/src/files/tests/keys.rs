//! What changes the key of a selection, and what does not.

use std::os::unix::fs::{PermissionsExt, chown};
use std::time::{Duration, SystemTime};

use plim_oci::{Digest, EntryKind};

use super::*;

fn key(bench: &Bench, op: &CopyOp) -> Digest {
    let (root, ignore) = bench.source();
    let source = Source::Context { root: &root, ignore, overrides: &bench.overrides, known: None };
    select(&source, op).unwrap().digest(&FileDigests::default()).unwrap()
}

#[test]
fn equal_trees_have_equal_keys_whatever_their_times_and_owners_on_disk() {
    if !root() {
        return;
    }
    let (one, two) = (Bench::new(&["d/a=1", "b=2"], &[]), Bench::new(&["b=2", "d/a=1"], &[]));
    let file = two.path("context/d/a");
    std::fs::File::open(&file).unwrap().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(9)).unwrap();
    chown(&file, Some(1000), Some(1000)).unwrap();
    assert_eq!(key(&one, &op(&[".", "/"])), key(&two, &op(&[".", "/"])));
}

#[test]
fn names_contents_modes_links_and_attributes_count() {
    if !root() {
        return;
    }
    let all = op(&[".", "/"]);
    let of = |lines: &[&str], change: &dyn Fn(&Bench)| {
        let bench = Bench::new(lines, &[]);
        change(&bench);
        key(&bench, &all)
    };
    let nothing: &dyn Fn(&Bench) = &|_| {};
    let mode: &dyn Fn(&Bench) =
        &|bench| std::fs::set_permissions(bench.path("context/a"), PermissionsExt::from_mode(0o600)).unwrap();
    let attribute: &dyn Fn(&Bench) = &|bench| {
        let none = rustix::fs::XattrFlags::empty();
        rustix::fs::lsetxattr(bench.path("context/a"), "user.x", b"y", none).unwrap();
    };
    let linked: &dyn Fn(&Bench) = &|bench| {
        std::fs::remove_file(bench.path("context/b")).unwrap();
        std::fs::hard_link(bench.path("context/a"), bench.path("context/b")).unwrap();
    };
    let keys = [
        of(&["a=1", "b=1"], nothing),
        of(&["a=1", "b=2"], nothing),
        of(&["a=1", "c=1"], nothing),
        of(&["a=1", "b/"], nothing),
        of(&["a=1", "b->a"], nothing),
        of(&["a=1", "b->c"], nothing),
        of(&["a=1", "b=1", "c/"], nothing),
        of(&["a=1", "b=1"], mode),
        of(&["a=1", "b=1"], attribute),
        of(&["a=1", "b=1"], linked),
    ];
    let different: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(different.len(), keys.len());
}

#[test]
fn only_what_is_selected_counts() {
    if !root() {
        return;
    }
    let bench = Bench::ignoring(&["src/a=1", "doc/b=1", "src/x.log=1"], "**/*.log");
    let before = key(&bench, &op(&["src", "/"]));
    std::fs::write(bench.path("context/doc/b"), "2").unwrap();
    std::fs::write(bench.path("context/src/x.log"), "2").unwrap();
    assert_eq!(key(&bench, &op(&["src", "/"])), before);
    std::fs::write(bench.path("context/src/a"), "2").unwrap();
    assert_ne!(key(&bench, &op(&["src", "/"])), before);
}

#[test]
fn a_pattern_is_keyed_by_the_names_it_matches() {
    if !root() {
        return;
    }
    let (one, two) = (Bench::new(&["file1=1"], &[]), Bench::new(&["file2=1"], &[]));
    assert_ne!(key(&one, &op(&["file*", "/x/"])), key(&two, &op(&["file*", "/x/"])));
}

#[test]
fn contents_in_memory_have_the_key_of_the_same_contents_on_disk() {
    if !root() {
        return;
    }
    let mut bench = Bench::new(&["a=1"], &[]);
    bench.overrides.insert("a".into(), b"2".to_vec());
    assert_eq!(key(&bench, &op(&[".", "/"])), key(&Bench::new(&["a=2"], &[]), &op(&[".", "/"])));
}

/// Notes what a file holds, as if it had not been changed for long.
fn remember(digests: &FileDigests, file: &std::path::Path) {
    let mut hasher = plim_oci::Hasher::new();
    hasher.update(&std::fs::read(file).unwrap());
    let metadata = std::fs::symlink_metadata(file).unwrap();
    digests.remember(&crate::snapshot::Stamp::of(&metadata), hasher.finish_raw());
}

#[test]
fn known_digests_are_used_and_a_changed_file_is_read_again() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["a=1"], &[]);
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    std::fs::File::open(bench.path("context/a")).unwrap().set_modified(old).unwrap();
    let digests = FileDigests::default();
    let root = bench.path("context");
    let source = Source::Context { root: &root, ignore: None, overrides: &bench.overrides, known: None };
    let digest = || select(&source, &op(&["a", "/"])).unwrap().digest(&digests).unwrap();
    let first = digest();
    assert_eq!(digest(), first);
    std::fs::write(bench.path("context/a"), "2").unwrap();
    std::fs::File::open(bench.path("context/a")).unwrap().set_modified(old).unwrap();
    assert_ne!(digest(), first, "size and time are the same, but the time of change is not");
}

#[test]
fn an_attribute_counts_though_the_file_was_known_to_have_none() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["d/a=1", "d/b=2"], &[]);
    let digests = FileDigests::default();
    for name in ["d/a", "d/b"] {
        remember(&digests, &bench.path("context").join(name));
    }
    let root = bench.path("context");
    let select_all = |known| {
        let source = Source::Context { root: &root, ignore: None, overrides: &bench.overrides, known };
        select(&source, &op(&[".", "/"])).unwrap()
    };
    let nothing = FileDigests::default();
    let first = select_all(Some(&digests)).digest(&nothing).unwrap();
    assert_eq!(first, select_all(None).digest(&nothing).unwrap(), "what is known is what the disk says");
    rustix::fs::lsetxattr(bench.path("context/d/a"), "user.x", b"y", rustix::fs::XattrFlags::empty()).unwrap();
    assert_ne!(select_all(Some(&digests)).digest(&nothing).unwrap(), first);
    std::fs::set_permissions(bench.path("context/d/b"), std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(select_all(Some(&digests)).digest(&nothing).unwrap(), select_all(None).digest(&nothing).unwrap());
}

#[test]
fn what_changed_after_the_key_was_taken_is_not_copied() {
    if !root() {
        return;
    }
    // longer than what is read of it at once, and with something behind its end
    let tar = |name: &str, behind: &str| {
        let mut writer = plim_oci::tar::TarWriter::new(Vec::new());
        for number in 0..400 {
            let head = EntryHead::new(format!("{name}-{number}"), EntryKind::File, 0o644);
            writer.entry(&head, &mut std::io::empty()).unwrap();
        }
        [writer.finish().unwrap(), behind.as_bytes().to_vec()].concat()
    };
    let no_tar = [&tar("x", "")[..1024], &vec![b'?'; 300_000]].concat();
    let long = "behind".repeat(30_000);
    for (op, was, is) in [
        (op(&["a", "/"]), b"one".to_vec(), b"two".to_vec()),
        (add(&["a", "/"]), tar("x", ""), tar("y", "")),
        (add(&["a", "/"]), tar("x", &long), tar("x", &long.to_uppercase())),
        (add(&["a", "/"]), tar("x", ""), no_tar),
        (add(&["a", "/"]), tar("x", ""), b"none".to_vec()),
    ] {
        // long ago, and just now
        for settled in [true, false] {
            let bench = Bench::new(&["b=2"], &[]);
            let file = bench.path("context/a");
            std::fs::write(&file, &was).unwrap();
            let digests = FileDigests::default();
            if settled {
                remember(&digests, &file);
            }
            let root = bench.path("context");
            let source = Source::Context { root: &root, ignore: None, overrides: &bench.overrides, known: None };
            let mut selection = select(&source, &op).unwrap();
            selection.digest(&digests).unwrap();
            if settled {
                // whatever the clock of the file system: the times are others
                std::thread::sleep(Duration::from_millis(20));
            }
            std::fs::write(&file, &is).unwrap();
            let into = tempfile::tempdir_in(bench.store.dir()).unwrap();
            let made = apply(&selection, &op, &bench.dest(), into.path()).unwrap_err();
            let written =
                write_layer(&selection, &op, &bench.dest(), &bench.store, &options(), None, &Silent).unwrap_err();
            for error in [made, written] {
                assert!(matches!(error, FilesError::Changed { .. }), "{error:?}");
                assert!(error.hint().is_some());
            }
        }
    }
}
