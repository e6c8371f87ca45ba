//! Directory trees of any origin, and walking symbolic links inside them.

use std::collections::VecDeque;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice};
use plim_oci::EntryKind;

use super::Node;

/// Links that one path may pass; the kernel allows 40, overlaid roots of images use a few.
const LINKS: usize = 64;

/// A tree of files. Paths are relative to its root, without leading slash; the root is the empty path. No
/// component but the last may be a symbolic link: see [`resolve`].
pub(crate) trait Tree {
    /// Returns what is at a path.
    fn node(&self, path: &BStr) -> io::Result<Option<Node>>;
    /// Returns the names in a directory, sorted bytewise.
    fn names(&self, path: &BStr) -> io::Result<Vec<BString>>;
    /// Returns what is in a directory, sorted by name, with whole paths.
    fn children(&self, path: &BStr) -> io::Result<Vec<Node>> {
        let mut out = Vec::new();
        for name in self.names(path)? {
            out.extend(self.node(join(path, name.as_bstr()).as_bstr())?);
        }
        Ok(out)
    }
}

/// Whether a symbolic link at the end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    Follow,
    Keep,
}

/// Returns the path without symbolic links, never above `top`: absolute links and `..` stop there, as for a
/// process whose root it is. Components that do not exist are kept as they are.
pub(crate) fn resolve(tree: &(impl Tree + ?Sized), top: &BStr, path: &BStr, last: Last) -> io::Result<BString> {
    let mut done = BString::from(top);
    let mut pending: VecDeque<BString> = components(path).map(BString::from).collect();
    let mut links = 0;
    while let Some(name) = pending.pop_front() {
        if name == ".." {
            if done.len() > top.len() {
                done = parent(done.as_bstr()).unwrap_or(BStr::new("")).to_owned();
            }
            continue;
        }
        let candidate = join(done.as_bstr(), name.as_bstr());
        let link = match tree.node(candidate.as_bstr())? {
            Some(node) if node.head.kind == EntryKind::Symlink && (last == Last::Follow || !pending.is_empty()) => {
                node.head.link
            }
            _ => {
                done = candidate;
                continue;
            }
        };
        links += 1;
        if links > LINKS {
            return Err(rustix::io::Errno::LOOP.into());
        }
        if link.starts_with(b"/") {
            done = top.to_owned();
        }
        for name in components(link.as_bstr()).rev() {
            pending.push_front(name.to_owned());
        }
    }
    Ok(done)
}

/// Returns the components of a path but the empty ones and `.`.
pub(crate) fn components(path: &BStr) -> impl DoubleEndedIterator<Item = &BStr> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".").map(BStr::new)
}

/// Returns the path without leading slash, `.`, `..` and double slashes; `..` stops at the root.
pub(crate) fn clean(path: &BStr) -> BString {
    let mut names: Vec<&BStr> = Vec::new();
    for name in components(path) {
        if name == ".." {
            names.pop();
        } else {
            names.push(name);
        }
    }
    bstr::join("/", names).into()
}

/// Returns `directory/name`, or `name` in the root.
pub(crate) fn join(directory: &BStr, name: &BStr) -> BString {
    match (directory.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (_, true) => directory.to_owned(),
        _ => bstr::concat([directory.as_bytes(), b"/", name.as_bytes()]).into(),
    }
}

/// Returns the directory of a path; `None` for the root.
pub(crate) fn parent(path: &BStr) -> Option<&BStr> {
    if path.is_empty() {
        return None;
    }
    Some(path.rfind_byte(b'/').map_or(BStr::new(""), |slash| path[..slash].as_bstr()))
}

/// Returns the last component of a path; empty for the root.
pub(crate) fn file_name(path: &BStr) -> &BStr {
    path.rfind_byte(b'/').map_or(path, |slash| path[slash + 1..].as_bstr())
}

/// Returns the paths of all directories above a path, the root first; without the path itself.
pub(crate) fn ancestors(path: &BStr) -> impl Iterator<Item = &BStr> {
    let root = (!path.is_empty()).then_some(BStr::new(""));
    root.into_iter().chain(path.find_iter("/").map(|slash| path[..slash].as_bstr()))
}

