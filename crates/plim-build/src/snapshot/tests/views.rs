//! What a view shows is what overlayfs would show.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::*;

struct Layers {
    dir: tempfile::TempDir,
}

impl Layers {
    fn new(layers: &[&[&str]]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (number, lines) in layers.iter().enumerate() {
            let layer = dir.path().join(number.to_string());
            fs::create_dir(&layer).unwrap();
            make(&layer, lines);
        }
        Self { dir }
    }

    fn chain(&self, count: usize) -> Chain {
        let dirs: Vec<_> = (0..count).map(|number| self.dir.path().join(number.to_string())).collect();
        chain(&dirs.iter().map(std::path::PathBuf::as_path).collect::<Vec<_>>())
    }
}

fn shown(layers: &[&[&str]]) -> Vec<String> {
    let made = Layers::new(layers);
    listing(&View::new(&made.chain(layers.len())))
        .into_iter()
        .map(|line| line.replace(" 644 0:0", "").replace(" 755 0:0", ""))
        .collect()
}

#[test]
fn the_top_layer_wins() {
    if !root() {
        return;
    }
    assert_eq!(shown(&[&["a=1", "d/x=1"], &["a=2", "d/y=2"]]), ["a =2", "d/", "d/x =1", "d/y =2"]);
}

#[test]
fn a_whiteout_hides_what_is_below() {
    if !root() {
        return;
    }
    assert_eq!(shown(&[&["a=1", "d/x=1", "e=1"], &["!a", "!d"]]), ["e =1"]);
    assert_eq!(shown(&[&["a=1"], &["!a"], &["a=3"]]), ["a =3"]);
}

#[test]
fn an_opaque_directory_hides_what_is_below() {
    if !root() {
        return;
    }
    assert_eq!(shown(&[&["d/x=1"], &["d/y=2"], &["d/!", "d/z=3"]]), ["d/", "d/z =3"]);
    assert_eq!(shown(&[&["d/x=1"], &["d/!"], &["d/z=3"]]), ["d/", "d/z =3"]);
}

#[test]
fn a_file_between_directories_hides_the_lower_one() {
    if !root() {
        return;
    }
    assert_eq!(shown(&[&["d/x=1"], &["d=file"], &["d/y=3"]]), ["d/", "d/y =3"]);
    assert_eq!(shown(&[&["d/x=1"], &["d=file"]]), ["d =file"]);
}

#[test]
fn paths_are_looked_up_through_links() {
    if !root() {
        return;
    }
    let made =
        Layers::new(&[&["usr/lib/x=1", "lib->usr/lib", "abs->/usr"], &["up->../../usr/lib/x", "gone->/nothing"]]);
    let view = View::new(&made.chain(2));
    assert_eq!(view.resolve("/lib/x".into()).unwrap().unwrap(), "usr/lib/x");
    assert_eq!(view.resolve("abs/lib/../lib/x".into()).unwrap().unwrap(), "usr/lib/x");
    assert_eq!(view.resolve("up".into()).unwrap().unwrap(), "usr/lib/x");
    assert_eq!(view.resolve("gone".into()).unwrap(), None);
    assert_eq!(view.resolve("usr/lib/x/y".into()).unwrap(), None);
    assert_eq!(view.resolve("/".into()).unwrap().unwrap(), "");
    assert_eq!(view.lookup("abs/lib".into()).unwrap().unwrap().head.path, "usr/lib");
    assert_eq!(view.lookup("up".into()).unwrap().unwrap().head.kind, EntryKind::Symlink);
    assert_eq!(view.read("up".into(), 10).unwrap().unwrap(), b"1");
    assert_eq!(view.read("usr".into(), 10).unwrap(), None);
    assert!(view.read("up".into(), 0).is_err());
    let names: Vec<_> = view.read_dir("lib".into()).unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["x"]);
    assert!(view.read_dir("nothing".into()).unwrap().is_empty());
}

#[test]
fn an_empty_chain_is_an_empty_root() {
    let view = View::new(&Chain::scratch());
    assert_eq!(view.lookup("/".into()).unwrap().unwrap().head.mode, 0o755);
    assert!(view.read_dir("/".into()).unwrap().is_empty());
    assert!(view.lookup("etc/passwd".into()).unwrap().is_none());
}

/// Returns what the kernel shows of a chain, in the form of [`listing`].
pub(super) fn mounted(chain: &Chain, target: &Path) -> Option<Vec<String>> {
    let mut options = b"lowerdir=".to_vec();
    for (number, dir) in chain.lower.iter().enumerate() {
        if number > 0 {
            options.push(b':');
        }
        options.extend_from_slice(dir.as_os_str().as_bytes());
    }
    if in_user_namespace() {
        options.extend_from_slice(b",userxattr");
    }
    let options = CString::new(options).unwrap();
    if let Err(error) = mount("overlay", target, "overlay", MountFlags::RDONLY, Some(options.as_c_str())) {
        eprintln!("skipped: overlay cannot be mounted here: {error}");
        return None;
    }
    let lines = listing(&View::new(&super::chain(&[target])));
    unmount(target, UnmountFlags::empty()).unwrap();
    Some(lines)
}

#[test]
fn a_view_shows_what_the_kernel_shows() {
    if !root() {
        return;
    }
    let made = Layers::new(&[
        &["a=1", "d/x=1", "d/sub/y=1", "e/f/g=1", "l->a", "t/u/v=1", "w=1"],
        &["!a", "d/!", "d/z=2", "e/f=file", "t/u/w=2", "l/", "!w"],
        &["a/b=3", "e/f/h=3", "t/u/!", "d/sub/q=3", "w/x=3"],
    ]);
    for count in 2..=3 {
        let chain = made.chain(count);
        let target = made.dir.path().join("mount");
        fs::create_dir_all(&target).unwrap();
        let Some(kernel) = mounted(&chain, &target) else { return };
        assert_eq!(listing(&View::new(&chain)), kernel);
    }
}
