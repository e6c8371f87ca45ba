//! `--parents`.

use super::*;

const TREE: [&str; 6] = ["x/a=1", "x/b=2", "x/y/a=3", "x/y/c=4", "x/z/a=5", "w/q/r/a=6"];

fn copied(words: &[&str]) -> Vec<String> {
    Bench::new(&TREE, &[]).copy(&parents(words)).unwrap().into_iter().filter(|line| !line.ends_with('/')).collect()
}

#[test]
fn directories_of_the_source_are_kept() {
    if !root() {
        return;
    }
    assert_eq!(copied(&["x/y/a", "/o/"]), ["o/x/y/a =3"]);
    assert_eq!(copied(&["./x/y/a", "/o/"]), ["o/x/y/a =3"]);
    assert_eq!(copied(&["/x/y", "/o/"]), ["o/x/y/a =3", "o/x/y/c =4"]);
    assert_eq!(copied(&["x/y/.", "/o/"]), ["o/x/y/a =3", "o/x/y/c =4"]);
    assert_eq!(copied(&["x/a", "w/q", "/"]), ["w/q/r/a =6", "x/a =1"]);
}

#[test]
fn a_pivot_drops_what_stands_before_it() {
    if !root() {
        return;
    }
    assert_eq!(copied(&["x/./y/a", "/o/"]), ["o/y/a =3"]);
    assert_eq!(copied(&["w/./q/./r", "/o/"]), ["o/q/r/a =6"]);
    assert_eq!(copied(&["x/./*/a", "/o/"]), ["o/y/a =3", "o/z/a =5"]);
    assert_eq!(copied(&["*/./q", "/o/"]), ["o/q/r/a =6"]);
    assert_eq!(copied(&["x/y/./", "/o/"]), ["o/a =3", "o/c =4"]);
}

#[test]
fn patterns_match_paths_and_two_stars_cross_directories() {
    if !root() {
        return;
    }
    assert_eq!(copied(&["x/*/a", "/o/"]), ["o/x/y/a =3", "o/x/z/a =5"]);
    assert_eq!(copied(&["**/r", "/o/"]), ["o/w/q/r/a =6"]);
    assert_eq!(copied(&["x/**/a", "/o/"]), ["o/x/a =1", "o/x/y/a =3", "o/x/z/a =5"]);
    assert_eq!(copied(&["x/*", "/o/"]), ["o/x/a =1", "o/x/b =2", "o/x/y/a =3", "o/x/y/c =4", "o/x/z/a =5"]);
}

#[test]
fn a_path_without_wildcards_must_be_there_and_a_pattern_need_not_match() {
    if !root() {
        return;
    }
    let bench = Bench::new(&TREE, &[]);
    for missing in ["x/nothing", "x/./nothing", "nothing/./x"] {
        assert!(matches!(bench.copy(&parents(&[missing, "/o/"])), Err(FilesError::Missing { .. })), "{missing}");
    }
    assert_eq!(bench.copy(&parents(&["x/n*", "/o/"])).unwrap(), ["o/"]);
}

#[test]
fn parents_have_the_metadata_of_the_source_unless_they_are_there() {
    if !root() {
        return;
    }
    let bench = Bench::new(&["x/y/a=1"], &["x/"]);
    for (path, mode) in [("context/x", 0o700), ("context/x/y", 0o711)] {
        std::fs::set_permissions(bench.path(path), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    assert_eq!(bench.copy(&parents(&["x/y/a", "/"])).unwrap(), ["x/", "x/y/ 711 0:0", "x/y/a =1"]);
    let chowned = CopyOp { owner: Some((5, 6)), ..parents(&["x/y/a", "/o/"]) };
    assert_eq!(
        bench.copy(&chowned).unwrap(),
        ["o/ 755 5:6", "o/x/ 700 5:6", "o/x/y/ 711 5:6", "o/x/y/a 644 5:6 =1", "x/"]
    );
}

#[test]
fn exclude_and_parents_work_together() {
    if !root() {
        return;
    }
    let bench = Bench::new(&TREE, &[]);
    let step = CopyOp { exclude: vec!["x/y".to_owned(), "**/b".to_owned()], ..parents(&["x", "/o/"]) };
    assert_eq!(bench.copy(&step).unwrap(), ["o/", "o/x/", "o/x/a =1", "o/x/z/", "o/x/z/a =5"]);
}
