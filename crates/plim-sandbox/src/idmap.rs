//! Which user and group numbers this process's user namespace knows. See user_namespaces(7).

/// Numbers that are mapped one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The first number as this process sees it.
    pub(crate) inside: u32,
    /// How many.
    pub(crate) count: u32,
}

/// Reads the lines of `/proc/PID/uid_map` or `gid_map`.
pub(crate) fn parse(map: &str) -> Vec<Extent> {
    map.lines()
        .filter_map(|line| {
            let mut numbers = line.split_whitespace().map(str::parse);
            let (inside, _outside, count) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
            Some(Extent { inside, count })
        })
        .collect()
}

/// This process's map; `file` is `uid_map` or `gid_map`.
pub(crate) fn own(file: &str) -> Vec<Extent> {
    parse(&std::fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default())
}

/// Whether the map has this number.
pub(crate) fn knows(file: &str, id: u32) -> bool {
    own(file).iter().any(|extent| id.checked_sub(extent.inside).is_some_and(|offset| offset < extent.count))
}

/// How many numbers the map has; `u32::MAX` on the machine itself.
pub(crate) fn size(map: &[Extent]) -> u32 {
    map.iter().fold(0, |sum, extent| sum.saturating_add(extent.count))
}

/// Whether this process lives in a user namespace other than the machine's.
pub(crate) fn in_user_namespace() -> bool {
    size(&own("uid_map")) < u32::MAX
}

#[cfg(test)]
mod tests {
    use super::{parse, size};

    #[test]
    fn maps_are_read_and_counted() {
        assert_eq!(size(&parse("         0          0 4294967295\n")), u32::MAX);
        assert_eq!(size(&parse("0 1000 1\n1 100000 65536\n")), 65537);
        assert_eq!(parse("1 100000 65536\nbad\n1 2\n").len(), 1);
    }
}
