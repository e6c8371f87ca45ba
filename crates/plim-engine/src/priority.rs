//! Work that gives way to other work of the same run.

/// Lowers the priority of the thread, and of all threads and processes that it starts.
pub(crate) fn give_way() {
    /// A third of the time of a thread that is not nice; more would starve it on a machine where others work, too.
    const NICENESS: i32 = 5;
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}
