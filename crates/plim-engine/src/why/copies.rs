//! Copies of a path that later layers hide.

use std::collections::BTreeMap;

use bstr::BString;
use plim_index::HiddenHow;

use super::{Asked, HiddenCopy};

/// Returns the copies of a path, or of all that was below it, by the layer that has them and the one that hides them.
pub(super) fn of(asked: &Asked<'_>, path: &BString) -> Vec<HiddenCopy> {
    // of the root that would be all, which `analyze` tells
    if path.is_empty() {
        return Vec::new();
    }
    let mut groups: BTreeMap<(usize, usize, &str), (u64, u64)> = BTreeMap::new();
    for hidden in &asked.inventory.hidden {
        let rest = hidden.path.strip_prefix(path.as_slice());
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")) {
            let how = match hidden.how {
                HiddenHow::Deleted => "deleted",
                HiddenHow::Replaced => "replaced",
                HiddenHow::Rewritten => "rewritten",
            };
            let (bytes, files) = groups.entry((hidden.layer, hidden.by, how)).or_default();
            (*bytes, *files) = (*bytes + hidden.bytes, *files + 1);
        }
    }
    let rows = groups.into_iter().map(|((layer, by, how), (bytes, files))| HiddenCopy {
        layer: layer + 1,
        created_by: asked.created_by(layer),
        line: asked.line(layer),
        bytes,
        files,
        how: how.to_owned(),
        hidden_by: by + 1,
        hidden_by_created: asked.created_by(by),
        hidden_by_line: asked.line(by),
    });
    rows.collect()
}
