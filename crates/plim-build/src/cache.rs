//! What earlier builds left: which snapshot answers a step, which blob answers a snapshot, and what the last
//! build of a Dockerfile looked like.

mod explain;
mod key;
mod layer;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use plim_oci::Digest;
use plim_oci::lock::{Lock, lock_exclusive};

pub(crate) use explain::Journal;
pub(crate) use key::{Key, Op};
pub(crate) use layer::LayerRecord;

/// The table from step keys to snapshots.
///
/// A key usually names its own snapshot. It names another one when two definitions turned out to read the
/// same content, and after a build without the cache, whose results must replace the old ones.
#[derive(Debug)]
pub(crate) struct StepCache {
    dir: PathBuf,
}

impl StepCache {
    /// Opens the table below `dir`; it need not exist.
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Returns the snapshot that answers a key. A damaged record answers nothing.
    pub(crate) fn get(&self, key: &Digest) -> Option<Digest> {
        fs::read_to_string(self.path("steps", key)).ok()?.trim().parse().ok()
    }

    /// Notes the snapshot that answers a key.
    pub(crate) fn put(&self, key: &Digest, snapshot: &Digest) -> io::Result<()> {
        write_whole(&self.path("steps", key), snapshot.as_str().as_bytes())
    }

    /// Waits until no other build works on this key, then holds it.
    pub(crate) fn lock(&self, key: &Digest) -> io::Result<StepLock> {
        let path = self.path("locks", key);
        Ok(StepLock { _lock: lock_exclusive(&path)?, path })
    }

    /// Forgets the keys whose snapshots are gone.
    pub(crate) fn prune(&self, exists: &dyn Fn(&Digest) -> bool) -> io::Result<()> {
        let table = self.dir.join("steps");
        for group in entries(&table)? {
            for record in entries(&group)? {
                let snapshot = fs::read_to_string(&record).ok().and_then(|text| text.trim().parse().ok());
                if !snapshot.is_some_and(|snapshot| exists(&snapshot)) {
                    fs::remove_file(&record)?;
                }
            }
        }
        Ok(())
    }

    fn path(&self, table: &str, key: &Digest) -> PathBuf {
        self.dir.join(table).join(&key.hex()[..2]).join(&key.hex()[2..])
    }
}

/// A step that this build alone works on.
#[derive(Debug)]
pub(crate) struct StepLock {
    path: PathBuf,
    _lock: Lock,
}

impl Drop for StepLock {
    /// Takes the file away, or there would be one for every step ever done. Who waited for it holds a lock
    /// that a third build no longer meets: at worst two do the same step, and the first result is kept.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Returns the paths in a directory; none if it is not there.
fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Writes a file so that readers see the old or the new content, never a part.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_answers_with_the_last_snapshot_noted() {
        let dir = tempfile::tempdir().unwrap();
        let cache = StepCache::new(dir.path());
        let (key, one, two) = (Digest::of(b"key"), Digest::of(b"1"), Digest::of(b"2"));
        assert_eq!(cache.get(&key), None);
        cache.put(&key, &one).unwrap();
        cache.put(&key, &two).unwrap();
        assert_eq!(cache.get(&key), Some(two));
    }

    #[test]
    fn keys_of_lost_snapshots_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let cache = StepCache::new(dir.path());
        let (key, lost) = (Digest::of(b"key"), Digest::of(b"lost"));
        cache.put(&key, &key).unwrap();
        cache.put(&lost, &lost).unwrap();
        cache.prune(&|snapshot| *snapshot == key).unwrap();
        assert_eq!((cache.get(&key), cache.get(&lost)), (Some(key), None));
    }

    #[test]
    fn a_lock_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let cache = StepCache::new(dir.path());
        let key = Digest::of(b"key");
        let path = cache.path("locks", &key);
        let lock = cache.lock(&key).unwrap();
        assert!(path.exists());
        drop(lock);
        assert!(!path.exists());
    }

    #[test]
    fn a_damaged_record_answers_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let cache = StepCache::new(dir.path());
        let key = Digest::of(b"key");
        cache.put(&key, &key).unwrap();
        fs::write(cache.path("steps", &key), "sha256:12").unwrap();
        assert_eq!(cache.get(&key), None);
    }
}
