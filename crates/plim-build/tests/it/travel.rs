//! Caches that travel from one machine to another.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plim_build::{Built, CacheExport, CacheMode, CacheSource, CacheTable, INLINE_CACHE, Request};
use plim_oci::{BlobError, Blobs, Compression, Descriptor, Digest, Layout};
use plim_testkit::Recorder;

use crate::Test;
use crate::workbench::{Workbench, can_run};

pub(crate) const TESTS: &[Test] = &[
    ("a_cache_of_all_stages_answers_everything_and_little_is_fetched", a_cache_of_all_stages_answers_everything),
    ("a_cache_of_the_image_answers_its_steps", a_cache_of_the_image_answers_its_steps),
    ("an_image_that_keeps_its_own_table_is_the_same_however_made", an_image_keeps_its_own_table),
    ("what_was_changed_is_done_on_top_of_what_was_fetched", what_was_changed_is_done_on_top),
    ("a_linked_copy_travels_without_what_is_below_it", a_linked_copy_travels_without_what_is_below),
    ("a_lost_layer_is_made_again", a_lost_layer_is_made_again),
    ("a_damaged_layer_is_made_again", a_damaged_layer_is_made_again),
    ("a_table_that_lies_about_a_layer_is_found_out", a_table_that_lies_is_found_out),
    ("results_of_a_build_without_the_cache_travel", results_of_a_build_without_the_cache_travel),
    ("a_build_without_the_cache_asks_no_other_machine", a_build_without_the_cache_asks_nobody),
    ("a_foreign_result_stands_on_its_own_layers_only", a_foreign_result_stands_on_its_own_layers_only),
    ("another_compression_travels_too", another_compression_travels_too),
    ("commands_are_not_run_again_on_another_machine", commands_are_not_run_again),
    ("what_came_out_of_a_cache_has_the_times_of_what_was_made_here", times_are_those_of_what_was_made_here),
];

/// Two stages; the name in `--chown` is looked up in the base.
const DOCKERFILE: &str = "FROM base AS build\nWORKDIR /src\nCOPY --chown=app a.txt .\nCOPY b.txt /out/\n\
                          FROM base\nWORKDIR /app\nCOPY --from=build --chown=app /out/ out/\nCOPY c.txt .\n";

fn machine() -> Workbench {
    let bench = Workbench::new();
    bench.file("a.txt", "a").file("b.txt", "b").file("c.txt", "c");
    bench
}

fn exporting(bench: &Workbench, dockerfile: &str, mode: CacheMode) -> Request {
    let mut request = bench.request(dockerfile);
    request.cache_to = vec![CacheExport { mode, compression: None }];
    request
}

/// Builds on a machine, and returns the image and the cache of it.
fn first(bench: &Workbench, dockerfile: &str, mode: CacheMode) -> (Built, CacheSource, Arc<Far>) {
    let built = bench.run(&exporting(bench, dockerfile, mode)).unwrap();
    let (source, far) = source(bench, &built.caches[0]);
    (built, source, far)
}

fn source(bench: &Workbench, table: &CacheTable) -> (CacheSource, Arc<Far>) {
    let far = Arc::new(Far { store: bench.state().store.clone(), read: Mutex::default(), fault: Mutex::default() });
    // as it comes over the wire
    let table = CacheTable::parse(&table.to_json()).unwrap();
    (CacheSource { name: "far".to_owned(), table, blobs: Arc::clone(&far) as _ }, far)
}

/// The store of the other machine.
struct Far {
    store: Layout,
    /// The blobs that were asked for.
    read: Mutex<BTreeSet<Digest>>,
    fault: Mutex<Option<(Digest, Fault)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Missing,
    Damaged,
}

impl Far {
    fn read(&self) -> BTreeSet<Digest> {
        self.read.lock().unwrap().clone()
    }

    fn break_blob(&self, digest: &Digest, fault: Fault) {
        *self.fault.lock().unwrap() = Some((digest.clone(), fault));
    }
}

impl Blobs for Far {
    fn exists(&self, descriptor: &Descriptor) -> Result<bool, BlobError> {
        self.store.exists(descriptor)
    }

