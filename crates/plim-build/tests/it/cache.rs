//! What is done again and what is not.

use std::time::{Duration, SystemTime};

use plim_build::{Built, Miss, Request};

use crate::Test;
use crate::workbench::Workbench;

pub(crate) const TESTS: &[Test] = &[
    ("building_twice_gives_the_same_image_and_does_nothing", building_twice_gives_the_same_image_and_does_nothing),
    ("two_machines_give_the_same_image", two_machines_give_the_same_image),
    ("times_of_this_machine_do_not_pass_from_stage_to_stage", times_do_not_pass_from_stage_to_stage),
    ("a_changed_file_redoes_its_step_and_those_after", a_changed_file_redoes_its_step_and_those_after),
    ("a_miss_names_the_files_that_changed", a_miss_names_the_files_that_changed),
    ("touching_a_file_changes_nothing", touching_a_file_changes_nothing),
    ("an_override_stands_for_a_change_and_leaves_the_project_alone", an_override_stands_for_a_change),
    ("equal_content_of_another_stage_is_found_again", equal_content_of_another_stage_is_found_again),
    ("a_linked_copy_survives_a_change_below_it", a_linked_copy_survives_a_change_below_it),
    ("without_the_cache_all_is_done_and_the_new_results_are_used_next", without_the_cache_all_is_done),
    ("a_lost_blob_is_written_again", a_lost_blob_is_written_again),
];

fn misses(built: &Built) -> Vec<Option<Miss>> {
    built.steps.iter().map(|step| step.miss.clone()).collect()
}

fn building_twice_gives_the_same_image_and_does_nothing() {
    let bench = Workbench::new();
    bench.file("a.txt", "a").file("src/b.txt", "b");
    let dockerfile = "FROM base\nWORKDIR /app\nCOPY a.txt .\nCOPY src/ src/\n";
    let first = bench.build(dockerfile);
    assert_eq!(misses(&first), [Some(Miss::FirstBuild), Some(Miss::FirstBuild), Some(Miss::FirstBuild)]);
    let second = bench.build(dockerfile);
    assert_eq!(misses(&second), [None, None, None]);
    assert_eq!(first.image.descriptor, second.image.descriptor);
    assert_eq!(second.steps[1].layer.as_ref(), Some(&second.image.layers[2].descriptor.digest));
    assert!(second.steps[1].bytes > 0);
}

fn two_machines_give_the_same_image() {
    let image = || {
        let bench = Workbench::new();
        bench.file("b/x", "x").file("a/y", "y").file("c", "z");
        bench.build("FROM base\nWORKDIR /new/dir\nCOPY . .\n").image.descriptor
    };
    assert_eq!(image(), image());
}

/// The stage is of 2024 (its base), the file of 2021 or now, the image of 2033.
fn times_do_not_pass_from_stage_to_stage() {
    let image = |edited: SystemTime| {
        let bench = Workbench::new();
        bench.file("a.txt", "a");
        let file = std::fs::File::options().append(true).open(bench.context().join("a.txt")).unwrap();
        file.set_modified(edited).unwrap();
        bench.build("FROM base AS one\nCOPY a.txt /dir/\nFROM later\nCOPY --from=one /dir /dir\n").image.descriptor
    };
    assert_eq!(image(SystemTime::now()), image(SystemTime::now() - Duration::from_hours(24 * 30)));
    assert_eq!(image(SystemTime::now()), image(SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 51)));
}

fn a_changed_file_redoes_its_step_and_those_after() {
    let bench = Workbench::new();
    bench.file("a.txt", "a").file("b.txt", "b");
    let dockerfile = "FROM scratch\nCOPY a.txt /\nCOPY b.txt /\nWORKDIR /x\n";
    bench.build(dockerfile);
    bench.file("b.txt", "other");
    let changed = bench.build(dockerfile);
    let miss = misses(&changed)[1].clone().unwrap();
    assert_eq!(miss.to_string(), "b.txt changed: b.txt");
    assert_eq!(misses(&changed), [None, Some(miss), Some(Miss::ParentChanged)]);
    let edited = bench.build(&dockerfile.replace("/x", "/y"));
    assert_eq!(misses(&edited), [None, None, Some(Miss::InstructionChanged)]);
}

