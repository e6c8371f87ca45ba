//! Keeps what builds leave behind below a cap.

use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime};

use camino::Utf8Path;
use plim_oci::Events;

use crate::Workspace;

/// Bytes of unpacked layers and of blobs, each, that builds may leave when `[store] cap-gb` says nothing.
const CAP: u64 = 20_000_000_000;
/// Blobs younger than this may belong to a build that has not named its image yet, and files that are begun to a process
/// that still writes them.
const YOUNG: Duration = Duration::from_hours(1);

/// How long nobody takes to fill a cache directory.
const DAY: Duration = Duration::from_hours(24);

/// Removes what was not used for longest until the caps hold again, `cap_gb` in the place of what the configuration says.
/// Call it after builds that did something: it counts the files of new snapshots and looks through the caches. Never
/// fails: a full disk is the next command's business.
pub(crate) fn tidy(workspace: &Workspace, cap_gb: Option<u64>, events: &dyn Events) {
    let cap = cap_gb.or(workspace.config.store.cap_gb);
    let cap = cap.map_or(CAP, |gigabytes| gigabytes.saturating_mul(1_000_000_000));
    match workspace.build_state().prune(cap) {
        Ok(0) => {}
        Ok(freed) => {
            forget_lost(workspace);
            events.note(&format!("removed {} MB of unpacked layers that were not used for long", freed / 1_000_000));
        }
        Err(error) => tracing::warn!("failed to prune unpacked layers: {error}"),
    }
    sweep_begun(&workspace.host.cache, Depth::All);
    if blobs_size(workspace) <= cap {
        return;
    }
    match workspace.store.sweep_unreferenced(&|digest| is_young_blob(workspace, digest)) {
        Ok(sweep) if sweep.freed > 0 => {
            events.note(&format!("removed {} MB of layers that no image in the store needs", sweep.freed / 1_000_000));
        }
        Ok(_) => {}
        Err(error) => tracing::warn!("failed to sweep the store: {error}"),
    }
}

/// Removes the records of steps whose results are gone. Without that they would pile up, and do no other harm.
pub(crate) fn forget_lost(workspace: &Workspace) {
    if let Err(error) = workspace.build_state().forget_lost(&workspace.all_snapshots()) {
        tracing::warn!("failed to prune the records of steps: {error}");
    }
}

/// Whether a blob may belong to a build that has not named its image yet.
pub(crate) fn is_young_blob(workspace: &Workspace, digest: &plim_oci::Digest) -> bool {
    std::fs::metadata(workspace.store.blob_path(digest)).is_ok_and(|metadata| is_young(&metadata))
}

/// How far a folder is swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The files in it.
    One,
    /// The folders in it, too, but not what steps keep in their caches.
    All,
}

/// Removes what processes that were killed had begun under a temporary name. It is small, and what is an hour old nobody
/// writes any more, so age is asked and not whether the process lives.
pub(crate) fn sweep_begun(dir: &Utf8Path, depth: Depth) {
    let Ok(entries) = dir.read_dir_utf8() else { return };
    for entry in entries.flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        let path = entry.path();
        let begun = entry.file_name().starts_with(".tmp") || entry.file_name().starts_with("tmp-");
        let done = match (begun && !is_young(&metadata), metadata.is_dir()) {
            (true, false) => std::fs::remove_file(path),
            // a build context of a process that is gone
            (true, true) if is_in(path, "contexts") => std::fs::remove_dir_all(path),
            // a cache that was about to get its first content, which takes less than a day
            (true, true) if is_in(path, "mounts") && is_older(&metadata, DAY) => std::fs::remove_dir_all(path),
            // the same before it got any
            (true, true) => std::fs::remove_dir(path),
            (false, true) if depth == Depth::All && !is_cache_of_steps(path) && !is_in(path, "contexts") => {
                sweep_begun(path, depth);
                Ok(())
            }
            (false, _) => Ok(()),
        };
        if let Err(error) = done {
            tracing::debug!("failed to remove {path}: {error}");
        }
    }
}

