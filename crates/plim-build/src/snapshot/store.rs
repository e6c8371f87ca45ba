//! The directory in which snapshots live, shared by all builds of a user.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use plim_oci::Digest;
use plim_oci::lock::{self, Lock};

use crate::files::FilesError;

const DRAFT: &str = "tmp-";
/// The lock of whoever prunes.
const PRUNE: &str = "prune.lock";
/// The note in a snapshot's directory of the bytes that it occupies.
const SIZE: &str = "size";

/// How long a snapshot counts as in use after a build asked for it.
const IN_USE: Duration = Duration::from_hours(1);

/// Snapshots by key. Each is a directory `<hex of the key>` with the diff directory `fs` in it and room for
/// notes beside it. A snapshot appears by a rename, whole or not at all, so processes need not agree. A second
/// key of a snapshot is a symbolic link to its directory.
#[derive(Debug)]
pub struct Snapshots {
    dir: PathBuf,
}

/// A snapshot being made. It is removed when dropped, unless it was committed.
#[derive(Debug)]
pub struct Draft {
    /// The draft's own directory.
    pub dir: PathBuf,
    /// The diff directory.
    pub fs: PathBuf,
    /// Overlayfs' work directory, on the same file system.
    pub work: PathBuf,
    /// Says to others that the draft is not stale; it is let go when the process dies.
    _alive: Lock,
}

impl Snapshots {
    /// Opens the directory, making it if absent, and removes what dead processes left.
    pub fn open(dir: &Path) -> Result<Self, FilesError> {
        fs::create_dir_all(dir).map_err(|source| FilesError::io("create", dir, source))?;
        let snapshots = Self { dir: dir.to_owned() };
        snapshots.remove_stale().map_err(|source| FilesError::io("clean", dir, source))?;
        Ok(snapshots)
    }

    /// Returns the directory of a key, be it there or not.
    pub fn dir_of(&self, key: &Digest) -> PathBuf {
        self.dir.join(key.hex())
    }

    /// Returns the diff directory of a key if there is one, and notes that it was used: it stays for an hour.
    pub fn get(&self, key: &Digest) -> Option<PathBuf> {
        // nobody takes it away between the look and the note
        let _store = lock::lock_shared(&self.lock_path());
        let mut dir = self.dir_of(key);
        if let Ok(first) = fs::read_link(&dir) {
            dir = self.dir.join(first);
        }
        let diff = dir.join("fs");
        if !diff.is_dir() {
            return None;
        }
        touch(&dir);
        Some(diff)
    }

    /// Says whether what lies in the directory of a key is of use, as `judge` has it, and notes that it was used.
    pub(crate) fn uses(&self, key: &Digest, judge: &dyn Fn(&Path) -> bool) -> bool {
        // nobody takes it away between the look and the note
        let _store = lock::lock_shared(&self.lock_path());
        let dir = self.dir_of(key);
        let of_use = judge(&dir);
        if of_use {
            touch(&dir);
        }
        of_use
    }

    /// Writes notes into the directory of a key, which is made where there is none: a result of which only the notes are
    /// kept has no diff directory. A snapshot with its files may be put there later.
    pub(crate) fn keep_beside(&self, key: &Digest, write: &dyn Fn(&Path) -> io::Result<()>) -> Result<(), FilesError> {
        let dir = self.dir_of(key);
        let kept = || {
            // nobody prunes meanwhile
            let _store = lock::lock_shared(&self.lock_path())?;
            self.forget_dangling(&dir)?;
            match fs::DirBuilder::new().mode(0o755).create(&dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => write(&dir),
            }
        };
        kept().map_err(|source| FilesError::io("write", &dir, source))
    }

    /// Starts a snapshot: a diff directory with mode 0755 and a work directory.
    pub fn begin(&self) -> Result<Draft, FilesError> {
        self.new_draft().map_err(|source| FilesError::io("create a snapshot in", &self.dir, source))
    }

