//! Leaving no trace: mount points made for a run are removed again, and times put back.
//!
//! A mount needs something to be mounted on. What the image lacks (`/proc`, `/etc/resolv.conf`, `/run/secrets/x`) is
//! made before the command runs and must not be part of the layer. Making it touches three things: the stub itself,
//! the modification time of its parent, and, in an overlay, the upper directory, into which all parents are copied.
//! Process 1 writes down every touch before it makes it ([`Trace`]); the helper undoes them when the command has ended,
//! or the parent does if the helper was killed. Whatever the command itself changed stays.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT};
use serde::{Deserialize, Serialize};

use crate::spec::{MountSource, RootFs, Spec};

/// A time of the file system: seconds and nanoseconds.
type Time = (i64, i64);

/// The kernel's limit of one attribute, and of all names of one file (XATTR_SIZE_MAX).
const XATTR_LIMIT: usize = 64 << 10;

/// What was touched, in the order in which it happened. Paths are relative to the root, without symbolic links.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trace {
    pub(crate) made: Vec<Made>,
    pub(crate) touched: Vec<Touched>,
    pub(crate) settled: Vec<Settled>,
}

/// Something that was not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) path: BString,
    pub(crate) directory: bool,
}

/// A directory of the image that got a stub, or lies above one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Touched {
    pub(crate) path: BString,
    /// Its modification time before.
    pub(crate) modified: Time,
    /// Whether the writable directory itself had it; if not, an overlay copies it there.
    pub(crate) own: bool,
}

/// A touched directory of the writable directory just before the command was executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settled {
    pub(crate) path: BString,
    pub(crate) modified: Time,
    /// Its mode, owner and extended attributes, to see whether they were changed.
    pub(crate) look: BString,
}

impl Trace {
    /// Adds a later part.
    pub(crate) fn extend(&mut self, later: Trace) {
        self.made.extend(later.made);
        self.touched.extend(later.touched);
        self.settled.extend(later.settled);
    }

    /// Whether a directory is known already, as made or as touched.
    pub(crate) fn knows(&self, path: &BStr) -> bool {
        self.made.iter().any(|made| made.path == path) || self.touched.iter().any(|touched| touched.path == path)
    }
}

/// What has to be cleaned after a run.
#[derive(Debug)]
pub(crate) struct Grounds {
    /// The directory that gets the changes; none when the root is read-only.
    base: Option<PathBuf>,
    /// Working space of overlays: emptied.
    work: Option<PathBuf>,
}

impl Grounds {
    pub(crate) fn of(root: &RootFs) -> Self {
        match root {
            RootFs::Dir(dir) => Self { base: Some(dir.clone()), work: None },
            RootFs::Overlay { upper, work, .. } => Self { base: Some(upper.clone()), work: Some(work.clone()) },
            RootFs::ReadOnly { .. } => Self { base: None, work: None },
        }
    }

    /// The directory that gets the changes.
    pub(crate) fn base(&self) -> Option<&Path> {
        self.base.as_deref()
    }

    /// Where the discarded writes of a spec's mounts go: beside the overlay's working space, on disk, or in memory
    /// (`None`) where there is none.
    pub(crate) fn scratch(spec: &Spec) -> Option<PathBuf> {
        let RootFs::Overlay { work, .. } = &spec.root else { return None };
        let writes = |mount: &crate::spec::Mount| {
            matches!(mount.source, MountSource::Scratch { .. } | MountSource::Union { writable: true, .. })
        };
        spec.mounts.iter().any(writes).then(|| scratch_beside(work))
    }

    /// Undoes what the trace tells. What cannot be undone stays: this is the last act of a run and has nobody to tell.
    pub(crate) fn clean(&self, trace: &Trace) {
        if let Some(base) = &self.base {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            if let Ok(base) = rustix::fs::openat(CWD, base, flags, Mode::empty()) {
                undo(&base, trace);
            }
        }
        if let Some(work) = &self.work {
            // overlayfs refuses a second mount of what was once mounted `volatile`
            let _ = std::fs::remove_dir_all(work.join("work"));
            let _ = std::fs::remove_dir_all(scratch_beside(work));
        }
    }
}

fn scratch_beside(work: &Path) -> PathBuf {
    let mut name = work.file_name().unwrap_or_default().to_owned();
    name.push(".scratch");
    work.with_file_name(name)
}

