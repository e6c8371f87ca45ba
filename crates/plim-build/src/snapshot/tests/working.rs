//! Working copies leave what overlays leave.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, chown};

use plim_oci::Silent;
use plim_testkit::TempLayout;
use proptest::prelude::*;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::super::{Snapshots, WorkingCopy, layer_from_dir, marks};
use super::*;

const PATHS: [&str; 10] = ["a", "a/b", "a/b/c", "a/d", "e", "e/f", "h", "h/i", "j", "k"];

/// What a step may do to one or two paths.
#[derive(Debug, Clone, Copy)]
enum Change {
    Write(u8),
    Append,
    Remove,
    MakeDir,
    Remake,
    Rename(usize),
    Link(usize),
    Symlink(usize),
    Mode(u32),
    Owner(u32),
    Touch(i64),
    Fifo,
    Hide,
}

fn change() -> impl Strategy<Value = (usize, Change)> {
    let other = || 0..PATHS.len();
    let change = prop_oneof![
        (0..3_u8).prop_map(Change::Write),
        Just(Change::Append),
        Just(Change::Remove),
        Just(Change::MakeDir),
        Just(Change::Remake),
        other().prop_map(Change::Rename),
        other().prop_map(Change::Link),
        other().prop_map(Change::Symlink),
        prop_oneof![Just(0o600), Just(0o644), Just(0o755), Just(0o4755)].prop_map(Change::Mode),
        (0..3_u32).prop_map(Change::Owner),
        prop_oneof![Just(500_i64), Just(600_i64)].prop_map(Change::Touch),
        Just(Change::Fifo),
        Just(Change::Hide),
    ];
    (other(), change)
}

/// Does a change below a root. What cannot be done is left undone.
fn apply(root: &Path, path: usize, change: Change) {
    let place = root.join(PATHS[path]);
    let is_dir = |path: &Path| path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    let is_file = |path: &Path| path.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
    match change {
        Change::Write(content) if !place.is_symlink() => drop(fs::write(&place, [content; 3])),
        Change::Append if is_file(&place) => {
            let file = fs::OpenOptions::new().append(true).open(&place);
            let _ = file.and_then(|mut file| std::io::Write::write_all(&mut file, b"+"));
        }
        Change::Remove if is_dir(&place) => drop(fs::remove_dir_all(&place)),
        Change::Remove => drop(fs::remove_file(&place)),
        Change::MakeDir => drop(fs::create_dir(&place)),
        Change::Remake if is_dir(&place) => {
            fs::remove_dir_all(&place).unwrap();
            fs::create_dir(&place).unwrap();
        }
        // an overlay refuses to move a directory of a lower layer
        Change::Rename(to) if !is_dir(&place) && !is_dir(&root.join(PATHS[to])) => {
            let _ = fs::rename(&place, root.join(PATHS[to]));
        }
        Change::Link(to) if is_file(&place) => drop(fs::hard_link(&place, root.join(PATHS[to]))),
        Change::Symlink(to) => drop(symlink(PATHS[to], &place)),
        Change::Mode(mode) if !place.is_symlink() => {
            let _ = fs::set_permissions(&place, fs::Permissions::from_mode(mode));
        }
        Change::Owner(owner) if !place.is_symlink() => drop(chown(&place, Some(owner), Some(owner))),
        Change::Touch(time) if is_file(&place) => set_time(&place, time),
        Change::Fifo => {
            let kind = rustix::fs::FileType::Fifo;
            let _ = rustix::fs::mknodat(rustix::fs::CWD, &place, kind, rustix::fs::Mode::from(0o644), 0);
        }
        // the same content and time again, in another file
        Change::Hide if is_file(&place) => {
            let (content, metadata) = (fs::read(&place).unwrap(), fs::metadata(&place).unwrap());
            fs::remove_file(&place).unwrap();
            fs::write(&place, content).unwrap();
            fs::set_permissions(&place, metadata.permissions()).unwrap();
            chown(&place, Some(metadata.uid()), Some(metadata.gid())).unwrap();
            set_time(&place, metadata.mtime());
        }
        _ => {}
    }
}

