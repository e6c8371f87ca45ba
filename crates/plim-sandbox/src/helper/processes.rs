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

/// Kills all processes of a session, as its leader's number names it: for a caller whose helper is gone.
pub(crate) fn end_session(leader: i32) {
    loop {
        let members = scan(SESSION, leader);
        if members.is_empty() {
            return;
        }
        for member in members {
            let _ = rustix::process::kill_process(member, Signal::KILL);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// The children of this process. Kernels without the list need a look at every process.
fn children() -> Vec<Pid> {
    let own = rustix::process::getpid().as_raw_pid();
    match std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")) {
        Ok(list) => list.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect(),
        Err(_) => scan(PARENT, own),
    }
}

/// Where numbers stand in `/proc/PID/stat`, counted from the name.
const PARENT: usize = 1;
const SESSION: usize = 3;

/// The processes with this number in this field, without those that only wait to be noticed.
fn scan(field: usize, wanted: i32) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let pid = name.to_str()?.parse().ok()?;
            let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
            let ended = after_name(&stat)?.starts_with(&b" Z"[..]);
            (number_in(&stat, field)? == wanted && !ended).then(|| Pid::from_raw(pid)).flatten()
        })
        .collect()
}

/// A number in `/proc/PID/stat`.
fn number_in(stat: &[u8], field: usize) -> Option<i32> {
    std::str::from_utf8(after_name(stat)?).ok()?.split_ascii_whitespace().nth(field)?.parse().ok()
}

/// What follows the name, which stands in brackets and may hold any byte.
fn after_name(stat: &[u8]) -> Option<&[u8]> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    stat.get(end + 1..)
}

#[cfg(test)]
mod tests {
    use super::{PARENT, SESSION, number_in, scan};

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(number_in(b"12 (a) b) (c) S 7 12 13 0", PARENT), Some(7));
        assert_eq!(number_in(b"12 (a) b) (c) S 7 12 13 0", SESSION), Some(13));
        assert_eq!(number_in(b"12 (sh", PARENT), None);
    }

    #[test]
    fn children_are_found_by_a_look_at_every_process() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let found = scan(PARENT, std::process::id().cast_signed());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.iter().any(|pid| pid.as_raw_pid() == child.id().cast_signed()));
    }
}