    fn open_from(&self, descriptor: &Descriptor, from: u64) -> Result<Box<dyn Read + Send>, BlobError> {
        self.read.lock().unwrap().insert(descriptor.digest.clone());
        match &*self.fault.lock().unwrap() {
            Some((digest, Fault::Missing)) if *digest == descriptor.digest => {
                Err(BlobError::Missing { digest: digest.clone(), place: self.place() })
            }
            Some((digest, Fault::Damaged)) if *digest == descriptor.digest => {
                Ok(Box::new(std::io::repeat(b'x').take(descriptor.size - from)))
            }
            _ => self.store.open_from(descriptor, from),
        }
    }

    fn place(&self) -> String {
        "far".to_owned()
    }
}

fn from_cache(bench: &Workbench, dockerfile: &str, source: &CacheSource) -> Built {
    let mut request = bench.request(dockerfile);
    request.cache_from = vec![source.clone()];
    bench.run(&request).unwrap_or_else(|error| panic!("{error:?}"))
}

fn cached(built: &Built) -> Vec<bool> {
    built.steps.iter().map(|step| step.cached).collect()
}

fn layers(built: &Built) -> BTreeSet<Digest> {
    built.image.layers.iter().skip(1).map(|layer| layer.descriptor.digest.clone()).collect()
}

fn unpacked(bench: &Workbench) -> usize {
    let entries = std::fs::read_dir(&bench.state().snapshots).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().path().join("fs").is_dir()).count()
}

fn a_cache_of_all_stages_answers_everything() {
    let (one, two) = (machine(), machine());
    let (built, source, far) = first(&one, DOCKERFILE, CacheMode::Max);
    assert!(!cached(&built).contains(&true));
    let again = from_cache(&two, DOCKERFILE, &source);
    assert_eq!(cached(&again), [true; 6]);
    assert!(again.steps.iter().all(|step| step.imported.as_deref() == Some("far")));
    assert_eq!(again.image.descriptor, built.image.descriptor);
    assert_eq!(far.read(), layers(&built), "what the image needs, and nothing of the other stage");
    assert_eq!(unpacked(&two), 0, "neither the base nor a result");
    // what was fetched and checked once is not fetched again
    far.read.lock().unwrap().clear();
    from_cache(&two, DOCKERFILE, &source);
    assert_eq!(far.read(), BTreeSet::new());
    // nor is the cache needed for it
    let without = two.build(DOCKERFILE);
    assert_eq!(cached(&without), [false, false, false, true, true, true]);
    assert_eq!(without.image.descriptor, built.image.descriptor);
}

fn a_cache_of_the_image_answers_its_steps() {
    let (one, two) = (machine(), machine());
    let (built, source, far) = first(&one, DOCKERFILE, CacheMode::Min);
    let again = from_cache(&two, DOCKERFILE, &source);
    assert_eq!(cached(&again), [false, false, false, true, true, true]);
    assert_eq!(again.image.descriptor, built.image.descriptor);
    assert_eq!(far.read(), layers(&built));
}

fn an_image_keeps_its_own_table() {
    let build = |bench: &Workbench, source: Option<&CacheSource>, no_cache: bool| {
        let mut request = bench.request(DOCKERFILE);
        request.cache_inline = true;
        request.cache_from.extend(source.cloned());
        request.no_cache = no_cache;
        bench.run(&request).unwrap()
    };
    let one = machine();
    let built = build(&one, None, false);
    let table = built.image.config.extra[INLINE_CACHE].as_str().unwrap();
    let json = STANDARD.decode(table).unwrap();
    let (inline, _) = source(&one, &CacheTable::parse(&json).unwrap());
    assert_eq!(build(&one, None, false).image.descriptor, built.image.descriptor, "everything was cached");
    assert_eq!(build(&one, None, true).image.descriptor, built.image.descriptor, "nothing was cached");
    let two = machine();
    let again = build(&two, Some(&inline), false);
    assert_eq!(cached(&again), [false, false, false, true, true, true]);
    assert_eq!(again.image.descriptor, built.image.descriptor);
    let (_, max, _) = first(&one, DOCKERFILE, CacheMode::Max);
    let three = machine();
    let again = build(&three, Some(&max), false);
    assert_eq!(cached(&again), [true; 6]);
    assert_eq!(again.image.descriptor, built.image.descriptor);
    // the table of a base says nothing about what is built on it
    assert!(one.build("FROM base\nWORKDIR /x\n").image.config.extra.get(INLINE_CACHE).is_none());
}

