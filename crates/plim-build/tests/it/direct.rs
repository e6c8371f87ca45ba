//! Layers that are written straight from what is copied, without a directory of files.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use plim_build::Built;
use plim_build::snapshot::Ownership;
use plim_oci::{Compression, Digest, Events, Silent, TaskId};

use crate::Test;
use crate::workbench::{Workbench, can_run};

pub(crate) const TESTS: &[Test] = &[
    ("the_last_copy_is_written_without_making_files", the_last_copy_is_written_without_making_files),
    (
        "what_only_linked_copies_follow_is_written_without",
        what_only_linked_copies_follow_is_written_without_making_files,
    ),
    ("a_layer_written_at_once_is_that_of_the_files", a_layer_written_at_once_is_that_of_the_files),
    ("what_comes_on_top_later_finds_the_files", what_comes_on_top_later_finds_the_files),
    ("commands_that_come_later_see_the_times_of_the_context", commands_that_come_later_see_the_times),
    ("the_files_of_the_image_can_be_had", the_files_of_the_image_can_be_had),
    ("another_compression_is_made_of_the_layer", another_compression_is_made_of_the_layer),
    ("a_layer_that_is_lost_is_written_again", a_layer_that_is_lost_is_written_again),
    ("an_edit_takes_over_what_is_the_same", an_edit_takes_over_what_is_the_same),
    ("a_mount_shows_what_the_key_was_made_of", a_mount_shows_what_the_key_was_made_of),
];

fn machine() -> Workbench {
    let bench = Workbench::new();
    bench.file("a.txt", "a").file("src/b.txt", "b").file("src/deep/c.txt", "c");
    fs::hard_link(bench.context().join("a.txt"), bench.context().join("src/again.txt")).unwrap();
    std::os::unix::fs::symlink("../a.txt", bench.context().join("src/link")).unwrap();
    bench
}

fn cached(built: &Built) -> Vec<bool> {
    built.steps.iter().map(|step| step.cached).collect()
}

/// Snapshots that have files.
fn with_files(bench: &Workbench) -> usize {
    let entries = fs::read_dir(&bench.state().snapshots).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().path().join("fs").is_dir()).count()
}

fn the_last_copy_is_written_without_making_files() {
    let bench = machine();
    let dockerfile = "FROM scratch\nCOPY . /app/\n";
    let built = bench.build(dockerfile);
    assert_eq!((cached(&built), with_files(&bench)), (vec![false], 0));
    let again = bench.build(dockerfile);
    assert_eq!((cached(&again), with_files(&bench)), (vec![true], 0));
    assert_eq!(again.image.descriptor, built.image.descriptor);
    assert_eq!(again.steps[0].layer.as_ref(), Some(&built.image.layers[0].descriptor.digest));
    // of two, the second one needs to see what the first one left
    bench.build("FROM scratch\nCOPY a.txt /\nCOPY src /src\n");
    assert_eq!(with_files(&bench), 1);
    bench.build("FROM scratch AS one\nCOPY a.txt /\nFROM scratch\nCOPY --from=one / /two/\n");
    assert_eq!(with_files(&bench), 1, "the first stage is known");
}

fn what_only_linked_copies_follow_is_written_without_making_files() {
    let linked = "COPY --link src /src\nADD --link --chown=1:2 a.txt /b/\n";
    let unseen = format!("FROM base\nCOPY a.txt /etc/\n{linked}");
    let bench = machine();
    let built = bench.build(&unseen);
    assert_eq!((cached(&built), with_files(&bench)), (vec![false; 3], 1), "the base");
    assert_eq!(cached(&bench.build(&unseen)), [true; 3]);
    // the same with files: another stage may look at them
    let other = machine();
    let seen = other.build(&format!("FROM base AS one\nCOPY a.txt /etc/\n{linked}FROM one\n"));
    assert_eq!(with_files(&other), 1 + 3);
    assert_eq!(seen.image.descriptor, built.image.descriptor);
    // a step on top looks: nothing is lost
    let more = format!("{unseen}COPY --chmod=600 a.txt /src/\n");
    let grown = bench.build(&more);
    assert_eq!(cached(&grown), [true, true, true, false]);
    assert_eq!(grown.image.descriptor, machine().build(&more).image.descriptor);
    // names and modes look at what is below
    for looking in ["COPY --link --chown=app src /src", "COPY --link --chmod=600 src /src", "WORKDIR /src"] {
        let bench = machine();
        bench.build(&format!("FROM base\nCOPY a.txt /etc/\n{looking}\n"));
        assert!(with_files(&bench) > 1, "{looking}");
    }
}

fn a_layer_written_at_once_is_that_of_the_files() {
    for copy in
        ["COPY . /app/", "COPY --chown=app --chmod=640 src /etc/", "COPY --link a.txt /etc/", "ADD a.txt src /x/"]
    {
        let (one, two) = (machine(), machine());
        let at_once = one.build(&format!("FROM base\n{copy}\n"));
        // nothing is known of what stands on a stage
        let of_files = two.build(&format!("FROM base AS one\n{copy}\nFROM one\n"));
        assert_eq!(with_files(&two), with_files(&one) + 1, "{copy}");
        assert_eq!(at_once.image.descriptor, of_files.image.descriptor, "{copy}");
    }
}

fn what_comes_on_top_later_finds_the_files() {
    let bench = machine();
    bench.build("FROM base\nCOPY . /app/\n");
    let more = "FROM base\nCOPY . /app/\nWORKDIR /app/src/deep/new\nCOPY --chmod=600 a.txt /app/src/\n";
    let grown = bench.build(more);
    assert_eq!(cached(&grown), [true, false, false]);
    assert_eq!(grown.image.descriptor, machine().build(more).image.descriptor);
    assert_eq!(cached(&bench.build(more)), [true; 3]);
    let stage = "FROM base AS one\nCOPY . /app/\nFROM base\nCOPY --from=one /app/src /other\n";
    let other = bench.build(stage);
    assert_eq!(cached(&other), [true, false]);
    assert_eq!(other.image.descriptor, machine().build(stage).image.descriptor);
}

