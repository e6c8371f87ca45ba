//! An ordinary user, who has no privileges but those of a user namespace.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::env::{Output, TestEnv, files_below};
use crate::rootfs::skip;

/// A user that no machine knows.
const USER: u32 = 12345;

#[test]
fn an_ordinary_user_builds_the_same_image_as_root() {
    let env = TestEnv::new();
    env.write("Dockerfile", "FROM scratch\nCOPY --chmod=640 Dockerfile file /files/\nWORKDIR /srv\n");
    env.write("file", "content\n");
    let by_root = env.plim(["build", "."]).good();
    if !is_root() {
        return skip("the tests run as an ordinary user: every one of them shows what this one does");
    }
    let namespaces = as_user(&mut Command::new("unshare")).args(["-U", "-r", "-m", "true"]).current_dir("/").output();
    if !namespaces.is_ok_and(|output| output.status.success()) {
        return skip("this machine lets ordinary users make no namespaces");
    }
    // the user may not be able to reach the folder in which Cargo put the program
    let program = env.path("plim");
    std::fs::copy(env!("CARGO_BIN_EXE_plim"), &program).unwrap();
    hand_over(&env.path(""), &["home", "work"]);
    let mut command = Command::new(&program);
    as_user(&mut command)
        .args(["build", "."])
        .current_dir(env.work())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", env.path("home"))
        .env("PLIM_OFFLINE", "true");
    assert_eq!(Output::of(command).good(), by_root);
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

fn as_user(command: &mut Command) -> &mut Command {
    command.uid(USER).gid(USER)
}

/// Opens the test's folder and gives some of the folders in it to the user.
fn hand_over(root: &Path, folders: &[&str]) {
    std::fs::set_permissions(root, PermissionsExt::from_mode(0o755)).unwrap();
    for folder in folders {
        let folder = root.join(folder);
        for path in files_below(&folder).iter().chain([&folder]) {
            chown(path, Some(USER), Some(USER)).unwrap();
        }
    }
}