fn what_was_changed_is_done_on_top() {
    let (one, two) = (machine(), machine());
    let (_, source, far) = first(&one, DOCKERFILE, CacheMode::Max);
    two.file("c.txt", "changed");
    let changed = from_cache(&two, DOCKERFILE, &source);
    assert_eq!(cached(&changed), [true, true, true, true, true, false]);
    let alone = machine();
    alone.file("c.txt", "changed").file("b.txt", "changed as well");
    let mut expected = alone.build(DOCKERFILE);
    assert_ne!(changed.image.descriptor, expected.image.descriptor);
    two.file("b.txt", "changed as well");
    let both = from_cache(&two, DOCKERFILE, &source);
    assert_eq!(cached(&both), [true, true, false, true, false, false]);
    assert_eq!(both.image.descriptor, expected.image.descriptor);
    // on a machine that has all but the first step's files
    expected = from_cache(&machine(), DOCKERFILE, &source);
    assert_eq!(layers(&expected).len(), 3);
    assert!(!far.read().is_empty());
}

fn a_linked_copy_travels_without_what_is_below() {
    let dockerfile = "FROM base\nCOPY a.txt /\nCOPY --link b.txt /dir/\n";
    let (one, two) = (machine(), machine());
    let (built, source, _) = first(&one, dockerfile, CacheMode::Min);
    two.file("a.txt", "changed");
    let changed = from_cache(&two, dockerfile, &source);
    assert_eq!(cached(&changed), [false, true]);
    assert_eq!(changed.image.layers[2].descriptor, built.image.layers[2].descriptor);
}

fn lost(fault: Fault) {
    let (one, two) = (machine(), machine());
    let (built, source, far) = first(&one, DOCKERFILE, CacheMode::Max);
    // that of the first WORKDIR of the image
    far.break_blob(&built.image.layers[1].descriptor.digest, fault);
    let recorded = Recorder::new();
    let mut request = two.request(DOCKERFILE);
    request.cache_from = vec![source];
    let again = two.run_with(&request, &recorded).unwrap();
    assert_eq!(cached(&again), [true, true, true, false, true, true], "{:?}", recorded.warnings());
    assert_eq!(again.image.descriptor, built.image.descriptor);
    let warnings = recorded.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("the cache far") && warnings[0].contains("is done here"), "{warnings:?}");
}

fn a_lost_layer_is_made_again() {
    lost(Fault::Missing);
}

fn a_damaged_layer_is_made_again() {
    lost(Fault::Damaged);
}

/// The blob is there and whole, but the tar in it is not the one that the table promises.
fn a_table_that_lies_is_found_out() {
    for there_before in [false, true] {
        let (one, two) = (machine(), machine());
        let (built, source, _) = first(&one, "FROM base\nCOPY a.txt /\n", CacheMode::Max);
        let layer = &built.image.layers[1];
        let text = String::from_utf8(source.table.to_json()).unwrap();
        let lie = text.replace(layer.diff_id.as_str(), Digest::of(b"lie").as_str());
        assert_ne!(lie, text);
        let table = CacheTable::parse(lie.as_bytes()).unwrap();
        if there_before {
            from_cache(&two, "FROM base\nCOPY a.txt /\n", &source);
        }
        let mut request = two.request("FROM base\nCOPY a.txt /\n");
        request.cache_from = vec![CacheSource { table, ..source }];
        let again = two.run(&request).unwrap();
        assert_eq!((again.image.descriptor, cached(&built)), (built.image.descriptor.clone(), vec![false]));
    }
}

fn results_of_a_build_without_the_cache_travel() {
    let (one, two) = (machine(), machine());
    let mut request = exporting(&one, DOCKERFILE, CacheMode::Max);
    request.no_cache = true;
    let built = one.run(&request).unwrap();
    let (source, _) = source(&one, &built.caches[0]);
    let again = from_cache(&two, DOCKERFILE, &source);
    assert_eq!(cached(&again), [true; 6]);
    assert_eq!(again.image.descriptor, built.image.descriptor);
}

