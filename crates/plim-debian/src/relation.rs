//! Relations between packages: `Depends`, `Conflicts`, `Provides` and their kin (Debian Policy, chapter 7).

use std::cmp::Ordering;
use std::fmt;

use crate::version;

/// How a version must compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `<<`
    Earlier,
    /// `<=`
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=`
    LaterOrEqual,
    /// `>>`
    Later,
}

/// One name in a relation, perhaps with a version: `libc6 (>= 2.38)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation<'a> {
    /// The package or virtual package, without an architecture qualifier.
    pub name: &'a str,
    /// The version asked for.
    pub version: Option<(Operator, &'a str)>,
}

impl Relation<'_> {
    /// Says whether a version of the named package is one of those meant.
    pub fn accepts(&self, found: &str) -> bool {
        let Some((operator, wanted)) = self.version else { return true };
        let order = version::compare(found, wanted);
        match operator {
            Operator::Earlier => order == Ordering::Less,
            Operator::EarlierOrEqual => order != Ordering::Greater,
            Operator::Equal => order == Ordering::Equal,
            Operator::LaterOrEqual => order != Ordering::Less,
            Operator::Later => order == Ordering::Greater,
        }
    }

    /// Says whether a package that provides the name in this version (`None`: without one) is meant. A versioned
    /// relation is met only by a versioned provision (Policy 7.5).
    pub fn accepts_provided(&self, provided: Option<&str>) -> bool {
        match (self.version, provided) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(_), Some(found)) => self.accepts(found),
        }
    }
}

impl fmt::Display for Relation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        let Some((operator, version)) = self.version else { return Ok(()) };
        let sign = match operator {
            Operator::Earlier => "<<",
            Operator::EarlierOrEqual => "<=",
            Operator::Equal => "=",
            Operator::LaterOrEqual => ">=",
            Operator::Later => ">>",
        };
        write!(f, " ({sign} {version})")
    }
}

/// Parses a field into its comma-separated rows, each with its alternatives (`a | b`) in order.
///
/// Architecture qualifiers are dropped: plim chooses among the packages of one architecture only. A relation that is
/// restricted to other architectures (`[…]`) or build profiles does not occur in binary packages; one that cannot be
/// read keeps its name and loses its version.
pub fn parse(field: &str) -> impl Iterator<Item = Vec<Relation<'_>>> {
    field.split(',').map(|row| row.split('|').filter_map(parse_one).collect::<Vec<_>>()).filter(|row| !row.is_empty())
}

/// Parses one relation.
fn parse_one(text: &str) -> Option<Relation<'_>> {
    let text = text.trim();
    let end = text.find(|c: char| c.is_ascii_whitespace() || c == '(' || c == '[').unwrap_or(text.len());
    let name = text[..end].split(':').next().unwrap_or_default();
    if name.is_empty() {
        return None;
    }
    let version = text[end..].split_once('(').and_then(|(_, rest)| rest.split_once(')')).and_then(|(inside, _)| {
        let inside = inside.trim();
        let sign = inside.find(|c: char| !matches!(c, '<' | '=' | '>')).unwrap_or(inside.len());
        let operator = match &inside[..sign] {
            "<<" => Operator::Earlier,
            "<=" | "<" => Operator::EarlierOrEqual,
            "=" => Operator::Equal,
            ">=" | ">" => Operator::LaterOrEqual,
            ">>" => Operator::Later,
            _ => return None,
        };
        Some((operator, inside[sign..].trim()))
    });
    Some(Relation { name, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(field: &str) -> Vec<String> {
        parse(field).map(|row| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")).collect()
    }

    #[test]
    fn rows_alternatives_versions_and_qualifiers() {
        assert_eq!(
            shown("libc6 (>= 2.38), debconf (>= 0.5) | debconf-2.0, python3:any (>= 3.13~), dpkg(<<1.0),"),
            ["libc6 (>= 2.38)", "debconf (>= 0.5) | debconf-2.0", "python3 (>= 3.13~)", "dpkg (<< 1.0)"]
        );
    }

    #[test]
    fn broken_text_is_no_panic() {
        assert_eq!(shown(" , | , ( , a (, b (>= , c (?? 1), :any"), ["a", "b", "c"]);
    }

    #[test]
    fn operators_compare_as_policy_says() {
        let row = parse("a (<< 2) | a (<= 2) | a (= 2) | a (>= 2) | a (>> 2)").next().unwrap();
        let answers = |version: &str| row.iter().map(|relation| relation.accepts(version)).collect::<Vec<_>>();
        assert_eq!(answers("1"), [true, true, false, false, false]);
        assert_eq!(answers("2"), [false, true, true, true, false]);
        assert_eq!(answers("3"), [false, false, false, true, true]);
    }

    #[test]
    fn a_versioned_wish_needs_a_versioned_provision() {
        let wish = parse("editor (>= 2)").next().unwrap()[0];
        assert!(!wish.accepts_provided(None));
        assert!(!wish.accepts_provided(Some("1")));
        assert!(wish.accepts_provided(Some("2.1")));
    }
}
