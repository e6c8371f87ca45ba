//! `/etc/subuid` and `/etc/subgid`: which further numbers a user may use. See subuid(5).

use bstr::ByteSlice;

/// Numbers from `start` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: u32,
    pub(super) count: u32,
}

/// The kernel takes 340 lines (UID_GID_MAP_MAX_EXTENTS), one of which is the user's own.
const RANGES_LIMIT: usize = 339;

/// The ranges of a user, who is named or numbered in the file.
pub(super) fn ranges(text: &[u8], name: Option<&[u8]>, id: u32) -> Vec<Range> {
    let id = id.to_string();
    let mine = |user: &[u8]| Some(user) == name || user == id.as_bytes();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim_ascii().split(|byte| *byte == b':');
            let user = fields.next()?;
            let range = Range { start: number(fields.next()?)?, count: number(fields.next()?)? };
            let usable = range.count > 0 && range.start.checked_add(range.count).is_some();
            (mine(user) && usable).then_some(range)
        })
        .take(RANGES_LIMIT)
        .collect()
}

/// The name of a user id, from the text of `/etc/passwd`.
pub(super) fn user_name(passwd: &[u8], id: u32) -> Option<Vec<u8>> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next()?;
        (number(fields.nth(1)?)? == id).then(|| name.to_vec())
    })
}

/// What `newuidmap` wants: triples of inside, outside, count; the own id becomes 0, the ranges follow from 1 on.
pub(super) fn map_arguments(own: u32, ranges: &[Range]) -> Vec<u32> {
    let mut arguments = vec![0, own, 1];
    let mut inside: u32 = 1;
    for range in ranges {
        // what would not fit any more is left out
        let Some(next) = inside.checked_add(range.count) else { break };
        arguments.extend([inside, range.start, range.count]);
        inside = next;
    }
    arguments
}

fn number(field: &[u8]) -> Option<u32> {
    field.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Range, map_arguments, ranges, user_name};

    const SUBUID: &[u8] = b"ann:100000:65536\nbob:165536:65536\n1000:300000:10\nann:bad:1\nann:5:0\nann:4294967295:2\n";

    #[test]
    fn ranges_are_found_by_name_and_number() {
        let expected = [Range { start: 100_000, count: 65536 }, Range { start: 300_000, count: 10 }];
        assert_eq!(ranges(SUBUID, Some(b"ann"), 1000), expected);
        assert_eq!(ranges(SUBUID, None, 1001), []);
    }

    #[test]
    fn the_caller_becomes_root_and_the_ranges_follow() {
        let found = ranges(SUBUID, Some(b"ann"), 1000);
        assert_eq!(map_arguments(1000, &found), [0, 1000, 1, 1, 100_000, 65536, 65537, 300_000, 10]);
    }

    #[test]
    fn names_come_from_passwd() {
        assert_eq!(user_name(b"root:x:0:0::/:\nann:x:1000:1000::/:\n", 1000), Some(b"ann".to_vec()));
        assert_eq!(user_name(b"bad\n", 1000), None);
    }

    proptest! {
        #[test]
        fn hostile_files_do_no_harm(text: Vec<u8>, id: u32) {
            map_arguments(id, &ranges(&text, Some(b"a"), id));
            user_name(&text, id);
        }
    }
}