/// Removes the files of the caches that nobody has used since then, and none of the last hour. Returns their bytes; with
/// `preview` they stay. A cache of steps goes whole or not at all.
pub(crate) fn prune_caches(cache: &Utf8Path, since: SystemTime, preview: bool) -> u64 {
    let since = since.min(SystemTime::now().checked_sub(YOUNG).unwrap_or(SystemTime::UNIX_EPOCH));
    let mut freed = 0;
    let Ok(entries) = cache.read_dir_utf8() else { return 0 };
    for entry in entries.flatten() {
        if entry.file_name() == "mounts" {
            let Ok(mounts) = entry.path().read_dir_utf8() else { continue };
            for mount in mounts.flatten().filter(|mount| is_cache_of_steps(mount.path())) {
                let (bytes, used) = size_and_use(mount.path());
                if used < since && (preview || std::fs::remove_dir_all(mount.path()).is_ok()) {
                    freed += bytes;
                }
            }
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            freed += prune_cache(entry.path(), since, preview);
        }
    }
    freed
}

fn prune_cache(dir: &Utf8Path, since: SystemTime, preview: bool) -> u64 {
    let mut freed = 0;
    let Ok(entries) = dir.read_dir_utf8() else { return 0 };
    for entry in entries.flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            freed += prune_cache(entry.path(), since, preview);
        } else if !is_lock(entry.path())
            && last_use(&metadata) < since
            && (preview || std::fs::remove_file(entry.path()).is_ok())
        {
            freed += metadata.blocks() * 512;
        }
    }
    freed
}

/// Removes the files of a folder that were not used for longest until the others have at most so many bytes.
pub(crate) fn keep_below(dir: &Utf8Path, cap: u64) {
    let Ok(entries) = dir.read_dir_utf8() else { return };
    let mut files: Vec<_> = entries
        .flatten()
        // what another process has begun to write
        .filter(|entry| !entry.file_name().starts_with(".tmp"))
        .filter_map(|entry| Some((entry.metadata().ok()?, entry.into_path())))
        .filter(|(metadata, _)| metadata.is_file())
        .map(|(metadata, path)| (last_use(&metadata), metadata.len(), path))
        .collect();
    let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    files.sort();
    for (_, bytes, path) in files {
        if total <= cap {
            return;
        }
        match std::fs::remove_file(&path) {
            Ok(()) => total -= bytes,
            Err(error) => tracing::debug!("failed to remove {path}: {error}"),
        }
    }
}

/// A lock that is taken away while somebody holds it is no lock.
fn is_lock(path: &Utf8Path) -> bool {
    path.file_name() == Some("lock") || path.extension() == Some("lock") || path.iter().any(|part| part == "locks")
}

/// When a file was last written or read, where the file system notes that.
fn last_use(metadata: &std::fs::Metadata) -> SystemTime {
    let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    metadata.accessed().map_or(written, |read| read.max(written))
}

