//! Files that later layers delete, replace or write again, and secrets among them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bstr::{BStr, BString, ByteSlice};
use plim_oci::{EntryHead, EntryKind};

use super::{Item, PATHS, Waste, WasteKind, WastePath, row};
use crate::fold::{Hidden, HiddenHow};
use crate::inventory::{Inventory, Origin};
use crate::paths;

/// What differs between two copies of the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// Nothing but the time, or nothing at all.
    Nothing,
    Mode,
    Owner,
    ModeAndOwner,
    Attributes,
}

/// Rows are kept apart by what happened to the files, the layer that has them and the one that hides them.
type Key = (WasteKind, Option<Change>, usize, usize);

/// Returns a row for each pair of layers and each thing that the upper one does to files of the lower one.
pub(super) fn rows(inventory: &Inventory) -> Vec<Waste> {
    let later = Later::of(inventory);
    let mut groups: BTreeMap<Key, Vec<(&Hidden, Option<&EntryHead>)>> = BTreeMap::new();
    for (number, hidden) in inventory.hidden.iter().enumerate().filter(|(_, hidden)| hidden.bytes > 0) {
        let next = later.after(number);
        let (kind, change) = match hidden.how {
            HiddenHow::Deleted => (WasteKind::Deleted, None),
            HiddenHow::Replaced => (WasteKind::Replaced, None),
            HiddenHow::Rewritten => {
                let old = head(inventory, hidden.origin);
                (WasteKind::Rewritten, Some(old.zip(next).map_or(Change::Nothing, |(old, new)| change(old, new))))
            }
        };
        groups.entry((kind, change, hidden.layer, hidden.by)).or_default().push((hidden, next));
    }
    let rows = groups.into_iter().filter_map(|((kind, change, layer, by), members)| {
        let paths: Vec<&BStr> = members.iter().map(|(hidden, _)| hidden.path.as_bstr()).collect();
        let place = place(&paths);
        let hint = hint(inventory, kind, change, layer, by, &members);
        let what = match (kind, change) {
            (WasteKind::Deleted, _) => format!("{place} deleted by a later layer"),
            (WasteKind::Replaced, _) => format!("{place} replaced by a later layer"),
            (_, Some(Change::Mode)) => format!("{place} copied by chmod"),
            (_, Some(Change::Owner)) => format!("{place} copied by chown"),
            (_, Some(Change::ModeAndOwner)) => format!("{place} copied by chown and chmod"),
            (_, Some(Change::Attributes)) => format!("{place} copied by setcap or other extended attributes"),
            _ => format!("{place} written again as before"),
        };
        let items =
            members.iter().map(|(hidden, _)| Item { path: &hidden.path, layer: hidden.layer, bytes: hidden.bytes });
        row(kind, what, hint, Some(by), items.collect())
    });
    rows.collect()
}

/// What stands at the paths of hidden files afterwards.
struct Later<'a> {
    inventory: &'a Inventory,
    /// The hidden files of each path, in the order in which they were hidden.
    by_path: HashMap<&'a BString, Vec<usize>>,
}

impl<'a> Later<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let mut by_path: HashMap<&BString, Vec<usize>> = HashMap::new();
        for (number, hidden) in inventory.hidden.iter().enumerate() {
            by_path.entry(&hidden.path).or_default().push(number);
        }
        Self { inventory, by_path }
    }

    /// Returns the metadata of what took the place of a hidden file: a file that was hidden in its turn, or what stands
    /// there now.
    fn after(&self, number: usize) -> Option<&'a EntryHead> {
        let hidden = self.inventory.hidden.get(number)?;
        let others = self.by_path.get(&hidden.path)?.iter().filter(|other| **other > number);
        let next = others.filter_map(|other| self.inventory.hidden.get(*other)).find(|other| other.layer == hidden.by);
        match next {
            Some(next) => head(self.inventory, next.origin),
            None => self.inventory.nodes.get(&hidden.path).map(|node| &node.head),
        }
    }
}

