//! Owners by name, as the image knows them.

use bstr::{BStr, ByteSlice};

use super::FilesError;
use crate::snapshot::View;

/// More than any real list of users; what is longer is not read.
const LIMIT: u64 = 8 << 20;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// Returns the numbers of `user`, `user:group` or numbers in their place, by the image's own lists.
///
/// A name without a group has the group of its entry in the list of users; a number without a group has the
/// group of the same number. A name that is not listed is an error: builders that make it root give files
/// away to the one user who was not meant.
pub fn resolve_owner(view: &View, text: &str) -> Result<(u32, u32), FilesError> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (text, None),
    };
    if user.is_empty() {
        return Err(FilesError::Subject(format!("`{text}` names no user: write user, user:group or numbers")));
    }
    let (uid, own_group) = match number(user) {
        Some(uid) => (uid, uid),
        None => find(view, PASSWD, user.as_bytes(), &[2, 3])?
            .map(|ids| (ids[0], ids[1]))
            .ok_or_else(|| FilesError::UnknownOwner { kind: "user", name: user.to_owned(), file: PASSWD })?,
    };
    let gid = match group {
        None => own_group,
        Some(group) => match number(group) {
            Some(gid) => gid,
            None => find(view, GROUP, group.as_bytes(), &[2])?
                .map(|ids| ids[0])
                .ok_or_else(|| FilesError::UnknownOwner { kind: "group", name: group.to_owned(), file: GROUP })?,
        },
    };
    Ok((uid, gid))
}

/// Finds the line of a name and returns the numbers in some of its fields.
fn find(view: &View, file: &'static str, name: &[u8], fields: &[usize]) -> Result<Option<Vec<u32>>, FilesError> {
    let path = BStr::new(file);
    let content = view.read(path, LIMIT).map_err(|error| FilesError::io("read", file, error))?;
    Ok(content.and_then(|content| find_in(&content, name, fields)))
}

fn find_in(content: &[u8], name: &[u8], fields: &[usize]) -> Option<Vec<u32>> {
    content.lines().find_map(|line| {
        let parts: Vec<&[u8]> = line.split_str(":").collect();
        if parts[0] != name {
            return None;
        }
        fields.iter().map(|field| number(std::str::from_utf8(parts.get(*field)?).ok()?)).collect()
    })
}

/// The largest number stands for "no change" to the system and cannot be an owner.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok().filter(|id| *id != u32::MAX) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Chain;
    use plim_oci::Digest;

    fn view() -> (tempfile::TempDir, View) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(
            dir.path().join("etc/passwd"),
            "root:x:0:0:root:/root:/bin/sh\n# note\napp:x:1000:1001::/app:/bin/sh\nbroken:x:y\n",
        )
        .unwrap();
        std::fs::write(dir.path().join("etc/group"), "root:x:0:\nweb:x:33:app\n").unwrap();
        let view = View::new(&Chain::scratch().push(Digest::of(b"x"), dir.path().to_owned()));
        (dir, view)
    }

    #[test]
    fn a_name_without_group_has_the_group_of_its_entry() {
        let (_dir, view) = view();
        assert_eq!(resolve_owner(&view, "app").unwrap(), (1000, 1001));
        assert_eq!(resolve_owner(&view, "app:web").unwrap(), (1000, 33));
        assert_eq!(resolve_owner(&view, "app:5").unwrap(), (1000, 5));
    }

    #[test]
    fn a_number_without_group_has_the_group_of_the_same_number() {
        let (_dir, view) = view();
        assert_eq!(resolve_owner(&view, "1000").unwrap(), (1000, 1000));
        assert_eq!(resolve_owner(&view, "1000:web").unwrap(), (1000, 33));
        assert_eq!(resolve_owner(&View::new(&Chain::scratch()), "7:8").unwrap(), (7, 8));
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        let (_dir, view) = view();
        let error = resolve_owner(&view, "ghost").unwrap_err();
        assert_eq!(error.to_string(), "there is no user `ghost` in /etc/passwd of the image");
        assert!(error.is_subject() && error.hint().unwrap().contains("create the user"));
        let error = resolve_owner(&view, "app:ghosts").unwrap_err();
        assert_eq!(error.to_string(), "there is no group `ghosts` in /etc/group of the image");
        for text in ["", ":web", "broken", "4294967295"] {
            assert!(resolve_owner(&view, text).is_err(), "{text}");
        }
        assert!(resolve_owner(&View::new(&Chain::scratch()), "root").is_err());
    }
}
