//! Owners, modes, attributes and times.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};

use super::*;
use crate::files::resolve_owner;

fn chmod(bench: &Bench, path: &str, mode: u32) {
    std::fs::set_permissions(bench.path(path), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn files_of_the_context_belong_to_root_and_files_of_a_stage_keep_their_owner() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["d/a=1"], &[]);
    chown(bench.path("context/d/a"), Some(1000), Some(1001)).unwrap();
    chown(bench.path("context/d"), Some(7), Some(8)).unwrap();
    assert_eq!(bench.copy(&op(&[".", "/"])).unwrap(), ["d/", "d/a =1"]);
    assert_eq!(bench.copy_from(&op(&[".", "/"])).unwrap(), ["d/ 755 7:8", "d/a 644 1000:1001 =1"]);
    // the directory named as source is only a way to its contents
    assert_eq!(bench.copy_from(&op(&["d", "/x"])).unwrap(), ["x/", "x/a 644 1000:1001 =1"]);
}

#[test]
fn chown_holds_for_all_that_is_copied_and_for_parents_that_are_made() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["d/a=1", "d/s/b->a"], &["there/"]);
    let step = |words: &[&str]| CopyOp { owner: Some((5, 6)), ..op(words) };
    assert_eq!(
        bench.copy(&step(&["d", "/there/new/x"])).unwrap(),
        [
            "there/",
            "there/new/ 755 5:6",
            "there/new/x/ 755 5:6",
            "there/new/x/a 644 5:6 =1",
            "there/new/x/s/ 755 5:6",
            "there/new/x/s/b -> a"
        ]
    );
    let link = bench.heads(&step(&["d", "/x"])).into_iter().find(|head| head.path == "x/s/b").unwrap();
    assert_eq!((link.uid, link.gid), (5, 6));
}

#[test]
fn a_directory_that_is_there_keeps_its_owner_as_destination_but_not_inside_it() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["d/s/f=1"], &["e/s/", "e/t/"]);
    for (path, id) in [("dest/e", 500), ("dest/e/s", 501), ("dest/e/t", 502)] {
        chown(bench.path(path), Some(id), Some(id)).unwrap();
    }
    assert_eq!(bench.copy(&op(&["d", "/e"])).unwrap(), ["e/ 755 500:500", "e/s/", "e/s/f =1", "e/t/ 755 502:502"]);
}

#[test]
fn an_octal_chmod_holds_for_directories_and_made_parents_too() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["d/s/f=1", "l->d"], &[]);
    let step = |chmod: &str, words: &[&str]| CopyOp { chmod: Some(chmod.to_owned()), ..op(words) };
    assert_eq!(
        bench.copy(&step("640", &["d", "/p/x"])).unwrap(),
        ["p/ 640 0:0", "p/x/ 640 0:0", "p/x/s/ 640 0:0", "p/x/s/f 640 0:0 =1"]
    );
    assert_eq!(bench.copy(&step("4711", &["d/s/f", "/p/x"])).unwrap(), ["p/ 711 0:0", "p/x 4711 0:0 =1"]);
    assert_eq!(bench.copy(&step("0", &["d/s/f", "/x"])).unwrap(), ["x 0 0:0 =1"]);
    let heredoc = CopyOp { inline: vec![heredoc("f", "")], ..step("600", &["/x"]) };
    assert_eq!(bench.copy(&heredoc).unwrap(), ["x 600 0:0 ="]);
    assert!(bench.copy(&step("64a", &["d", "/x"])).unwrap_err().is_subject());
}

#[test]
fn a_symbolic_chmod_looks_at_each_file() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["d/s/f=1", "d/run=1"], &[]);
    chmod(&bench, "context/d/run", 0o700);
    chmod(&bench, "context/d/s/f", 0o600);
    chmod(&bench, "context/d/s", 0o700);
    let step = CopyOp { chmod: Some("u=rwX,go=rX".to_owned()), ..op(&["d", "/p/x"]) };
    assert_eq!(
        bench.copy(&step).unwrap(),
        ["p/", "p/x/", "p/x/run 755 0:0 =1", "p/x/s/", "p/x/s/f =1"].map(|line| line.replace(" 755 0:0", ""))
    );
}

