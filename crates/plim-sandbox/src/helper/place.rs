//! Finding and making places inside the root file system, which may be hostile.
//!
//! A symbolic link of the image must not lead a mount out to the host. The walk goes from descriptor to descriptor and
//! lets the kernel follow no link: it reads the link and walks it itself, with the root as upper end of every `..`.

use std::os::fd::{AsRawFd, OwnedFd};

use bstr::{BStr, BString, ByteSlice};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::{Errno, Result};

use crate::stubs::{self, Made, Touched, Trace};

/// As many links as the kernel follows (MAXSYMLINKS).
const LINK_LIMIT: usize = 40;

/// What a mount needs below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
}

/// An open place inside the root.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) fd: OwnedFd,
    /// Relative to the root, without symbolic links.
    pub(super) path: BString,
    pub(super) kind: Kind,
}

/// A name of an open file that mount calls understand and that cannot be redirected.
pub(super) fn name_of(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// A directory tree in which links are followed inside only.
#[derive(Debug)]
pub(super) struct Tree {
    root: OwnedFd,
}

/// Is told of everything that is about to be made.
pub(super) trait Recorder {
    /// The next step makes what this trace undoes.
    fn record(&mut self, trace: Trace) -> Result<()>;
    /// What is recorded so far.
    fn so_far(&self) -> &Trace;
    /// Whether the writable directory itself, not an image layer below it, has this directory; none if nothing is
    /// recorded because writes are thrown away.
    fn owns(&self, directory: &BStr) -> Option<bool>;
}

impl Tree {
    pub(super) fn new(root: OwnedFd) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// Opens what is there.
    pub(super) fn find(&self, path: &BStr) -> Result<Place> {
        self.walk(path, None)
    }

    /// Opens what is there, or makes it and the directories above it.
    pub(super) fn ensure(&self, path: &BStr, kind: Kind, recorder: &mut dyn Recorder) -> Result<Place> {
        self.walk(path, Some((kind, recorder)))
    }

    fn walk(&self, path: &BStr, mut make: Option<(Kind, &mut dyn Recorder)>) -> Result<Place> {
        let mut todo: Vec<BString> = parts(path);
        let mut done = Vec::<Step>::new();
        let mut links = 0;
        while let Some(name) = todo.pop() {
            if name == ".." {
                done.pop();
                continue;
            }
            let parent = done.last().map_or(&self.root, |step| &step.fd);
            let fd = match open(parent, name.as_bstr()) {
                Err(Errno::NOENT) => {
                    let Some((kind, recorder)) = &mut make else { return Err(Errno::NOENT) };
                    let kind = if todo.is_empty() { *kind } else { Kind::Directory };
                    self.make(&done, &name, kind, *recorder)?
                }
                other => other?,
            };
            let stat = rustix::fs::fstat(&fd)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Symlink => {
                    links += 1;
                    if links > LINK_LIMIT {
                        return Err(Errno::LOOP);
                    }
                    let target = BString::from(rustix::fs::readlinkat(&fd, c"", Vec::new())?.into_bytes());
                    if target.starts_with(b"/") {
                        done.clear();
                    }
                    todo.extend(parts(target.as_bstr()));
                }
                FileType::Directory => done.push(Step { fd, name, kind: Kind::Directory }),
                _ if todo.is_empty() => done.push(Step { fd, name, kind: Kind::File }),
                _ => return Err(Errno::NOTDIR),
            }
        }
        let path = join(&done);
        match done.pop() {
            Some(step) => Ok(Place { fd: step.fd, path, kind: step.kind }),
            None => Ok(Place { fd: open(&self.root, b".".as_bstr())?, path, kind: Kind::Directory }),
        }
    }

    fn make(&self, above: &[Step], name: &BString, kind: Kind, recorder: &mut dyn Recorder) -> Result<OwnedFd> {
        let parent = above.last().map_or(&self.root, |step| &step.fd);
        self.record(above, name, kind, recorder)?;
        let made = match kind {
            Kind::Directory => rustix::fs::mkdirat(parent, name.as_slice(), Mode::from(0o755)),
            Kind::File => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                rustix::fs::openat(parent, name.as_slice(), flags, Mode::from(0o644)).map(drop)
            }
        };
        match made {
            // in a cache that another step uses, that one may have made it since the look
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        open(parent, name.as_bstr())
    }

    /// Records the new name, and all directories above it as they are before.
    fn record(&self, above: &[Step], name: &BString, kind: Kind, recorder: &mut dyn Recorder) -> Result<()> {
        let mut trace = Trace::default();
        for depth in (0..=above.len()).rev() {
            let (above, fd) = (&above[..depth], above[..depth].last().map_or(&self.root, |step| &step.fd));
            let path = join(above);
            let Some(own) = recorder.owns(path.as_bstr()) else { return Ok(()) };
            if !recorder.so_far().knows(path.as_bstr()) {
                let modified = stubs::modified(&rustix::fs::fstat(fd)?);
                trace.touched.push(Touched { path, modified, own });
            }
        }
        let mut path = join(above);
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        trace.made.push(Made { path, directory: kind == Kind::Directory });
        recorder.record(trace)
    }
}

