//! The packages of a plan on this machine's disk: fetched, verified, and kept in the form that unpacks fastest.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::ScopedJoinHandle;

use plim_oci::{Events, TaskId};

use crate::deb;
use crate::plan::{Package, Plan};
use crate::{DebianError, Transport};

/// Downloads that run at once: more would not be kind to a mirror.
const PARALLEL: usize = 4;

impl Package {
    /// Returns the file to read the package from, once it is fetched.
    pub fn stored(&self) -> PathBuf {
        if self.is_as_fetched() { self.file.clone() } else { repacked(&self.file) }
    }

    fn is_there(&self) -> bool {
        self.is_as_fetched() || deb::is_whole(&repacked(&self.file))
    }

    /// A file of the cache got its name only after its digest was checked; its size tells a cut one.
    fn is_as_fetched(&self) -> bool {
        self.file.metadata().is_ok_and(|meta| meta.len() == self.size)
    }
}

/// Where a package lies whose data are zstd.
fn repacked(file: &Path) -> PathBuf {
    file.with_extension("zst.deb")
}

impl Plan {
    /// Fetches the packages that are not in the cache, four at a time, each verified by size and digest. While others are on
    /// their way, those that are here get the form in which they are kept.
    pub fn fetch(&self, events: &dyn Events) -> Result<(), DebianError> {
        let pool = self.cache.join("pool");
        std::fs::create_dir_all(&pool).map_err(DebianError::io("create", &pool))?;
        let lock = pool.join("lock");
        let _lock = plim_oci::lock::lock_exclusive(&lock).map_err(DebianError::io("lock", &lock))?;
        let missing: Vec<&Package> = self.packages().filter(|package| !package.is_there()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if self.offline {
            return Err(DebianError::Offline { file: format!("package {} {}", missing[0].name, missing[0].version) });
        }
        let total = missing.iter().map(|package| package.size).sum();
        let task = events.start(&format!("fetching {} Debian packages", missing.len()), Some(total));
        let work = Work {
            missing: &missing,
            next: AtomicUsize::new(0),
            transport: &*self.transport,
            cache: &self.cache,
            events,
            task,
        };
        let result = work.run();
        events.finish(task, &format!("{} packages", missing.len()), result.is_err());
        result
    }
}

/// The packages to fetch, for those who do it.
struct Work<'w> {
    missing: &'w [&'w Package],
    next: AtomicUsize,
    transport: &'w dyn Transport,
    cache: &'w Path,
    events: &'w dyn Events,
    task: TaskId,
}

impl<'w> Work<'w> {
    fn run(&self) -> Result<(), DebianError> {
        let (here, queue) = channel();
        let queue = Mutex::new(queue);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            let fetching: Vec<ScopedJoinHandle<'_, _>> = (0..PARALLEL)
                .map(|_| {
                    let here = here.clone();
                    scope.spawn(move || self.fetch(&here))
                })
                .collect();
            // the queue ends with the last of those who fill it
            drop(here);
            for _ in 0..cores {
                scope.spawn(|| self.repack(&queue));
            }
            fetching.into_iter().try_for_each(|thread| thread.join().unwrap_or(Err(DebianError::Cancelled)))
        })
    }

    fn fetch(&self, here: &Sender<&'w Package>) -> Result<(), DebianError> {
        while let Some(&package) = self.missing.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if self.events.cancelled() {
                return Err(DebianError::Cancelled);
            }
            // a cut one would be in the way
            let _ = std::fs::remove_file(repacked(&package.file));
            let fetched = self.transport.download(
                &package.url,
                &package.file,
                &package.digest,
                package.size,
                self.events,
                self.task,
            );
            if let Err(source) = fetched {
                // the others stop at their next package
                self.next.store(self.missing.len(), Ordering::Relaxed);
                if source.is_missing() {
                    crate::archive::distrust(self.cache);
                }
                return Err(DebianError::Fetch { url: package.url.clone(), source });
            }
            // whoever repacks is there as long as this
            let _ = here.send(package);
        }
        Ok(())
    }

    fn repack(&self, queue: &Mutex<Receiver<&'w Package>>) {
        loop {
            let package = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(package) = package else { return };
            if self.events.cancelled() {
                return;
            }
            // as it is it can be used, too, and will say what is wrong with it
            if let Err(reason) = repack(&package.file) {
                tracing::debug!(package = package.name, reason, "kept as it was fetched");
            }
        }
    }
}

/// Puts a package whose data are zstd in the place of one whose data are xz. The caller holds the lock of the pool.
fn repack(file: &Path) -> Result<(), String> {
    let part = file.with_extension("zst.part");
    let written = || -> Result<bool, String> {
        let said = |error: std::io::Error| error.to_string();
        let from = File::open(file).map_err(said)?;
        let mut to = BufWriter::with_capacity(1 << 17, File::create(&part).map_err(said)?);
        let done = deb::repack(from, &mut to)?;
        to.into_inner().map_err(|error| error.to_string())?;
        if done {
            std::fs::rename(&part, repacked(file)).and_then(|()| std::fs::remove_file(file)).map_err(said)?;
        }
        Ok(done)
    };
    let result = written();
    if !matches!(result, Ok(true)) {
        let _ = std::fs::remove_file(&part);
    }
    result.map(drop)
}
