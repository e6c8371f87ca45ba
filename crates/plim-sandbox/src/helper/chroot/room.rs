//! What a run needs in its root directory, put there and taken out again.
//!
//! What a thing is put over waits in a directory beside the root and comes back by its name. Nothing of this shows in the
//! root afterwards: stubs go, times are put back ([`crate::stubs`]). A secret is erased through an open file, so that it
//! is gone also where the command has moved or linked it to.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice};
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::null::EmulatedNull;
use super::{devices, replica};
use crate::error::{Fault, Step};
use crate::helper::mounts;
use crate::helper::place::{Kind, Recorder, Tree, name_of};
use crate::helper::sources;
use crate::helper::workshop::open_dir;
use crate::spec::{Mount, MountSource, ResolvConf, RootFs, Spec};
use crate::stubs::{self, Grounds, Touched, Trace};

/// The root directory of a run with all that was put into it.
pub(super) struct Room {
    tree: Tree,
    /// Another handle of the root, for what is done by name.
    base: OwnedFd,
    grounds: Grounds,
    trace: Trace,
    /// Where covered things wait.
    stash: (PathBuf, OwnedFd),
    things: Vec<Thing>,
    null: Option<EmulatedNull>,
}

/// Something put into the root.
struct Thing {
    /// Relative to the root, without symbolic links.
    path: BString,
    /// Device and inode.
    inode: (u64, u64),
    /// Where it goes afterwards; none if it goes away.
    home: Option<PathBuf>,
    /// A secret, to be found by whatever name.
    secret: Option<OwnedFd>,
}

impl Room {
    /// Puts everything into the root that the spec asks for.
    pub(super) fn furnish(spec: &Spec) -> Result<Self, Fault> {
        let RootFs::Dir(root) = &spec.root else {
            // `launch::check` has made sure that it is one
            return Err(Fault::Invalid("the root file system is no directory".to_owned()));
        };
        let open = |path: &Path| open_dir(path).step(|| format!("open {}", path.display()));
        let stash = stash_beside(root);
        // what an earlier run that was killed may have left
        let _ = std::fs::remove_dir_all(&stash);
        std::fs::create_dir(&stash).step(|| format!("create {}", stash.display()))?;
        let mut room = Self {
            tree: Tree::new(open(root)?),
            base: open(root)?,
            grounds: Grounds::of(&spec.root),
            trace: Trace::default(),
            stash: (stash.clone(), open(&stash)?),
            things: Vec::new(),
            null: None,
        };
        room.put_all(spec)?;
        room.settle();
        Ok(room)
    }

    pub(super) fn root(&self) -> &OwnedFd {
        self.tree.root()
    }

    /// The file that stands in for `/dev/null`, if one has to.
    pub(super) fn take_null(&mut self) -> Option<EmulatedNull> {
        self.null.take()
    }

    fn put_all(&mut self, spec: &Spec) -> Result<(), Fault> {
        self.put("/proc".into(), Kind::Directory, |parent, name| {
            make_directory(parent, name, 0o555)?;
            devices::processes(&open_directory(parent, name)?);
            Ok(None)
        })?;
        let mut null = None;
        self.put("/dev".into(), Kind::Directory, |parent, name| {
            make_directory(parent, name, 0o755)?;
            null = devices::make(&open_directory(parent, name)?)?;
            Ok(None)
        })?;
        self.null = null;
        self.put("/sys".into(), Kind::Directory, |parent, name| make_directory(parent, name, 0o555).map(|()| None))?;
        let hosts = mounts::hosts(spec);
        self.text(spec, "/etc/hosts", hosts.as_bytes())?;
        if spec.resolv_conf == ResolvConf::Host
            && let Some(text) = sources::resolv_conf()
        {
            self.text(spec, "/etc/resolv.conf", &text)?;
        }
        let mut order: Vec<&Mount> = spec.mounts.iter().collect();
        order.sort_by(|a, b| mounts::names(a.target.as_bstr()).cmp(mounts::names(b.target.as_bstr())));
        order.into_iter().try_for_each(|mount| self.mount(mount))
    }

    fn text(&mut self, spec: &Spec, target: &str, text: &[u8]) -> Result<(), Fault> {
        if mounts::replaces(spec, target) {
            return Ok(());
        }
        self.put(target.into(), Kind::File, |parent, name| make_file(parent, name, text, (0o644, 0, 0)).map(|_| None))
    }

