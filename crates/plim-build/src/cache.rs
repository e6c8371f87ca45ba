//! What earlier builds left: which snapshot answers a step, which blob answers a snapshot, and what the last
//! build of a Dockerfile looked like.

mod explain;
mod key;
mod layer;
mod listing;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use plim_oci::Digest;
use plim_oci::lock::{Lock, lock_exclusive};

pub(crate) use explain::Journal;
pub(crate) use key::{Key, Op};
pub(crate) use layer::LayerRecord;
pub(crate) use listing::FilePrint;

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

    /// Returns what answers a key. A damaged record answers nothing.
    pub(crate) fn get(&self, key: &Digest) -> Option<Answer> {
        Answer::parse(&fs::read_to_string(self.path("steps", key)).ok()?)
    }

    /// Notes what answers a key.
    pub(crate) fn put(&self, key: &Digest, answer: &Answer) -> io::Result<()> {
        write_whole(&self.path("steps", key), answer.to_text().as_bytes())
    }

    /// Returns the diffID of the layer in a blob, where somebody read the blob and noted it.
    pub(crate) fn diff_id_of(&self, blob: &Digest) -> Option<Digest> {
        fs::read_to_string(self.path("diffs", blob)).ok()?.parse().ok()
    }

    /// Notes the diffID of the layer in a blob. Without the note the blob is read again.
    pub(crate) fn note_diff_id(&self, blob: &Digest, diff_id: &Digest) {
        if let Err(error) = write_whole(&self.path("diffs", blob), diff_id.as_str().as_bytes()) {
            tracing::debug!(%error, blob = blob.as_str(), "the diffID of a blob is not noted");
        }
    }

    /// Waits until no other build works on this key, then holds it.
    pub(crate) fn lock(&self, key: &Digest) -> io::Result<StepLock> {
        let path = self.path("locks", key);
        Ok(StepLock { _lock: lock_exclusive(&path)?, path })
    }

    /// Forgets the keys whose snapshots are gone, and what was noted of blobs that are.
    pub(crate) fn prune(
        &self,
        exists: &dyn Fn(&Digest) -> bool,
        blob_exists: &dyn Fn(&Digest) -> bool,
    ) -> io::Result<()> {
        for group in entries(&self.dir.join("diffs"))? {
            let start = group.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for note in entries(&group)? {
                let rest = note.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let blob = format!("sha256:{start}{rest}").parse::<Digest>().ok();
                if !blob.is_some_and(|blob| blob_exists(&blob)) {
                    fs::remove_file(&note)?;
                }
            }
        }
        let table = self.dir.join("steps");
        for group in entries(&table)? {
            for record in entries(&group)? {
                let answer = fs::read_to_string(&record).ok().and_then(|text| Answer::parse(&text));
                if !answer.is_some_and(|answer| exists(&answer.snapshot)) {
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

/// Removes the notes about frames of layers that are of no more use, and those that a process left half written.
pub(crate) fn prune_frames(cache: &Path, of_use: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    let tables = entries(&cache.join(explain::FRAMES))?;
    tables.iter().filter(|table| !of_use(table)).try_for_each(fs::remove_file)
}

/// What answers a key: the first line of a record, and the further lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The snapshot.
    pub(crate) snapshot: Digest,
    /// Of a key that says how inputs are made: digests of their content. None for others.
    pub(crate) inputs: Vec<Digest>,
}

impl Answer {
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let snapshot = lines.next()?.trim().parse().ok()?;
        Some(Self { snapshot, inputs: lines.map(|line| line.parse().ok()).collect::<Option<_>>()? })
    }

    fn to_text(&self) -> String {
        let lines = std::iter::once(&self.snapshot).chain(&self.inputs);
        lines.map(Digest::as_str).collect::<Vec<_>>().join("\n")
    }
}

impl From<Digest> for Answer {
    fn from(snapshot: Digest) -> Self {
        Self { snapshot, inputs: Vec::new() }
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

/// How often a file is tried to be written whose directory goes away meanwhile.
const TRIES: usize = 50;

/// Writes a file so that readers see the old or the new content, never a part.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    for _ in 1..TRIES {
        match write_in(dir, path, bytes) {
            // who tidies up beside this build takes empty directories away; one that is taken while it is made is said to be there
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => {}
            other => return other,
        }
    }
    write_in(dir, path, bytes)
}

fn write_in(dir: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
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
        cache.put(&key, &one.into()).unwrap();
        let answer = Answer { snapshot: two, inputs: vec![Digest::of(b"3"), Digest::of(b"4")] };
        cache.put(&key, &answer).unwrap();
        assert_eq!(cache.get(&key), Some(answer));
    }

    #[test]
    fn keys_of_lost_snapshots_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let cache = StepCache::new(dir.path());
        let (key, lost) = (Digest::of(b"key"), Digest::of(b"lost"));
        let answer = Answer { snapshot: key.clone(), inputs: vec![lost.clone()] };
        cache.put(&key, &answer).unwrap();
        cache.put(&lost, &lost.clone().into()).unwrap();
        cache.note_diff_id(&key, &lost);
        cache.note_diff_id(&lost, &key);
        cache.prune(&|snapshot| *snapshot == key, &|blob| *blob == lost).unwrap();
        assert_eq!((cache.get(&key), cache.get(&lost)), (Some(answer), None));
        assert_eq!((cache.diff_id_of(&key), cache.diff_id_of(&lost)), (None, Some(key)));
    }

    #[test]
    fn whoever_tidies_up_beside_it_does_not_disturb_writing() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, key) = (StepCache::new(dir.path()), Digest::of(b"key"));
        let (group, over) = (cache.path("steps", &key), std::sync::atomic::AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = fs::remove_dir(group.parent().unwrap());
                    // without a pause nobody could ever write there
                    std::thread::sleep(std::time::Duration::from_micros(20));
                }
            });
            let written = (0..500).try_for_each(|_| {
                cache.put(&key, &key.clone().into())?;
                drop(cache.lock(&key)?);
                fs::remove_file(&group)
            });
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            written.unwrap();
        });
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
        for damaged in ["sha256:12".to_owned(), format!("{key}\nsha256:12"), String::new()] {
            cache.put(&key, &key.clone().into()).unwrap();
            fs::write(cache.path("steps", &key), damaged).unwrap();
            assert_eq!(cache.get(&key), None);
        }
    }
}
