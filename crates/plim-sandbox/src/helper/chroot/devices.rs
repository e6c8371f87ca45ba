//! `/dev` and what of `/proc` can be had where neither can be mounted.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, Mode, OFlags};

use super::null::EmulatedNull;
use crate::error::{Fault, Step};

/// The devices that every container has, with their numbers (Linux, Documentation/admin-guide/devices.txt).
const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Links that lead somewhere only with a `/proc`: without them a program would make an ordinary file there.
const LINKS: [(&str, &str); 4] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
];

/// Files of `/proc` that are about the machine, not about processes.
const FACTS: [&str; 7] = ["cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "uptime", "version"];

/// No such file is longer, but on the largest machines.
const LIMIT: u64 = 4 << 20;

/// Fills `/dev`. Where devices cannot be made or opened only `/dev/null` is there, as a file that is kept empty.
pub(super) fn make(dev: &OwnedFd) -> Result<Option<EmulatedNull>, Fault> {
    for (name, mode) in [("shm", 0o1777), ("pts", 0o755), ("mqueue", 0o1777)] {
        rustix::fs::mkdirat(dev, name, Mode::from(mode)).step(|| format!("make /dev/{name}"))?;
    }
    for (target, name) in LINKS {
        rustix::fs::symlinkat(target, dev, name).step(|| format!("make /dev/{name}"))?;
    }
    for (name, major, minor) in DEVICES {
        let device = rustix::fs::makedev(major, minor);
        // a refusal is noticed below
        let _ = rustix::fs::mknodat(dev, name, FileType::CharacterDevice, Mode::from(0o666), device);
    }
    // a file system mounted `nodev` has devices that do not open
    let null = rustix::fs::openat(dev, "null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    if null.is_ok() {
        return Ok(None);
    }
    for (name, ..) in DEVICES {
        let _ = rustix::fs::unlinkat(dev, name, rustix::fs::AtFlags::empty());
    }
    EmulatedNull::make(dev).map(Some)
}

/// Copies facts about the machine to `/proc`; what cannot be read is left out.
pub(super) fn processes(proc: &OwnedFd) {
    for name in FACTS {
        let mut text = Vec::new();
        let read = File::open(format!("/proc/{name}")).and_then(|file| file.take(LIMIT).read_to_end(&mut text));
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        if read.is_ok()
            && let Ok(file) = rustix::fs::openat(proc, name, flags, Mode::from(0o444))
        {
            let _ = std::io::Write::write_all(&mut File::from(file), &text);
        }
    }
}
