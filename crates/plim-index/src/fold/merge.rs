//! Layers laid over each other.

use std::collections::{BTreeMap, btree_map};

use bstr::{BStr, BString, ByteSlice};
use plim_oci::{EntryHead, EntryKind};

use super::upper::{Item, Upper};
use super::{Anomaly, AnomalyKind, Hidden, HiddenHow, below};
use crate::inventory::{Node, Origin, step};
use crate::{ContentDigest, LayerIndex, paths};

/// The merged tree of the layers so far.
#[derive(Debug, Default)]
pub(super) struct Stack {
    pub(super) nodes: BTreeMap<BString, Node>,
    pub(super) hidden: Vec<Hidden>,
    pub(super) anomalies: Vec<Anomaly>,
}

impl Stack {
    /// Lays the next layer on top.
    pub(super) fn apply(&mut self, number: usize, layer: &LayerIndex) {
        let upper = Upper::of(layer);
        self.anomalies.extend(upper.anomalies.into_iter().map(|(path, kind)| Anomaly { layer: number, path, kind }));
        for (path, opaque) in &upper.whiteouts {
            if *opaque {
                self.hide_below(path.as_bstr(), number);
            } else {
                self.hide(path.as_bstr(), number, HiddenHow::Deleted);
            }
        }
        for (path, entry) in upper.replaced {
            let entry = (entry, &layer.entries[entry as usize]);
            let now = match upper.items.get(&path) {
                Some(Item::Leaf(now)) => layer.entries[*now as usize].digest,
                _ => None,
            };
            if entry.1.head.kind == EntryKind::File {
                self.hidden.push(Hidden {
                    path,
                    layer: number,
                    bytes: entry.1.head.size,
                    by: number,
                    how: how(entry.1.digest, now),
                    origin: Origin { layer: number, entry: entry.0 },
                });
            }
        }
        // all names of lower files are looked up before anything of this layer covers them
        let nodes: Vec<(BString, Option<Node>)> =
            upper.items.into_iter().filter_map(|(path, item)| self.node(number, layer, path, item)).collect();
        for (path, node) in nodes {
            self.place(number, path, node);
        }
    }

    /// Makes the node of an item; none for a directory that the layer only needs.
    fn node(
        &mut self,
        number: usize,
        layer: &LayerIndex,
        path: BString,
        item: Item,
    ) -> Option<(BString, Option<Node>)> {
        let own = |entry: u32| {
            let found = &layer.entries[entry as usize];
            Node {
                head: named(&found.head, path.clone()),
                digest: found.digest,
                layer: number,
                origin: Some(Origin { layer: number, entry }),
                owner: None,
            }
        };
        let node = match item {
            Item::Dir(None) => None,
            Item::Dir(Some(entry)) | Item::Leaf(entry) => Some(own(entry)),
            Item::Lower(target) => match self.lower(target.as_bstr()) {
                Ok(node) => {
                    let head = named(&node.head, path.clone());
                    let (digest, origin, owner) = (node.digest, node.origin, node.owner);
                    Some(Node { head, digest, layer: number, origin, owner })
                }
                Err(kind) => {
                    self.anomalies.push(Anomaly { layer: number, path, kind });
                    return None;
                }
            },
        };
        Some((path, node))
    }

    /// Finds what a hard link to a lower layer names.
    fn lower(&self, target: &BStr) -> Result<&Node, AnomalyKind> {
        let path = paths::follow(target, false, |path| step(&self.nodes, path));
        match path.ok().and_then(|path| self.nodes.get(&path)) {
            Some(node) if node.head.kind == EntryKind::Dir => Err(AnomalyKind::HardlinkToDirectory),
            Some(node) => Ok(node),
            None => Err(AnomalyKind::DanglingHardlink),
        }
    }

    /// Puts a node over whatever is at its path.
    fn place(&mut self, number: usize, path: BString, node: Option<Node>) {
        let named = node.is_some();
        let node = node.unwrap_or_else(|| Node {
            head: EntryHead::new(path.clone(), EntryKind::Dir, 0o755),
            digest: None,
            layer: number,
            origin: None,
            owner: None,
        });
        let mut place = match self.nodes.entry(path) {
            btree_map::Entry::Vacant(place) => {
                place.insert(node);
                return;
            }
            btree_map::Entry::Occupied(place) => place,
        };
        if place.get().head.kind == EntryKind::Dir && node.head.kind == EntryKind::Dir {
            if named {
                place.insert(node);
            }
            return;
        }
        let (path, how) = (place.key().clone(), how(place.get().digest, node.digest));
        self.hide(path.as_bstr(), number, how);
        self.nodes.insert(path, node);
    }

    /// Takes away what is at a path, with everything below it.
    fn hide(&mut self, path: &BStr, by: usize, how: HiddenHow) {
        match self.nodes.get(path).map(|node| node.head.kind) {
            None => return,
            Some(EntryKind::Dir) => self.hide_below(path, by),
            Some(_) => {}
        }
        if let Some(node) = self.nodes.remove(path) {
            self.note_hidden(node, by, how);
        }
    }

    /// Takes away everything below a directory.
    fn hide_below(&mut self, dir: &BStr, by: usize) {
        let gone: Vec<BString> = below(&self.nodes, dir).map(|(path, _)| path.clone()).collect();
        for path in gone {
            if let Some(node) = self.nodes.remove(&path) {
                self.note_hidden(node, by, HiddenHow::Deleted);
            }
        }
    }

    fn note_hidden(&mut self, node: Node, by: usize, how: HiddenHow) {
        if let (EntryKind::File, Some(origin)) = (node.head.kind, node.origin) {
            let (path, bytes) = (node.head.path, node.head.size);
            self.hidden.push(Hidden { path, layer: origin.layer, bytes, by, how, origin });
        }
    }
}

/// Returns the head of something under another path.
fn named(head: &EntryHead, path: BString) -> EntryHead {
    EntryHead {
        path,
        kind: head.kind,
        mode: head.mode,
        uid: head.uid,
        gid: head.gid,
        size: head.size,
        mtime: head.mtime,
        link: head.link.clone(),
        device: head.device,
        xattrs: head.xattrs.clone(),
    }
}

/// Tells how a file is hidden by what takes its place.
fn how(old: Option<ContentDigest>, new: Option<ContentDigest>) -> HiddenHow {
    if old.is_some() && old == new { HiddenHow::Rewritten } else { HiddenHow::Replaced }
}
