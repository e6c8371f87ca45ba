//! The users and groups that this process may give files to.

use std::fs;
use std::ops::Range;

/// Ranges of ids; none but the own where the process is not root of its namespace.
#[derive(Debug)]
pub(super) struct Ids {
    /// The user that the process is.
    pub(super) user: u32,
    /// The group that it is in.
    pub(super) group: u32,
    users: Vec<Range<u64>>,
    groups: Vec<Range<u64>>,
}

impl Ids {
    /// Asks the system.
    pub(super) fn load() -> Self {
        let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let map = |file| match user {
            0 => ranges(&fs::read_to_string(file).unwrap_or_default()),
            _ => Vec::new(),
        };
        Self { user, group, users: map("/proc/self/uid_map"), groups: map("/proc/self/gid_map") }
    }

    /// Says whether files may be given to a user.
    pub(super) fn has_user(&self, id: u32) -> bool {
        id == self.user || has(&self.users, id)
    }

    /// Says whether files may be given to a group.
    pub(super) fn has_group(&self, id: u32) -> bool {
        id == self.group || has(&self.groups, id)
    }
}

fn has(ranges: &[Range<u64>], id: u32) -> bool {
    ranges.iter().any(|range| range.contains(&u64::from(id)))
}

/// Reads the ids inside of a namespace off its map (user_namespaces(7)): lines of first inside, first outside, length.
fn ranges(map: &str) -> Vec<Range<u64>> {
    let range = |line: &str| {
        let mut numbers = line.split_ascii_whitespace().map(str::parse::<u64>);
        let (first, _, length) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(first..first.checked_add(length)?)
    };
    map.lines().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_says_which_ids_there_are() {
        let ids = ranges("         0       1000          1\n         1     100000      65536\nnonsense\n");
        assert_eq!(ids, [0..1, 1..65_537]);
        assert!(has(&ids, 0) && has(&ids, 65_536) && !has(&ids, 65_537) && !has(&ids, u32::MAX));
        assert!(has(&ranges("0 0 4294967295"), 1_000_000));
    }
}
