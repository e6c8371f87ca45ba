//! A file system in memory in which the sandbox is put together.
//!
//! It is mounted over the spec's own root directory, in a mount namespace that nobody else sees: no directory has to be
//! made on the host, nothing of the host that is still needed is covered, and it goes away with the namespace.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::MountFlags;

use crate::error::{Fault, Step};

/// The open workshop.
#[derive(Debug)]
pub(super) struct Workshop {
    dir: OwnedFd,
    names: u32,
}

impl Workshop {
    /// Mounts a workshop over a directory, of which the caller has opened all that it still needs.
    pub(super) fn open(over: &Path) -> Result<Self, Fault> {
        let step = || format!("mount tmpfs over {}", over.display());
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        rustix::mount::mount(c"plim", over, c"tmpfs", flags, c"mode=0700").step(step)?;
        Ok(Self { dir: open_dir(over).step(step)?, names: 0 })
    }

    /// A new empty directory, owned by root with mode 0755.
    pub(super) fn directory(&mut self) -> Result<OwnedFd, Fault> {
        self.named_directory().map(|(_, dir)| dir)
    }

    /// A new directory on which something is mounted by `mount`; returns what was mounted.
    pub(super) fn mounted(&mut self, mount: impl FnOnce(&OwnedFd) -> Result<(), Fault>) -> Result<OwnedFd, Fault> {
        let (name, below) = self.named_directory()?;
        mount(&below)?;
        self.open_name(&name).step(|| "open a new mount")
    }

    /// A new file with this content.
    pub(super) fn file(&mut self, content: &[u8], mode: u32, uid: u32, gid: u32) -> Result<OwnedFd, Fault> {
        let name = self.name();
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.dir, &name, flags, Mode::from(0o600)).step(|| "create a file in memory")?;
        let mut file = std::fs::File::from(file);
        file.write_all(content).step(|| "write a file in memory")?;
        match rustix::fs::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))) {
            // a number that this user namespace does not know: nobody inside can have it either
            Ok(()) | Err(Errno::INVAL) => {}
            Err(error) => return Err(error).step(|| "set the owner of a file in memory"),
        }
        rustix::fs::fchmod(&file, Mode::from(mode & 0o7777)).step(|| "set the mode of a file in memory")?;
        self.open_name(&name).step(|| "open a file in memory")
    }

    fn named_directory(&mut self) -> Result<(String, OwnedFd), Fault> {
        let name = self.name();
        rustix::fs::mkdirat(&self.dir, &name, Mode::from(0o755)).step(|| "create a directory in memory")?;
        let dir = self.open_name(&name).step(|| "open a directory in memory")?;
        Ok((name, dir))
    }

    fn name(&mut self) -> String {
        self.names += 1;
        self.names.to_string()
    }

    fn open_name(&self, name: &str) -> rustix::io::Result<OwnedFd> {
        rustix::fs::openat(&self.dir, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
    }
}

/// Opens a directory of the host as a mere place.
pub(super) fn open_dir(path: &Path) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}
