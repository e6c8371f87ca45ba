//! Where files go, and what they may replace.

use super::*;

#[test]
fn a_trailing_slash_or_a_directory_that_is_there_takes_files_in() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["a=1"], &["d/old=0"]);
    assert_eq!(bench.copy(&op(&["a", "/x"])).unwrap(), ["d/", "d/old =0", "x =1"]);
    assert_eq!(bench.copy(&op(&["a", "/x/"])).unwrap(), ["d/", "d/old =0", "x/", "x/a =1"]);
    assert_eq!(bench.copy(&op(&["a", "/d"])).unwrap(), ["d/", "d/a =1", "d/old =0"]);
    assert_eq!(bench.copy(&op(&["a", "/x/y/z"])).unwrap(), ["d/", "d/old =0", "x/", "x/y/", "x/y/z =1"]);
    assert_eq!(bench.copy(&op(&["a", "/x/."])).unwrap(), ["d/", "d/old =0", "x/", "x/a =1"]);
    assert_eq!(bench.copy(&op(&["a", "/"])).unwrap(), ["a =1", "d/", "d/old =0"]);
}

#[test]
fn a_directory_over_a_file_and_a_file_over_a_directory_are_errors() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["d/s/f=1", "e/s=1", "f=1"], &["x=0", "y/s=0", "z/s/g=0", "l/s->g"]);
    let error = |words: &[&str]| {
        let error = bench.copy(&op(words)).unwrap_err();
        assert!(error.is_subject(), "{error:?}");
        error.to_string()
    };
    assert_eq!(error(&["d", "/x"]), "`d` is a directory and cannot be copied over the file /x");
    assert_eq!(error(&["d", "/y"]), "/y/s in the image is no directory and cannot be replaced by one");
    assert_eq!(error(&["e", "/z"]), "/z/s in the image is a directory and cannot be replaced by a file");
    assert_eq!(error(&["d", "/l"]), "/l/s in the image is no directory and cannot be replaced by one");
    assert_eq!(error(&["f", "/x/y"]), "/x in the image is no directory, so nothing can be copied to /x");
    assert_eq!(error(&["f", "/x/"]), "/x in the image is no directory, so nothing can be copied to /x");
}

#[test]
fn symbolic_links_in_the_destination_are_followed_inside_the_root() {
    if !root() {
        return;
    }
    let bench = Bench::new(
        &["f=1", "d/g=1"],
        &["real/", "link->real", "abs->/real", "up->../../real", "file->real/to", "gone->/new/dir"],
    );
    let seen = |words: &[&str]| -> Vec<String> {
        let all = bench.copy(&op(words)).unwrap();
        all.into_iter().filter(|line| !line.contains("->")).collect()
    };
    for dest in ["/link", "/abs/", "/up", "/link/f", "/real/../up/f"] {
        assert_eq!(seen(&["f", dest]), ["real/", "real/f =1"], "{dest}");
    }
    assert_eq!(seen(&["f", "/file"]), ["real/", "real/to =1"], "the file that the link names is written");
    assert_eq!(seen(&["d", "/abs"]), ["real/", "real/g =1"]);
    assert_eq!(seen(&["f", "/gone/"]), ["new/", "new/dir/", "new/dir/f =1", "real/"]);
}

#[test]
fn a_link_inside_the_destination_directory_is_replaced_not_followed() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["f=1", "d/f=2"], &["x/f->../other", "other=0"]);
    assert_eq!(bench.copy(&op(&["f", "/x/"])).unwrap(), ["other =0", "x/", "x/f =1"]);
    assert_eq!(bench.copy(&op(&["d", "/x/"])).unwrap(), ["other =0", "x/", "x/f =2"]);
}

#[test]
fn with_link_the_destination_is_empty_and_a_symbolic_link_becomes_a_directory() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["f=1"], &["real/", "link->real"]);
    let context = bench.path("context");
    let source = Source::Context { root: &context, ignore: None, overrides: &bench.overrides, known: None };
    let step = op(&["f", "/link/sub/"]);
    let into = bench.path("linked");
    std::fs::create_dir(&into).unwrap();
    let empty = View::new(&crate::snapshot::Chain::scratch());
    apply(&select(&source, &step).unwrap(), &step, &empty, &into).unwrap();
    let after = listing(&View::new(&chain(&[&bench.path("dest"), &into])));
    assert_eq!(short(after), ["link/", "link/sub/", "link/sub/f =1", "real/"]);
}

#[test]
fn several_sources_for_one_file_are_an_error() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["a=1", "b=2", "d/c=3"], &["dir/"]);
    let error = bench.copy(&op(&["a", "b", "/x"])).unwrap_err();
    assert!(error.is_subject());
    assert_eq!(
        error.to_string(),
        "several sources are copied to the one file /x: end the destination with a slash to make it a directory"
    );
    assert_eq!(bench.copy(&op(&["a", "b", "/dir"])).unwrap(), ["dir/", "dir/a =1", "dir/b =2"]);
    assert_eq!(bench.copy(&op(&["[ab]", "/x"])).unwrap(), ["dir/", "x =2"], "matches of one pattern: the last wins");
    assert_eq!(bench.copy(&op(&["d", "a", "/x"])).unwrap(), ["dir/", "x/", "x/a =1", "x/c =3"]);
}

#[test]
fn a_later_source_replaces_what_an_earlier_one_laid_down() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["a/f=1", "b/f=2", "b/g=3"], &[]);
    assert_eq!(bench.copy(&op(&["a", "b", "/x/"])).unwrap(), ["x/", "x/f =2", "x/g =3"]);
}

#[test]
fn directories_below_stay_and_are_not_made_opaque() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["etc/app/conf=1"], &["etc/passwd=0", "etc/app/other=0"]);
    assert_eq!(
        bench.copy(&op(&[".", "/"])).unwrap(),
        ["etc/", "etc/app/", "etc/app/conf =1", "etc/app/other =0", "etc/passwd =0"]
    );
    assert_eq!(bench.layer(&op(&[".", "/"])), ["etc/", "etc/app/", "etc/app/conf"], "only what leads to a change");
}

#[test]
fn names_that_would_read_as_deletions_are_refused() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["d/.wh.x=1"], &[]);
    let error = bench.copy(&op(&["d", "/"])).unwrap_err();
    assert!(error.is_subject() && error.to_string().contains("mark deletions in layers"), "{error}");
}

#[test]
fn making_a_directory_makes_its_parents_and_says_whether_there_was_anything_to_do() {
    if !root() {
        return;
    }
    let bench = Bench::new(&[], &["there/", "link->there", "file=1"]);
    let make = |path: &str| {
        let into = tempfile::tempdir_in(bench.store.dir()).unwrap();
        let made = crate::files::make_dir(&bench.dest(), into.path(), path.into(), (65534, 65534), EPOCH);
        made.map(|made| (made, listing(&View::new(&chain(&[into.path()])))))
    };
    assert_eq!(make("/there").unwrap(), (false, vec![]));
    assert_eq!(make("/link").unwrap(), (false, vec![]));
    assert_eq!(make("/").unwrap(), (false, vec![]));
    let (made, lines) = make("/link/a/b").unwrap();
    assert!(made);
    assert_eq!(lines, ["there/ 755 0:0", "there/a/ 755 65534:65534", "there/a/b/ 755 65534:65534"]);
    assert!(make("/file/x").unwrap_err().is_subject());
}
