//! Diff directories as layers.

use std::os::unix::net::UnixListener;

use plim_oci::Silent;
use plim_testkit::TempLayout;

use super::super::layer_from_dir;
use super::*;

struct Bench {
    store: TempLayout,
}

impl Bench {
    fn new(lower: &[&str], upper: &[&str]) -> Self {
        let store = TempLayout::new();
        for (name, lines) in [("lower", lower), ("upper", upper)] {
            fs::create_dir(store.dir().join(name)).unwrap();
            make(&store.dir().join(name), lines);
        }
        Self { store }
    }

    fn upper(&self) -> std::path::PathBuf {
        self.store.dir().join("upper")
    }

    fn layer(&self, options: &LayerOptions) -> Layer {
        let lower = View::new(&chain(&[&self.store.dir().join("lower")]));
        layer_from_dir(&self.upper(), &lower, &self.store, options, None, &Silent).unwrap()
    }

    fn names(&self) -> Vec<String> {
        names(&self.store, &self.layer(&options()))
    }
}

#[test]
fn entries_are_sorted_and_follow_their_directory() {
    if !root() {
        return;
    }
    let bench = Bench::new(&[], &["b/z=1", "b/a=1", "a.c=1", "a/x=1", "a-b=1", "l->b"]);
    assert_eq!(bench.names(), ["a/", "a/x", "a-b", "a.c", "b/", "b/a", "b/z", "l -> b"]);
}

#[test]
fn whiteouts_of_nothing_are_dropped() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["a=1", "d/x=1"], &["!a", "!never", "!d/x", "!d/y"]);
    assert_eq!(bench.names(), [".wh.a", "d/", "d/.wh.x"]);
}

#[test]
fn an_opaque_directory_becomes_whiteouts_of_what_it_hides() {
    if !root() {
        return;
    }
    // as after `rm -rf d && mkdir d`, with a directory made anew inside
    let bench = Bench::new(&["d/e=1", "d/s/deep=1", "d/s/both=1", "d/same=1"], &["d/!", "d/s/both=2", "d/n=2"]);
    assert_eq!(bench.names(), ["d/", "d/.wh.e", "d/.wh.same", "d/n", "d/s/", "d/s/.wh.deep", "d/s/both"]);
}

#[test]
fn directories_are_named_when_something_in_them_changed_and_only_then() {
    if !root() {
        return;
    }
    let lower = ["d/s/x=1", "e/f/x=1", "g/h/x=1", "i/j/x=1"];
    let bench = Bench::new(&lower, &["d/s/y=1", "e/f/", "g/h/", "new/sub/x=1", "!i/j/x"]);
    fs::set_permissions(bench.upper().join("g/h"), fs::Permissions::from_mode(0o700)).unwrap();
    let names = ["d/", "d/s/", "d/s/y", "g/", "g/h/", "i/", "i/j/", "i/j/.wh.x", "new/", "new/sub/", "new/sub/x"];
    assert_eq!(bench.names(), names);
}

#[test]
fn an_unchanged_directory_keeps_the_time_that_it_has_below() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["d/x=1"], &["d/y=1"]);
    let at = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(77);
    fs::File::open(bench.store.dir().join("lower/d")).unwrap().set_modified(at).unwrap();
    let (head, _) = entries(&bench.store, &bench.layer(&options())).swap_remove(0);
    assert_eq!((head.path.to_string(), head.mtime), ("d".to_owned(), 77));
}

#[test]
fn a_file_equal_to_the_one_below_is_omitted() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["same=1", "other=1", "later=1"], &["same=1", "other=2", "later=1"]);
    let at = |seconds| std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    for (dir, file, seconds) in [
        ("lower", "same", 5),
        ("upper", "same", 5),
        ("lower", "other", 5),
        ("upper", "other", 5),
        ("lower", "later", 5),
        ("upper", "later", 6),
    ] {
        fs::File::open(bench.store.dir().join(dir).join(file)).unwrap().set_modified(at(seconds)).unwrap();
    }
    assert_eq!(bench.names(), ["later", "other"]);
}

#[test]
fn hard_links_stay_links_within_the_layer() {
    if !root() {
        return;
    }
    let bench = Bench::new(&[], &["b/one=1", "z=1"]);
    fs::hard_link(bench.upper().join("b/one"), bench.upper().join("a")).unwrap();
    fs::hard_link(bench.upper().join("b/one"), bench.upper().join("b/two")).unwrap();
    assert_eq!(bench.names(), ["a", "b/", "b/one == a", "b/two == a", "z"]);
}

#[test]
fn sockets_are_skipped_and_pipes_and_devices_kept() {
    if !root() {
        return;
    }
    let bench = Bench::new(&[], &["a=1"]);
    let _socket = UnixListener::bind(bench.upper().join("socket")).unwrap();
    let make = |name: &str, kind, device| {
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, bench.upper().join(name), kind, mode, device).unwrap();
    };
    make("fifo", rustix::fs::FileType::Fifo, 0);
    if !makes_devices() {
        return;
    }
    make("null", rustix::fs::FileType::CharacterDevice, rustix::fs::makedev(1, 3));
    let layer = bench.layer(&options());
    let entries = entries(&bench.store, &layer);
    let kinds: Vec<_> = entries.iter().map(|(head, _)| (head.path.to_string(), head.kind, head.device)).collect();
    assert_eq!(
        kinds,
        [
            ("a".to_owned(), EntryKind::File, (0, 0)),
            ("fifo".to_owned(), EntryKind::Fifo, (0, 0)),
            ("null".to_owned(), EntryKind::Char, (1, 3)),
        ]
    );
}

#[test]
fn capabilities_are_written_and_marks_of_the_machine_are_not() {
    if !root() {
        return;
    }
    let bench = Bench::new(&[], &["a=1", "d/!"]);
    let capability = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    let set = |name: &str, value: &[u8]| {
        rustix::fs::lsetxattr(bench.upper().join("a"), name, value, rustix::fs::XattrFlags::empty()).unwrap();
    };
    set("security.capability", capability);
    set("user.note", b"x");
    let layer = bench.layer(&options());
    for (head, _) in entries(&bench.store, &layer) {
        let names: Vec<_> = head.xattrs.keys().map(ToString::to_string).collect();
        assert_eq!(names, if head.path == "a" { vec!["security.capability"] } else { vec![] });
    }
}

#[test]
fn times_after_the_epoch_are_clamped_and_the_layer_is_the_same_each_time() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["gone=1"], &["a=1", "!gone"]);
    let early = LayerOptions { epoch: 1_000, ..options() };
    let first = bench.layer(&early);
    assert!(entries(&bench.store, &first).iter().all(|(head, _)| head.mtime == 1_000));
    fs::write(bench.upper().join("a"), "1").unwrap();
    assert_eq!(bench.layer(&early), first);
    assert_ne!(bench.layer(&options()).diff_id, first.diff_id);
}

#[test]
fn an_empty_directory_is_an_empty_layer() {
    let bench = Bench::new(&["a=1"], &[]);
    assert!(bench.names().is_empty());
}