fn head(inventory: &Inventory, origin: Origin) -> Option<&EntryHead> {
    let layer = inventory.indexes.get(origin.layer)?;
    layer.entries.get(origin.entry as usize).map(|entry| &entry.head)
}

fn change(old: &EntryHead, new: &EntryHead) -> Change {
    match (old.mode != new.mode, (old.uid, old.gid) != (new.uid, new.gid)) {
        (true, true) => Change::ModeAndOwner,
        (true, false) => Change::Mode,
        (false, true) => Change::Owner,
        (false, false) if old.xattrs != new.xattrs => Change::Attributes,
        (false, false) => Change::Nothing,
    }
}

/// Says where files are: the one path, or the directory that has them all.
fn place(paths: &[&BStr]) -> String {
    let [first, rest @ ..] = paths else { return String::new() };
    if rest.is_empty() {
        return format!("/{first}");
    }
    let mut dir = paths::split(first).0;
    for path in rest {
        while !(dir.is_empty() || paths::is_below(path, dir)) {
            dir = paths::split(dir).0;
        }
    }
    if dir.is_empty() { format!("{} files", paths.len()) } else { format!("files below /{dir}") }
}

/// Says how the bytes are not downloaded.
fn hint(
    inventory: &Inventory,
    kind: WasteKind,
    change: Option<Change>,
    layer: usize,
    by: usize,
    members: &[(&Hidden, Option<&EntryHead>)],
) -> String {
    let copied = inventory.layers.get(layer).and_then(|summary| summary.created_by.as_deref()).is_some_and(is_copy);
    let (lower, upper) = (layer + 1, by + 1);
    if layer == by {
        return format!("layer {lower} has them twice: the tool that wrote the layer is at fault");
    }
    match (kind, change) {
        (WasteKind::Deleted, _) if copied => format!(
            "what layer {upper} deletes is still downloaded: name it in .dockerignore, or use it from \
             `RUN --mount=type=bind` instead of a COPY"
        ),
        (WasteKind::Deleted, _) => format!(
            "what layer {upper} deletes is still downloaded: delete it in the RUN that makes it (layer {lower}), or make it \
             in a stage of its own"
        ),
        (WasteKind::Replaced, _) => {
            format!("both copies are downloaded: write the files once, in layer {lower} or in layer {upper}")
        }
        (_, Some(Change::Owner | Change::ModeAndOwner | Change::Mode)) if copied => {
            let flags = flags(change, members);
            format!("`COPY {flags}` sets it where the files are written, without a second copy")
        }
        (_, Some(Change::Owner | Change::ModeAndOwner)) => {
            format!("call chown in the RUN that writes the files (layer {lower}), or let that RUN be the user's own")
        }
        (_, Some(Change::Mode)) => format!("call chmod in the RUN that writes the files (layer {lower})"),
        (_, Some(Change::Attributes)) => format!("set them in the RUN that writes the files (layer {lower})"),
        _ => format!("layers {lower} and {upper} have the same content: leave one of the two instructions out"),
    }
}

/// The flags of COPY that a change stands for; where files differ, the words of the manual.
fn flags(change: Option<Change>, members: &[(&Hidden, Option<&EntryHead>)]) -> String {
    let heads: Vec<&EntryHead> = members.iter().filter_map(|(_, new)| *new).collect();
    let owners: BTreeSet<(u32, u32)> = heads.iter().map(|head| (head.uid, head.gid)).collect();
    let modes: BTreeSet<u32> = heads.iter().map(|head| head.mode & 0o7777).collect();
    let mut flags = Vec::new();
    if matches!(change, Some(Change::Owner | Change::ModeAndOwner)) {
        flags.push(match (owners.len(), owners.first()) {
            (1, Some((uid, gid))) => format!("--chown={uid}:{gid}"),
            _ => "--chown=USER:GROUP".to_owned(),
        });
    }
    if matches!(change, Some(Change::Mode | Change::ModeAndOwner)) {
        flags.push(match (modes.len(), modes.first()) {
            (1, Some(mode)) => format!("--chmod={mode:o}"),
            _ => "--chmod=MODE".to_owned(),
        });
    }
    flags.join(" ")
}