fn set_time(path: &Path, seconds: i64) {
    let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// A store with a lower layer and all that steps on it need.
struct Ground {
    store: TempLayout,
    snapshots: Snapshots,
    chain: Chain,
}

impl Ground {
    fn new(lines: &[&str]) -> Self {
        let store = TempLayout::new();
        let snapshots = Snapshots::open(&store.dir().join("snapshots")).unwrap();
        let lower = store.dir().join("lower");
        fs::create_dir(&lower).unwrap();
        make(&lower, lines);
        for path in PATHS.iter().rev().map(|path| lower.join(path)).filter(|path| path.symlink_metadata().is_ok()) {
            set_time(&path, 400);
        }
        let chain = Chain::scratch().push(Digest::of(b"lower"), lower);
        Self { store, snapshots, chain }
    }

    /// Returns the diffID that a diff directory gives over a chain.
    fn layer(&self, dir: &Path, below: &Chain) -> (Digest, Vec<String>) {
        let options = LayerOptions { epoch: 1000, ..options() };
        let layer = layer_from_dir(dir, &View::new(below), &self.store, &options, None, &Silent).unwrap();
        (layer.diff_id.clone(), names(&self.store, &layer))
    }

    /// Does a step on an overlay; none where it cannot be mounted.
    fn overlay(&self, chain: &Chain, step: &dyn Fn(&Path)) -> Option<Chain> {
        let draft = self.snapshots.begin().unwrap();
        let target = draft.dir.join("mount");
        fs::create_dir(&target).unwrap();
        let lower: Vec<String> = chain.lower.iter().map(|dir| dir.display().to_string()).collect();
        let options = format!(
            "lowerdir={},upperdir={},workdir={},index=off,metacopy=off,redirect_dir=off{}",
            lower.join(":"),
            draft.fs.display(),
            draft.work.display(),
            if in_user_namespace() { ",userxattr" } else { "" }
        );
        let options = std::ffi::CString::new(options).unwrap();
        if let Err(error) = mount("overlay", &target, "overlay", MountFlags::empty(), Some(options.as_c_str())) {
            eprintln!("skipped: overlay cannot be mounted here: {error}");
            return None;
        }
        step(&target);
        // another test that starts a program at this moment has a copy of each open file until the program runs
        let mut tries = 0;
        while let Err(error) = unmount(&target, UnmountFlags::empty()) {
            tries += 1;
            assert!(error == rustix::io::Errno::BUSY && tries < 100, "{error}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Some(self.commit(draft, chain, "overlay"))
    }

    fn commit(&self, draft: super::super::Draft, chain: &Chain, name: &str) -> Chain {
        let key = Digest::of(format!("{name} {}", chain.id).as_bytes());
        let dir = self.snapshots.commit(draft, &key).unwrap();
        chain.push(key, dir)
    }

    /// Does a step on a copy that goes on being used.
    fn copied(&self, copy: &mut Option<WorkingCopy>, chain: &Chain, step: &dyn Fn(&Path)) -> Chain {
        match copy {
            Some(copy) => assert!(copy.advance(chain, &Silent).unwrap(), "the chain grew"),
            None => *copy = Some(WorkingCopy::new(&self.snapshots, chain, &Silent).unwrap()),
        }
        let copy = copy.as_mut().unwrap();
        step(copy.root());
        let draft = self.snapshots.begin().unwrap();
        copy.difference(&draft.fs, &Silent).unwrap();
        self.commit(draft, chain, "copy")
    }
}

const LOWER: [&str; 7] = ["a/b/c=1", "a/d=2", "e/f=3", "h/i->../j", "j=4", "k->nowhere", "l/m=5"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn copies_leave_what_overlays_leave(
        first in proptest::collection::vec(change(), 0..8),
        second in proptest::collection::vec(change(), 0..8),
    ) {
        if !root() {
            return Ok(());
        }
        let ground = Ground::new(&LOWER);
        let (mut overlay, mut copied, mut copy) = (ground.chain.clone(), ground.chain.clone(), None);
        for changes in [&first, &second] {
            // which of several names of a lower file is written to cannot be seen in a copy
            let linked = changes.as_ptr() == second.as_ptr()
                && first.iter().any(|(_, change)| matches!(change, Change::Link(_)));
            let step = |root: &Path| {
                for (path, change) in changes.iter().filter(|_| !linked) {
                    apply(root, *path, *change);
                }
            };
            let Some(after) = ground.overlay(&overlay, &step) else { return Ok(()) };
            let by_overlay = ground.layer(&after.lower[0], &overlay);
            overlay = after;
            let after = ground.copied(&mut copy, &copied, &step);
            let by_copy = ground.layer(&after.lower[0], &copied);
            copied = after;
            prop_assert_eq!(by_copy, by_overlay);
            prop_assert_eq!(listing(&View::new(&copied)), listing(&View::new(&overlay)));
        }
    }
}

#[test]
fn a_change_of_same_size_and_time_is_found() {
    if !root() {
        return;
    }
    let ground = Ground::new(&["j=1", "k=2"]);
    let chain = ground.copied(&mut None, &ground.chain, &|root| {
        fs::write(root.join("j"), "3").unwrap();
        set_time(&root.join("j"), 400);
    });
    assert_eq!(ground.layer(&chain.lower[0], &ground.chain).1, ["j"]);
}

#[test]
fn links_that_a_step_moves_or_copies_stay_links() {
    if !root() {
        return;
    }
    let ground = Ground::new(&["a/d=1"]);
    let mut copy = None;
    let made = ground.copied(&mut copy, &ground.chain, &|root| {
        fs::hard_link(root.join("a/d"), root.join("a/e")).unwrap();
    });
    assert_eq!(ground.layer(&made.lower[0], &ground.chain).1, ["a/", "a/d", "a/e == a/d"]);
    let moved = ground.copied(&mut copy, &made, &|root| fs::rename(root.join("a"), root.join("z")).unwrap());
    assert_eq!(ground.layer(&moved.lower[0], &made).1, [".wh.a", "z/", "z/d", "z/e == z/d"]);
    let owned = ground.copied(&mut copy, &moved, &|root| {
        for name in ["z/d", "z/e"] {
            chown(root.join(name), Some(7), Some(7)).unwrap();
        }
    });
    assert_eq!(ground.layer(&owned.lower[0], &moved).1, ["z/", "z/d", "z/e"], "an overlay copies each");
}

#[test]
fn a_copy_follows_its_chain_only() {
    if !root() {
        return;
    }
    let ground = Ground::new(&["j=1"]);
    let mut copy = WorkingCopy::new(&ground.snapshots, &ground.chain, &Silent).unwrap();
    let above = ground.store.dir().join("above");
    fs::create_dir(&above).unwrap();
    make(&above, &["!j", "d/x=2"]);
    let grown = ground.chain.push(Digest::of(b"above"), above);
    assert!(copy.advance(&grown, &Silent).unwrap());
    assert!(!copy.root().join("j").exists() && copy.root().join("d/x").exists());
    assert!(!copy.advance(&ground.chain, &Silent).unwrap());
    let root = copy.root().to_owned();
    drop(copy);
    assert!(!root.exists());
}

#[test]
fn deletions_without_devices_mean_the_same() {
    if !root() {
        return;
    }
    let ground = Ground::new(&["a/b/c=1", "a/d=1", "j=1"]);
    let above = ground.store.dir().join("above");
    fs::create_dir_all(above.join("a")).unwrap();
    symlink(std::ffi::OsStr::from_bytes(marks::DELETED), above.join("j")).unwrap();
    symlink(std::ffi::OsStr::from_bytes(marks::DELETED), above.join("a/.wh..wh..opq")).unwrap();
    make(&above, &["a/new=2"]);
    let chain = ground.chain.push(Digest::of(b"above"), above.clone());
    let shown = listing(&View::new(&chain));
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[1].starts_with("a/new 644"), "{shown:?}");
    assert_eq!(ground.layer(&above, &ground.chain).1, [".wh.j", "a/", "a/.wh.b", "a/.wh.d", "a/new"]);
    let copy = WorkingCopy::new(&ground.snapshots, &chain, &Silent).unwrap();
    assert_eq!(listing(&View::new(&super::chain(&[copy.root()]))), shown);
}
