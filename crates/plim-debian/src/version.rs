//! The order of Debian versions.

use std::cmp::Ordering;

use debversion::Version;

/// Compares two versions as dpkg does (Debian Policy, "5.6.12 Version").
///
/// A text that is no version sorts before all versions, and such texts among themselves by their bytes, so that the
/// order is total whatever an index holds.
pub fn compare(left: &str, right: &str) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    match (left.parse::<Version>(), right.parse::<Version>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        (Ok(_), Err(_)) => Ordering::Greater,
        (Err(_), Ok(_)) => Ordering::Less,
        (Err(_), Err(_)) => left.cmp(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_policy() {
        for (left, order, right) in [
            ("1.0", Ordering::Less, "1.1"),
            ("1.0~rc1", Ordering::Less, "1.0"),
            ("1:0", Ordering::Greater, "9"),
            ("1.0-1", Ordering::Less, "1.0-1+b1"),
            ("2.41-12+deb13u4", Ordering::Greater, "2.41-12"),
            ("1.0-0", Ordering::Equal, "1.0"),
            ("0:1.0", Ordering::Equal, "1.0"),
            ("1.2.10", Ordering::Greater, "1.2.9"),
            ("1.0a", Ordering::Less, "1.0+"),
        ] {
            assert_eq!(compare(left, right), order, "{left} against {right}");
        }
    }

    /// dpkg's own answers, with the vectors of other projects.
    #[test]
    fn agrees_with_the_collected_vectors() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/advisories/version-vectors/deb.tsv");
        let Ok(text) = std::fs::read_to_string(file) else {
            println!("skipped: no {file}");
            return;
        };
        let mut wrong = Vec::new();
        let mut count = 0;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut columns = line.split('\t');
            let (Some(left), Some(order), Some(right)) = (columns.next(), columns.next(), columns.next()) else {
                continue;
            };
            if left.parse::<Version>().is_err() || right.parse::<Version>().is_err() {
                continue;
            }
            let expected = match order {
                "<" => Ordering::Less,
                ">" => Ordering::Greater,
                _ => Ordering::Equal,
            };
            count += 1;
            if compare(left, right) != expected || compare(right, left) != expected.reverse() {
                wrong.push(line.to_owned());
            }
        }
        assert!(count > 1000, "only {count} vectors");
        assert!(wrong.is_empty(), "{} of {count} wrong: {:#?}", wrong.len(), &wrong[..wrong.len().min(10)]);
    }
}
