//! Paths as archives write them, brought to one form.

use bstr::{BString, ByteSlice};

/// Why a path is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadPath {
    /// It has a `..`.
    Outside,
    /// It has a NUL.
    Nul,
    /// It has too many components.
    Deep,
}

/// Makes a path relative to the root, without empty and `.` components and without a slash at either end.
/// A `..` is refused: no producer writes one, and tools differ in where it leads.
pub(super) fn normalise(path: &[u8], depth: usize) -> Result<BString, BadPath> {
    if path.contains(&0) {
        return Err(BadPath::Nul);
    }
    let mut out = Vec::with_capacity(path.len());
    let mut count = 0;
    for component in path.split_str("/") {
        match component {
            b"" | b"." => {}
            b".." => return Err(BadPath::Outside),
            _ => {
                if !out.is_empty() {
                    out.push(b'/');
                }
                out.extend_from_slice(component);
                count += 1;
            }
        }
    }
    if count > depth { Err(BadPath::Deep) } else { Ok(out.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_a_path_are_one() {
        for text in ["a/b", "/a/b", "./a/b", "a/b/", "//a//./b/."] {
            assert_eq!(normalise(text.as_bytes(), 9).unwrap(), "a/b");
        }
        for text in ["", ".", "/", "./"] {
            assert_eq!(normalise(text.as_bytes(), 9).unwrap(), "");
        }
    }

    #[test]
    fn paths_that_leave_or_mislead_are_refused() {
        assert_eq!(normalise(b"../a", 9), Err(BadPath::Outside));
        assert_eq!(normalise(b"a/../b", 9), Err(BadPath::Outside));
        assert_eq!(normalise(b"a\0b", 9), Err(BadPath::Nul));
        assert_eq!(normalise(b"a/b/c", 2), Err(BadPath::Deep));
        assert_eq!(normalise(b"..a/b..", 9).unwrap(), "..a/b..");
    }
}
