//! Programs that run with more rights than who starts them.

use std::collections::BTreeMap;

use plim_oci::EntryHead;

use super::{PATHS, Waste, WasteKind, WastePath};
use crate::inventory::Inventory;

/// What gives the rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Right {
    Setuid,
    Setgid,
    Capability,
}

/// Returns a row for each right and layer; it has no bytes.
pub(super) fn rows(inventory: &Inventory) -> Vec<Waste> {
    let mut groups: BTreeMap<(Right, usize), Vec<WastePath>> = BTreeMap::new();
    for (path, node) in inventory.files() {
        let (Some(right), Some(origin)) = (right(&node.head), node.origin) else { continue };
        let path = WastePath { path: path.clone(), bytes: node.head.size };
        groups.entry((right, origin.layer)).or_default().push(path);
    }
    let rows = groups.into_iter().map(|((right, layer), mut paths)| {
        let files = paths.len();
        paths.truncate(PATHS);
        let (what, hint) = match right {
            Right::Setuid => (
                "setuid programs",
                "remove their packages, or `chmod u-s` in the RUN that installs them; start containers with no-new-privileges",
            ),
            Right::Setgid => (
                "setgid programs",
                "remove their packages, or `chmod g-s` in the RUN that installs them; start containers with no-new-privileges",
            ),
            Right::Capability => (
                "programs with file capabilities",
                "`setcap -r` in the RUN that installs them, unless the program needs the capability as an ordinary user",
            ),
        };
        Waste {
            kind: WasteKind::Setuid,
            what: what.to_owned(),
            bytes: 0,
            files,
            layer,
            layers: Vec::new(),
            hidden_by: None,
            paths,
            hint: hint.to_owned(),
        }
    });
    rows.collect()
}

fn right(head: &EntryHead) -> Option<Right> {
    let capability = head.xattrs.keys().any(|name| *name == "security.capability");
    match head.mode {
        mode if mode & 0o4000 != 0 && mode & 0o111 != 0 => Some(Right::Setuid),
        // without the group's execute bit it means mandatory locking
        mode if mode & 0o2010 == 0o2010 => Some(Right::Setgid),
        _ if capability => Some(Right::Capability),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plim_oci::EntryKind;

    #[test]
    fn bits_and_attributes_give_rights() {
        let file = |mode| EntryHead::new("x", EntryKind::File, mode);
        assert_eq!(right(&file(0o4755)), Some(Right::Setuid));
        assert_eq!(right(&file(0o6755)), Some(Right::Setuid));
        assert_eq!(right(&file(0o2755)), Some(Right::Setgid));
        assert_eq!(right(&file(0o2644)), None);
        assert_eq!(right(&file(0o4644)), None);
        assert_eq!(right(&file(0o1755)), None);
        let mut capable = file(0o755);
        capable.xattrs.insert("security.capability".into(), "x".into());
        assert_eq!(right(&capable), Some(Right::Capability));
    }
}
