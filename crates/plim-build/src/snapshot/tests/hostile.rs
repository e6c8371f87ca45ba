//! Layers that somebody made to do harm, unpacked: nothing outside the root is touched, and what is refused leaves no
//! snapshot.

use std::error::Error;
use std::path::PathBuf;

use plim_testkit::raw::{MTIME, RawTar, SIZE};
use plim_testkit::{LayerBuilder, TempLayout};

use super::unpacking::Bench;
use super::*;

/// Files beside the snapshots that a layer tries to reach.
struct Outside {
    dir: PathBuf,
}

impl Outside {
    fn new(store: &TempLayout) -> Self {
        let dir = store.dir().join("outside");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("canary"), "sings").unwrap();
        fs::set_permissions(dir.join("canary"), fs::Permissions::from_mode(0o600)).unwrap();
        Self { dir }
    }

    /// Its path, from the root of the machine and without the first slash.
    fn path(&self) -> String {
        self.dir.to_str().unwrap().trim_start_matches('/').to_owned()
    }

    fn is_untouched(&self) -> bool {
        let names: Vec<_> = fs::read_dir(&self.dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        let canary = self.dir.join("canary");
        let mode = canary.symlink_metadata().unwrap().permissions().mode() & 0o7777;
        names == ["canary"] && mode == 0o600 && fs::read_to_string(canary).unwrap() == "sings"
    }
}

fn raw() -> RawTar {
    RawTar::new()
}

fn causes(error: &dyn Error) -> String {
    let rest = error.source().map(|source| format!(" < {}", causes(source))).unwrap_or_default();
    format!("{error}{rest}")
}

#[test]
fn what_no_layer_may_have_is_refused_by_name_and_leaves_nothing() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let outside = Outside::new(&bench.store);
    let canary = format!("{}/canary", outside.path());
    let up = format!("{}{canary}", "../".repeat(30));
    let refused: &[(&str, Vec<u8>, &str)] = &[
        ("path above the root", raw().long_name(up.as_bytes()).entry(b"x", b'0', b"", b"x").end(), "contains `..`"),
        (
            "hard link above",
            raw().pax(&[("linkpath", up.as_bytes())]).entry(b"h", b'1', b"", b"").end(),
            "contains `..`",
        ),
        (
            "hard link to the machine's file",
            raw().pax(&[("linkpath", format!("/{canary}").as_bytes())]).entry(b"h", b'1', b"", b"").end(),
            "which is not there",
        ),
        (
            "hard link through a symbolic link",
            raw()
                .pax(&[("linkpath", format!("/{}", outside.path()).as_bytes())])
                .entry(b"s", b'2', b"", b"")
                .entry(b"h", b'1', b"s/canary", b"")
                .end(),
            "which is not there",
        ),
        (
            "cyclic links",
            raw().entry(b"a", b'2', b"b", b"").entry(b"b", b'2', b"a", b"").entry(b"a/x", b'0', b"", b"").end(),
            "symbolic links",
        ),
        ("sparse file", raw().entry(b"s", b'S', b"", b"").end(), "`s` is a sparse file"),
        ("NUL in a name", raw().pax(&[("path", b"a\0b")]).entry(b"a", b'0', b"", b"").end(), "contains a NUL"),
        ("huge pax header", raw().pax(&[("comment", &vec![b'x'; 2 << 20])]).end(), "bytes of extended headers"),
        (
            "negative size",
            raw().spoiled(b"f", b'0', b"", b"", |block| block[SIZE].fill(0xff)).end(),
            "the size is no number",
        ),
        (
            "size of 8 EiB",
            raw()
                .spoiled(b"f", b'0', b"", b"", |block| {
                    block[SIZE].copy_from_slice(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff");
                })
                .end(),
            "ends within an entry",
        ),
        ("cut in content", raw().entry(b"f", b'0', b"", &[1; 900]).cut()[..1000].to_vec(), "ends within an entry"),
        ("name that no file system takes", raw().long_name(&[b'n'; 300]).entry(b"n", b'0', b"", b"").end(), "nnnn"),
    ];
    for (what, tar, part) in refused {
        let error = bench.unpack(&[LayerBuilder::raw(tar.clone())]).map(|_| ()).expect_err(what);
        let text = causes(&error);
        assert!(text.contains(part), "{what}: {text}");
        assert!(outside.is_untouched(), "{what}");
    }
    let left = fs::read_dir(bench.store.dir().join("snapshots")).unwrap().count();
    assert_eq!(left, 1, "only the lock");
}

#[test]
fn symbolic_links_and_whiteouts_of_the_machine_reach_nothing() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let outside = Outside::new(&bench.store);
    let target = format!("/{}", outside.path());
    let link = |name: &[u8]| raw().pax(&[("linkpath", target.as_bytes())]).entry(name, b'2', b"", b"");
    let tar = link(b"s")
        .entry(b"s/canary", b'0', b"", b"overwritten")
        .entry(b"s/.wh.canary", b'0', b"", b"")
        .entry(b"s/.wh..wh..opq", b'0', b"", b"")
        .entry(b"s", b'5', b"", b"")
        .entry(b"s/canary", b'0', b"", b"inside")
        .end();
    let lower = LayerBuilder::raw(link(b"low").end());
    let upper = LayerBuilder::raw(raw().entry(b"low/canary", b'0', b"", b"overwritten").end());
    let chain = bench.unpack(&[LayerBuilder::raw(tar), lower, upper]).unwrap();
    assert!(outside.is_untouched());
    let view = View::new(&chain);
    assert_eq!(view.read("s/canary".into(), 99).unwrap().unwrap(), b"inside");
    assert_eq!(view.read("low/canary".into(), 99).unwrap().unwrap(), b"overwritten");
}

#[test]
fn odd_but_harmless_entries_are_unpacked_as_they_are() {
    if !root() {
        return;
    }
    let tar = raw()
        .entry(b"/abs", b'0', b"", b"1")
        .entry(b"new\nline", b'0', b"", b"2")
        .entry(b"\xff\xfe", b'0', b"", b"3")
        .entry(b"twice", b'0', b"", b"4")
        .entry(b"twice", b'0', b"", b"5")
        .spoiled(b"old", b'0', b"", b"", |block| block[MTIME].fill(0xff))
        .spoiled(b"future", b'0', b"", b"", |block| {
            block[MTIME].copy_from_slice(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff");
        })
        .end();
    let bench = Bench::new();
    let unpacked = bench.unpack(&[LayerBuilder::raw(tar)]);
    let chain = unpacked.unwrap();
    let view = View::new(&chain);
    for (path, content) in [(&b"abs"[..], b"1"), (b"new\nline", b"2"), (b"\xff\xfe", b"3"), (b"twice", b"5")] {
        assert_eq!(view.read(path.as_bstr(), 9).unwrap().unwrap(), content, "{}", path.as_bstr());
    }
    assert_eq!(view.node("old".into()).unwrap().unwrap().head.mtime, -1);
}
