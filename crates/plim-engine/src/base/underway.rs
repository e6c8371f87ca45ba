//! What this process is making: one base at a time on the same lowest recipe, whose layers may be written meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use camino::Utf8Path;
use plim_oci::lock::{Lock, try_lock_exclusive};
use plim_oci::{Digest, Events, Layer};

use super::pending::Pending;
use crate::Failure;

/// How long a process waits before it looks again whether another has let go of the lock.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The bases and layers that this process is making.
#[derive(Debug, Default)]
pub(crate) struct Underway {
    turns: Mutex<HashMap<String, Arc<Turn>>>,
    layers: Mutex<HashMap<Digest, Pending<Layer>>>,
    /// Bytes of the packages of each base that are being unpacked.
    unpacking: Mutex<Vec<u64>>,
    unpacked: Condvar,
}

/// Packages are being unpacked as long as this lives.
#[derive(Debug)]
pub(crate) struct Unpacking<'u> {
    underway: &'u Underway,
    bytes: u64,
}

/// Who may make the bases that stand on one lowest recipe.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// The lock against other processes, which holds until the last layer is written.
    lock: Mutex<Weak<Lock>>,
}

/// The turn is one's own.
#[derive(Debug)]
pub(crate) struct MyTurn<'t> {
    _turn: MutexGuard<'t, Weak<Lock>>,
    /// Keeps other processes away as long as it lives.
    pub(crate) lock: Arc<Lock>,
}

impl Underway {
    /// Returns the turn of a lowest recipe.
    pub(crate) fn turn(&self, lowest: &str) -> Arc<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(lowest.to_owned()).or_default())
    }

    /// Returns the layer of a level if it is being written.
    pub(crate) fn layer(&self, level: &Digest) -> Option<Pending<Layer>> {
        self.layers().get(level).cloned()
    }

    /// Notes that the layer of a level is being written.
    pub(crate) fn begin(&self, level: &Digest, layer: &Pending<Layer>) {
        self.layers().insert(level.clone(), layer.clone());
    }

    /// Notes that it is written, or failed: who asks from now on looks into the cache, or tries again.
    pub(crate) fn end(&self, level: &Digest) {
        self.layers().remove(level);
    }

    /// Waits as long as more bytes of packages are being unpacked for another base. Each takes all cores, and what comes after
    /// the larger one takes longer, in programs that run one after the other: that begins the sooner.
    pub(crate) fn unpack(&self, bytes: u64) -> Unpacking<'_> {
        let larger = |sizes: &mut Vec<u64>| sizes.iter().any(|other| *other > bytes);
        let sizes = self.unpacking.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sizes = self.unpacked.wait_while(sizes, larger).unwrap_or_else(PoisonError::into_inner);
        sizes.push(bytes);
        Unpacking { underway: self, bytes }
    }

    fn layers(&self) -> MutexGuard<'_, HashMap<Digest, Pending<Layer>>> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Unpacking<'_> {
    fn drop(&mut self) {
        let mut sizes = self.underway.unpacking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = sizes.iter().position(|size| *size == self.bytes) {
            sizes.swap_remove(at);
        }
        self.underway.unpacked.notify_all();
    }
}

impl Turn {
    /// Waits until nobody else makes a base on this recipe, or the user wants the end. `file` is what processes lock, `name`
    /// the recipe's.
    pub(crate) fn wait(&self, file: &Utf8Path, name: &str, events: &dyn Events) -> Result<MyTurn<'_>, Failure> {
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = match held.upgrade() {
            // this process has not let go of it yet
            Some(lock) => lock,
            None => Arc::new(lock(file, name, events)?),
        };
        *held = Arc::downgrade(&lock);
        Ok(MyTurn { _turn: held, lock })
    }
}

/// Holds the lock against other processes. They may take minutes: whoever waits for them is told so and can have enough of it.
fn lock(file: &Utf8Path, name: &str, events: &dyn Events) -> Result<Lock, Failure> {
    let attempt = || {
        try_lock_exclusive(file.as_std_path())
            .map_err(|error| Failure::caused(format!("failed to lock {file}"), &error))
    };
    if let Some(lock) = attempt()? {
        return Ok(lock);
    }
    let task = events.start(&format!("wait for another plim that makes {name}"), None);
    let lock = loop {
        if events.cancelled() {
            break Err(Failure::tool("interrupted"));
        }
        std::thread::sleep(LOOK_AGAIN);
        if let Some(lock) = attempt().transpose() {
            break lock;
        }
    };
    events.finish(task, lock.as_ref().err().map_or("", |failure| failure.message.as_str()), lock.is_err());
    lock
}

#[cfg(test)]
mod tests {
    use plim_oci::Silent;
    use plim_testkit::Recorder;

    use super::*;

    #[test]
    fn the_lock_holds_until_the_last_layer_is_written_and_keeps_only_others_away() {
        let dir = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(dir.path()).unwrap().join("debian.lock");
        // a lock of one open file is in the way of another's, as if it were another process
        let free = || try_lock_exclusive(file.as_std_path()).unwrap().is_some();
        let underway = Underway::default();
        let turn = underway.turn("debian");
        let first = turn.wait(&file, "debian", &Silent).unwrap();
        let writing = Arc::clone(&first.lock);
        drop(first);
        assert!(!free(), "its layers are still being written");
        let second = turn.wait(&file, "debian", &Silent).unwrap();
        assert!(Arc::ptr_eq(&second.lock, &writing), "this process goes on");
        drop((second, writing));
        assert!(free());
    }

    #[test]
    fn who_waits_for_another_process_is_told_so_and_can_have_enough() {
        let dir = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(dir.path()).unwrap().join("debian.lock");
        let other = try_lock_exclusive(file.as_std_path()).unwrap().unwrap();
        let (turn, events) = (Turn::default(), Recorder::new());
        events.cancel();
        assert_eq!(turn.wait(&file, "debian", &events).unwrap_err().message, "interrupted");
        assert_eq!(events.titles(), ["wait for another plim that makes debian"]);
        let events = Recorder::new();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| turn.wait(&file, "debian", &events).map(drop));
            while events.titles().is_empty() {
                std::thread::yield_now();
            }
            drop(other);
            waiting.join().unwrap().unwrap();
        });
        assert_eq!(events.titles().len(), 1);
        let events = Recorder::new();
        drop(turn.wait(&file, "debian", &events).unwrap());
        assert!(events.titles().is_empty(), "who need not wait hears nothing");
    }

    #[test]
    fn a_layer_is_found_while_it_is_being_written() {
        let (underway, level) = (Underway::default(), Digest::of(b"level"));
        let (pending, promise) = Pending::new();
        underway.begin(&level, &pending);
        let found = underway.layer(&level).unwrap();
        promise.keep(Err(Failure::tool("the disk is full")));
        underway.end(&level);
        assert_eq!(found.wait().unwrap_err().message, "the disk is full");
        assert!(underway.layer(&level).is_none(), "who comes next tries again");
    }

    #[test]
    fn the_larger_base_is_unpacked_first() {
        let underway = Underway::default();
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let large = underway.unpack(10);
            let small = scope.spawn(|| {
                let _turn = underway.unpack(3);
                order.lock().unwrap().push("small");
            });
            // neither a larger one nor one as large has to wait
            drop((underway.unpack(10), underway.unpack(20)));
            order.lock().unwrap().push("large");
            drop(large);
            small.join().unwrap();
        });
        assert_eq!(order.into_inner().unwrap(), ["large", "small"]);
        assert!(underway.unpacking.lock().unwrap().is_empty());
    }
}
