//! Builds whose context somebody writes to meanwhile.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use plim_build::Request;
use plim_oci::{Events, TaskId};

use super::{BuildOptions, execute};
use crate::testing::TestWorkspace;

/// Writes to a file each time a step begins, so many times.
struct Writes {
    file: PathBuf,
    left: AtomicUsize,
    warnings: Mutex<Vec<String>>,
}

impl Writes {
    fn new(file: PathBuf, times: usize) -> Self {
        Self { file, left: AtomicUsize::new(times), warnings: Mutex::default() }
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap().clone()
    }
}

impl Events for Writes {
    fn start(&self, title: &str, _total: Option<u64>) -> TaskId {
        let left = self.left.load(Ordering::Relaxed);
        if title.contains("COPY") && left > 0 {
            self.left.store(left - 1, Ordering::Relaxed);
            std::fs::write(&self.file, format!("content {left}")).unwrap();
        }
        TaskId(0)
    }
    fn advance(&self, _task: TaskId, _bytes: u64) {}
    fn output(&self, _task: TaskId, _line: &str) {}
    fn finish(&self, _task: TaskId, _outcome: &str, _failed: bool) {}
    fn note(&self, _text: &str) {}
    fn warn(&self, text: &str) {
        self.warnings.lock().unwrap().push(text.to_owned());
    }
    fn cancelled(&self) -> bool {
        false
    }
}

#[test]
fn a_context_that_is_written_to_meanwhile_is_built_again_and_not_for_ever() {
    let (workspace, context) = (TestWorkspace::new(), tempfile::tempdir().unwrap());
    let file = context.path().join("file");
    std::fs::write(&file, "content 0").unwrap();
    let request = || Request::new(context.path().to_owned(), b"FROM scratch\nCOPY file /\n".to_vec());
    let build = |events: &Writes| execute(&workspace, &request(), &BuildOptions::default(), events);

    let once = Writes::new(file.clone(), 1);
    let (built, _) = build(&once).unwrap();
    assert_eq!(once.warnings(), ["the source of /file changed while the build read it: building again"]);
    // what the file holds is what the image has
    let quiet = Writes::new(file.clone(), 0);
    let (again, _) = build(&quiet).unwrap();
    assert_eq!(built.image.descriptor, again.image.descriptor);
    assert!(quiet.warnings().is_empty());
    std::fs::write(&file, "content 1").unwrap();
    assert_eq!(build(&quiet).unwrap().0.image.descriptor, built.image.descriptor);

    // no result of before answers for this one
    std::fs::write(&file, "new").unwrap();
    let always = Writes::new(file, 100);
    let failure = build(&always).unwrap_err();
    assert_eq!(always.warnings().len(), 2);
    assert!(failure.hint.is_some_and(|hint| hint.contains(".dockerignore")), "{}", failure.message);
}