fn a_build_without_the_cache_asks_nobody() {
    let (one, two) = (machine(), machine());
    let (_, source, far) = first(&one, DOCKERFILE, CacheMode::Max);
    let mut request = two.request(DOCKERFILE);
    request.cache_from = vec![source];
    request.no_cache = true;
    assert_eq!(cached(&two.run(&request).unwrap()), [false; 6]);
    assert!(far.read().is_empty());
    request.no_cache = false;
    request.no_cache_stages = vec!["build".to_owned()];
    let third = machine();
    let redone = cached(&third.run(&request).unwrap());
    assert_eq!(
        redone,
        [false, false, false, true, true, true],
        "its content is the same, so what reads it is answered"
    );
}

/// The first step leaves something else on each machine: what stood on it there does not fit here.
fn a_foreign_result_stands_on_its_own_layers_only() {
    if !can_run() {
        return;
    }
    let dockerfile = "FROM busybox\nRUN cat /proc/sys/kernel/random/uuid >/id\nRUN cat /id >/copy\n";
    let (one, two) = (machine(), machine());
    let (built, source, _) = first(&one, dockerfile, CacheMode::Max);
    // this machine has a first step of its own
    two.build("FROM busybox\nRUN cat /proc/sys/kernel/random/uuid >/id\n");
    let own = from_cache(&two, dockerfile, &source);
    assert_eq!(cached(&own), [true, false]);
    let content = |image, layer| two.layer(image, layer)[0].1.clone();
    assert_eq!(content(&own.image, 1), content(&own.image, 2));
    // and another one has none
    let three = machine();
    let taken = from_cache(&three, dockerfile, &source);
    assert_eq!((cached(&taken), taken.image.descriptor), (vec![true, true], built.image.descriptor));
}

fn another_compression_travels_too() {
    let (one, two) = (machine(), machine());
    let mut request = exporting(&one, DOCKERFILE, CacheMode::Max);
    request.cache_to[0].compression = Some(Compression::Zstd(3));
    let built = one.run(&request).unwrap();
    let (source, far) = source(&one, &built.caches[0]);
    assert!(source.table.blobs().all(|blob| blob.media_type.ends_with("+zstd")));
    let again = from_cache(&two, DOCKERFILE, &source);
    assert_eq!(cached(&again), [true; 6]);
    assert_eq!(again.image.descriptor, built.image.descriptor);
    assert_eq!(far.read().len(), 3, "the layers of the image are compressed anew");
}

fn commands_are_not_run_again() {
    if !can_run() {
        return;
    }
    let dockerfile = "FROM busybox AS build\nRUN cat /proc/sys/kernel/random/uuid >/made\n\
                      FROM busybox\nRUN --mount=from=build,target=/build cat /build/made >/of-mount\n\
                      COPY --from=build /made /copied\nRUN rm /of-mount && touch /end\n";
    let (one, two) = (machine(), machine());
    let (built, source, far) = first(&one, dockerfile, CacheMode::Max);
    let again = from_cache(&two, dockerfile, &source);
    assert_eq!(cached(&again), [true; 4]);
    assert_eq!(again.image.descriptor, built.image.descriptor);
    assert_eq!(far.read(), layers(&built));
    // one more step needs the files of those before it
    let more = format!("{dockerfile}RUN test ! -e /of-mount && cat /copied >/more\n");
    let further = from_cache(&two, &more, &source);
    assert_eq!(cached(&further), [true, true, true, true, false]);
    let copied = two.layer(&further.image, 2).pop().unwrap().1;
    assert_eq!(two.layer(&further.image, 4).pop().unwrap().1, copied);
    // and what was fetched for it is not fetched again
    far.read.lock().unwrap().clear();
    assert_eq!(cached(&from_cache(&two, &more, &source)), [true; 5]);
    assert_eq!(far.read(), BTreeSet::new());
}

/// The stage is of 2024, the image of 2033: a file that the stage made gets the later time.
fn times_are_those_of_what_was_made_here() {
    let dockerfile = "FROM base AS one\nCOPY a.txt /dir/\nFROM later\nCOPY --from=one /dir /dir\n";
    let (one, two) = (machine(), machine());
    let (_, source, _) = first(&one, dockerfile, CacheMode::Max);
    let other = dockerfile.replace("/dir /dir", "/dir /other");
    let taken = from_cache(&two, &other, &source);
    assert_eq!(cached(&taken), [true, false]);
    assert_eq!(taken.image.descriptor, machine().build(&other).image.descriptor);
}