    fn mount(&mut self, mount: &Mount) -> Result<(), Fault> {
        let target = mount.target.as_bstr();
        match &mount.source {
            MountSource::Content { bytes, mode, uid, gid } => {
                let mut secret = None;
                self.put(target, Kind::File, |parent, name| {
                    secret = Some(make_file(parent, name, bytes.expose(), (*mode, *uid, *gid))?);
                    Ok(None)
                })?;
                if let Some(thing) = self.things.last_mut() {
                    thing.secret = secret;
                }
                Ok(())
            }
            MountSource::Tmpfs { mode, .. } => {
                self.put(target, Kind::Directory, |parent, name| make_directory(parent, name, *mode).map(|()| None))
            }
            MountSource::Bind { read_only: false, .. } => {
                Err(Fault::Invalid(format!("without namespaces {target} can only be mounted to be read (`:ro`)")))
            }
            MountSource::Bind { path, .. } | MountSource::Scratch { path } => {
                let (_, kind) = sources::open_any(path)?;
                self.put(target, kind, |parent, name| {
                    replica::copy(path, parent, name).step(|| format!("copy {} to {target}", path.display()))?;
                    Ok(None)
                })
            }
            MountSource::Moved { path, back } => {
                let (_, kind) = sources::open_any(path)?;
                self.put(target, kind, |parent, name| {
                    let step = || format!("move {} to {target}", path.display());
                    match rustix::fs::renameat(CWD, path.as_path(), parent, name.as_bytes()) {
                        Ok(()) => {}
                        Err(Errno::XDEV) => replica::copy(path, parent, name).step(step)?,
                        Err(error) => return Err(error).step(step),
                    }
                    Ok(back.then(|| path.clone()))
                })
            }
            // `launch::check` refuses it
            MountSource::Union { .. } => Err(Fault::Invalid(format!("{target} cannot be merged"))),
        }
    }

    /// Puts something at a path: sets aside what is there, has the thing made, and remembers both. `make` says where the
    /// thing belongs afterwards.
    fn put(
        &mut self,
        target: &BStr,
        kind: Kind,
        make: impl FnOnce(&OwnedFd, &BStr) -> Result<Option<PathBuf>, Fault>,
    ) -> Result<(), Fault> {
        let mut recorder = Notes { trace: &mut self.trace, things: &self.things };
        let place = self.tree.ensure(target, kind, &mut recorder);
        let place = place.step(|| format!("make a place for {target}"))?;
        if place.path.is_empty() {
            return Err(Fault::Invalid(format!("the mount target `{target}` is the root directory")));
        }
        if place.kind != kind {
            let error = if kind == Kind::File { Errno::ISDIR } else { Errno::NOTDIR };
            return Err(error).step(|| format!("mount on {target}"));
        }
        let (above, name) = split(place.path.as_bstr());
        let step = || format!("make room for {target}");
        let parent = stubs::open(&self.base, above).step(step)?;
        let before = rustix::fs::fstat(&parent).step(step)?;
        if recorder.owns(above).is_some() && !self.trace.knows(above) {
            let touched = Touched { path: above.to_owned(), modified: stubs::modified(&before), own: true };
            self.trace.touched.push(touched);
        }
        let number = self.things.len().to_string();
        rustix::fs::renameat(&parent, name.as_bytes(), &self.stash.1, &number).step(step)?;
        // from here on it is taken out again, made or not
        let thing = Thing { path: place.path.clone(), inode: (0, 0), home: None, secret: None };
        self.things.push(thing);
        let home = make(&parent, name)?;
        let stat = rustix::fs::statat(&parent, name.as_bytes(), AtFlags::SYMLINK_NOFOLLOW).step(step)?;
        if let Some(thing) = self.things.last_mut() {
            (thing.inode, thing.home) = ((stat.st_dev, stat.st_ino), home);
        }
        stubs::set_modified(&parent, stubs::modified(&before));
        Ok(())
    }

    /// Puts back the times of directories, and notes how these look now that only the command can change them.
    fn settle(&mut self) {
        for touched in &self.trace.touched {
            if let Ok(directory) = stubs::open(&self.base, touched.path.as_bstr()) {
                stubs::set_modified(&directory, touched.modified);
            }
        }
        let settled = stubs::settle(&self.base, &self.trace);
        self.trace.extend(settled);
    }

    /// Takes everything out. What cannot be undone stays: there is nobody to tell.
    pub(super) fn clear(&mut self) {
        for number in (0..self.things.len()).rev() {
            let thing = self.things.swap_remove(number);
            self.take_out(&thing, number);
        }
        self.grounds.clean(&std::mem::take(&mut self.trace));
        let _ = std::fs::remove_dir_all(&self.stash.0);
    }

