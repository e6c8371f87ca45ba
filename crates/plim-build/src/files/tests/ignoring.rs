//! The ignore file.

use super::*;

#[test]
fn what_is_ignored_is_not_there() {
    if !root() {
        return;
    }
    let bench =
        Bench::ignoring(&["a=1", "b.log=1", "d/c.log=1", "d/e=1", "node_modules/m/x=1"], "**/*.log\nnode_modules\n");
    assert_eq!(bench.copy(&op(&[".", "/"])).unwrap(), ["a =1", "d/", "d/e =1"]);
    assert_eq!(bench.copy(&op(&["*.log", "/"])).unwrap(), [""; 0]);
}

#[test]
fn an_ignored_source_says_which_pattern_hides_it() {
    if !root() {
        return;
    }
    let bench = Bench::ignoring(&["target/app=1", "src/x=1"], "src/x\ntarget\n!target/other\n");
    let error = bench.copy(&op(&["target/app", "/app"])).unwrap_err();
    assert!(matches!(error, FilesError::Missing { excluded: true, .. }));
    assert_eq!(error.to_string(), "target/app is not in the build context: `target` in the ignore file excludes it");
    assert!(error.hint().unwrap().contains("!target/app"));
}

#[test]
fn an_excluded_directory_is_there_only_for_what_is_let_in_again() {
    if !root() {
        return;
    }
    let files = ["f/one=1", "f/two=1", "f/sub/three=1", "g/x=1"];
    let bench = Bench::ignoring(&files, "**\n!f/one\n");
    assert_eq!(bench.copy(&op(&["f", "/x"])).unwrap(), ["x/", "x/one =1"]);
    assert_eq!(bench.copy(&op(&[".", "/"])).unwrap(), ["f/", "f/one =1"]);
    assert!(matches!(bench.copy(&op(&["g", "/x"])), Err(FilesError::Missing { excluded: true, .. })));
    let nothing = Bench::ignoring(&files, "**\n!f/none\n");
    assert!(matches!(nothing.copy(&op(&["f", "/x"])), Err(FilesError::Missing { .. })));
    assert_eq!(nothing.copy(&op(&[".", "/"])).unwrap(), [""; 0]);
    let deep = Bench::ignoring(&files, "f\n!*/sub\n");
    assert_eq!(deep.copy(&op(&["f", "/x"])).unwrap(), ["x/", "x/sub/", "x/sub/three =1"]);
}

#[test]
fn alternating_patterns_let_single_levels_in() {
    if !root() {
        return;
    }
    let bench = Bench::ignoring(&["a/b/c/d/file=1"], "**\n!a\na/b\n!a/b/c\na/b/c/d\n!a/b/c/d/file\n");
    for source in ["a", "a/b", "a/b/c", "a/b/c/d", "a/b/c/d/file"] {
        let lines = bench.copy(&op(&[source, "/x/"])).unwrap();
        assert!(lines.last().unwrap().ends_with("file =1"), "{source}: {lines:?}");
    }
    let nothing = Bench::ignoring(&["a/b/c/d/file=1"], "**\n!a\na/b\n!a/b/c\na/b/c/d\n");
    assert!(nothing.copy(&op(&["a/b/c/d/file", "/x"])).is_err());
}

#[test]
fn a_link_to_an_ignored_file_leads_nowhere() {
    if !root() {
        return;
    }
    let bench = Bench::ignoring(&["secret=1", "link->secret", "d/l->../secret"], "secret\n");
    assert!(matches!(bench.copy(&op(&["link", "/x"])), Err(FilesError::Missing { excluded: true, .. })));
    assert_eq!(bench.copy(&op(&["d", "/"])).unwrap(), ["l -> ../secret"]);
}

#[test]
fn contents_in_memory_are_ignored_like_those_on_disk() {
    if !root() {
        return;
    }
    let mut bench = Bench::ignoring(&["a=1"], "*.tmp\n");
    bench.overrides.insert("b.tmp".into(), b"2".to_vec());
    bench.overrides.insert("b".into(), b"2".to_vec());
    assert_eq!(bench.copy(&op(&[".", "/"])).unwrap(), ["a =1", "b =2"]);
}
