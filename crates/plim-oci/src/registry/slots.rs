//! How many transfers a registry is asked for at once.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// A number of places; who finds none waits.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    shared: Arc<(Mutex<usize>, Condvar)>,
}

impl Slots {
    pub(super) fn new(count: usize) -> Self {
        Self { shared: Arc::new((Mutex::new(count.max(1)), Condvar::new())) }
    }

    /// Takes a place, waiting for one.
    pub(super) fn take(&self) -> Slot {
        let (free, freed) = &*self.shared;
        let mut count = free.lock().unwrap_or_else(PoisonError::into_inner);
        while *count == 0 {
            count = freed.wait(count).unwrap_or_else(PoisonError::into_inner);
        }
        *count -= 1;
        Slot { of: self.clone() }
    }
}

/// A place that is given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    of: Slots,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let (free, freed) = &*self.of.shared;
        *free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_places_are_taken_at_once() {
        let slots = Slots::new(2);
        let most = Mutex::new((0, 0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let _slot = slots.take();
                    let mut now = most.lock().unwrap();
                    now.0 += 1;
                    now.1 = now.1.max(now.0);
                    drop(now);
                    std::thread::yield_now();
                    most.lock().unwrap().0 -= 1;
                });
            }
        });
        assert!(most.into_inner().unwrap().1 <= 2);
    }
}