    fn take_out(&self, thing: &Thing, number: usize) {
        if let Some(secret) = &thing.secret {
            erase(secret);
        }
        let (above, name) = split(thing.path.as_bstr());
        // gone where the command has removed or moved it
        let Ok(parent) = stubs::open(&self.base, above) else { return };
        let time = rustix::fs::fstat(&parent).map(|stat| stubs::modified(&stat));
        if let Ok(stat) = rustix::fs::statat(&parent, name.as_bytes(), AtFlags::SYMLINK_NOFOLLOW) {
            let same = (stat.st_dev, stat.st_ino) == thing.inode;
            if let Some(home) = thing.home.as_deref().filter(|_| same) {
                send_home(&parent, name, home);
            }
            replica::remove(&parent, name);
        }
        let _ = rustix::fs::renameat(&self.stash.1, number.to_string(), &parent, name.as_bytes());
        if let Ok(time) = time {
            stubs::set_modified(&parent, time);
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Notes what is made in the root. What is made inside a thing goes with it.
struct Notes<'a> {
    trace: &'a mut Trace,
    things: &'a [Thing],
}

impl Recorder for Notes<'_> {
    fn record(&mut self, trace: Trace) -> rustix::io::Result<()> {
        self.trace.extend(trace);
        Ok(())
    }

    fn so_far(&self) -> &Trace {
        self.trace
    }

    fn owns(&self, directory: &BStr) -> Option<bool> {
        let inside = |thing: &Thing| {
            let rest = directory.strip_prefix(thing.path.as_bytes());
            rest.is_some_and(|rest| rest.first().is_none_or(|next| *next == b'/'))
        };
        (!self.things.iter().any(inside)).then_some(true)
    }
}

/// Moves a thing back to the host, or copies it where that is another file system.
fn send_home(parent: &OwnedFd, name: &BStr, home: &Path) {
    if rustix::fs::renameat(parent, name.as_bytes(), CWD, home) != Err(Errno::XDEV) {
        return;
    }
    let Some((above, own)) = home.parent().zip(home.file_name()) else { return };
    let Ok(above) = open_dir(above) else { return };
    // whole or not at all
    let fresh = [b".fresh-".as_slice(), own.as_encoded_bytes()].concat();
    replica::remove(&above, fresh.as_bstr());
    if replica::copy_at(parent, name, &above, fresh.as_bstr()).is_ok() {
        replica::remove(&above, own.as_encoded_bytes().as_bstr());
        let _ = rustix::fs::renameat(&above, &fresh, &above, own);
    }
}

fn stash_beside(root: &Path) -> PathBuf {
    let mut name = root.file_name().unwrap_or_default().to_owned();
    name.push(".covered");
    root.with_file_name(name)
}

/// The directory and the last name of a path.
fn split(path: &BStr) -> (&BStr, &BStr) {
    match path.rfind_byte(b'/') {
        Some(slash) => (path[..slash].as_bstr(), path[slash + 1..].as_bstr()),
        None => (BStr::new(""), path),
    }
}

fn make_directory(parent: &OwnedFd, name: &BStr, mode: u32) -> Result<(), Fault> {
    rustix::fs::mkdirat(parent, name.as_bytes(), Mode::from(mode & 0o7777)).step(|| format!("create {name}"))
}

fn open_directory(parent: &OwnedFd, name: &BStr) -> Result<OwnedFd, Fault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name.as_bytes(), flags, Mode::empty()).step(|| format!("open {name}"))
}

/// Makes a file with mode, owner and group; returns a handle that does not keep it from being executed.
fn make_file(parent: &OwnedFd, name: &BStr, content: &[u8], look: (u32, u32, u32)) -> Result<OwnedFd, Fault> {
    let step = || format!("create {name}");
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(parent, name.as_bytes(), flags, Mode::from(0o600)).step(step)?);
    file.write_all(content).step(step)?;
    rustix::fs::fchown(file.as_fd(), Some(Uid::from_raw(look.1)), Some(Gid::from_raw(look.2))).step(step)?;
    rustix::fs::fchmod(file.as_fd(), Mode::from(look.0 & 0o7777)).step(step)?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name.as_bytes(), flags, Mode::empty()).step(step)
}

/// Cuts a file to nothing, whatever its name is by now.
///
/// Its bytes are not overwritten: what the command has sent to a pipe without copying it may still be on its way.
fn erase(secret: &OwnedFd) {
    if let Ok(file) = File::options().write(true).open(name_of(secret)) {
        let _ = file.set_len(0);
    }
}
