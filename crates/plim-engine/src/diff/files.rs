//! Which files came, went or are different.

use std::collections::HashSet;

use bstr::BString;
use plim_index::{Inventory, Node};
use plim_oci::EntryKind;

use super::{Change, FileChanges, FileSum, PathChange};

/// Paths of the report.
const PATHS: usize = 200;

/// Compares all paths of two images; returns the sums, and the paths with the largest differences.
pub(super) fn compare(old: &Inventory, new: &Inventory) -> (FileChanges, Vec<PathChange>) {
    let (old, new) = (Tree::of(old), Tree::of(new));
    let mut sums = FileChanges::default();
    let mut rows: Vec<PathChange> = Vec::new();
    let paths = old.inventory.nodes.iter().map(|(path, node)| (path, Some(node), new.inventory.nodes.get(path)));
    let only_new = new.inventory.nodes.iter().filter(|(path, _)| !old.inventory.nodes.contains_key(*path));
    for (path, one, other) in paths.chain(only_new.map(|(path, node)| (path, None, Some(node)))) {
        let (change, details) = match (one, other) {
            (Some(one), Some(other)) => (changed(one, other), details(one, other)),
            (None, _) => (Some(Change::Added), Vec::new()),
            (_, None) => (Some(Change::Removed), Vec::new()),
        };
        let is_dir = |node: Option<&Node>| node.is_none_or(|node| node.head.kind == EntryKind::Dir);
        // directories come and go with what is in them
        if is_dir(one) && is_dir(other) && change != Some(Change::Metadata) {
            continue;
        }
        let (before, after) = (old.bytes(path, one), new.bytes(path, other));
        let sum = match change {
            Some(Change::Added) => &mut sums.added,
            Some(Change::Removed) => &mut sums.removed,
            Some(Change::Changed) => &mut sums.changed,
            Some(Change::Metadata) => &mut sums.metadata,
            None => &mut sums.same,
        };
        *sum = FileSum { files: sum.files + 1, before: sum.before + before, after: sum.after + after };
        if let Some(change) = change {
            rows.push(PathChange { path: format!("/{path}"), change, before, after, details });
            // the rows of two images without a common path would fill the memory
            if rows.len() >= 64 * PATHS {
                keep_largest(&mut rows);
            }
        }
    }
    keep_largest(&mut rows);
    (sums, rows)
}

/// Keeps the rows with the largest differences, the larger file where the difference is the same.
fn keep_largest(rows: &mut Vec<PathChange>) {
    rows.sort_by(|a, b| {
        let weight = |row: &PathChange| (row.before.abs_diff(row.after), row.before.max(row.after));
        weight(b).cmp(&weight(a)).then_with(|| a.path.cmp(&b.path))
    });
    rows.truncate(PATHS);
}

/// An inventory, and which name of each file counts.
struct Tree<'a> {
    inventory: &'a Inventory,
    first: HashSet<&'a BString>,
}

impl<'a> Tree<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        Self { inventory, first: inventory.files().map(|(path, _)| path).collect() }
    }

    fn bytes(&self, path: &BString, node: Option<&Node>) -> u64 {
        node.filter(|_| self.first.contains(path)).map_or(0, |node| node.head.size)
    }
}

fn changed(one: &Node, other: &Node) -> Option<Change> {
    let (a, b) = (&one.head, &other.head);
    let content = a.kind != b.kind
        || one.digest != other.digest
        || (a.kind == EntryKind::Symlink && a.link != b.link)
        || a.device != b.device;
    let metadata = (a.mode, a.uid, a.gid) != (b.mode, b.uid, b.gid) || a.xattrs != b.xattrs;
    // the mode of a symbolic link means nothing
    let metadata = metadata && !(a.kind == EntryKind::Symlink && (a.uid, a.gid) == (b.uid, b.gid));
    match (content, metadata) {
        (true, _) => Some(Change::Changed),
        (false, true) => Some(Change::Metadata),
        (false, false) => None,
    }
}

fn details(one: &Node, other: &Node) -> Vec<String> {
    let (a, b) = (&one.head, &other.head);
    let mut details = Vec::new();
    if a.kind != b.kind {
        details.push(format!("{} -> {}", kind(a.kind), kind(b.kind)));
    }
    if a.mode != b.mode && (a.kind, b.kind) != (EntryKind::Symlink, EntryKind::Symlink) {
        details.push(format!("mode {:o} -> {:o}", a.mode, b.mode));
    }
    if (a.uid, a.gid) != (b.uid, b.gid) {
        details.push(format!("owner {}:{} -> {}:{}", a.uid, a.gid, b.uid, b.gid));
    }
    if a.link != b.link && a.kind == EntryKind::Symlink && b.kind == EntryKind::Symlink {
        details.push(format!("target {} -> {}", a.link, b.link));
    }
    if a.xattrs != b.xattrs {
        let names = a.xattrs.keys().chain(b.xattrs.keys()).filter(|name| a.xattrs.get(*name) != b.xattrs.get(*name));
        let names: std::collections::BTreeSet<String> = names.map(ToString::to_string).collect();
        details.extend(names.into_iter().map(|name| format!("attribute {name}")));
    }
    details
}

fn kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Dir => "directory",
        EntryKind::Symlink => "link",
        EntryKind::File | EntryKind::Hardlink => "file",
        EntryKind::Char | EntryKind::Block => "device",
        EntryKind::Fifo => "pipe",
    }
}
