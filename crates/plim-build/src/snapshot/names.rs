//! Which of the names of a file belong together in a diff directory.
//!
//! Two names may share a file because a lower layer has them so, or because the step made it so. Only the latter are one
//! file in what the step leaves: an overlay copies a lower file for each name through which it is changed.

use std::collections::{HashMap, HashSet};

use bstr::BString;

use super::Stamp;

/// The names of a tree that share a file with another one.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Names that are one file in the diff directory, by a number that stands for the file.
    together: HashMap<BString, usize>,
    /// Names that shared a file so far and do not in the diff directory, if that has them.
    apart: Vec<BString>,
}

impl Names {
    /// Compares what the files of a tree look like `now` with what they looked like `before` the step.
    pub(super) fn sort(before: &HashMap<BString, Stamp>, now: &HashMap<BString, Stamp>) -> Self {
        let mut files: HashMap<(u64, u64), Vec<&BString>> = HashMap::new();
        for (path, stamp) in now.iter().filter(|(_, stamp)| stamp.links > 1) {
            files.entry(inode(stamp)).or_default().push(path);
        }
        let mut counts: HashMap<(u64, u64), usize> = HashMap::new();
        for stamp in before.values() {
            *counts.entry(inode(stamp)).or_default() += 1;
        }
        let mut names = Self::default();
        for (number, (file, mut paths)) in files.into_iter().enumerate() {
            paths.sort_unstable();
            let (old, mut new): (Vec<&BString>, Vec<&BString>) =
                paths.iter().partition(|path| before.get(**path).is_some_and(|stamp| inode(stamp) == file));
            if !new.is_empty() {
                match counts.get(&file) {
                    // a name more for a file that had one
                    Some(1) | None => new.extend(&old),
                    // one of several names of a lower file was moved: an overlay moves a copy
                    Some(count) if *count > old.len() => {}
                    // which of the old names was given to `ln` cannot be seen
                    Some(_) => new.extend(old.first()),
                }
            }
            names.together.extend(new.iter().map(|path| ((*path).clone(), number)));
            let kept: HashSet<&BString> = new.into_iter().collect();
            // the first may keep the file
            let apart = old.into_iter().filter(|path| !kept.contains(path));
            names.apart.extend(apart.skip(usize::from(kept.is_empty())).cloned());
        }
        names
    }

    /// Returns the number of the file that a name shares with others.
    pub(super) fn shared(&self, path: &BString) -> Option<usize> {
        self.together.get(path).copied()
    }

    /// Returns the names that share a file in the tree, but not in the diff directory.
    pub(super) fn apart(self) -> Vec<BString> {
        self.apart
    }
}

fn inode(stamp: &Stamp) -> (u64, u64) {
    (stamp.device, stamp.inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, u64)]) -> HashMap<BString, Stamp> {
        let links = |inode| files.iter().filter(|(_, other)| *other == inode).count() as u64;
        let stamp = |inode| Stamp { inode, links: links(inode), ..Stamp::default() };
        files.iter().map(|(path, inode)| (BString::from(*path), stamp(*inode))).collect()
    }

    fn together(before: &[(&str, u64)], now: &[(&str, u64)]) -> Vec<String> {
        let names = Names::sort(&tree(before), &tree(now));
        let mut found: Vec<String> = names.together.keys().map(ToString::to_string).collect();
        found.sort();
        found
    }

    #[test]
    fn a_new_name_goes_with_the_old_one() {
        assert_eq!(together(&[("a", 1)], &[("a", 1), ("b", 1)]), ["a", "b"]);
    }

    #[test]
    fn names_that_were_together_below_are_apart() {
        let lower = [("a", 1), ("b", 1)];
        assert_eq!(together(&lower, &lower), [""; 0]);
        assert_eq!(Names::sort(&tree(&lower), &tree(&lower)).apart(), ["b"]);
    }

    #[test]
    fn a_moved_name_leaves_the_others_and_moved_names_stay_together() {
        assert_eq!(together(&[("a", 1), ("b", 1)], &[("b", 1), ("x", 1)]), ["x"]);
        assert_eq!(together(&[("d/a", 1), ("d/b", 1)], &[("e/a", 1), ("e/b", 1)]), ["e/a", "e/b"]);
    }

    #[test]
    fn files_of_the_step_itself_stay_together() {
        assert_eq!(together(&[], &[("a", 1), ("b", 1), ("c", 2)]), ["a", "b"]);
    }
}
