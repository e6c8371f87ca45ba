//! Builds whose context somebody writes to meanwhile.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use plim_build::Request;
use plim_oci::{CACHED, EntryKind, Events, TaskId};

use super::{BuildOptions, execute};
use crate::testing::TestWorkspace;

/// Writes to a file each time a step begins, so many times.
struct Writes {
    file: PathBuf,
    left: AtomicUsize,
    warnings: Mutex<Vec<String>>,
    /// Steps that ended otherwise than by an answer of the cache, well or not.
    done: Mutex<Vec<String>>,
    begun: Mutex<Vec<String>>,
}

impl Writes {
    fn new(file: PathBuf, times: usize) -> Self {
        Self {
            file,
            left: AtomicUsize::new(times),
            warnings: Mutex::default(),
            done: Mutex::default(),
            begun: Mutex::default(),
        }
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap().clone()
    }
}

impl Events for Writes {
    fn start(&self, title: &str, _total: Option<u64>) -> TaskId {
        let left = self.left.load(Ordering::Relaxed);
        self.begun.lock().unwrap().push(title.to_owned());
        if title.contains("COPY file") && left > 0 {
            self.left.store(left - 1, Ordering::Relaxed);
            std::fs::write(&self.file, format!("content {left}")).unwrap();
        }
        TaskId(self.begun.lock().unwrap().len() as u64 - 1)
    }
    fn advance(&self, _task: TaskId, _bytes: u64) {}
    fn output(&self, _task: TaskId, _line: &str) {}
    fn finish(&self, task: TaskId, outcome: &str, failed: bool) {
        if !failed && !outcome.starts_with(CACHED) {
            self.done.lock().unwrap().push(self.begun.lock().unwrap()[task.0 as usize].clone());
        }
    }
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
    assert_eq!(once.warnings(), [format!("{} changed while the build read it: building again", file.display())]);
    assert!(built.steps.iter().all(|step| !step.cached), "done in this build, whichever attempt it was");
    // what the file holds is what the image has
    let quiet = Writes::new(file.clone(), 0);
    let (again, _) = build(&quiet).unwrap();
    assert_eq!(built.image.descriptor, again.image.descriptor);
    assert!(quiet.warnings().is_empty());
    std::fs::write(&file, "content 1").unwrap();
    assert_eq!(build(&quiet).unwrap().0.image.descriptor, built.image.descriptor);
    // and what it held before is not what was built
    std::fs::write(&file, "content 0").unwrap();
    assert_ne!(build(&quiet).unwrap().0.image.descriptor, built.image.descriptor);

    // no result of before answers for this one
    std::fs::write(&file, "new").unwrap();
    let always = Writes::new(file, 100);
    let failure = build(&always).unwrap_err();
    assert_eq!(always.warnings().len(), 2);
    assert!(failure.hint.is_some_and(|hint| hint.contains(".dockerignore")), "{}", failure.message);
}

#[test]
fn beginning_again_does_no_step_twice_even_without_a_cache() {
    let (workspace, context) = (TestWorkspace::new(), tempfile::tempdir().unwrap());
    let file = context.path().join("file");
    for name in ["first", "file"] {
        std::fs::write(context.path().join(name), name).unwrap();
    }
    let mut request = Request::new(context.path().to_owned(), b"FROM scratch\nCOPY first /\nCOPY file /\n".to_vec());
    request.no_cache = true;
    let once = Writes::new(file, 1);
    let (built, _) = execute(&workspace, &request, &BuildOptions::default(), &once).unwrap();
    assert_eq!(once.warnings().len(), 1);
    assert_eq!(*once.done.lock().unwrap(), ["[1/2] COPY first /", "[2/2] COPY file /"]);
    assert!(built.steps.iter().all(|step| !step.cached));
    // the next build without a cache does it all again
    let quiet = Writes::new(PathBuf::new(), 0);
    execute(&workspace, &request, &BuildOptions::default(), &quiet).unwrap();
    assert_eq!(quiet.done.lock().unwrap().len(), 2);
}

#[test]
fn what_a_build_notes_of_a_layer_is_what_reading_it_finds() {
    let (workspace, context) = (TestWorkspace::new(), tempfile::tempdir().unwrap());
    let at = |name: &str| context.path().join(name);
    std::fs::create_dir(at("pkg")).unwrap();
    let module = [b"\xcb\x0d\x0d\x0a\0\0\0\0\xff\xff\xff\x7f\x09\0\0\0".as_slice(), &[7; 300]].concat();
    std::fs::write(at("pkg/module.pyc"), module).unwrap();
    std::fs::write(at("empty"), "").unwrap();
    std::fs::write(at("run.sh"), "#!/bin/sh\necho hello\n").unwrap();
    std::fs::write(at("token"), "token = ghp_0123456789abcdefghijklmnopqrstuvwxyz\n").unwrap();
    std::fs::hard_link(at("run.sh"), at("same.sh")).unwrap();
    std::os::unix::fs::symlink("run.sh", at("link.sh")).unwrap();
    std::fs::write(at("large"), vec![b'x'; 3 << 20]).unwrap();
    let request = Request::new(context.path().to_owned(), b"FROM scratch\nCOPY . /app/\n".to_vec());
    for round in 0..3 {
        std::fs::write(at("edited"), format!("#!/usr/bin/env round-{round}\n")).unwrap();
        let quiet = Writes::new(PathBuf::new(), 0);
        let (built, _) = execute(&workspace, &request, &BuildOptions::default(), &quiet).unwrap();
        let layer = &built.image.layers[0];
        let noted = workspace.indexes.get(&layer.diff_id).unwrap();
        let read = plim_index::index_blob(layer, &workspace.store, &plim_oci::Silent).unwrap();
        assert_eq!(*noted, read, "round {round}");
        assert_eq!((noted.scripts.len(), noted.secrets.len()), (2, 1), "round {round}");
        assert!(noted.entries.iter().any(|entry| entry.head.kind == EntryKind::Hardlink));
    }
}