/// Returns where a path of a tree lies on disk. The path has no `..`, so it stays below the directory.
pub(crate) fn on_disk(directory: &Path, path: &BStr) -> PathBuf {
    if path.is_empty() { directory.to_owned() } else { directory.join(std::ffi::OsStr::from_bytes(path)) }
}

/// A path ordered by component, so that a directory stands directly before all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TreePath(pub(crate) BString);

impl Ord for TreePath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // no path holds a zero byte, so a separator read as zero sorts before any name that goes on
        let key = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
        self.0.iter().map(key).cmp(other.0.iter().map(key))
    }
}

impl PartialOrd for TreePath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use plim_oci::EntryHead;

    use super::*;

    struct Links(BTreeMap<&'static str, &'static str>);

    impl Tree for Links {
        fn node(&self, path: &BStr) -> io::Result<Option<Node>> {
            let link = std::str::from_utf8(path).ok().and_then(|path| self.0.get(path));
            Ok(link.map(|link| {
                let mut head = EntryHead::new(path, EntryKind::Symlink, 0o777);
                head.link = (*link).into();
                Node::made(head)
            }))
        }

        fn names(&self, _path: &BStr) -> io::Result<Vec<BString>> {
            Ok(Vec::new())
        }
    }

    fn resolved(links: &[(&'static str, &'static str)], top: &str, path: &str) -> String {
        let tree = Links(links.iter().copied().collect());
        resolve(&tree, top.into(), path.into(), Last::Follow).map_or_else(|e| e.to_string(), |p| p.to_string())
    }

    #[test]
    fn links_are_followed_inside_the_root() {
        assert_eq!(resolved(&[("lib", "usr/lib")], "", "/lib/x.so"), "usr/lib/x.so");
        assert_eq!(resolved(&[("a/b", "/c"), ("c", "d")], "", "a/b/e"), "d/e");
        assert_eq!(resolved(&[("a", "../../etc")], "", "a/passwd"), "etc/passwd");
    }

    #[test]
    fn nothing_leaves_the_top() {
        assert_eq!(resolved(&[], "top", "../../x"), "top/x");
        assert_eq!(resolved(&[("top/a", "/b")], "top", "a"), "top/b");
        assert_eq!(resolved(&[("top/a", "../../..")], "top", "a/c"), "top/c");
    }

    #[test]
    fn a_loop_of_links_ends() {
        let text = resolved(&[("a", "b"), ("b", "a")], "", "a");
        assert!(text.contains("symbolic links"), "{text}");
    }

    #[test]
    fn the_last_link_may_be_kept() {
        let tree = Links([("a", "b"), ("b", "c")].into());
        assert_eq!(resolve(&tree, "".into(), "a".into(), Last::Keep).unwrap(), "a");
        assert_eq!(resolve(&tree, "".into(), "a/x".into(), Last::Keep).unwrap(), "c/x");
    }

    #[test]
    fn paths_are_taken_apart() {
        assert_eq!(clean("/a//./b/../c/".into()), "a/c");
        assert_eq!(clean("../../a".into()), "a");
        assert_eq!(clean("".into()), "");
        assert_eq!(parent("a/b".into()), Some(BStr::new("a")));
        assert_eq!(parent("a".into()), Some(BStr::new("")));
        assert_eq!(parent("".into()), None);
        assert_eq!(file_name("a/b".into()), "b");
        let above: Vec<_> = ancestors("a/b/c".into()).collect();
        assert_eq!(above, ["", "a", "a/b"]);
        assert_eq!(ancestors("".into()).count(), 0);
    }

    #[test]
    fn tree_paths_keep_a_directory_together() {
        let mut paths: Vec<_> = ["a-b", "a/x", "a", "a.c", "b"].map(|p| TreePath(p.into())).into();
        paths.sort();
        let texts: Vec<_> = paths.iter().map(|p| p.0.to_string()).collect();
        assert_eq!(texts, ["a", "a/x", "a-b", "a.c", "b"]);
    }
}