#[test]
fn set_id_and_sticky_bits_of_sources_are_kept() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["u=1", "g=1", "t/"], &[]);
    for (path, mode) in [("context/u", 0o4755), ("context/g", 0o2755), ("context/t", 0o1777)] {
        chmod(&bench, path, mode);
    }
    assert_eq!(bench.copy(&op(&[".", "/x"])).unwrap(), ["x/", "x/g 2755 0:0 =1", "x/t/ 1777 0:0", "x/u 4755 0:0 =1"]);
    let step = CopyOp { owner: Some((1, 1)), ..op(&["u", "/x"]) };
    assert_eq!(
        bench.copy(&step).unwrap(),
        ["x 4755 1:1 =1"],
        "a change of owner clears the bit unless it is set after"
    );
}

#[test]
fn capabilities_survive_a_change_of_owner() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["ping=1"], &[]);
    let capability = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    let none = rustix::fs::XattrFlags::empty();
    rustix::fs::lsetxattr(bench.path("context/ping"), "security.capability", capability, none).unwrap();
    rustix::fs::lsetxattr(bench.path("context/ping"), "user.note", b"x", none).unwrap();
    let step = CopyOp { owner: Some((5, 6)), ..op(&["ping", "/ping"]) };
    bench.copy(&step).unwrap();
    let head = &bench.heads(&step)[0];
    assert_eq!(head.xattrs[&BString::from("security.capability")], capability.as_slice());
    assert_eq!(head.xattrs.len(), 1);

    let context = bench.path("context");
    let source = Source::Context { root: &context, ignore: None, overrides: &bench.overrides, known: None };
    let into = bench.path("into");
    std::fs::create_dir(&into).unwrap();
    apply(&select(&source, &step).unwrap(), &step, &bench.dest(), &into).unwrap();
    let made = View::new(&chain(&[&into])).lookup("ping".into()).unwrap().unwrap().head;
    assert_eq!(made.xattrs.len(), 2, "a later step of the same build sees all attributes");
    assert_eq!((made.uid, made.gid), (5, 6));
}

#[test]
fn times_of_the_context_do_not_count_and_times_of_a_stage_do() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["d/a=1"], &[]);
    let then = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000);
    std::fs::File::open(bench.path("context/d/a")).unwrap().set_modified(then).unwrap();
    let times = |from_context: bool| -> Vec<(String, i64)> {
        let view = View::new(&chain(&[&bench.path("context")]));
        let context = bench.path("context");
        let source = if from_context {
            Source::Context { root: &context, ignore: None, overrides: &bench.overrides, known: None }
        } else {
            Source::View(&view)
        };
        let step = CopyOp { from_context, ..op(&["d", "/x/y"]) };
        let into = tempfile::tempdir_in(bench.store.dir()).unwrap();
        apply(&select(&source, &step).unwrap(), &step, &bench.dest(), into.path()).unwrap();
        let made = View::new(&chain(&[into.path()]));
        ["x", "x/y", "x/y/a"]
            .map(|path| (path.to_owned(), made.lookup(path.into()).unwrap().unwrap().head.mtime))
            .to_vec()
    };
    let all = |last| vec![("x".to_owned(), EPOCH), ("x/y".to_owned(), EPOCH), ("x/y/a".to_owned(), last)];
    assert_eq!(times(true), all(EPOCH));
    assert_eq!(times(false), all(1_000));
}

#[test]
fn owners_by_name_are_those_of_the_destination() {
    if !root() {
        return;
    }
    let bench = Bench::new(&[], &["etc/passwd=app:x:1000:1001::/:/bin/sh\n", "etc/group=web:x:33:\n"]);
    assert_eq!(resolve_owner(&bench.dest(), "app").unwrap(), (1000, 1001));
    assert_eq!(resolve_owner(&bench.dest(), "app:web").unwrap(), (1000, 33));
    assert!(resolve_owner(&bench.dest(), "nobody").unwrap_err().is_subject());
}
