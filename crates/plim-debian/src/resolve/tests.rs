use proptest::prelude::*;

use super::*;
use crate::index::Index;
use crate::index::tests::index;

fn solve(index: &Index, names: &[&str]) -> Result<Vec<String>, String> {
    let universe = Universe::new([index]);
    let wish = Wish { installed: &[], names, recommends: false };
    let ids = closure(&universe, wish).map_err(|error| error.to_string())?;
    assert_eq!(broken(&universe, &ids), Vec::<String>::new());
    let mut names: Vec<String> =
        ids.iter().map(|id| format!("{} {}", universe.entry(*id).name(), universe.entry(*id).version())).collect();
    names.sort();
    Ok(names)
}

#[test]
fn follows_dependencies_and_takes_the_first_alternative() {
    let index = index(&[
        ("app", "1", "Depends: lib (>= 2), mta | nothing\nPre-Depends: base"),
        ("base", "1", ""),
        ("lib", "1", ""),
        ("lib", "2", ""),
        ("mta", "1", ""),
        ("nothing", "1", ""),
    ]);
    assert_eq!(solve(&index, &["app"]).unwrap(), ["app 1", "base 1", "lib 2", "mta 1"]);
}

#[test]
fn an_alternative_that_is_there_anyway_is_enough() {
    let index = index(&[
        ("app", "1", "Depends: first | second, other"),
        ("first", "1", ""),
        ("second", "1", ""),
        ("other", "1", "Depends: second"),
    ]);
    assert_eq!(solve(&index, &["app"]).unwrap(), ["app 1", "other 1", "second 1"]);
}

#[test]
fn virtual_packages_may_have_versions() {
    let index = index(&[
        ("app", "1", "Depends: api (>= 2)"),
        ("plain", "1", "Provides: api"),
        ("old", "9", "Provides: api (= 1)"),
        ("new", "1", "Provides: api (= 2.5)"),
    ]);
    assert_eq!(solve(&index, &["app"]).unwrap(), ["app 1", "new 1"]);
}

#[test]
fn conflicts_lead_back_to_another_choice() {
    let index = index(&[("app", "1", "Depends: a | b, c"), ("a", "1", "Conflicts: c"), ("b", "1", ""), ("c", "1", "")]);
    assert_eq!(solve(&index, &["app"]).unwrap(), ["app 1", "b 1", "c 1"]);
}

#[test]
fn an_older_version_is_taken_where_the_newest_breaks() {
    let index = index(&[
        ("app", "1", "Depends: lib, tool"),
        ("lib", "2", "Breaks: tool (<< 2)"),
        ("lib", "1", ""),
        ("tool", "1", ""),
    ]);
    assert_eq!(solve(&index, &["app"]).unwrap(), ["app 1", "lib 1", "tool 1"]);
}

#[test]
fn a_package_may_conflict_with_what_it_provides() {
    let index = index(&[("mta", "1", "Provides: mail\nConflicts: mail"), ("app", "1", "Depends: mail")]);
    assert_eq!(solve(&index, &["app"]).unwrap(), ["app 1", "mta 1"]);
}

#[test]
fn errors_name_the_chain() {
    let index = index(&[
        ("app", "1", "Depends: mid"),
        ("mid", "3", "Depends: lib (>= 2) | gone"),
        ("lib", "1", ""),
        ("foe", "1", "Conflicts: app"),
    ]);
    insta::assert_snapshot!(solve(&index, &["app"]).unwrap_err(),
        @"app 1 needs mid 3 needs lib (>= 2) | gone, but the archive has 1");
    insta::assert_snapshot!(solve(&index, &["none"]).unwrap_err(), @"none, which no package is or provides");
    insta::assert_snapshot!(solve(&index, &["foe", "app"]).unwrap_err(), @"app, but app 1 conflicts with foe 1");
}

#[test]
fn exact_sets_say_what_they_leave_open() {
    let index = index(&[("a", "2", "Depends: b, c"), ("b", "1", ""), ("c", "1", "")]);
    let universe = Universe::new([&index]);
    let (ids, open) = exact(&universe, Wish { installed: &[], names: &["a", "b"], recommends: false }).unwrap();
    assert_eq!(ids.len(), 2);
    assert_eq!(open, ["a leaves out c"]);
}

#[test]
fn recommendations_are_taken_where_they_can_be() {
    let index = index(&[("a", "1", "Recommends: b, gone"), ("b", "1", "Recommends: c"), ("c", "1", "")]);
    let universe = Universe::new([&index]);
    let ids = closure(&universe, Wish { installed: &[], names: &["a"], recommends: true }).unwrap();
    assert_eq!(ids.iter().map(|id| universe.entry(*id).name()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn dependencies_come_first_and_circles_end() {
    let index = index(&[("a", "1", "Depends: b"), ("b", "1", "Depends: c"), ("c", "1", "Depends: b"), ("d", "1", "")]);
    let universe = Universe::new([&index]);
    let names: Vec<_> = order(&universe, &[3, 0, 1, 2]).into_iter().map(|id| universe.entry(id).name()).collect();
    assert_eq!(names, ["c", "b", "a", "d"]);
}

proptest! {
    /// Whatever the archive looks like, an answer breaks no relation, and the same question has the same answer.
    #[test]
    fn answers_satisfy_all_relations(rows in proptest::collection::vec((0..12usize, 1..4u8, 0..12usize, 0..12usize, 0..12usize, 0..6u8), 1..40)) {
        let packages: Vec<(String, String, String)> = rows.iter().map(|(name, version, a, b, c, kind)| {
            let fields = match kind {
                0 => format!("Depends: p{a} | p{b}, p{c}"),
                1 => format!("Depends: p{a} (>= 2)\nProvides: p{b} (= 2)"),
                2 => format!("Conflicts: p{a}\nDepends: p{b}"),
                3 => format!("Breaks: p{a} (<< 2)"),
                _ => String::new(),
            };
            (format!("p{name}"), version.to_string(), fields)
        }).collect();
        let packages: Vec<(&str, &str, &str)> = packages.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
        let index = index(&packages);
        prop_assert_eq!(solve(&index, &["p0", "p1"]), solve(&index, &["p0", "p1"]));
    }
}