/// The layer has the time of the base, because the file is later; a command sees the file's own time all the same.
fn commands_that_come_later_see_the_times() {
    if !can_run() {
        return;
    }
    let dockerfile = "FROM busybox\nCOPY a.txt /\n";
    let more = format!("{dockerfile}RUN ls -l --full-time /a.txt >/times\n");
    let alone = machine().build(&more);
    let bench = machine();
    bench.build(dockerfile);
    let grown = bench.build(&more);
    assert_eq!(cached(&grown), [true, false]);
    let times = |built: &Built, bench: &Workbench| bench.layer(&built.image, 2).pop().unwrap().1;
    let year = jiff::Timestamp::now().strftime("%Y").to_string();
    let seen = String::from_utf8(times(&grown, &bench)).unwrap();
    assert!(seen.contains(&year), "{seen}");
    assert_eq!(grown.image.layers[1], alone.image.layers[1]);
}

fn the_files_of_the_image_can_be_had() {
    let bench = machine();
    let built = bench.build("FROM base\nCOPY src /app/\n");
    let chain = built.root.chain(bench.state(), &Silent).unwrap();
    assert_eq!(fs::read_to_string(chain.lower[0].join("app/deep/c.txt")).unwrap(), "c");
    let again = bench.build("FROM base\nCOPY src /app/\n");
    assert_eq!((cached(&again), again.image.descriptor), (vec![true], built.image.descriptor));
    let out = tempfile::tempdir().unwrap();
    let other = machine();
    let built = other.build("FROM scratch\nCOPY src /app/\n");
    built.root.export(other.state(), out.path(), Ownership::Writer, &Silent).unwrap();
    assert_eq!(fs::read_to_string(out.path().join("app/b.txt")).unwrap(), "b");
}

fn another_compression_is_made_of_the_layer() {
    let (one, two) = (machine(), machine());
    let dockerfile = "FROM base\nCOPY . /app/\n";
    let zstd = |bench: &Workbench| {
        let mut request = bench.request(dockerfile);
        request.compression = Compression::Zstd(3);
        bench.run(&request).unwrap()
    };
    one.build(dockerfile);
    let again = zstd(&one);
    assert_eq!(cached(&again), [true]);
    assert_eq!(again.image.descriptor, zstd(&two).image.descriptor);
}

fn a_layer_that_is_lost_is_written_again() {
    let bench = machine();
    let dockerfile = "FROM scratch\nCOPY . /app/\n";
    let built = bench.build(dockerfile);
    let blob: &Digest = &built.image.layers[0].descriptor.digest;
    fs::remove_file(bench.state().store.blob_path(blob)).unwrap();
    let again = bench.build(dockerfile);
    assert_eq!((cached(&again), again.image.descriptor), (vec![false], built.image.descriptor));
}

fn an_edit_takes_over_what_is_the_same() {
    let content = |seed: usize| (0..40_000).map(|n| (n * seed).to_string()).collect::<String>();
    let (bench, alone) = (Workbench::new(), Workbench::new());
    for bench in [&bench, &alone] {
        for number in 1..20 {
            bench.file(&format!("lib/{number}.js"), &content(number));
        }
    }
    let dockerfile = "FROM base\nCOPY . /app/\n";
    bench.build(dockerfile);
    let tables = || {
        let entries = fs::read_dir(bench.state().cache.join("frames")).unwrap();
        entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect::<Vec<_>>()
    };
    let before = tables();
    bench.file("lib/7.js", "short now");
    alone.file("lib/7.js", "short now");
    assert_eq!(bench.build(dockerfile).image.descriptor, alone.build(dockerfile).image.descriptor);
    let after = tables();
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
    // what holds no blob any more is forgotten
    fs::remove_dir_all(bench.state().store.root().join("blobs")).unwrap();
    bench.state().forget_lost(&[]).unwrap();
    assert!(tables().is_empty());
}

/// Writes to a file when the first step begins.
struct WritesOnce(PathBuf, AtomicBool);

impl Events for WritesOnce {
    fn start(&self, _title: &str, _total: Option<u64>) -> TaskId {
        if !self.1.swap(true, Ordering::Relaxed) {
            fs::write(&self.0, "new").unwrap();
        }
        TaskId(0)
    }
    fn advance(&self, _task: TaskId, _bytes: u64) {}
    fn output(&self, _task: TaskId, _line: &str) {}
    fn finish(&self, _task: TaskId, _detail: &str, _failed: bool) {}
    fn note(&self, _text: &str) {}
    fn warn(&self, _text: &str) {}
}

fn a_mount_shows_what_the_key_was_made_of() {
    if !can_run() {
        return;
    }
    let bench = Workbench::new();
    bench.file("in/a", "old");
    let dockerfile = "FROM busybox\nRUN --mount=type=bind,source=in,target=/in cat /in/a > /out\n";
    let events = WritesOnce(bench.context().join("in/a"), AtomicBool::new(false));
    let built = bench.run_with(&bench.request(dockerfile), &events).unwrap();
    let out = |built: &Built| bench.layer(&built.image, 1).into_iter().find(|(head, _)| head.path == "out").unwrap().1;
    assert_eq!(out(&built), b"new");
    // the old content is another step
    bench.file("in/a", "old");
    let other = bench.build(dockerfile);
    assert_eq!((out(&other).as_slice(), cached(&other)), (&b"old"[..], vec![false]));
}
