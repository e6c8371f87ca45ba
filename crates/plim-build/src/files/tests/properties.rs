//! Random steps: the layer written directly is that of the directory, and both mean the same.

use proptest::prelude::*;

use super::*;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn lines() -> impl Strategy<Value = Vec<String>> {
    let name = || proptest::sample::select(&NAMES[..]);
    let path = proptest::collection::vec(name(), 1..4).prop_map(|names| names.join("/"));
    let line = (path, 0..5_u8, name()).prop_map(|(path, kind, name)| match kind {
        0 => format!("{path}/"),
        1 => format!("{path}->{name}"),
        _ => format!("{path}={kind}"),
    });
    proptest::collection::vec(line, 0..8)
}

/// Leaves out lines that need a directory where an earlier line has something else.
fn consistent(lines: &[String]) -> Vec<&str> {
    let path = |line: &str| line.split(['=', '-']).next().unwrap_or_default().trim_end_matches('/').to_owned();
    let mut kept: Vec<&str> = Vec::new();
    for line in lines {
        let mine = path(line);
        let clashes = kept.iter().any(|other| {
            let theirs = path(other);
            mine == theirs
                || mine.starts_with(&format!("{theirs}/")) && !other.ends_with('/')
                || theirs.starts_with(&format!("{mine}/")) && !line.ends_with('/')
        });
        if !clashes {
            kept.push(line);
        }
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn both_ways_of_writing_a_step_agree(
        context in lines(),
        dest in lines(),
        source in proptest::sample::select(&[".", "a", "a/b", "*", "*/b", "a*", "b"][..]),
        target in proptest::sample::select(&["/", "/a", "/a/", "/b/c", "/c/d/"][..]),
        parents in any::<bool>(),
        chmod in proptest::option::of(Just("700".to_owned())),
    ) {
        if !root() {
            return Ok(());
        }
        let bench = Bench::new(&consistent(&context), &consistent(&dest));
        let step = CopyOp { chmod, parents, ..op(&[source, target]) };
        // the comparison is in `copy`; a step that cannot be carried out is the Dockerfile's fault
        if let Err(error) = bench.copy(&step) {
            prop_assert!(error.is_subject(), "{error:?}");
        }
    }
}
