//! Paths inside images: bytes, relative to the root, the root itself empty.

use bstr::{BStr, BString, ByteSlice};

/// How many symbolic links are followed for one path; Linux allows as many.
pub(crate) const MAX_LINKS: usize = 40;

/// Returns the directory and the name of a path; the directory of a top-level name is the root.
pub(crate) fn split(path: &BStr) -> (&BStr, &BStr) {
    match path.rfind_byte(b'/') {
        Some(slash) => (path[..slash].as_bstr(), path[slash + 1..].as_bstr()),
        None => (b"".as_bstr(), path),
    }
}

/// Returns the last component.
pub(crate) fn name(path: &BStr) -> &BStr {
    split(path).1
}

/// Puts a name below a directory.
pub(crate) fn join(dir: &BStr, name: &BStr) -> BString {
    if dir.is_empty() {
        return name.to_owned();
    }
    let mut path = Vec::with_capacity(dir.len() + 1 + name.len());
    path.extend_from_slice(dir);
    path.push(b'/');
    path.extend_from_slice(name);
    path.into()
}

/// Resolves `.` and `..` of a path that was written relative to `base`, by text alone. An absolute path starts
/// at the root, and nothing leaves it.
pub(crate) fn normalise(base: &BStr, path: &BStr) -> BString {
    let mut parts: Vec<&[u8]> = Vec::new();
    let relative = !path.starts_with(b"/");
    let all = base.split_str("/").filter(|_| relative).chain(path.split_str("/"));
    for part in all {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    bstr::join("/", parts).into()
}

/// Says whether a path lies below a directory other than the root.
pub(crate) fn is_below(path: &BStr, dir: &BStr) -> bool {
    path.strip_prefix(dir.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// What stands at a path, for following it.
pub(crate) enum Step<'a> {
    /// A directory.
    Dir,
    /// A symbolic link and its target.
    Link(&'a BStr),
    /// Something else that exists.
    Other,
    /// Nothing.
    Missing,
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// Too many symbolic links.
    Loop,
    /// A component that is no directory has something below it.
    NotADirectory,
    /// A component does not exist.
    Missing,
}

/// Follows the symbolic links of a path as the kernel does below a changed root: absolute targets start at the
/// root and `..` stops there. Follows the last component too if `last` is set; a missing last component is
/// fine then and without.
pub(crate) fn follow<'a>(path: &BStr, last: bool, look: impl Fn(&BStr) -> Step<'a>) -> Result<BString, Stuck> {
    let mut todo: Vec<BString> = components(path);
    let mut at = BString::default();
    let mut links = 0;
    while let Some(part) = todo.pop() {
        if part == ".." {
            at = split(at.as_bstr()).0.to_owned();
            continue;
        }
        let next = join(at.as_bstr(), part.as_bstr());
        let ends = todo.is_empty();
        match look(next.as_bstr()) {
            Step::Dir => at = next,
            Step::Link(_) if ends && !last => return Ok(next),
            Step::Link(target) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Stuck::Loop);
                }
                if target.starts_with(b"/") {
                    at.clear();
                }
                todo.extend(components(target));
            }
            Step::Other | Step::Missing if ends => return Ok(next),
            Step::Other => return Err(Stuck::NotADirectory),
            Step::Missing => return Err(Stuck::Missing),
        }
    }
    Ok(at)
}

/// Returns the components of a path, last first, without empty ones and `.`.
pub(crate) fn components(path: &BStr) -> Vec<BString> {
    path.rsplit_str("/").filter(|part| !part.is_empty() && *part != b".").map(BString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_dot_stops_at_the_root() {
        assert_eq!(normalise(b"a/b".as_bstr(), b"../../../c".as_bstr()), "c");
        assert_eq!(normalise(b"a/b".as_bstr(), b"/x/./y//z".as_bstr()), "x/y/z");
        assert_eq!(normalise(b"".as_bstr(), b"./bin/sh".as_bstr()), "bin/sh");
    }

    #[test]
    fn following_knows_chains_loops_and_the_root() {
        let look = |path: &BStr| match path.as_bytes() {
            b"bin" => Step::Link(b"usr/bin".as_bstr()),
            b"usr" | b"usr/bin" => Step::Dir,
            b"usr/bin/sh" => Step::Link(b"/../bin/dash".as_bstr()),
            b"usr/bin/dash" => Step::Other,
            b"loop" => Step::Link(b"loop".as_bstr()),
            _ => Step::Missing,
        };
        assert_eq!(follow(b"bin/sh".as_bstr(), true, look).unwrap(), "usr/bin/dash");
        assert_eq!(follow(b"bin/sh".as_bstr(), false, look).unwrap(), "usr/bin/sh");
        assert_eq!(follow(b"bin/new".as_bstr(), true, look).unwrap(), "usr/bin/new");
        assert_eq!(follow(b"loop/x".as_bstr(), true, look), Err(Stuck::Loop));
        assert_eq!(follow(b"bin/sh/x".as_bstr(), true, look), Err(Stuck::NotADirectory));
        assert_eq!(follow(b"no/x".as_bstr(), true, look), Err(Stuck::Missing));
    }
}