fn a_miss_names_the_files_that_changed() {
    let bench = Workbench::new();
    let file = |path: &str, content: &str| {
        bench.file(path, content);
    };
    for number in 0..9 {
        file(&format!("src/{number}.c"), "1");
    }
    file("one.txt", "1");
    file("two.txt", "1");
    file("deep/dir/x.md", "1");
    let dockerfile = "FROM base AS build\nCOPY src /src\nCOPY *.txt /\nCOPY --parents deep/./dir/*.md /docs/\n\
                      FROM base\nCOPY --from=build /src /src\n";
    bench.build(dockerfile);
    let why = || misses(&bench.build(dockerfile)).iter().map(|miss| miss.as_ref().map(ToString::to_string)).collect();
    let cached: Vec<Option<String>> = why();
    assert_eq!(cached, [None, None, None, None]);
    std::fs::remove_file(bench.context().join("src/0.c")).unwrap();
    file("src/1.c", "2");
    file("src/new.c", "2");
    file("two.txt", "2");
    file("deep/dir/x.md", "2");
    let changed: Vec<Option<String>> = why();
    let changed: Vec<String> = changed.into_iter().flatten().collect();
    assert_eq!(
        changed,
        [
            "src changed: src/0.c (gone), src/1.c, src/new.c (new)",
            "*.txt changed: two.txt",
            "deep/./dir/*.md changed: deep/dir/x.md",
            "/src in build changed: src/0.c (gone), src/1.c, src/new.c (new)",
        ]
    );
    for number in 1..9 {
        file(&format!("src/{number}.c"), "3");
    }
    let changed: Vec<Option<String>> = why();
    assert_eq!(changed[0].as_deref(), Some("src changed: src/1.c, src/2.c, src/3.c, src/4.c, src/5.c and 3 more"));
}

fn touching_a_file_changes_nothing() {
    let bench = Workbench::new();
    bench.file("a.txt", "a");
    let first = bench.build("FROM scratch\nCOPY a.txt /\n");
    std::fs::remove_file(bench.context().join("a.txt")).unwrap();
    bench.file("a.txt", "a");
    let second = bench.build("FROM scratch\nCOPY a.txt /\n");
    assert_eq!(misses(&second), [None]);
    assert_eq!(first.image.descriptor, second.image.descriptor);
}

fn an_override_stands_for_a_change() {
    let bench = Workbench::new();
    bench.file("a.txt", "a").file("b.txt", "b");
    let mut request: Request = bench.request("FROM scratch\nCOPY a.txt /\nCOPY b.txt /\n");
    bench.run(&request).unwrap();
    request.context.overrides.insert("b.txt".into(), b"b with a line\n".to_vec());
    let changed = bench.run(&request).unwrap();
    assert_eq!(changed.steps.iter().map(|step| step.cached).collect::<Vec<_>>(), [true, false]);
    assert_eq!(bench.layer(&changed.image, 1)[0].1, b"b with a line\n");
    assert_eq!(std::fs::read(bench.context().join("b.txt")).unwrap(), b"b");
}

fn equal_content_of_another_stage_is_found_again() {
    let bench = Workbench::new();
    bench.file("a.txt", "a").file("other.txt", "1");
    let dockerfile = "FROM base AS one\nCOPY other.txt /\nCOPY a.txt /\nFROM scratch\nCOPY --from=one /a.txt /\n";
    bench.build(dockerfile);
    bench.file("other.txt", "2");
    let built = bench.build(dockerfile);
    let copied = built.steps.iter().find(|step| step.instruction.contains("/a.txt /")).unwrap();
    assert!(copied.cached, "{:?}", copied.miss);
}

fn a_linked_copy_survives_a_change_below_it() {
    let bench = Workbench::new();
    bench.file("a.txt", "a").file("below.txt", "1");
    let dockerfile = "FROM scratch\nCOPY below.txt /\nCOPY --link a.txt /dir/\n";
    let first = bench.build(dockerfile);
    bench.file("below.txt", "2");
    let second = bench.build(dockerfile);
    assert!(second.steps[1].cached);
    assert_eq!(first.image.layers[1].descriptor, second.image.layers[1].descriptor);
}

fn without_the_cache_all_is_done() {
    let bench = Workbench::new();
    bench.file("a.txt", "a");
    let mut request = bench.request("FROM scratch\nCOPY a.txt /\nWORKDIR /x\n");
    let first = bench.run(&request).unwrap();
    request.no_cache = true;
    let second = bench.run(&request).unwrap();
    assert_eq!(misses(&second), [Some(Miss::NoCache), Some(Miss::NoCache)]);
    assert_eq!(first.image.descriptor, second.image.descriptor);
    request.no_cache = false;
    assert_eq!(misses(&bench.run(&request).unwrap()), [None, None]);
}

fn a_lost_blob_is_written_again() {
    let bench = Workbench::new();
    bench.file("a.txt", "a");
    let first = bench.build("FROM scratch\nCOPY a.txt /\nWORKDIR /x\n");
    let blob = bench.state().store.blob_path(&first.image.layers[0].descriptor.digest);
    std::fs::remove_file(&blob).unwrap();
    let second = bench.build("FROM scratch\nCOPY a.txt /\nWORKDIR /x\n");
    assert!(second.steps[0].cached && blob.exists());
}
