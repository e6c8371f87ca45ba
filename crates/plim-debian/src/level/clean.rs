//! What running programs leave behind that does not belong into an image, and times.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use rustix::fs::{AtFlags, CWD};

use crate::DebianError;
use crate::root::times;

/// Directories whose whole content goes.
const CLEARED: [&str; 3] = ["tmp", "var/tmp", "var/cache/fontconfig"];
/// Directories whose files go; programs may count on the directories below.
pub(super) const EMPTIED: [&str; 6] =
    ["run", "var/lib/apt/lists", "var/cache/apt", "var/cache/ldconfig", "var/cache/man", "var/lib/dpkg/updates"];
/// Files that go: copies that programs keep of what they change, and locks.
const REMOVED: [&str; 17] = [
    "etc/.pwd.lock",
    "etc/group-",
    "etc/gshadow-",
    "etc/passwd-",
    "etc/shadow-",
    "etc/subgid-",
    "etc/subuid-",
    "etc/hostname",
    "etc/resolv.conf",
    "var/cache/debconf/config.dat-old",
    "var/cache/debconf/passwords.dat-old",
    "var/cache/debconf/templates.dat-old",
    "var/lib/dbus/machine-id",
    "var/lib/dpkg/diversions-old",
    "var/lib/dpkg/statoverride-old",
    "var/lib/dpkg/status-old",
    "var/lib/systemd/random-seed",
];

/// Cleans the directory of a level and gives nothing in it a later time than `epoch`, in seconds since 1970.
pub(super) fn clean(dir: &Path, epoch: i64) -> Result<(), DebianError> {
    for (path, directories_too) in
        CLEARED.iter().map(|path| (path, true)).chain(EMPTIED.iter().map(|path| (path, false)))
    {
        let path = dir.join(path);
        if is_safe(dir, &path) {
            empty(&path, directories_too).map_err(DebianError::io("empty", &path))?;
        }
    }
    for path in REMOVED {
        let path = dir.join(path);
        if is_safe(dir, &path) && path.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
            fs::remove_file(&path).map_err(DebianError::io("remove", &path))?;
        }
    }
    let machine_id = dir.join("etc/machine-id");
    if is_safe(dir, &machine_id) && machine_id.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
        // empty, not absent: the first start of a system fills it in (machine-id(5))
        fs::write(&machine_id, "").map_err(DebianError::io("write", &machine_id))?;
    }
    let log = dir.join("var/log");
    if is_safe(dir, &log) {
        truncate_logs(&log).map_err(DebianError::io("empty", &log))?;
    }
    clamp(dir, epoch).map_err(DebianError::io("set the times in", dir))
}

/// Says whether all directories between `dir` and the file are directories, not links that could lead elsewhere.
fn is_safe(dir: &Path, path: &Path) -> bool {
    path.ancestors()
        .skip(1)
        .take_while(|ancestor| *ancestor != dir)
        .all(|ancestor| ancestor.symlink_metadata().is_ok_and(|meta| meta.is_dir()))
}

/// Removes the files below a directory. Devices stay: in the upper directory of an overlay they hide a file of the lower
/// ones.
fn empty(dir: &Path, directories_too: bool) -> io::Result<()> {
    if !dir.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            empty(&entry.path(), directories_too)?;
            if directories_too && fs::read_dir(entry.path())?.next().is_none() {
                fs::remove_dir(entry.path())?;
            }
        } else if !kind.is_char_device() && !kind.is_block_device() && !marks_deletion(&entry.path()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Says whether a link stands for a deleted file of a lower directory, as it does where devices cannot be made: names that
/// begin so are reserved.
fn marks_deletion(path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|target| target.as_os_str().as_encoded_bytes().starts_with(b".wh."))
}

/// Log files stay, with their owners and permissions, without content.
fn truncate_logs(dir: &Path) -> io::Result<()> {
    let Ok(meta) = dir.symlink_metadata() else { return Ok(()) };
    if !meta.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            truncate_logs(&entry.path())?;
        } else if kind.is_file() {
            fs::OpenOptions::new().write(true).truncate(true).open(entry.path())?;
        }
    }
    Ok(())
}

/// Sets the times: of directories to the epoch, as any change within moves them; of others to the epoch at the latest.
fn clamp(dir: &Path, epoch: i64) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        if meta.is_dir() {
            clamp(&entry.path(), epoch)?;
        } else {
            let mtime = meta.mtime().min(epoch);
            if mtime != meta.mtime() || meta.mtime_nsec() != 0 {
                rustix::fs::utimensat(CWD, entry.path(), &times(mtime), AtFlags::SYMLINK_NOFOLLOW)?;
            }
        }
    }
    rustix::fs::utimensat(CWD, dir, &times(epoch), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_go_and_times_are_those_of_the_packages() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["var/log/apt", "var/lib/apt/lists/partial", "etc", "tmp/x"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        for path in [
            "var/log/apt/term.log",
            "var/lib/apt/lists/m_InRelease",
            "etc/passwd-",
            "etc/passwd",
            "tmp/x/y",
            "etc/machine-id",
        ] {
            fs::write(dir.path().join(path), "text").unwrap();
        }
        clean(dir.path(), 1_000_000_000).unwrap();
        let size = |path: &str| dir.path().join(path).metadata().ok().map(|meta| (meta.len(), meta.mtime()));
        assert_eq!(size("var/log/apt/term.log"), Some((0, 1_000_000_000)));
        assert_eq!(size("etc/machine-id"), Some((0, 1_000_000_000)));
        assert_eq!(size("etc/passwd"), Some((4, 1_000_000_000)));
        assert_eq!(dir.path().join("var").metadata().unwrap().mtime(), 1_000_000_000);
        for gone in ["var/lib/apt/lists/m_InRelease", "etc/passwd-", "tmp/x"] {
            assert_eq!(size(gone), None, "{gone}");
        }
        assert!(dir.path().join("var/lib/apt/lists/partial").is_dir());
    }

    #[test]
    fn links_are_not_followed_while_cleaning() {
        let (dir, victim) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(victim.path().join("passwd-"), "text").unwrap();
        fs::write(victim.path().join("log"), "text").unwrap();
        fs::create_dir(dir.path().join("var")).unwrap();
        std::os::unix::fs::symlink(victim.path(), dir.path().join("etc")).unwrap();
        std::os::unix::fs::symlink(victim.path(), dir.path().join("var/log")).unwrap();
        std::os::unix::fs::symlink(victim.path(), dir.path().join("tmp")).unwrap();
        clean(dir.path(), 0).unwrap();
        assert_eq!(fs::read_to_string(victim.path().join("passwd-")).unwrap(), "text");
        assert_eq!(fs::read_to_string(victim.path().join("log")).unwrap(), "text");
    }
}
