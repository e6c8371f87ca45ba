//! The upper directory holds the change and nothing else.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use plim_sandbox::{MountSource, RootFs, Secret};

use crate::Case;
use crate::fixture::{Fixture, Layer, listing};
use crate::mounts::mount;

pub const CASES: &[Case] = &[
    ("layers::a_step_without_change_is_empty", a_step_without_change_is_empty),
    ("layers::only_the_change_is_in_the_upper", only_the_change_is_in_the_upper),
    ("layers::changes_beside_stubs_stay", changes_beside_stubs_stay),
    ("layers::failed_steps_are_cleaned_too", failed_steps_are_cleaned_too),
    ("layers::a_layer_can_be_used_again", a_layer_can_be_used_again),
    ("layers::hundreds_of_lowers", hundreds_of_lowers),
    ("layers::directories_are_used_in_place", directories_are_used_in_place),
    ("layers::read_only_roots_refuse_writing", read_only_roots_refuse_writing),
    ("layers::the_root_looks_like_the_images", the_root_looks_like_the_images),
];

fn secret(path: &str) -> plim_sandbox::Mount {
    let bytes = Secret::new(b"x".to_vec());
    mount(path, MountSource::Content { bytes, mode: 0o400, uid: 0, gid: 0 })
}

fn run(fixture: &Fixture, layer: &Layer, script: &str) {
    let mut spec = fixture.spec(layer, script);
    spec.mounts = vec![secret("/run/secrets/x"), secret("/etc/deep/er/y"), secret("/data/z")];
    Fixture::run(&spec).ok();
}

fn a_step_without_change_is_empty(fixture: &Fixture) {
    let layer = fixture.layer();
    run(fixture, &layer, "cat /run/secrets/x /etc/deep/er/y /data/z > /dev/null");
    assert_eq!(listing(&layer.upper), [""; 0]);
    assert_eq!(fs::metadata(&layer.upper).unwrap().mtime(), 0);
    assert_eq!(listing(&layer.work), [""; 0]);
}

fn only_the_change_is_in_the_upper(fixture: &Fixture) {
    let layer = fixture.layer();
    run(fixture, &layer, "mkdir /new; echo x > /new/file; rm /data/file");
    assert_eq!(listing(&layer.upper), ["data", "data/file", "new", "new/file"]);
    let whiteout = fs::symlink_metadata(layer.upper.join("data/file")).unwrap();
    assert_eq!((whiteout.mode() & libc_s_ifmt(), whiteout.rdev()), (0o020_000, 0), "a character device 0:0");
}

fn libc_s_ifmt() -> u32 {
    0o170_000
}

fn changes_beside_stubs_stay(fixture: &Fixture) {
    let layer = fixture.layer();
    run(fixture, &layer, "chmod 700 /etc; echo x > /run/pid; touch /data/seen && rm /data/seen");
    assert_eq!(listing(&layer.upper), ["data", "etc", "run", "run/pid"]);
    assert_eq!(fs::metadata(layer.upper.join("etc")).unwrap().permissions().mode() & 0o7777, 0o700);
    assert_eq!(fs::metadata(layer.upper.join("etc")).unwrap().mtime(), 0, "chmod does not change it");
    assert_ne!(fs::metadata(layer.upper.join("data")).unwrap().mtime(), 0, "entries came and went");
}

fn failed_steps_are_cleaned_too(fixture: &Fixture) {
    let layer = fixture.layer();
    let mut spec = fixture.spec(&layer, "kill -9 $$; exit 3");
    spec.mounts = vec![secret("/run/secrets/x")];
    assert_eq!(Fixture::run(&spec).exit.code, 3);
    assert_eq!(listing(&layer.upper), [""; 0]);
    spec.args = vec!["no-such".into()];
    assert!(Fixture::try_run(&spec).is_err());
    assert_eq!(listing(&layer.upper), [""; 0]);
    spec.mounts.push(mount("/data/file/no", MountSource::Tmpfs { size: None, mode: 0o755 }));
    assert!(Fixture::try_run(&spec).is_err());
    assert_eq!(listing(&layer.upper), [""; 0]);
}

fn a_layer_can_be_used_again(fixture: &Fixture) {
    let layer = fixture.layer();
    run(fixture, &layer, "echo one > /data/one");
    run(fixture, &layer, "cat /data/one; echo two > /data/two");
    assert_eq!(listing(&layer.upper), ["data", "data/one", "data/two"]);
}

fn hundreds_of_lowers(fixture: &Fixture) {
    let (layer, dirs) = (fixture.layer(), fixture.host_dir());
    let mut lower: Vec<_> = (0..200).map(|number| dirs.path().join(format!("layer,with:odd\\name-{number}"))).collect();
    for (number, dir) in lower.iter().enumerate() {
        fs::create_dir(dir).unwrap();
        fs::write(dir.join(format!("f{number}")), number.to_string()).unwrap();
    }
    lower.push(fixture.lower());
    let mut spec = fixture.spec(&layer, "cat /f0 /f199; grep overlay /proc/self/mountinfo");
    spec.root = RootFs::Overlay { lower, upper: layer.upper.clone(), work: layer.work.clone() };
    let out = Fixture::run(&spec).ok();
    assert!(out.starts_with("0199"), "{out}");
    assert!(!out.contains("odd"), "the container learns no path of the host: {out}");
}

fn directories_are_used_in_place(fixture: &Fixture) {
    let mut spec = fixture.spec(&fixture.layer(), "echo x > /data/in-place; rm /data/in-place; echo y > /data/stays");
    spec.root = RootFs::Dir(fixture.lower());
    spec.mounts = vec![secret("/run/secrets/x")];
    let before = listing(&fixture.lower());
    Fixture::run(&spec).ok();
    fs::remove_file(fixture.lower().join("data/stays")).unwrap();
    assert_eq!(listing(&fixture.lower()), before);
}

fn read_only_roots_refuse_writing(fixture: &Fixture) {
    let mut spec =
        fixture.spec(&fixture.layer(), "touch /data/x 2>/dev/null || echo refused; touch /dev/shm/x && cat /mine/x");
    spec.root = RootFs::ReadOnly { lower: vec![fixture.lower()] };
    spec.cwd = "/made".into();
    spec.mounts = vec![secret("/mine/x")];
    let before = listing(&fixture.lower());
    assert_eq!(Fixture::run(&spec).ok(), "refused\nx");
    assert_eq!(listing(&fixture.lower()), before);
}

fn the_root_looks_like_the_images(fixture: &Fixture) {
    let layer = fixture.layer();
    fs::set_permissions(&layer.upper, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(Fixture::run(&fixture.spec(&layer, "stat -c %a:%Y /")).ok(), "755:0\n");
}
