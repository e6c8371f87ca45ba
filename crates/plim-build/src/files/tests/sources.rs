//! Which files a source stands for.

use super::*;
use crate::files::FileDigests;

#[test]
fn a_directory_stands_for_what_it_holds() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["d/a=1", "d/s/b=1"], &[]);
    for source in ["d", "d/", "./d", "/d", "d/."] {
        assert_eq!(bench.copy(&op(&[source, "/x"])).unwrap(), ["x/", "x/a =1", "x/s/", "x/s/b =1"], "{source}");
    }
}

#[test]
fn a_wildcard_that_matches_directories_flattens_their_contents() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["d/a/f=1", "d/b/g=1", "d/c=1"], &[]);
    assert_eq!(bench.copy(&op(&["d/*", "/x/"])).unwrap(), ["x/", "x/c =1", "x/f =1", "x/g =1"]);
    assert_eq!(bench.copy(&op(&["*/b/g", "/x/"])).unwrap(), ["x/", "x/g =1"]);
}

#[test]
fn a_symbolic_link_as_source_is_followed_and_one_inside_a_directory_is_kept() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["real=1", "link->real", "d/in->../real", "dir->d", "abs->/real"], &[]);
    assert_eq!(bench.copy(&op(&["link", "/x/"])).unwrap(), ["x/", "x/link =1"]);
    assert_eq!(bench.copy(&op(&["lin?", "/x/"])).unwrap(), ["x/", "x/link =1"], "also when matched by a wildcard");
    assert_eq!(bench.copy(&op(&["d", "/x/"])).unwrap(), ["x/", "x/in -> ../real"]);
    assert_eq!(bench.copy(&op(&["d/in", "/x"])).unwrap(), ["x =1"]);
    assert_eq!(bench.copy(&op(&["dir/in", "/x"])).unwrap(), ["x =1"]);
    assert_eq!(bench.copy(&op(&["di?", "/x/"])).unwrap(), ["x/", "x/in -> ../real"]);
    assert_eq!(bench.copy(&op(&["abs", "/x"])).unwrap(), ["x =1"], "absolute links start at the context");
}

#[test]
fn a_wildcard_without_match_is_fine_even_alone() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["a=1"], &[]);
    assert_eq!(bench.copy(&op(&["b*", "/x/"])).unwrap(), [""; 0], "not even the destination is made");
    assert_eq!(bench.copy(&op(&["a", "b*", "/x/"])).unwrap(), ["x/", "x/a =1"]);
}

#[test]
fn a_literal_source_must_be_there() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["src/main.rs=1"], &[]);
    let error = bench.copy(&op(&["src/man.rs", "/x"])).unwrap_err();
    assert_eq!(error.to_string(), "src/man.rs is not in the build context");
    assert_eq!(error.hint().unwrap(), "did you mean `src/main.rs`?");
    assert!(error.is_subject());
    for source in ["src/main.rs/x", "nothing/*.c"] {
        assert!(matches!(bench.copy(&op(&[source, "/x"])), Err(FilesError::Missing { .. })), "{source}");
    }
    let error = bench.copy_from(&op(&["missing", "/x"])).unwrap_err();
    assert_eq!(error.to_string(), "missing is not in the image or stage it is copied from");
}

#[test]
fn an_empty_source_and_a_slash_are_the_whole_context() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["a=1", "d/b=1"], &[]);
    for source in ["", ".", "/", "./", "..", "../../"] {
        assert_eq!(bench.copy(&op(&[source, "/x"])).unwrap(), ["x/", "x/a =1", "x/d/", "x/d/b =1"], "{source:?}");
    }
}

#[test]
fn dots_are_clamped_to_the_root_of_the_context() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["a=1", "up->../../../a"], &[]);
    assert_eq!(bench.copy(&op(&["../../a", "/x"])).unwrap(), ["x =1"]);
    assert_eq!(bench.copy(&op(&["up", "/x"])).unwrap(), ["x =1"]);
}

#[test]
fn brackets_and_escapes_are_those_of_go() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["[x]/[a]/f=1", "[x]/g=2", "st*v/f=3", "strav/f=4", "a]=5"], &[]);
    assert_eq!(bench.copy(&op(&["[[]x]/g", "/x"])).unwrap(), ["x =2"]);
    assert_eq!(bench.copy(&op(&["[[]x]/[[]a]/f", "/x"])).unwrap(), ["x =1"]);
    assert_eq!(bench.copy(&op(&["st?*v/f", "/x"])).unwrap(), ["x =4"], "of two matches the last wins");
    let error = bench.copy(&op(&["[x", "/x"])).unwrap_err();
    assert!(error.to_string().starts_with("`[x` is no well-formed pattern"), "{error}");
}

