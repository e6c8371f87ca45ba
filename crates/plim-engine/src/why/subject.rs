//! What the user asks about: a path, a pattern, a package, or something that layers hide.

use bstr::{BString, ByteSlice};
use globset::GlobBuilder;
use plim_index::{Inventory, Package};

use crate::Failure;

/// How many files a pattern may stand for.
const MAX_FILES: usize = 1_000_000;

/// What was found.
pub(super) enum Subject {
    /// A path of the merged tree, links of its directories followed.
    Path(BString),
    /// Files of a pattern or a package.
    Files(Files),
    /// A path that is in layers but not in the merged tree.
    Hidden(BString),
    /// Nothing.
    Nothing,
}

/// Files, and what they have in common.
pub(super) struct Files {
    /// The pattern, or the package with its kind.
    pub(super) title: String,
    pub(super) paths: Vec<BString>,
    /// The package, by its number.
    pub(super) package: Option<usize>,
}

/// Finds what a text means. A path wins over a pattern, so that `[id].js` is found; a path over a package of that name.
pub(super) fn find(inventory: &Inventory, text: &str) -> Result<Subject, Failure> {
    if let Some(name) = text.strip_prefix("pkg:") {
        return Ok(package(inventory, name).map_or(Subject::Nothing, Subject::Files));
    }
    // no layer needs to name the root
    if !text.is_empty() && text.bytes().all(|byte| byte == b'/') {
        return Ok(Subject::Path(BString::default()));
    }
    if let Some(path) = inventory.resolve_parent(text) {
        return Ok(Subject::Path(path));
    }
    if text.contains(['*', '?', '[', '{']) {
        let files = pattern(inventory, text)?;
        return Ok(if files.paths.is_empty() { Subject::Nothing } else { Subject::Files(files) });
    }
    if let Some(path) = hidden(inventory, text) {
        return Ok(Subject::Hidden(path));
    }
    Ok(package(inventory, text).map_or(Subject::Nothing, Subject::Files))
}

/// Finds the files of a pattern: `*` stops at slashes, `**` does not; without a slash it is one of file names.
fn pattern(inventory: &Inventory, text: &str) -> Result<Files, Failure> {
    let bare = text.trim_start_matches('/');
    let whole = if text.contains('/') { bare.to_owned() } else { format!("**/{bare}") };
    let glob = GlobBuilder::new(&whole).literal_separator(true).build().map_err(|error| {
        Failure::caused(format!("failed to read the pattern {text}"), &error)
            .hint("`*` and `?` stand for any bytes of a name, `**` for any directories, `[ab]` for one byte of several")
    })?;
    let glob = glob.compile_matcher();
    let matching = inventory.nodes.keys().filter(|path| path.to_path().is_ok_and(|path| glob.is_match(path)));
    Ok(Files { title: text.to_owned(), paths: matching.take(MAX_FILES).cloned().collect(), package: None })
}

/// Finds a package by `NAME` or `KIND/NAME`. The files of all copies count, as npm may have several.
fn package(inventory: &Inventory, text: &str) -> Option<Files> {
    // names have slashes too: `@types/node`, `golang.org/x/net`
    let named = |name: &str, kind: Option<&str>| -> Vec<(usize, &Package)> {
        let packages = inventory.packages.iter().enumerate();
        let named = packages.filter(|(_, package)| package.name == name || package.normalized_name == name);
        named.filter(|(_, package)| kind.is_none_or(|kind| package.kind.name() == kind)).collect()
    };
    let by_kind = text.split_once('/').map(|(kind, name)| named(name, Some(kind)));
    let found = by_kind.filter(|found| !found.is_empty()).unwrap_or_else(|| named(text, None));
    let (number, first) = *found.first()?;
    let mut paths: Vec<BString> = found.iter().flat_map(|(_, package)| package.files.iter().cloned()).collect();
    paths.sort_unstable();
    paths.dedup();
    Some(Files { title: format!("{} ({})", first.name, first.kind.name()), paths, package: Some(number) })
}

/// Finds a path, or a directory, that only layers have.
fn hidden(inventory: &Inventory, text: &str) -> Option<BString> {
    let bare = text.trim_matches('/');
    let (dir, name) = bare.rsplit_once('/').unwrap_or(("", bare));
    // links of directories that are still there lead on
    let through = inventory.resolve(dir).map(|dir| {
        if dir.is_empty() { BString::from(name) } else { bstr::concat([&dir[..], b"/", name.as_bytes()]).into() }
    });
    [through, Some(BString::from(bare))].into_iter().flatten().find(|path| {
        !path.is_empty()
            && inventory.hidden.iter().any(|hidden| {
                let rest = hidden.path.strip_prefix(path.as_slice());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
            })
    })
}
