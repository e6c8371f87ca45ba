//! Ending every process that a command leaves behind, without a namespace to end.
//!
//! The helper is the "child subreaper" of the command: a process whose parent ends becomes the helper's own child. Killing
//! all children until there are none reaches all descendants, whatever session or group they have moved to.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};

/// Time between two looks at processes that are dying.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Makes orphans among the descendants children of this process.
pub(super) fn adopt_orphans() -> rustix::io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
}

/// Kills all descendants and waits for their end.
pub(super) fn end_all() {
    loop {
        for child in children() {
            // not waited for yet, so the number is still its own
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            // the next round finds what was adopted meanwhile
            Ok(None) => std::thread::sleep(LOOK_AGAIN),
            Err(_) => return,
        }
    }
}

/// The children of this process. Kernels without the list need a look at every process.
fn children() -> Vec<Pid> {
    let own = rustix::process::getpid().as_raw_pid();
    match std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")) {
        Ok(list) => list.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect(),
        Err(_) => scan(own),
    }
}

fn scan(parent: i32) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let pid = name.to_str()?.parse().ok()?;
            let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
            (parent_in(&stat)? == parent).then(|| Pid::from_raw(pid)).flatten()
        })
        .collect()
}

/// The parent in `/proc/PID/stat`: the second field after the name, which stands in brackets and may hold any byte.
fn parent_in(stat: &[u8]) -> Option<i32> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{parent_in, scan};

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent_in(b"12 (a) b) (c) S 7 12 12 0"), Some(7));
        assert_eq!(parent_in(b"12 (sh"), None);
    }

    #[test]
    fn children_are_found_by_a_look_at_every_process() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let found = scan(std::process::id().cast_signed());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.iter().any(|pid| pid.as_raw_pid() == child.id().cast_signed()));
    }
}