/// Returns the bytes of a tree, and when it was last used.
fn size_and_use(path: &Utf8Path) -> (u64, SystemTime) {
    let Ok(metadata) = path.symlink_metadata() else { return (0, SystemTime::UNIX_EPOCH) };
    let mut total = (metadata.blocks() * 512, metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
    if !metadata.is_dir() {
        return (total.0, last_use(&metadata));
    }
    for entry in path.read_dir_utf8().into_iter().flatten().flatten() {
        let (bytes, used) = size_and_use(entry.path());
        total = (total.0 + bytes, total.1.max(used));
    }
    total
}

/// `mounts/NAME.NUMBER`, whose content is none of plim's.
fn is_cache_of_steps(path: &Utf8Path) -> bool {
    is_in(path, "mounts")
}

fn is_in(path: &Utf8Path, folder: &str) -> bool {
    path.parent().and_then(Utf8Path::file_name) == Some(folder)
}

fn is_young(metadata: &std::fs::Metadata) -> bool {
    let age = metadata.modified().map(|written| SystemTime::now().duration_since(written));
    // a time in the future is that of a clock that was wrong
    age.is_ok_and(|age| age.is_ok_and(|age| age < YOUNG))
}

fn is_older(metadata: &std::fs::Metadata, age: Duration) -> bool {
    let written = metadata.modified().map(|written| SystemTime::now().duration_since(written));
    written.is_ok_and(|since| since.is_ok_and(|since| since > age))
}

fn blobs_size(workspace: &Workspace) -> u64 {
    let Ok(entries) = std::fs::read_dir(workspace.store.root().join("blobs/sha256")) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.size()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_an_hour_ago_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(dir.path()).unwrap();
        let old = SystemTime::now() - YOUNG - Duration::from_mins(1);
        for (path, time) in [
            ("build/steps/ab/.tmp-1", old),
            ("build/steps/ab/.tmp-2", SystemTime::now()),
            ("build/steps/ab/cd", old),
            ("mounts/x.0/.tmp-of-the-step", old),
        ] {
            std::fs::create_dir_all(cache.join(path).parent().unwrap()).unwrap();
            std::fs::File::create(cache.join(path)).unwrap().set_modified(time).unwrap();
        }
        let dead = SystemTime::now() - DAY - Duration::from_mins(1);
        for (path, time) in [("mounts/tmp-empty", old), ("mounts/tmp-full", old), ("mounts/tmp-dead", dead)] {
            std::fs::create_dir(cache.join(path)).unwrap();
            if path != "mounts/tmp-empty" {
                std::fs::write(cache.join(path).join("x"), "").unwrap();
            }
            std::fs::File::open(cache.join(path)).unwrap().set_modified(time).unwrap();
        }
        sweep_begun(cache, Depth::All);
        let there = |path: &str| cache.join(path).exists();
        assert!(!there("build/steps/ab/.tmp-1") && !there("mounts/tmp-empty") && !there("mounts/tmp-dead"));
        assert!(there("build/steps/ab/.tmp-2") && there("build/steps/ab/cd"));
        assert!(there("mounts/x.0/.tmp-of-the-step") && there("mounts/tmp-full"));
    }

    #[test]
    fn cached_files_that_nobody_used_for_long_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(dir.path()).unwrap();
        let old = SystemTime::now() - Duration::from_hours(24 * 8);
        let make = |path: &str, time: SystemTime| {
            std::fs::create_dir_all(cache.join(path).parent().unwrap()).unwrap();
            std::fs::write(cache.join(path), vec![b'x'; 5000]).unwrap();
            let times = std::fs::FileTimes::new().set_modified(time).set_accessed(time);
            std::fs::File::options().write(true).open(cache.join(path)).unwrap().set_times(times).unwrap();
        };
        for path in ["index/v4/a", "build/locks/aa/bb", "debian/lock", "mounts/old.0/f", "mounts/mixed.0/f"] {
            make(path, old);
        }
        for path in ["index/v4/b", "mounts/mixed.0/g"] {
            make(path, SystemTime::now());
        }
        for path in ["mounts/old.0", "mounts/mixed.0"] {
            std::fs::File::open(cache.join(path)).unwrap().set_modified(old).unwrap();
        }
        let there = |path: &str| cache.join(path).exists();
        let week = SystemTime::now() - Duration::from_hours(24 * 7);
        let would = prune_caches(cache, week, true);
        assert!(would >= 10_000, "{would}");
        assert!(there("index/v4/a") && there("mounts/old.0/f"));
        assert_eq!(prune_caches(cache, week, false), would);
        assert!(!there("index/v4/a") && !there("mounts/old.0"));
        assert!(there("index/v4/b") && there("mounts/mixed.0/f") && there("mounts/mixed.0/g"));
        assert!(there("build/locks/aa/bb") && there("debian/lock"));
        assert_eq!(prune_caches(cache, SystemTime::now(), false), 0, "what was just used stays");
    }
}
