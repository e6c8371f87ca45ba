//! Archives that ADD unpacks.

use std::io::Write;

use plim_oci::EntryKind;
use plim_testkit::LayerBuilder;

use super::*;

fn archive() -> LayerBuilder {
    let mut owned = EntryHead::new("d/owned", EntryKind::File, 0o640);
    (owned.uid, owned.gid, owned.mtime) = (99, 98, 1_000);
    LayerBuilder::new().dir("d").entry(owned, "1").symlink("l", "d/owned").hardlink("h", "d/owned").file("new/f", "2")
}

const UNPACKED: [&str; 6] = ["d/", "d/owned 640 99:98 =1", "h 640 99:98 =1", "l -> d/owned", "new/", "new/f =2"];

fn put(bench: &Bench, name: &str, bytes: &[u8]) {
    std::fs::write(bench.path("context").join(name), bytes).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(bench.path("context").join(name), mode).unwrap();
}

fn with(tar: &[u8], dest: &[&str]) -> Bench {
    let bench = Bench::new(&[], dest);
    put(&bench, "a.tar", tar);
    bench
}

#[test]
fn all_compressions_are_known_by_their_content() {
    if !root() {
        return;
    }
    let tar = archive().tar();
    let bench = Bench::new(&[], &[]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&tar).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(&tar).unwrap();
    put(&bench, "plain", &tar);
    put(&bench, "gzip", &gzip.finish().unwrap());
    put(&bench, "bzip2", &bzip2.finish().unwrap());
    put(&bench, "xz", &xz.finish().unwrap());
    put(&bench, "zstd", &zstd::encode_all(&tar[..], 1).unwrap());
    for name in ["plain", "gzip", "bzip2", "xz", "zstd"] {
        assert_eq!(bench.copy(&add(&[name, "/"])).unwrap(), UNPACKED, "{name}");
    }
}

#[test]
fn what_is_no_archive_is_copied_whatever_its_name() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["t.tar.gz=no archive", "empty.tar="], &[]);
    put(&bench, "half.tar.gz", &[0x1f, 0x8b, 8, 0, 1]);
    put(&bench, "zeros.tar", &[0; 1024]);
    put(&bench, "text.gz", &{
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&[b'x'; 2000]).unwrap();
        gzip.finish().unwrap()
    });
    for name in ["t.tar.gz", "empty.tar", "half.tar.gz", "zeros.tar", "text.gz"] {
        let lines = bench.copy(&CopyOp { chmod: Some("600".to_owned()), ..add(&[name, "/x/"]) });
        if name == "t.tar.gz" {
            assert_eq!(lines.unwrap(), ["x/ 600 0:0", "x/t.tar.gz 600 0:0 =no archive"]);
        }
        assert_eq!(bench.layer(&add(&[name, "/x/"])), ["x/".to_owned(), format!("x/{name}")], "{name}");
    }
    let error = bench.copy(&CopyOp { unpack: Unpack::Always, ..op(&["t.tar.gz", "/"]) }).unwrap_err();
    assert_eq!(error.to_string(), "`t.tar.gz` is no tar archive and cannot be unpacked");
}

#[test]
fn copy_and_directories_do_not_unpack() {
    if !root() {
        return;
    }
    let bench = with(&archive().tar(), &[]);
    assert_eq!(bench.layer(&op(&["a.tar", "/x/"])), ["x/", "x/a.tar"]);
    assert_eq!(bench.layer(&add(&[".", "/x/"])), ["x/", "x/a.tar"]);
    let inline = Inline { content: InlineContent::File(bench.path("context/a.tar")), ..heredoc("a.tar", "") };
    let step = |unpack| CopyOp { inline: vec![inline.clone()], unpack, ..op(&["/x/"]) };
    assert_eq!(bench.layer(&step(Unpack::Auto)), ["x/", "x/a.tar"], "downloads stay packed");
    assert!(bench.layer(&step(Unpack::Always)).contains(&"x/new/f".to_owned()));
}

