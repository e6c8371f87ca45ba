//! Work that gives way to other work of the same run.

use rustix::process::{getpriority_process, setpriority_process};
use rustix::thread::gettid;

/// Lowers the priority of the thread, and of all threads and processes that it starts. It cannot be raised again.
pub(crate) fn give_way() {
    /// A third of the time of a thread that does not give way: each step of niceness leaves a fifth less (sched(7)). More
    /// would starve it on a machine where others work, too.
    const STEPS: i32 = 5;
    let thread = Some(gettid());
    // the kernel takes what is more than 19 for that
    let lowered = getpriority_process(thread).and_then(|before| setpriority_process(thread, before + STEPS));
    if let Err(error) = lowered {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_starts_gives_way_with_it_and_others_do_not() {
        let niceness = || getpriority_process(Some(gettid())).unwrap();
        let mine = niceness();
        let lowered = std::thread::spawn(move || {
            give_way();
            let first = std::thread::spawn(niceness).join().unwrap();
            give_way();
            (first, niceness())
        });
        assert_eq!(lowered.join().unwrap(), ((mine + 5).min(19), (mine + 10).min(19)));
        assert_eq!(niceness(), mine);
    }
}
