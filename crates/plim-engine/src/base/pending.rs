//! A result that another thread of this process is working on.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::Failure;

/// A result that is there or on its way.
#[derive(Debug)]
pub(crate) struct Pending<T> {
    shared: Arc<Shared<T>>,
}

/// The other end: whoever has it owes the result.
#[derive(Debug)]
pub(crate) struct Promise<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    result: Mutex<Option<Result<T, Failure>>>,
    changed: Condvar,
}

impl<T> Clone for Pending<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Pending<T> {
    /// Returns both ends of a result to come.
    pub(crate) fn new() -> (Self, Promise<T>) {
        let shared = Arc::new(Shared { result: Mutex::new(None), changed: Condvar::new() });
        (Self { shared: Arc::clone(&shared) }, Promise { shared })
    }

    /// Returns a result that is there already.
    pub(crate) fn there(value: T) -> Self {
        Self { shared: Arc::new(Shared { result: Mutex::new(Some(Ok(value))), changed: Condvar::new() }) }
    }
}

impl<T: Clone> Pending<T> {
    /// Waits for the result.
    pub(crate) fn wait(&self) -> Result<T, Failure> {
        let mut result = self.shared.result.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*result {
                Some(result) => return result.clone(),
                None => result = self.shared.changed.wait(result).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl<T> Promise<T> {
    /// Hands the result to those who wait, now and later.
    pub(crate) fn keep(self, result: Result<T, Failure>) {
        self.settle(result);
    }

    fn settle(&self, new: Result<T, Failure>) {
        let mut result = self.shared.result.lock().unwrap_or_else(PoisonError::into_inner);
        result.get_or_insert(new);
        self.shared.changed.notify_all();
    }
}

/// A thread that panics must not leave others waiting for it.
impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.settle(Err(Failure::tool("a thread that made a part of a base image ended unexpectedly")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_wait_get_the_result() {
        let (pending, promise) = Pending::new();
        std::thread::scope(|scope| {
            let waiting: Vec<_> = (0..3)
                .map(|_| {
                    let pending = pending.clone();
                    scope.spawn(move || pending.wait())
                })
                .collect();
            promise.keep(Ok(7));
            assert!(waiting.into_iter().all(|thread| thread.join().unwrap() == Ok(7)));
        });
        assert_eq!(pending.wait(), Ok(7), "and who comes late");
        assert_eq!(Pending::there(8).wait(), Ok(8));
    }

    #[test]
    fn a_broken_promise_is_a_failure() {
        let (pending, promise) = Pending::<u8>::new();
        drop(promise);
        assert!(pending.wait().unwrap_err().message.contains("ended unexpectedly"));
    }
}