/// One name that the walk has passed.
struct Step {
    fd: OwnedFd,
    name: BString,
    kind: Kind,
}

fn open(parent: &OwnedFd, name: &BStr) -> Result<OwnedFd> {
    rustix::fs::openat(parent, name.as_bytes(), OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// The names of a path, last one first.
fn parts(path: &BStr) -> Vec<BString> {
    let names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    names.rev().map(BString::from).collect()
}

fn join(steps: &[Step]) -> BString {
    bstr::join("/", steps.iter().map(|step| &step.name)).into()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use rustix::fs::{CWD, Mode, OFlags};
    use rustix::io::Errno;

    use super::{BStr, Kind, Recorder, Result, Trace, Tree};

    #[derive(Default)]
    struct Notes(Trace);

    impl Recorder for Notes {
        fn record(&mut self, trace: Trace) -> Result<()> {
            self.0.extend(trace);
            Ok(())
        }
        fn so_far(&self) -> &Trace {
            &self.0
        }
        fn owns(&self, _: &BStr) -> Option<bool> {
            Some(true)
        }
    }

    fn tree(path: &Path) -> Tree {
        Tree::new(rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap())
    }

    #[test]
    fn links_and_dots_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("real")).unwrap();
        fs::create_dir(dir.path().join("outside")).unwrap();
        symlink("/real", root.join("absolute")).unwrap();
        symlink("../../../outside", root.join("relative")).unwrap();
        let tree = tree(&root);
        assert_eq!(tree.find("/absolute".into()).unwrap().path, "real");
        assert_eq!(tree.find("../../real/./..".into()).unwrap().path, "");
        assert_eq!(tree.find("relative".into()).unwrap_err(), Errno::NOENT);
        let mut notes = Notes::default();
        assert_eq!(tree.ensure("relative/x".into(), Kind::File, &mut notes).unwrap().path, "outside/x");
        assert!(root.join("outside/x").is_file());
        assert!(!dir.path().join("outside/x").exists());
        let made: Vec<_> = notes.0.made.iter().map(|made| (made.path.to_string(), made.directory)).collect();
        assert_eq!(made, [("outside".to_owned(), true), ("outside/x".to_owned(), false)]);
        assert_eq!(notes.0.touched.len(), 1, "only the root was there before");
    }

    #[test]
    fn circles_and_files_in_the_middle_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        symlink("b", dir.path().join("a")).unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let tree = tree(dir.path());
        assert_eq!(tree.find("a".into()).unwrap_err(), Errno::LOOP);
        assert_eq!(tree.ensure("file/x".into(), Kind::File, &mut Notes::default()).unwrap_err(), Errno::NOTDIR);
    }

    #[test]
    fn what_is_there_is_not_recorded() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let mut notes = Notes::default();
        tree(dir.path()).ensure("file".into(), Kind::File, &mut notes).unwrap();
        assert_eq!(notes.0, Trace::default());
    }

    /// Another step that makes the name between the look and the making.
    struct Overtaken<'a>(&'a Path, Notes);

    impl Recorder for Overtaken<'_> {
        fn record(&mut self, trace: Trace) -> Result<()> {
            fs::create_dir(self.0).unwrap();
            self.1.record(trace)
        }
        fn so_far(&self) -> &Trace {
            self.1.so_far()
        }
        fn owns(&self, directory: &BStr) -> Option<bool> {
            self.1.owns(directory)
        }
    }

    #[test]
    fn what_another_step_made_meanwhile_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let made = dir.path().join("shared");
        let mut overtaken = Overtaken(&made, Notes::default());
        let place = tree(dir.path()).ensure("shared".into(), Kind::Directory, &mut overtaken).unwrap();
        assert!(place.path == "shared" && place.kind == Kind::Directory);
    }
}