    /// Puts a finished draft under its key and returns its diff directory. If the key is there already, made
    /// by another process, that one is kept.
    pub fn commit(&self, draft: Draft, key: &Digest) -> Result<PathBuf, FilesError> {
        let target = self.dir_of(key);
        self.forget_dangling(&target).map_err(|source| FilesError::io("write", &target, source))?;
        let moved = remove_tree(&draft.work).and_then(|()| fs::rename(&draft.dir, &target));
        match moved {
            Ok(()) => {}
            Err(error) if target.join("fs").is_dir() => {
                tracing::debug!(%error, key = key.as_str(), "the snapshot is there already");
            }
            // only notes are there: the files join them
            Err(_) if target.is_dir() => match fs::rename(&draft.fs, target.join("fs")) {
                Ok(()) => drop(fs::remove_file(target.join(SIZE))),
                Err(_) if target.join("fs").is_dir() => {}
                Err(source) => return Err(FilesError::io("write", &target, source)),
            },
            Err(source) => return Err(FilesError::io("write", &target, source)),
        }
        // after the rename the draft's own name is free, so its drop finds nothing to remove
        drop(draft);
        self.get(key).ok_or_else(|| FilesError::io("open", &target, io::ErrorKind::NotFound.into()))
    }

    /// Gives a snapshot a second key, unless there is a snapshot under that already.
    pub fn alias(&self, key: &Digest, second: &Digest) -> Result<(), FilesError> {
        let link = self.dir_of(second);
        let made = self.forget_dangling(&link).and_then(|()| std::os::unix::fs::symlink(key.hex(), &link));
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(FilesError::io("write", &link, error)),
            _ => Ok(()),
        }
    }

    /// Removes the least recently used snapshots until those left have at most `limit` bytes. What was used
    /// within the last hour stays: another build may be standing on it. Returns the bytes freed.
    pub fn prune(&self, limit: u64) -> Result<u64, FilesError> {
        let (cap, last) = (Some(limit), SystemTime::now() - IN_USE);
        self.prune_to(cap, last, false).map_err(|source| FilesError::io("prune", &self.dir, source))
    }

    /// Returns the bytes that [`prune`](Self::prune) would free.
    pub fn prune_preview(&self, limit: u64) -> Result<u64, FilesError> {
        let (cap, last) = (Some(limit), SystemTime::now() - IN_USE);
        self.prune_to(cap, last, true).map_err(|source| FilesError::io("read", &self.dir, source))
    }

    /// Removes the snapshots that nobody has used since then, and none of the last hour; returns the bytes freed. With
    /// `preview` they stay, and the answer is what would be.
    pub fn prune_unused_since(&self, time: SystemTime, preview: bool) -> Result<u64, FilesError> {
        let last = time.min(SystemTime::now() - IN_USE);
        self.prune_to(None, last, preview).map_err(|source| FilesError::io("prune", &self.dir, source))
    }

    fn new_draft(&self) -> io::Result<Draft> {
        // the store is locked so that nobody takes the draft for stale before it holds its own lock
        let _store = lock::lock_shared(&self.lock_path())?;
        let dir = tempfile::Builder::new().prefix(DRAFT).tempdir_in(&self.dir)?.keep();
        let alive = lock::lock_exclusive(&alive_path(&dir))?;
        let (fs_dir, work) = (dir.join("fs"), dir.join("work"));
        // from here on the draft cleans up after itself
        let draft = Draft { dir, fs: fs_dir, work, _alive: alive };
        // rootless commands must pass: their ids are others than those of the directory's owner
        fs::set_permissions(&draft.dir, fs::Permissions::from_mode(0o755))?;
        fs::create_dir(&draft.fs)?;
        fs::set_permissions(&draft.fs, fs::Permissions::from_mode(0o755))?;
        fs::create_dir(&draft.work)?;
        Ok(draft)
    }

    fn remove_stale(&self) -> io::Result<()> {
        let Some(_store) = lock::try_lock_exclusive(&self.lock_path())? else { return Ok(()) };
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if !entry.file_name().as_encoded_bytes().starts_with(DRAFT.as_bytes()) {
                continue;
            }
            // a lock file without its draft is what a process leaves that dies between the two removals
            let dir = entry.path().with_extension("");
            if let Some(alive) = lock::try_lock_exclusive(&alive_path(&dir))? {
                // commands of a process that was killed just now may still be ending, and write there until they do
                if let Err(error) = remove_tree(&dir) {
                    tracing::debug!(%error, dir = %dir.display(), "a draft is left for the next run to remove");
                    continue;
                }
                drop(alive);
                let _ = fs::remove_file(alive_path(&dir));
            }
        }
        Ok(())
    }

    /// Removes, from the least recently used on, until a limit holds; without one all that was used before a time.
    fn prune_to(&self, limit: Option<u64>, used_before: SystemTime, preview: bool) -> io::Result<u64> {
        // one at a time; builds go on meanwhile
        let _prune = lock::lock_exclusive(&self.dir.join(PRUNE))?;
        let (mut all, mut links) = (Vec::new(), Vec::new());
        let mut total = 0;
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_symlink() {
                links.push(entry.path());
                continue;
            }
            if name.starts_with(DRAFT) || !entry.file_type()?.is_dir() {
                continue;
            }
            let used = entry.metadata()?.modified()?;
            let size = self.noted_size(&entry.path(), used)?;
            total += size;
            all.push((used, name, size));
        }
        all.sort();
        let mut freed = 0;
        for (used, name, size) in all {
            if limit.is_some_and(|limit| total - freed <= limit) || used >= used_before {
                break;
            }
            if preview {
                freed += size;
            } else if let Some(doomed) = self.doom(&name, used)? {
                remove_tree(&doomed)?;
                freed += size;
            }
        }
        links.iter().try_for_each(|link| self.forget_dangling(link))?;
        Ok(freed)
    }

    /// Returns the bytes that a snapshot occupies on disk. It never changes, so it is counted once and noted beside it.
    fn noted_size(&self, dir: &Path, used: SystemTime) -> io::Result<u64> {
        let note = dir.join(SIZE);
        if let Some(size) = fs::read_to_string(&note).ok().and_then(|text| text.trim().parse().ok()) {
            return Ok(size);
        }
        let size = size_of(dir)?;
        let _store = lock::lock_exclusive(&self.lock_path())?;
        if fs::symlink_metadata(dir)?.modified()? == used {
            // a note that is cut short is no number, or a smaller one until the snapshot goes: nothing breaks by that
            fs::write(&note, format!("{size}\n"))?;
            // writing it was no use of the snapshot
            fs::File::open(dir)?.set_modified(used)?;
        }
        Ok(size)
    }

    /// Takes a snapshot's name away, so that nobody finds it half removed, unless a build has used it since it was looked at.
    fn doom(&self, name: &str, used: SystemTime) -> io::Result<Option<PathBuf>> {
        let _store = lock::lock_exclusive(&self.lock_path())?;
        let (dir, doomed) = (self.dir.join(name), self.dir.join(format!("{DRAFT}{name}")));
        if fs::symlink_metadata(&dir)?.modified()? != used {
            return Ok(None);
        }
        fs::rename(dir, &doomed)?;
        Ok(Some(doomed))
    }

    /// Removes a second key whose snapshot is gone.
    fn forget_dangling(&self, link: &Path) -> io::Result<()> {
        let Ok(first) = fs::read_link(link) else { return Ok(()) };
        if self.dir.join(first).exists() {
            return Ok(());
        }
        match fs::remove_file(link) {
            // another process was faster, and may have put a snapshot there by now
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => Ok(()),
            result => result,
        }
    }

    fn lock_path(&self) -> PathBuf {
        self.dir.join("lock")
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.dir) {
            tracing::debug!(%error, dir = %self.dir.display(), "a draft is left for the next run to remove");
        }
        let _ = fs::remove_file(alive_path(&self.dir));
    }
}