/// Says whether a history row is that of a COPY or ADD, in the words of BuildKit or of the builder before it.
fn is_copy(created_by: &str) -> bool {
    let text = created_by.trim_start();
    let text = text.strip_prefix("/bin/sh -c #(nop)").unwrap_or(text).trim_start();
    ["COPY ", "ADD "].iter().any(|word| text.starts_with(word))
}

/// Returns a row for each rule and pair of layers of what looks like a secret in files that are hidden. Files that are
/// still to be seen, under their own or another name, are none of this.
pub(super) fn secrets(inventory: &Inventory) -> Vec<Waste> {
    if inventory.hidden.is_empty() {
        return Vec::new();
    }
    let files = inventory.nodes.values().filter(|node| node.head.kind == EntryKind::File);
    let visible: HashSet<Origin> = files.filter_map(|node| node.origin).collect();
    let mut groups: BTreeMap<(&str, usize, usize), Vec<WastePath>> = BTreeMap::new();
    for hidden in &inventory.hidden {
        if hidden.how == HiddenHow::Rewritten || visible.contains(&hidden.origin) || is_example(hidden.path.as_bstr()) {
            continue;
        }
        let Some(layer) = inventory.indexes.get(hidden.layer) else { continue };
        let rules: BTreeSet<&str> =
            layer.secrets_of(hidden.origin.entry).iter().map(|secret| secret.rule.as_str()).collect();
        let size = head(inventory, hidden.origin).map_or(0, |head| head.size);
        for rule in rules {
            let path = WastePath { path: hidden.path.clone(), bytes: size };
            groups.entry((rule, hidden.layer, hidden.by)).or_default().push(path);
        }
    }
    let rows = groups.into_iter().map(|((rule, layer, by), mut paths)| {
        let files = paths.len();
        paths.truncate(PATHS);
        Waste {
            kind: WasteKind::HiddenSecret,
            what: format!("{rule} in a file that layer {} hides", by + 1),
            bytes: 0,
            files,
            layer,
            layers: Vec::new(),
            hidden_by: Some(by),
            paths,
            hint: "whoever has the image can read it: replace the secret by a new one, and hand it to the build with \
                   `RUN --mount=type=secret`"
                .to_owned(),
        }
    });
    rows.collect()
}

/// Tests and documentation are full of keys that open nothing.
fn is_example(path: &BStr) -> bool {
    path.starts_with(b"usr/share/doc/")
        || path.split_str("/").any(|part| matches!(part, b"test" | b"tests" | b"testdata" | b"examples"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_placed_by_the_directory_that_has_them_all() {
        let place = |paths: &[&'static str]| {
            let paths: Vec<&BStr> = paths.iter().map(|path| path.as_bytes().as_bstr()).collect();
            super::place(&paths)
        };
        assert_eq!(place(&["opt/a/x"]), "/opt/a/x");
        assert_eq!(place(&["opt/a/x", "opt/a/y/z"]), "files below /opt/a");
        assert_eq!(place(&["opt/a/x", "opt/ab/y"]), "files below /opt");
        assert_eq!(place(&["a", "b/c"]), "2 files");
    }

    #[test]
    fn both_builders_words_for_copy_are_known() {
        assert!(is_copy("COPY . /app # buildkit"));
        assert!(is_copy("/bin/sh -c #(nop) ADD file:12 in / "));
        assert!(!is_copy("RUN /bin/sh -c COPY # buildkit"));
        assert!(!is_copy("/bin/sh -c cp a b"));
    }
}
