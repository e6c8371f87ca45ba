use super::*;

const ATTRIBUTES: Attributes = Attributes { mode: 0o640, uid: 0, gid: 0, mtime: 1_600_000_000 };

fn attributes(mode: u32, dir: &Path) -> Attributes {
    let meta = dir.metadata().unwrap();
    Attributes { mode, uid: meta.uid(), gid: meta.gid(), ..ATTRIBUTES }
}

fn write(root: &Root, path: &str, package: usize, text: &str) -> io::Result<()> {
    let mine = attributes(0o640, &root.path);
    if root.claim(path.into(), package).is_some() {
        root.reclaim(path.into(), package);
    }
    root.file(&mut Cursor::default(), path.into(), package, mine, &mut text.as_bytes())
}

fn link(root: &Root, path: &str, target: &str) -> io::Result<()> {
    let mine = attributes(0o777, &root.path);
    root.claim(path.into(), 1);
    root.symlink(&mut Cursor::default(), path.into(), 1, mine, target.into())
}

#[test]
fn links_do_not_lead_out() {
    let outer = tempfile::tempdir().unwrap();
    let inner = outer.path().join("root");
    std::fs::create_dir_all(inner.join("etc")).unwrap();
    let root = Root::open(&inner, &[]).unwrap();
    link(&root, "absolute", "/etc").unwrap();
    link(&root, "relative", "../../../etc").unwrap();
    write(&root, "absolute/a", 1, "a").unwrap();
    write(&root, "relative/b", 1, "b").unwrap();
    assert_eq!(std::fs::read_to_string(inner.join("etc/a")).unwrap(), "a");
    assert_eq!(std::fs::read_to_string(inner.join("etc/b")).unwrap(), "b");
    link(&root, "loop", "loop").unwrap();
    assert!(write(&root, "loop/c", 1, "c").is_err());
    assert!(write(&root, "etc/a/d", 1, "d").is_err());
}

#[test]
fn a_file_replaces_a_link_instead_of_following_it() {
    let outer = tempfile::tempdir().unwrap();
    let inner = outer.path().join("root");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(outer.path().join("victim"), "safe").unwrap();
    let root = Root::open(&inner, &[]).unwrap();
    link(&root, "x", "../victim").unwrap();
    write(&root, "x", 1, "new").unwrap();
    assert_eq!(std::fs::read_to_string(outer.path().join("victim")).unwrap(), "safe");
    assert_eq!(std::fs::read_to_string(inner.join("x")).unwrap(), "new");
}

#[test]
fn directories_of_lower_levels_keep_their_look_and_links() {
    let (lower, upper) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir_all(lower.path().join("var/local")).unwrap();
    std::fs::set_permissions(lower.path().join("var/local"), std::os::unix::fs::PermissionsExt::from_mode(0o770))
        .unwrap();
    std::os::unix::fs::symlink("/var/local", lower.path().join("short")).unwrap();
    let root = Root::open(upper.path(), &[lower.path().to_owned()]).unwrap();
    write(&root, "short/file", 1, "x").unwrap();
    root.directory("var/local".into(), attributes(0o755, upper.path()), 1).unwrap();
    root.settle().unwrap();
    assert_eq!(upper.path().join("var/local").metadata().unwrap().mode() & 0o777, 0o770);
    assert!(upper.path().join("var/local/file").is_file());
    assert!(upper.path().join("short").symlink_metadata().is_err());
}

#[test]
fn the_first_package_says_what_a_directory_is_like() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open(dir.path(), &[]).unwrap();
    root.directory("d".into(), attributes(0o700, dir.path()), 2).unwrap();
    root.directory("d".into(), attributes(0o711, dir.path()), 1).unwrap();
    root.settle().unwrap();
    assert_eq!(dir.path().join("d").metadata().unwrap().mode() & 0o777, 0o711);
}

#[test]
fn a_path_that_changed_hands_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open(dir.path(), &[]).unwrap();
    write(&root, "f", 1, "one").unwrap();
    assert_eq!(root.claim("f".into(), 2), Some(1));
    root.reclaim("f".into(), 2);
    let mine = attributes(0o640, dir.path());
    root.file(&mut Cursor::default(), "f".into(), 1, mine, &mut "late".as_bytes()).unwrap();
    assert_eq!(std::fs::read_to_string(dir.path().join("f")).unwrap(), "one");
}

#[test]
fn a_root_may_learn_afterwards_what_it_stands_on() {
    let lower = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(lower.path().join("var/local")).unwrap();
    std::fs::set_permissions(lower.path().join("var/local"), std::os::unix::fs::PermissionsExt::from_mode(0o770))
        .unwrap();
    std::os::unix::fs::symlink("/var/local", lower.path().join("short")).unwrap();
    let lowers = [lower.path().to_owned()];
    let modes = |early: bool| {
        let upper = tempfile::tempdir().unwrap();
        let known: &[PathBuf] = if early { &[] } else { &lowers };
        let mut root = Root::open(upper.path(), known).unwrap();
        root.directory("var/local".into(), attributes(0o755, upper.path()), 1).unwrap();
        root.directory("var/other".into(), attributes(0o711, upper.path()), 1).unwrap();
        write(&root, "var/local/deep/file", 1, "x").unwrap();
        assert!(root.stand_on(&lowers));
        root.settle().unwrap();
        ["var", "var/local", "var/other", "var/local/deep"]
            .map(|path| upper.path().join(path).metadata().unwrap().mode() & 0o777)
    };
    assert_eq!(modes(true), modes(false));
    assert_eq!(modes(true), [0o755, 0o770, 0o711, 0o755]);
}

#[test]
fn a_directory_that_is_a_link_below_is_noticed() {
    let (lower, upper) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink("/var/local", lower.path().join("short")).unwrap();
    let mut root = Root::open(upper.path(), &[]).unwrap();
    write(&root, "short/file", 1, "x").unwrap();
    assert!(!root.stand_on(&[lower.path().to_owned()]));
}