/// Describes the touched directories as they are now, for [`Trace::settled`].
pub(crate) fn settle(base: impl AsFd, trace: &Trace) -> Trace {
    let settled = trace.touched.iter().filter_map(|touched| {
        let dir = open(&base, touched.path.as_bstr()).ok()?;
        let stat = rustix::fs::fstat(&dir).ok()?;
        Some(Settled { path: touched.path.clone(), modified: modified(&stat), look: look(&dir, &stat) })
    });
    Trace { settled: settled.collect(), ..Trace::default() }
}

/// Whether the writable directory itself has this directory.
pub(crate) fn has(base: impl AsFd, path: &BStr) -> bool {
    open(base, path).is_ok()
}

pub(crate) fn modified(stat: &Stat) -> Time {
    (stat.st_mtime, stat.st_mtime_nsec as i64)
}

/// Mode, owner and extended attributes in one comparable text, without overlayfs' own marks.
fn look(dir: &OwnedFd, stat: &Stat) -> BString {
    let mut look = BString::from(format!("{:o} {} {}", stat.st_mode, stat.st_uid, stat.st_gid));
    // a descriptor opened with O_PATH has no attributes, its name under /proc has
    let path = format!("/proc/self/fd/{}", dir.as_raw_fd());
    let mut names = vec![0; XATTR_LIMIT];
    let len = rustix::fs::listxattr(&path, names.as_mut_slice()).unwrap_or(0);
    names.truncate(len);
    let mut value = vec![0; XATTR_LIMIT];
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
            continue;
        }
        let len = rustix::fs::getxattr(&path, name, value.as_mut_slice()).unwrap_or(0);
        look.extend_from_slice(name);
        look.extend_from_slice(&value[..len]);
    }
    look
}

fn undo(base: &OwnedFd, trace: &Trace) {
    // removing stubs moves times: look at everything first
    let directories = trace.touched.iter().map(|touched| &touched.path);
    let directories = directories.chain(trace.made.iter().filter(|made| made.directory).map(|made| &made.path));
    let now: BTreeMap<&BString, (Stat, BString)> = directories
        .filter_map(|path| {
            let dir = open(base, path.as_bstr()).ok()?;
            let stat = rustix::fs::fstat(&dir).ok()?;
            Some((path, (stat, look(&dir, &stat))))
        })
        .collect();
    for made in trace.made.iter().rev() {
        remove(base, made);
    }
    let settled: BTreeMap<&BString, &Settled> = trace.settled.iter().map(|settled| (&settled.path, settled)).collect();
    let mut touched: Vec<&Touched> = trace.touched.iter().collect();
    touched.sort_by_key(|touched| std::cmp::Reverse(depth(touched.path.as_bstr())));
    for touched in touched {
        let Some((stat, look)) = now.get(&touched.path) else { continue };
        let settled = settled.get(&touched.path);
        let same_time = settled.is_none_or(|settled| settled.modified == modified(stat));
        let pristine = same_time && settled.is_none_or(|settled| settled.look == *look);
        if pristine && !touched.own && remove_directory(base, touched.path.as_bstr()) {
            continue;
        }
        if let Ok(dir) = open(base, touched.path.as_bstr()) {
            set_modified(&dir, if same_time { touched.modified } else { modified(stat) });
        }
    }
    for made in trace.made.iter().filter(|made| made.directory) {
        if let (Some((stat, _)), Ok(dir)) = (now.get(&made.path), open(base, made.path.as_bstr())) {
            // still there: the command put something into it
            set_modified(&dir, modified(stat));
        }
    }
}

fn depth(path: &BStr) -> usize {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).count()
}

/// Opens a directory below `base` without following any symbolic link, which the command may have put there.
pub(crate) fn open(base: impl AsFd, path: &BStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut dir = rustix::fs::openat(base, c".", flags, Mode::empty())?;
    for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
        dir = rustix::fs::openat(&dir, part, flags, Mode::empty())?;
    }
    Ok(dir)
}

/// The open parent and the last name of a path.
fn parent(base: &OwnedFd, path: &BStr) -> Option<(OwnedFd, BString)> {
    let (parent, name) = match path.rfind_byte(b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&path[..0], path),
    };
    let open = open(base, parent.as_bstr()).ok()?;
    (!name.is_empty()).then(|| (open, name.to_owned()))
}

fn remove(base: &OwnedFd, made: &Made) {
    if made.directory {
        remove_directory(base, made.path.as_bstr());
        return;
    }
    let Some((parent, name)) = parent(base, made.path.as_bstr()) else { return };
    let Ok(stat) = rustix::fs::statat(&parent, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW) else { return };
    // a file with content is no stub any more
    if FileType::from_raw_mode(stat.st_mode).is_file() && stat.st_size == 0 {
        let _ = rustix::fs::unlinkat(&parent, name.as_slice(), AtFlags::empty());
    }
}

