//! The directories of `RUN --mount=type=cache`.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use plim_dockerfile::mount::{RunMount, Sharing};
use plim_oci::Digest;
use plim_oci::lock::{Lock, lock_exclusive, lock_shared, try_lock_exclusive};
use tempfile::TempDir;

use crate::cache::Op;
use crate::error::BuildError;

/// The mode of a cache directory that names none.
const DEFAULT_MODE: u32 = 0o755;

/// A directory that outlives the build.
#[derive(Debug)]
pub(super) struct CacheDir {
    name: String,
    id: String,
    sharing: Sharing,
    owner: (u32, u32),
    mode: u32,
}

/// A cache directory in use.
#[derive(Debug)]
pub(super) struct OpenCache {
    /// The directory.
    pub(super) path: PathBuf,
    /// Keeps others out, as far as the sharing asks for it.
    pub(super) lock: Lock,
}

impl CacheDir {
    /// Returns the cache that a mount names. Owner, mode and first content are part of its identity: they are
    /// only given when it is made.
    pub(super) fn of(mount: &RunMount, namespace: Option<&str>, seed: Option<&Digest>) -> Self {
        let id = mount.cache_id();
        let number = |number: Option<u32>| number.map(u32::to_le_bytes);
        let mut op = Op::new("cache-mount");
        op.field("id", &id).option("namespace", namespace).option("seed", seed.map(Digest::as_str));
        op.option("mode", number(mount.mode)).option("uid", number(mount.uid)).option("gid", number(mount.gid));
        Self {
            name: op.finish().hex().to_owned(),
            id,
            sharing: mount.sharing,
            owner: (mount.uid.unwrap_or(0), mount.gid.unwrap_or(0)),
            mode: mount.mode.unwrap_or(DEFAULT_MODE),
        }
    }

    /// The name on disk, by which caches are told apart.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The id by which people know it.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Opens the directory below `mounts`, waiting for others where the sharing asks for it, or in any case if it is to
    /// be used `alone`. A new one gets its content from `first`; if that says `false` what it left is thrown away, and the
    /// directory begins empty.
    pub(super) fn open(
        &self,
        mounts: &Path,
        alone: bool,
        first: &mut dyn FnMut(&Path) -> Result<bool, BuildError>,
    ) -> Result<OpenCache, BuildError> {
        let broken = |error| BuildError::io(format!("use the cache {}", self.id), error);
        let (number, lock) = self.lock(mounts, alone).map_err(broken)?;
        let path = mounts.join(format!("{}.{number}", self.name));
        // several sharers may come first at the same time
        let _making = lock_exclusive(&mounts.join(format!("{}.{number}.make", self.name))).map_err(broken)?;
        if !path.exists() {
            let mut draft = self.draft(mounts).map_err(broken)?;
            if !first(draft.path())? {
                draft = self.draft(mounts).map_err(broken)?;
            }
            // whole or not at all: nobody sees the half of it
            fs::rename(draft.keep(), &path).map_err(broken)?;
            // for people who look at the directory, and for listings
            fs::write(mounts.join(format!("{}.id", self.name)), &self.id).map_err(broken)?;
        }
        Ok(OpenCache { path, lock })
    }

    fn lock(&self, mounts: &Path, alone: bool) -> io::Result<(u32, Lock)> {
        fs::create_dir_all(mounts)?;
        let lock_path = |number: u32| mounts.join(format!("{}.{number}.lock", self.name));
        Ok(match self.sharing {
            Sharing::Shared if !alone => (0, lock_shared(&lock_path(0))?),
            Sharing::Shared | Sharing::Locked => (0, lock_exclusive(&lock_path(0))?),
            Sharing::Private => {
                let mut number = 0;
                loop {
                    if let Some(lock) = try_lock_exclusive(&lock_path(number))? {
                        break (number, lock);
                    }
                    number += 1;
                }
            }
        })
    }

    fn draft(&self, mounts: &Path) -> io::Result<TempDir> {
        let draft = tempfile::Builder::new().prefix("tmp-").tempdir_in(mounts)?;
        fs::set_permissions(draft.path(), fs::Permissions::from_mode(self.mode))?;
        if self.owner != (0, 0) {
            chown(draft.path(), Some(self.owner.0), Some(self.owner.1))?;
        }
        Ok(draft)
    }
}

#[cfg(test)]
mod tests {
    use plim_dockerfile::Kind;

    use super::*;

    fn cache(flag: &str) -> CacheDir {
        let file = plim_dockerfile::parse(&format!("FROM scratch\nRUN --mount=type=cache,{flag} true\n"));
        let Kind::Run(run) = &file.instructions[1].kind else { panic!("{:?}", file.errors) };
        let mount = run.mounts[0].resolve(&mut |text| Ok(text.to_owned())).unwrap();
        CacheDir::of(&mount, None, None)
    }

    fn open(cache: &CacheDir, mounts: &Path) -> OpenCache {
        cache.open(mounts, false, &mut |_| Ok(true)).unwrap()
    }

    #[test]
    fn the_same_id_is_the_same_directory() {
        let dir = tempfile::tempdir().unwrap();
        let one = open(&cache("target=/x"), dir.path());
        let two = open(&cache("target=/y,id=/x"), dir.path());
        let other = open(&cache("target=/x,mode=0700"), dir.path());
        assert_eq!(one.path, two.path);
        assert_ne!(one.path, other.path);
        assert_eq!(fs::metadata(&other.path).unwrap().permissions().mode() & 0o7777, 0o700);
    }

    #[test]
    fn what_could_not_be_had_whole_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let write =
            |whole| move |new: &Path| fs::write(new.join("f"), "").map(|()| whole).map_err(|e| BuildError::io("", e));
        let half = cache("target=/x,mode=0700").open(dir.path(), false, &mut write(false)).unwrap();
        assert_eq!(fs::read_dir(&half.path).unwrap().count(), 0);
        assert_eq!(fs::metadata(&half.path).unwrap().permissions().mode() & 0o7777, 0o700);
        let whole = cache("target=/y").open(dir.path(), false, &mut write(true)).unwrap();
        assert!(whole.path.join("f").exists());
        let again = cache("target=/y").open(dir.path(), false, &mut |_| panic!("it is there")).unwrap();
        assert_eq!(again.path, whole.path);
        let failed = cache("target=/z").open(dir.path(), false, &mut |_| Err(BuildError::Cancelled));
        assert!(failed.is_err());
        let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(!names.into_iter().any(|name| name.to_string_lossy().starts_with("tmp-")), "nothing begun is left");
    }

    #[test]
    fn a_private_cache_in_use_gives_way_to_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let one = open(&cache("target=/x,sharing=private"), dir.path());
        let two = open(&cache("target=/x,sharing=private"), dir.path());
        assert_ne!(one.path, two.path);
        let first = one.path.clone();
        drop(one);
        assert_eq!(open(&cache("target=/x,sharing=private"), dir.path()).path, first);
    }
}
