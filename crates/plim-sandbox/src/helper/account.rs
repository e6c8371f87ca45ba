//! Who runs the command: the container's own `/etc/passwd` and `/etc/group`, as a Dockerfile's USER means them.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use bstr::{BString, ByteSlice};

use crate::error::{Fault, Step};

/// More than any honest file of users.
const FILE_LIMIT: u64 = 8 << 20;

/// The numbers that Docker accepts end here; the kernel's own upper half means "unchanged" or is reserved.
const ID_LIMIT: u32 = i32::MAX as u32;

/// Who runs the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Supplementary groups; `gid` is the first of them, as other runtimes have it.
    pub(super) groups: Vec<u32>,
    pub(super) home: BString,
}

/// Looks up `user[:group]` in the files of this root.
pub(super) fn look_up(user: &str) -> Result<Account, Fault> {
    resolve(user, &read("/etc/passwd")?, &read("/etc/group")?)
}

/// A missing file is an empty one, and so is what is no file: nothing an image holds may block or fill the memory.
fn read(path: &str) -> Result<Vec<u8>, Fault> {
    let options = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let Ok(file) = options else { return Ok(Vec::new()) };
    if !file.metadata().step(|| format!("read {path}"))?.is_file() {
        return Ok(Vec::new());
    }
    let mut text = Vec::new();
    file.take(FILE_LIMIT).read_to_end(&mut text).step(|| format!("read {path}"))?;
    Ok(text)
}

/// A number is always a number, even if a user is called so; a number that no line has gets group 0.
/// A group that is given is the only one; without it a known user has all groups that name the user.
fn resolve(spec: &str, passwd: &[u8], group: &[u8]) -> Result<Account, Fault> {
    let (user, wanted_group) = spec.split_once(':').unwrap_or((spec, ""));
    let user = if user.is_empty() { "0" } else { user };
    let number = id(user)?;
    let found = lines(passwd).find(|line| match number {
        Some(uid) => field(line, 2) == Some(uid),
        None => line[0] == user.as_bytes(),
    });
    let (uid, gid) = match (&found, number) {
        (Some(line), _) => {
            let uid = field(line, 2).ok_or_else(|| Fault::UnknownUser(user.to_owned()))?;
            (uid, field(line, 3).unwrap_or(0))
        }
        (None, Some(uid)) => (uid, 0),
        (None, None) => return Err(Fault::UnknownUser(user.to_owned())),
    };
    let home = lines(passwd).find(|line| field(line, 2) == Some(uid)).and_then(|line| line.get(5).copied());
    let home = home.filter(|home| !home.is_empty()).unwrap_or(b"/").into();
    if wanted_group.is_empty() {
        let mut groups = found.map_or(Vec::new(), |line| groups_of(line[0], group));
        groups.retain(|other| *other != gid);
        groups.insert(0, gid);
        return Ok(Account { uid, gid, groups, home });
    }
    let gid = match id(wanted_group)? {
        Some(gid) => gid,
        None => lines(group)
            .find(|line| line[0] == wanted_group.as_bytes())
            .and_then(|line| field(&line, 2))
            .ok_or_else(|| Fault::UnknownGroup(wanted_group.to_owned()))?,
    };
    Ok(Account { uid, gid, groups: vec![gid], home })
}

fn groups_of(user: &[u8], group: &[u8]) -> Vec<u32> {
    let named = |line: &Vec<&[u8]>| line.get(3).is_some_and(|members| members.split(|b| *b == b',').any(|m| m == user));
    // the kernel's limit (NGROUPS_MAX)
    lines(group).filter(named).filter_map(|line| field(&line, 2)).take(65536).collect()
}

/// The lines of a colon-separated file, cut into fields; comments and empty lines left out.
fn lines(text: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    text.lines()
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .map(|line| line.split(|byte| *byte == b':').collect())
}

fn field(line: &[&[u8]], index: usize) -> Option<u32> {
    line.get(index)?.to_str().ok()?.trim().parse().ok().filter(|id| *id <= ID_LIMIT)
}

/// A number, or none if the text is a name.
fn id(text: &str) -> Result<Option<u32>, Fault> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse() {
        Ok(id) if id <= ID_LIMIT => Ok(Some(id)),
        _ => Err(Fault::Invalid(format!("the user or group number {text} is not between 0 and {ID_LIMIT}"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Account, resolve};
    use crate::error::Fault;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\n# no one\napp:x:1000:1001:App:/home/app:/bin/sh\n\
        twin:x:1000:7::/twin:\nbad\nhuge:x:99999999999:1::/:\n77:x:5:5::/five:\n";
    const GROUP: &[u8] = b"root:x:0:\nwheel:x:10:root,app\nvideo:x:44:app\nappgroup:x:1001:\n";

    fn account(uid: u32, gid: u32, groups: &[u32], home: &str) -> Account {
        Account { uid, gid, groups: groups.to_vec(), home: home.into() }
    }

    fn ok(user: &str) -> Account {
        resolve(user, PASSWD, GROUP).unwrap()
    }

    #[test]
    fn names_bring_their_groups() {
        assert_eq!(ok("app"), account(1000, 1001, &[1001, 10, 44], "/home/app"));
        assert_eq!(ok(""), account(0, 0, &[0, 10], "/root"));
        assert_eq!(ok("0"), ok("root"));
    }

    #[test]
    fn a_given_group_is_the_only_one() {
        assert_eq!(ok("app:video"), account(1000, 44, &[44], "/home/app"));
        assert_eq!(ok("app:9"), account(1000, 9, &[9], "/home/app"));
        assert_eq!(ok(":video"), account(0, 44, &[44], "/root"));
    }

    #[test]
    fn numbers_need_no_line() {
        assert_eq!(ok("12345"), account(12345, 0, &[0], "/"));
        assert_eq!(ok("12345:6"), account(12345, 6, &[6], "/"));
        assert_eq!(ok("77"), account(77, 0, &[0], "/"), "a number is never a name");
        assert_eq!(resolve("", b"", b"").unwrap(), account(0, 0, &[0], "/"));
    }

    #[test]
    fn unknown_names_are_errors() {
        let fails = |user| resolve(user, PASSWD, GROUP).unwrap_err();
        assert_eq!(fails("nobody"), Fault::UnknownUser("nobody".to_owned()));
        assert_eq!(fails("huge"), Fault::UnknownUser("huge".to_owned()));
        assert_eq!(fails("app:nogroup"), Fault::UnknownGroup("nogroup".to_owned()));
        assert!(matches!(fails("4294967295"), Fault::Invalid(_)));
    }

    proptest! {
        #[test]
        fn hostile_files_do_no_harm(user in ".{0,20}", passwd: Vec<u8>, group: Vec<u8>) {
            let _ = resolve(&user, &passwd, &group);
        }
    }
}