#[test]
fn pipes_are_copied_and_sockets_become_empty_files() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["a=1"], &[]);
    let _socket = std::os::unix::net::UnixListener::bind(bench.path("context/s")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    let pipe = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, bench.path("context/p"), pipe, mode, 0).unwrap();
    std::fs::set_permissions(bench.path("context/s"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(bench.copy(&op(&[".", "/"])).unwrap(), ["a =1", "p Fifo (0, 0)", "s ="]);
}

#[test]
fn hard_links_are_kept_inside_one_step() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["d/a=1", "other=2"], &["x/other=old"]);
    std::fs::hard_link(bench.path("context/d/a"), bench.path("context/d/b")).unwrap();
    std::fs::hard_link(bench.path("context/other"), bench.path("context/alone")).unwrap();
    assert_eq!(bench.layer(&op(&["d", "/x/"])), ["x/", "x/a", "x/b == x/a"]);
    assert_eq!(bench.layer(&op(&["other", "/x/"])), ["x/", "x/other"], "one name of two is a file of its own");
    assert_eq!(bench.copy(&op(&["d", "/x/"])).unwrap(), ["x/", "x/a =1", "x/b =1", "x/other =old"]);
}

#[test]
fn contents_in_memory_stand_in_for_those_on_disk() {
    if !root() {
        return;
    }
    let mut bench = Bench::new(&["d/a=1", "b=1"], &[]);
    bench.overrides.insert("d/a".into(), b"2".to_vec());
    bench.overrides.insert("new/deep/file".into(), b"3".to_vec());
    assert_eq!(
        bench.copy(&op(&[".", "/"])).unwrap(),
        ["b =1", "d/", "d/a =2", "new/", "new/deep/", "new/deep/file =3"]
    );
    assert_eq!(bench.copy(&op(&["new/*/file", "/x"])).unwrap(), ["x =3"]);
}

#[test]
fn heredocs_are_files_like_others() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["a=1"], &["d/"]);
    let step = |dest: &str| CopyOp { inline: vec![heredoc("f", "text\n")], ..op(&[dest]) };
    assert_eq!(bench.copy(&step("/x")).unwrap(), ["d/", "x =text\n"]);
    assert_eq!(bench.copy(&step("/d")).unwrap(), ["d/", "d/f =text\n"]);
    assert_eq!(bench.copy(&step("/n/")).unwrap(), ["d/", "n/", "n/f =text\n"]);
    let both = CopyOp { inline: vec![heredoc("f", "1"), heredoc("g", "2")], ..op(&["a", "/n/"]) };
    assert_eq!(bench.copy(&both).unwrap(), ["d/", "n/", "n/a =1", "n/f =1", "n/g =2"]);
}

#[test]
fn exclude_is_relative_to_each_source_and_spares_the_source_itself() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["d/a.txt=1", "d/b.md=1", "d/s/c.txt=1", "e/a.txt=1", "e/k/x=1", "e/k/y=1"], &[]);
    let copied = |words: &[&str], patterns: &[&str]| bench.copy(&exclude(words, patterns)).unwrap();
    assert_eq!(copied(&["d", "/x"], &["*.txt"]), ["x/", "x/b.md =1", "x/s/", "x/s/c.txt =1"]);
    assert_eq!(copied(&["d", "/x"], &["**/*.txt"]), ["x/", "x/b.md =1", "x/s/"]);
    assert_eq!(copied(&["d", "e", "/x/"], &["s", "k"]), ["x/", "x/a.txt =1", "x/b.md =1"]);
    assert_eq!(copied(&["e", "/x"], &["k", "!k/y"]), ["x/", "x/a.txt =1", "x/k/", "x/k/y =1"]);
    assert_eq!(copied(&["d*", "/x/"], &["*"]), ["x/"]);
    assert_eq!(copied(&["d/a.txt", "/x"], &["*.txt"]), ["x =1"]);
}

#[test]
fn a_link_to_nothing_is_named_as_such() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["gone->/nowhere", "d/out->../../../etc"], &[]);
    for (source, link) in [("gone", "gone"), ("gone/x", "gone"), ("d/out/passwd", "d/out")] {
        let error = bench.copy(&op(&[source, "/x"])).unwrap_err();
        let wanted = format!("{source} is not in the build context: the symbolic link {link} leads to nothing in it");
        assert_eq!(error.to_string(), wanted);
        assert_eq!(error.hint(), None);
        assert!(error.is_subject());
    }
}

#[test]
fn a_path_longer_than_the_system_allows_is_named() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["a=1"], &[]);
    let mut here =
        rustix::fs::open(bench.path("context"), rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    let name = "d".repeat(50);
    for _ in 0..100 {
        rustix::fs::mkdirat(&here, &name, 0o755.into()).unwrap();
        here = rustix::fs::openat(&here, &name, rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    }
    let error = bench.copy(&op(&[".", "/x"])).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.starts_with(&format!("below {name}/{name}/")), "{source}");
    assert!(source.ends_with(" bytes is longer than the system allows"), "{source}");
    assert!(error.is_subject());
}

#[test]
fn a_directory_that_became_a_link_is_not_read() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["d/f=inside"], &[]);
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("f"), "outside").unwrap();
    // the files are chosen, then the directory becomes a link
    let root = bench.path("context");
    let source = Source::Context { root: &root, ignore: None, overrides: &bench.overrides, known: None };
    let mut selection = select(&source, &op(&["d", "/x"])).unwrap();
    std::fs::rename(root.join("d"), root.join("gone")).unwrap();
    std::os::unix::fs::symlink(outside.path(), root.join("d")).unwrap();
    let error = selection.digest(&FileDigests::default()).unwrap_err();
    assert!(matches!(error, FilesError::Changed { .. }), "{error:?}");
}