/// Removes a directory if it is empty; whether it is gone.
fn remove_directory(base: &OwnedFd, path: &BStr) -> bool {
    parent(base, path)
        .is_some_and(|(parent, name)| rustix::fs::unlinkat(&parent, name.as_slice(), AtFlags::REMOVEDIR).is_ok())
}

/// Sets the modification time of a directory, if that can be.
pub(crate) fn set_modified(dir: &OwnedFd, time: Time) {
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT as _ },
        last_modification: Timespec { tv_sec: time.0, tv_nsec: time.1 as _ },
    };
    let _ = rustix::fs::utimensat(dir, c".", &times, AtFlags::empty());
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use super::{Grounds, Made, Touched, Trace, settle};
    use crate::spec::RootFs;

    /// Makes stubs as process 1 does: written down first, then made.
    fn stub(root: &Path, trace: &mut Trace, path: &str, directory: bool, own: bool) {
        let parent = Path::new(path).parent().unwrap();
        let stat = fs::metadata(root.join(parent)).unwrap();
        let parent = parent.to_str().unwrap();
        if !trace.knows(parent.into()) {
            trace.touched.push(Touched { path: parent.into(), modified: (stat.mtime(), stat.mtime_nsec()), own });
        }
        trace.made.push(Made { path: path.into(), directory });
        if directory { fs::create_dir(root.join(path)).unwrap() } else { fs::write(root.join(path), "").unwrap() }
    }

    fn age(path: &Path) {
        let old = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
        fs::File::open(path).unwrap().set_times(old).unwrap();
    }

    fn finish(root: &Path, trace: &mut Trace, command: impl FnOnce()) {
        trace.extend(settle(fs::File::open(root).unwrap(), trace));
        command();
        Grounds::of(&RootFs::Dir(root.to_owned())).clean(trace);
    }

    #[test]
    fn stubs_vanish_and_times_are_put_back() {
        let root = tempfile::tempdir().unwrap();
        let mut trace = Trace::default();
        age(root.path());
        stub(root.path(), &mut trace, "run", true, true);
        stub(root.path(), &mut trace, "run/secret", false, true);
        finish(root.path(), &mut trace, || {});
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        assert_eq!(fs::metadata(root.path()).unwrap().mtime(), 0);
    }

    #[test]
    fn what_the_command_did_stays() {
        let root = tempfile::tempdir().unwrap();
        let mut trace = Trace::default();
        age(root.path());
        stub(root.path(), &mut trace, "run", true, true);
        stub(root.path(), &mut trace, "run/secret", false, true);
        stub(root.path(), &mut trace, "taken", false, true);
        finish(root.path(), &mut trace, || {
            fs::write(root.path().join("run/pid"), "1").unwrap();
            fs::write(root.path().join("taken"), "text").unwrap();
            fs::write(root.path().join("new"), "").unwrap();
        });
        assert!(root.path().join("run/pid").exists() && root.path().join("taken").exists());
        assert!(!root.path().join("run/secret").exists());
        assert_ne!(fs::metadata(root.path()).unwrap().mtime(), 0, "the command made a file here");
    }

    #[test]
    fn directories_copied_up_for_a_stub_vanish_unless_changed() {
        for changed in [false, true] {
            let root = tempfile::tempdir().unwrap();
            let mut trace = Trace::default();
            fs::create_dir(root.path().join("etc")).unwrap();
            stub(root.path(), &mut trace, "etc/hosts", false, false);
            finish(root.path(), &mut trace, || {
                if changed {
                    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
                    fs::set_permissions(root.path().join("etc"), mode).unwrap();
                }
            });
            assert_eq!(root.path().join("etc").exists(), changed);
        }
    }

    #[test]
    fn a_symbolic_link_is_not_followed_out() {
        let outside = tempfile::tempdir().unwrap();
        fs::create_dir(outside.path().join("sub")).unwrap();
        let root = tempfile::tempdir().unwrap();
        let mut trace = Trace::default();
        stub(root.path(), &mut trace, "dir", true, true);
        stub(root.path(), &mut trace, "dir/sub", true, true);
        finish(root.path(), &mut trace, || {
            fs::remove_dir_all(root.path().join("dir")).unwrap();
            std::os::unix::fs::symlink(outside.path(), root.path().join("dir")).unwrap();
        });
        assert!(outside.path().join("sub").exists());
    }
}