#[test]
fn owner_and_mode_come_from_the_archive_unless_chown_is_given() {
    if !root() {
        return;
    }
    let bench = with(&archive().tar(), &[]);
    let lines = bench.copy(&CopyOp { owner: Some((5, 6)), ..add(&["a.tar", "/x"]) }).unwrap();
    assert_eq!(
        lines,
        [
            "x/ 755 5:6",
            "x/d/ 755 5:6",
            "x/d/owned 640 5:6 =1",
            "x/h 640 5:6 =1",
            "x/l -> d/owned",
            "x/new/",
            "x/new/f 644 5:6 =2"
        ]
    );
    let heads = bench.heads(&add(&["a.tar", "/"]));
    assert_eq!(heads.iter().find(|head| head.path == "d/owned").unwrap().mtime, 1_000);
}

#[test]
fn hard_links_of_the_archive_are_hard_links_of_the_layer() {
    if !root() {
        return;
    }
    let bench = with(&archive().tar(), &[]);
    let names = bench.layer(&add(&["a.tar", "/"]));
    assert_eq!(names, ["d/", "d/owned", "h == d/owned", "l -> d/owned", "new/", "new/f"]);
}

#[test]
fn an_archive_replaces_directories_by_files_and_files_by_directories() {
    if !root() {
        return;
    }
    let tar = LayerBuilder::new().file("one", "1").dir("two").file("two/x", "1").file("three/y", "1").tar();
    let dest = ["one/old=0", "one/deep/old=0", "two=0", "three/old=0"];
    assert_eq!(
        with(&tar, &dest).copy(&add(&["a.tar", "/"])).unwrap(),
        ["one =1", "three/", "three/old =0", "three/y =1", "two/", "two/x =1"]
    );
    let twice = LayerBuilder::new().file("one", "1").dir("one").file("one/new", "1").tar();
    let bench = with(&twice, &dest);
    let lines = bench.copy(&add(&["a.tar", "/"])).unwrap();
    assert_eq!(lines[..2], ["one/", "one/new =1"], "what the directory held does not come back");
    assert_eq!(bench.layer(&add(&["a.tar", "/"])), ["one/", "one/.wh.deep", "one/.wh.old", "one/new"]);
}

#[test]
fn links_of_an_archive_stay_inside_its_destination() {
    if !root() {
        return;
    }
    let tar =
        LayerBuilder::new().symlink("up", "..").file("up/etc/f", "1").symlink("abs", "/").file("abs/g", "2").tar();
    let lines = with(&tar, &["etc/passwd=0"]).copy(&add(&["a.tar", "/sub"])).unwrap();
    assert_eq!(
        lines,
        ["etc/", "etc/passwd =0", "sub/", "sub/abs -> /", "sub/etc/", "sub/etc/f =1", "sub/g =2", "sub/up -> .."]
    );
    let over = with(&LayerBuilder::new().file("l/f", "1").tar(), &["real/", "l->real"]);
    assert_eq!(over.copy(&add(&["a.tar", "/"])).unwrap(), ["l -> real", "real/", "real/f =1"]);
}

#[test]
fn several_archives_of_a_wildcard_are_all_unpacked() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["c.txt=3"], &[]);
    put(&bench, "a.tar", &LayerBuilder::new().file("a", "1").tar());
    put(&bench, "b.tar", &LayerBuilder::new().file("b", "2").tar());
    assert_eq!(bench.copy(&add(&["*.t*", "/x"])).unwrap(), ["x/", "x/a =1", "x/b =2", "x/c.txt =3"]);
}

#[test]
fn a_broken_archive_is_named() {
    if !root() {
        return;
    }
    let mut tar = archive().tar();
    tar.truncate(1300);
    let error = with(&tar, &[]).copy(&add(&["a.tar", "/"])).unwrap_err();
    assert_eq!(error.to_string(), "failed to read a.tar");
    let bad = LayerBuilder::new().hardlink("h", "nothing").tar();
    assert!(with(&bad, &[]).copy(&add(&["a.tar", "/"])).unwrap_err().is_subject());
}
