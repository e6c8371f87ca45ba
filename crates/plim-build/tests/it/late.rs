//! Bases whose layers are still being written while the steps above them run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use plim_build::snapshot::{Snapshots, View};
use plim_build::{Base, BaseError, BaseSource, BuildError, Built, LateImage, build};
use plim_oci::{Digest, Events, Image, Platform, Silent, TaskId};
use plim_testkit::Seen;

use crate::Test;
use crate::workbench::Workbench;

pub(crate) const TESTS: &[Test] = &[
    ("steps_do_not_wait_for_the_layers_of_their_base", steps_do_not_wait_for_the_layers_of_their_base),
    ("a_base_that_was_late_once_gives_the_same_image", a_base_that_was_late_once_gives_the_same_image),
    ("a_base_that_fails_late_is_named_with_its_line", a_base_that_fails_late_is_named_with_its_line),
];

const DOCKERFILE: &str = "ARG X=1\nFROM base\nCOPY a.txt /etc/\nWORKDIR /etc/new\n";

/// An image that is handed out when a step was done, or never.
#[derive(Debug, Default)]
struct Gate {
    image: Mutex<Option<Result<Arc<Image>, BaseError>>>,
    changed: Condvar,
    asked: AtomicBool,
}

impl Gate {
    fn open(&self, result: Result<Arc<Image>, BaseError>) {
        *self.image.lock().unwrap() = Some(result);
        self.changed.notify_all();
    }
}

impl LateImage for Gate {
    fn wait(&self) -> Result<Arc<Image>, BaseError> {
        self.asked.store(true, Ordering::Relaxed);
        let image = self.changed.wait_while(self.image.lock().unwrap(), |image| image.is_none()).unwrap();
        image.clone().unwrap()
    }
}

/// The workbench's bases, unpacked, with their images behind a gate.
struct Late<'a> {
    bench: &'a Workbench,
    gate: Arc<Gate>,
}

impl Late<'_> {
    fn image(&self) -> Arc<Image> {
        self.bench.base("base", &Platform::new("linux", "amd64"), &Silent).unwrap().unwrap().image().unwrap()
    }
}

impl BaseSource for Late<'_> {
    fn base(&self, _name: &str, _platform: &Platform, _events: &dyn Events) -> Result<Option<Base>, BaseError> {
        let (image, state) = (self.image(), self.bench.state());
        let chain = Snapshots::open(&state.snapshots).unwrap().unpack(&image, &state.store, &Silent).unwrap();
        assert!(View::new(&chain).lookup("etc/passwd".into()).unwrap().is_some());
        Ok(Some(Base::unpacked(image.config.clone(), &name(), chain, Arc::clone(&self.gate) as _)))
    }
}

/// The same when the image is there.
struct Punctual<'a>(Late<'a>);

impl BaseSource for Punctual<'_> {
    fn base(&self, _name: &str, _platform: &Platform, _events: &dyn Events) -> Result<Option<Base>, BaseError> {
        Ok(Some(Base::named((*self.0.image()).clone(), &name())))
    }
}

fn name() -> Digest {
    Digest::of(b"files of the base")
}

/// Opens the gate when the last step of [`DOCKERFILE`] is done.
struct Opener<'a> {
    late: &'a Late<'a>,
    result: Result<Arc<Image>, BaseError>,
    last: Mutex<Option<TaskId>>,
}

impl Events for Opener<'_> {
    fn start(&self, title: &str, _total: Option<u64>) -> TaskId {
        let id = TaskId(u64::from(title.contains("WORKDIR")));
        if id.0 == 1 {
            *self.last.lock().unwrap() = Some(id);
        }
        id
    }
    fn advance(&self, _task: TaskId, _bytes: u64) {}
    fn output(&self, _task: TaskId, _line: &str) {}
    fn finish(&self, task: TaskId, _detail: &str, _failed: bool) {
        if Some(task) == *self.last.lock().unwrap() {
            assert!(!self.late.gate.asked.load(Ordering::Relaxed), "nobody waited before the last step");
            self.late.gate.open(self.result.clone());
        }
    }
    fn note(&self, _text: &str) {}
    fn warn(&self, _text: &str) {}
}

fn build_late(bench: &Workbench, result: Option<BaseError>) -> Result<Built, BuildError> {
    bench.file("a.txt", "a");
    let late = Late { bench, gate: Arc::default() };
    let result = result.map_or_else(|| Ok(late.image()), Err);
    let opener = Opener { late: &late, result, last: Mutex::new(None) };
    build(&bench.request(DOCKERFILE), bench.state(), &late, &Seen::new(), &opener)
}

fn steps_do_not_wait_for_the_layers_of_their_base() {
    let bench = Workbench::new();
    let late = build_late(&bench, None).unwrap();
    assert_eq!(late.image.layers.len(), 3);
    assert_eq!(late.image.layers[0], bench.build("FROM base\n").image.layers[0]);
    assert_eq!(late.bases[0].digest, Late { bench: &bench, gate: Arc::default() }.image().descriptor.digest);
    // on another machine the base came with its layers
    let other = Workbench::new();
    other.file("a.txt", "a");
    assert_eq!(late.image.descriptor, other.build(DOCKERFILE).image.descriptor);
}

fn a_base_that_was_late_once_gives_the_same_image() {
    let bench = Workbench::new();
    let first = build_late(&bench, None).unwrap();
    let punctual = Punctual(Late { bench: &bench, gate: Arc::default() });
    let second = build(&bench.request(DOCKERFILE), bench.state(), &punctual, &Seen::new(), &Silent).unwrap();
    assert!(second.steps.iter().all(|step| step.cached), "{:?}", second.steps);
    assert_eq!(first.image.descriptor, second.image.descriptor);
}

fn a_base_that_fails_late_is_named_with_its_line() {
    let bench = Workbench::new();
    let full = BaseError::new("the disk is full", Some("make room".to_owned()));
    let error = build_late(&bench, Some(full)).unwrap_err();
    assert_eq!(error.line(), Some(2));
    assert_eq!(error.to_string(), "line 2: failed to get the image base");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the disk is full");
    assert_eq!(error.hint().as_deref(), Some("make room"));
}
