//! Advisory locks on files, held while a value lives.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// A held lock; dropping it lets go. A process that dies lets go too.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Waits until no other process holds the lock in any way, then holds it alone. The file is made if absent.
pub fn lock_exclusive(path: &Path) -> io::Result<Lock> {
    hold(open(path)?, FlockOperation::LockExclusive)
}

/// Waits until no other process holds the lock alone, then holds it beside other readers. The file is made
/// if absent.
pub fn lock_shared(path: &Path) -> io::Result<Lock> {
    hold(open(path)?, FlockOperation::LockShared)
}

/// Holds the lock alone if that is possible at once; `None` if someone else has it.
pub fn try_lock_exclusive(path: &Path) -> io::Result<Option<Lock>> {
    let file = open(path)?;
    Ok(try_flock(&file, FlockOperation::NonBlockingLockExclusive)?.then_some(Lock { _file: file }))
}

/// Opens a file that grows to its final form under this name and holds it alone, after waiting for whoever has it;
/// `None` where that one finished it and took the name away.
pub(crate) fn lock_growing(path: &Path) -> io::Result<Option<File>> {
    let file = open(path)?;
    wait_flock(&file, FlockOperation::LockExclusive)?;
    let (named, open) = (std::fs::metadata(path), file.metadata()?);
    let still = named.is_ok_and(|named| (named.dev(), named.ino()) == (open.dev(), open.ino()));
    Ok(still.then_some(file))
}

/// How often a lock file is tried to be opened whose directory goes away meanwhile.
const TRIES: usize = 50;

fn open(path: &Path) -> io::Result<File> {
    for _ in 1..TRIES {
        match open_once(path) {
            // who tidies up beside this process takes empty directories away; one that is taken while it is made is said to be there
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => {}
            other => return other,
        }
    }
    open_once(path)
}

fn open_once(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn hold(file: File, operation: FlockOperation) -> io::Result<Lock> {
    wait_flock(&file, operation)?;
    Ok(Lock { _file: file })
}

/// Applies a blocking lock operation, again after signals.
pub(crate) fn wait_flock(file: &File, operation: FlockOperation) -> io::Result<()> {
    rustix::io::retry_on_intr(|| flock(file, operation)).map_err(io::Error::from)
}

/// Applies a non-blocking lock operation; false if somebody else is in the way.
pub(crate) fn try_flock(file: &File, operation: FlockOperation) -> io::Result<bool> {
    match rustix::io::retry_on_intr(|| flock(file, operation)) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exclusive_lock_keeps_others_out_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("below/a.lock");
        let held = lock_exclusive(&path).unwrap();
        assert!(try_lock_exclusive(&path).unwrap().is_none());
        drop(held);
        assert!(try_lock_exclusive(&path).unwrap().is_some());
    }

    #[test]
    fn shared_locks_live_together_and_keep_an_exclusive_one_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.lock");
        let one = lock_shared(&path).unwrap();
        let two = lock_shared(&path).unwrap();
        assert!(try_lock_exclusive(&path).unwrap().is_none());
        drop((one, two));
        assert!(try_lock_exclusive(&path).unwrap().is_some());
    }
}
