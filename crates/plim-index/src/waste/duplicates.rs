//! The same content at several paths.

use std::collections::{BTreeMap, HashMap};

use bstr::{BStr, ByteSlice};
use plim_oci::EntryKind;

use super::{Named, Sheet, Waste, WasteKind};
use crate::paths;
use crate::{ContentDigest, Origin};

/// Files below this size are equal by chance or by licence, in bytes.
const MIN_SIZE: u64 = 4096;

/// How many pairs of places have a row of their own; the others share one.
const MAX_ROWS: usize = 30;

/// Two trees that have equal files under equal names, or two files: the one that stays and the one that goes.
type Pair<'a> = (&'a BStr, &'a BStr);

/// Returns a row for each pair of places with the same content. Of equal files the one that stays is that of the lowest
/// layer, of those one that a package owns, of those the first path.
pub(super) fn rows(sheet: &mut Sheet<'_>) -> Vec<Waste> {
    let mut by_content: HashMap<ContentDigest, Vec<Named<'_>>> = HashMap::new();
    let taken = &sheet.taken;
    for (path, node) in &sheet.inventory.nodes {
        // packages of one source bring its licence each
        let licence = path.starts_with(b"usr/share/doc/");
        let counts = node.head.kind == EntryKind::File && node.head.size >= MIN_SIZE && !licence;
        if let Some(digest) = node.digest.filter(|_| counts && !taken.contains(path)) {
            by_content.entry(digest).or_default().push((path, node));
        }
    }
    let mut pairs: BTreeMap<Pair<'_>, Vec<Named<'_>>> = BTreeMap::new();
    for names in by_content.into_values() {
        let files: std::collections::HashSet<Option<Origin>> = names.iter().map(|(_, node)| node.origin).collect();
        if files.len() < 2 {
            continue;
        }
        let stays = names
            .iter()
            .min_by_key(|(path, node)| (node.origin.map(|origin| origin.layer), node.owner.is_none(), *path));
        let Some((kept, kept_node)) = stays else { continue };
        for (path, node) in &names {
            if node.origin != kept_node.origin {
                // of the names of what stays the one that says most
                let same = |other: &&Named<'_>| {
                    other.1.origin == kept_node.origin && paths::name(other.0.as_bstr()) == paths::name(path.as_bstr())
                };
                let kept = names.iter().find(same).map_or(*kept, |(kept, _)| *kept);
                pairs.entry(places(kept.as_bstr(), path.as_bstr())).or_default().push((*path, *node));
            }
        }
    }
    let weight = |members: &[Named<'_>]| members.iter().map(|(_, node)| node.head.size).sum::<u64>();
    let mut pairs: Vec<(Pair<'_>, Vec<Named<'_>>)> = pairs.into_iter().collect();
    pairs.sort_by(|a, b| weight(&b.1).cmp(&weight(&a.1)).then_with(|| a.0.cmp(&b.0)));
    let others = pairs.split_off(pairs.len().min(MAX_ROWS));
    let mut rows: Vec<Waste> = Vec::new();
    for ((kept, copy), members) in pairs {
        let (what, hint) = if let [(path, _)] = members[..] {
            // what was taken from both ends
            let end = path[copy.len()..].trim_start_with(|c| c == '/').as_bstr();
            let kept = if end.is_empty() { kept.to_owned() } else { paths::join(kept, end) };
            let hint = format!("a link has no bytes: `ln -s /{kept}`, or `ln` in the RUN that writes both");
            (format!("/{path} is a copy of /{kept}"), hint)
        } else {
            let hint = "copy or install them once; where both places are needed, a symbolic link to the other one has no bytes";
            (format!("{} files below /{copy} are those below /{kept}", members.len()), hint.to_owned())
        };
        rows.extend(sheet.row(WasteKind::Duplicate, what, hint, &members));
    }
    let others: Vec<Named<'_>> = others.into_iter().flat_map(|(_, members)| members).collect();
    let what = "other files with the content of another one".to_owned();
    let hint = "copy or install them once, or link one to the other".to_owned();
    rows.extend(sheet.row(WasteKind::Duplicate, what, hint, &others));
    rows
}

/// Takes the names away that two paths have in common at their ends: `app/lib/x` and `build/lib/x` are `app` and `build`.
/// Paths with different file names stay whole.
fn places<'a>(kept: &'a BStr, copy: &'a BStr) -> Pair<'a> {
    let (mut one, mut other) = (kept, copy);
    while !one.is_empty() && !other.is_empty() && paths::name(one) == paths::name(other) {
        (one, other) = (paths::split(one).0, paths::split(other).0);
    }
    (one, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copied_trees_are_told_by_where_they_begin() {
        let of = |kept: &'static str, copy: &'static str| {
            let (kept, copy) = places(kept.as_bytes().as_bstr(), copy.as_bytes().as_bstr());
            (kept.to_string(), copy.to_string())
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(of("app/node_modules/a/x.js", "build/node_modules/a/x.js"), pair("app", "build"));
        assert_eq!(of("app/x", "x"), pair("app", ""));
        assert_eq!(of("app/x", "app/y"), pair("app/x", "app/y"));
        assert_eq!(of("a/p/x", "a/q/x"), pair("a/p", "a/q"));
    }
}
