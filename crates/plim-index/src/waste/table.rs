//! Rules on directories: one search for all of them over each path.

use aho_corasick::AhoCorasick;
use bstr::{BStr, BString, ByteSlice};

/// A rule on where something lies.
#[derive(Debug)]
pub(super) struct Rule {
    /// What lies there, in a few words.
    pub(super) what: &'static str,
    /// What to do about it.
    pub(super) hint: &'static str,
    /// The directories, each with a slash at the end: from the root with one at the beginning, else anywhere.
    pub(super) at: &'static [&'static str],
    /// What has one of these in its path is something else.
    pub(super) except: &'static [&'static str],
}

/// Rules, and the search for their directories.
#[derive(Debug)]
pub(super) struct Table {
    rules: &'static [Rule],
    search: AhoCorasick,
    /// The rule of each pattern, and whether it stands at the root.
    patterns: Vec<(usize, bool)>,
}

impl Table {
    pub(super) fn of(rules: &'static [Rule]) -> Self {
        let mut literals = Vec::new();
        let mut patterns = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            for at in rule.at {
                let root = at.starts_with('/');
                literals.push(if root { (*at).to_owned() } else { format!("/{at}") });
                patterns.push((number, root));
            }
        }
        let search = AhoCorasick::new(literals).expect("some dozens of short literals fit into a table");
        Self { rules, search, patterns }
    }

    /// Returns the number of the rule for a path; of several the one that stands first in the path.
    pub(super) fn find(&self, path: &BStr) -> Option<usize> {
        let slashed: BString = bstr::concat([b"/", path.as_bytes()]).into();
        self.search.find_overlapping_iter(&slashed).find_map(|found| {
            let (rule, root) = *self.patterns.get(found.pattern().as_usize())?;
            let excepted = self.rules[rule].except.iter().any(|except| slashed.contains_str(except));
            (!excepted && (!root || found.start() == 0)).then_some(rule)
        })
    }

    pub(super) fn rule(&self, number: usize) -> &'static Rule {
        &self.rules[number]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &[Rule] = &[
        Rule { what: "logs", hint: "", at: &["/var/log/"], except: &["/keep/"] },
        Rule { what: "history", hint: "", at: &[".git/"], except: &[] },
    ];

    #[test]
    fn a_directory_is_found_at_the_root_or_anywhere_and_never_by_a_part_of_its_name() {
        let table = Table::of(RULES);
        let find = |path: &str| table.find(path.as_bytes().as_bstr());
        assert_eq!(find("var/log/x"), Some(0));
        assert_eq!(find("srv/var/log/x"), None);
        assert_eq!(find("var/log"), None);
        assert_eq!(find("var/logs/x"), None);
        assert_eq!(find("var/log/keep/x"), None);
        assert_eq!(find(".git/config"), Some(1));
        assert_eq!(find("app/.git/config"), Some(1));
        assert_eq!(find("app/x.git/config"), None);
        assert_eq!(find("var/log/app/.git/config"), Some(0));
    }
}