/// Notes that a snapshot was used: that orders snapshots for pruning; without the note it is as good.
fn touch(dir: &Path) {
    let _ = fs::File::open(dir).and_then(|dir| dir.set_modified(SystemTime::now()));
}

/// The lock lies beside the draft, not in it, so that it does not move along with a commit.
fn alive_path(dir: &Path) -> PathBuf {
    dir.with_extension("lock")
}

/// Removes a directory and all in it; that it is not there is fine.
pub(crate) fn remove_tree(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Returns the bytes that the files of a directory occupy on disk.
fn size_of(dir: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut total = 0;
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            // a file with several names is counted once for each: too high an estimate prunes earlier
            total += metadata.blocks() * 512;
            if metadata.is_dir() {
                pending.push(entry.path());
            }
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Snapshots) {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::open(dir.path()).unwrap();
        (dir, snapshots)
    }

    fn commit(snapshots: &Snapshots, key: &Digest, content: &str) -> PathBuf {
        let draft = snapshots.begin().unwrap();
        fs::write(draft.fs.join("file"), content).unwrap();
        snapshots.commit(draft, key).unwrap()
    }

    #[test]
    fn a_committed_draft_is_found_by_its_key() {
        let (dir, snapshots) = store();
        let key = Digest::of(b"key");
        assert_eq!(snapshots.get(&key), None);
        let diff = commit(&snapshots, &key, "one");
        assert_eq!(snapshots.get(&key), Some(diff.clone()));
        assert_eq!(diff, snapshots.dir_of(&key).join("fs"));
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "only the snapshot and the lock are left: {names:?}");
        assert!(!snapshots.dir_of(&key).join("work").exists());
    }

    #[test]
    fn the_first_of_two_commits_wins() {
        let (_dir, snapshots) = store();
        let key = Digest::of(b"key");
        let (one, two) = (snapshots.begin().unwrap(), snapshots.begin().unwrap());
        fs::write(one.fs.join("file"), "one").unwrap();
        fs::write(two.fs.join("file"), "two").unwrap();
        let first = snapshots.commit(one, &key).unwrap();
        let loser = two.dir.clone();
        let second = snapshots.commit(two, &key).unwrap();
        assert_eq!(first, second);
        assert_eq!(fs::read_to_string(first.join("file")).unwrap(), "one");
        assert!(!loser.exists());
    }

    #[test]
    fn a_second_key_leads_to_the_same_snapshot_and_goes_with_it() {
        let (dir, snapshots) = store();
        let [key, second, other] = [b"a", b"b", b"c"].map(|name| Digest::of(name));
        let diff = commit(&snapshots, &key, "one");
        snapshots.alias(&key, &second).unwrap();
        snapshots.alias(&key, &second).unwrap();
        assert_eq!(snapshots.get(&second), Some(diff.clone()));
        assert_eq!(commit(&snapshots, &second, "two"), diff, "what is there is kept");
        assert_eq!(fs::read_to_string(diff.join("file")).unwrap(), "one");
        commit(&snapshots, &other, "three");
        snapshots.alias(&key, &other).unwrap();
        assert_ne!(snapshots.get(&other), Some(diff.clone()), "a snapshot under the second key stays");

        let used = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        fs::File::open(snapshots.dir_of(&key)).unwrap().set_modified(used).unwrap();
        snapshots.prune(0).unwrap();
        assert_eq!(snapshots.get(&second), None);
        assert!(fs::symlink_metadata(snapshots.dir_of(&second)).is_err(), "no link is left");
        // another process may remove a snapshot and die before the link to it
        std::os::unix::fs::symlink(key.hex(), snapshots.dir_of(&second)).unwrap();
        let diff = commit(&snapshots, &second, "four");
        assert_eq!(fs::read_to_string(diff.join("file")).unwrap(), "four");
        assert!(dir.path().join(second.hex()).is_dir());
    }

    #[test]
    fn a_dropped_draft_leaves_nothing() {
        let (dir, snapshots) = store();
        drop(snapshots.begin().unwrap());
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["lock"]);
    }

    #[test]
    fn opening_removes_stale_drafts_but_not_living_ones() {
        let (dir, snapshots) = store();
        let living = snapshots.begin().unwrap();
        fs::create_dir_all(dir.path().join("tmp-dead/fs/sub")).unwrap();
        fs::write(dir.path().join("tmp-gone.lock"), "").unwrap();
        Snapshots::open(dir.path()).unwrap();
        assert!(living.fs.is_dir());
        assert!(!dir.path().join("tmp-dead").exists());
        assert!(!dir.path().join("tmp-gone.lock").exists());
    }

    #[test]
    fn pruning_takes_the_least_recently_used_first() {
        let (_dir, snapshots) = store();
        let keys = [b"a", b"b", b"c"].map(|name| Digest::of(name));
        for (age, key) in keys.iter().enumerate() {
            commit(&snapshots, key, &"x".repeat(64 * 1024));
            let used = SystemTime::UNIX_EPOCH + Duration::from_secs(1000 + age as u64);
            fs::File::open(snapshots.dir_of(key)).unwrap().set_modified(used).unwrap();
        }
        let freed = snapshots.prune(150 * 1024).unwrap();
        assert!(freed >= 64 * 1024, "{freed}");
        assert_eq!(snapshots.get(&keys[0]), None);
        assert!(snapshots.get(&keys[1]).is_some(), "asking also notes the use");
        assert!(snapshots.prune_preview(0).unwrap() > 0);
        assert!(snapshots.prune(0).unwrap() > 0);
        assert!(snapshots.get(&keys[1]).is_some(), "what was just used stays");
        assert_eq!(snapshots.get(&keys[2]), None);
    }

    #[test]
    fn what_is_used_while_others_prune_stays() {
        let (dir, snapshots) = store();
        let key = Digest::of(b"a");
        commit(&snapshots, &key, "x");
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let age = || fs::File::open(snapshots.dir_of(&key)).unwrap().set_modified(old).unwrap();
        age();
        // a build finds it after the prune has looked at its time
        let diff = snapshots.get(&key).unwrap();
        assert_eq!(snapshots.doom(key.hex(), old).unwrap(), None);
        snapshots.noted_size(&snapshots.dir_of(&key), old).unwrap();
        assert!(fs::metadata(snapshots.dir_of(&key)).unwrap().modified().unwrap() > old, "a note takes back no use");
        assert!(diff.join("file").exists());
        age();
        assert_eq!(snapshots.doom(key.hex(), old).unwrap(), Some(dir.path().join(format!("{DRAFT}{}", key.hex()))));
        assert_eq!(snapshots.get(&key), None);
    }

    #[test]
    fn the_size_of_a_snapshot_is_counted_once() {
        let (_dir, snapshots) = store();
        let key = Digest::of(b"a");
        commit(&snapshots, &key, &"x".repeat(64 * 1024));
        let used = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        fs::File::open(snapshots.dir_of(&key)).unwrap().set_modified(used).unwrap();
        let counted = snapshots.prune_preview(0).unwrap();
        assert!(counted >= 64 * 1024, "{counted}");
        let note = snapshots.dir_of(&key).join(SIZE);
        assert_eq!(fs::read_to_string(&note).unwrap().trim(), counted.to_string());
        assert_eq!(fs::metadata(snapshots.dir_of(&key)).unwrap().modified().unwrap(), used, "that was no use");
        fs::write(&note, "7\n").unwrap();
        fs::File::open(snapshots.dir_of(&key)).unwrap().set_modified(used).unwrap();
        assert_eq!(snapshots.prune_preview(0).unwrap(), 7, "what is noted is not counted again");
        fs::write(&note, "broken").unwrap();
        fs::File::open(snapshots.dir_of(&key)).unwrap().set_modified(used).unwrap();
        assert!(snapshots.prune_preview(0).unwrap() >= 64 * 1024);
    }

    #[test]
    fn pruning_by_age_leaves_what_was_used_since() {
        let (_dir, snapshots) = store();
        let keys = [b"a", b"b"].map(|name| Digest::of(name));
        let now = SystemTime::now();
        for (key, days) in keys.iter().zip([10, 3]) {
            commit(&snapshots, key, "x");
            let used = now - Duration::from_hours(24 * days);
            fs::File::open(snapshots.dir_of(key)).unwrap().set_modified(used).unwrap();
        }
        let week = now - Duration::from_hours(24 * 7);
        let would = snapshots.prune_unused_since(week, true).unwrap();
        assert!(would > 0 && snapshots.dir_of(&keys[0]).exists());
        assert_eq!(snapshots.prune_unused_since(week, false).unwrap(), would);
        assert!(!snapshots.dir_of(&keys[0]).exists() && snapshots.dir_of(&keys[1]).exists());
        // whatever is asked for: what was used within the last hour stays
        assert!(snapshots.get(&keys[1]).is_some());
        assert_eq!(snapshots.prune_unused_since(now + Duration::from_hours(1), false).unwrap(), 0);
    }
}
