//! A file in place of `/dev/null`, for file systems on which no device opens.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::inotify::{CreateFlags, WatchFlags};
use rustix::fs::{Mode, OFlags};

use crate::error::{Fault, Step};

/// A file that is emptied as soon as something was written to it.
///
/// Between the two a reader may see what was just written: commands that write to `/dev/null` and commands that read from
/// it are rarely the same.
#[derive(Debug)]
pub(in crate::helper) struct EmulatedNull {
    file: File,
    changes: OwnedFd,
}

impl EmulatedNull {
    /// Makes `null` in a directory.
    pub(super) fn make(dev: &OwnedFd) -> Result<Self, Fault> {
        let step = || "make /dev/null";
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(dev, "null", flags, Mode::from(0o666)).step(step)?);
        let changes = rustix::fs::inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).step(step)?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        rustix::fs::inotify::add_watch(&changes, path, WatchFlags::MODIFY).step(step)?;
        Ok(Self { file, changes })
    }

    /// Becomes readable when something was written.
    pub(in crate::helper) fn changes(&self) -> BorrowedFd<'_> {
        self.changes.as_fd()
    }

    /// Throws away what was written.
    pub(in crate::helper) fn empty(&self) {
        let mut events = [0; 4096];
        while rustix::io::read(&self.changes, &mut events).is_ok_and(|count| count > 0) {}
        // emptying it is a change too, but not one of a file that is empty
        if self.file.metadata().is_ok_and(|metadata| metadata.len() > 0) {
            let _ = self.file.set_len(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::OwnedFd;

    use rustix::event::{PollFd, PollFlags};

    use super::EmulatedNull;

    #[test]
    fn what_is_written_is_noticed_and_gone() {
        let dir = tempfile::tempdir().unwrap();
        let null = EmulatedNull::make(&OwnedFd::from(fs::File::open(dir.path()).unwrap())).unwrap();
        fs::write(dir.path().join("null"), "text").unwrap();
        let mut fds = [PollFd::from_borrowed_fd(null.changes(), PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut fds, None).unwrap(), 1);
        null.empty();
        assert_eq!(fs::read(dir.path().join("null")).unwrap(), b"");
    }
}
