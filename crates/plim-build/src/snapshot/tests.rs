//! Diff directories against what the kernel and the layers say.

mod hostile;
mod layers;
mod properties;
mod unpacking;
mod views;
mod working;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use bstr::{BStr, ByteSlice};
use plim_oci::compress::{Compression, decompressor};
use plim_oci::layout::Layout;
use plim_oci::tar::{Limits, TarError, read_layer};
use plim_oci::{Blobs, Digest, EntryHead, EntryKind, Layer};

use super::tree::Tree;
use super::{Chain, LayerOptions, View};

/// Says whether the test can run: owners and whiteouts need root, of a user namespace with many ids at least.
pub(crate) fn root() -> bool {
    let root = rustix::process::geteuid().is_root() && mapped_ids() >= 65536;
    if !root {
        eprintln!("skipped: this test needs root");
    }
    root
}

/// Says whether devices can be made, which only root outside of user namespaces may.
fn makes_devices() -> bool {
    let all = !in_user_namespace();
    if !all {
        eprintln!("skipped in part: devices cannot be made in a user namespace");
    }
    all
}

fn in_user_namespace() -> bool {
    mapped_ids() < u64::from(u32::MAX)
}

fn mapped_ids() -> u64 {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum()
}

/// Returns a tree as lines: `dir/ 755 0:0`, `file 644 0:0 =content`, `link -> target`.
pub(crate) fn listing(view: &View) -> Vec<String> {
    let mut out = Vec::new();
    list(view, BStr::new(""), &mut out);
    out
}

fn list(view: &View, path: &BStr, out: &mut Vec<String>) {
    for node in view.children(path).unwrap() {
        let head = &node.head;
        let owner = format!("{:o} {}:{}", head.mode, head.uid, head.gid);
        match head.kind {
            EntryKind::Dir => {
                out.push(format!("{}/ {owner}", head.path));
                list(view, head.path.as_bstr(), out);
            }
            EntryKind::Symlink => out.push(format!("{} -> {}", head.path, head.link)),
            EntryKind::File => {
                let content = view.read(head.path.as_bstr(), 1 << 20).unwrap().unwrap();
                out.push(format!("{} {owner} ={}", head.path, content.as_bstr()));
            }
            kind => out.push(format!("{} {owner} {kind:?} {:?}", head.path, head.device)),
        }
    }
}

/// Makes files from lines: `dir/`, `file=content`, `link->target`, `!deleted`, `dir/!` for an opaque directory.
pub(crate) fn make(dir: &Path, lines: &[&str]) {
    for line in lines {
        if let Some(path) = line.strip_prefix('!') {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            whiteout(&path);
        } else if let Some(path) = line.strip_suffix("/!") {
            fs::create_dir_all(dir.join(path)).unwrap();
            super::xattrs::write_opaque(&dir.join(path)).unwrap();
        } else if let Some(path) = line.strip_suffix('/') {
            fs::create_dir_all(dir.join(path)).unwrap();
        } else if let Some((path, target)) = line.split_once("->") {
            fs::create_dir_all(dir.join(path).parent().unwrap()).unwrap();
            symlink(target, dir.join(path)).unwrap();
        } else {
            let (path, content) = line.split_once('=').unwrap();
            fs::create_dir_all(dir.join(path).parent().unwrap()).unwrap();
            fs::write(dir.join(path), content).unwrap();
            fs::set_permissions(dir.join(path), fs::Permissions::from_mode(0o644)).unwrap();
        }
    }
}

fn whiteout(path: &Path) {
    let kind = rustix::fs::FileType::CharacterDevice;
    let mode = rustix::fs::Mode::empty();
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, rustix::fs::makedev(0, 0)).unwrap();
}

/// Returns a chain of directories, the lowest first.
pub(crate) fn chain(dirs: &[&Path]) -> Chain {
    dirs.iter().fold(Chain::scratch(), |chain, dir| chain.push(Digest::of(b"test"), dir.to_path_buf()))
}

pub(crate) fn options() -> LayerOptions {
    LayerOptions {
        epoch: i64::from(u32::MAX),
        compression: Compression::Gzip(1),
        created_by: "test".to_owned(),
        frames: None,
    }
}

/// Returns the entries of a layer with the contents of files.
pub(crate) fn entries(store: &Layout, layer: &Layer) -> Vec<(EntryHead, Vec<u8>)> {
    let mut out = Vec::new();
    let blob = store.open(&layer.descriptor).unwrap();
    read_layer::<_, TarError>(decompressor(blob), &Limits::default(), &mut |head, content| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        out.push((head, bytes));
        Ok(())
    })
    .unwrap();
    out
}

/// Returns the paths of a layer with the targets of hard links.
pub(crate) fn names(store: &Layout, layer: &Layer) -> Vec<String> {
    let name = |head: &EntryHead| match head.kind {
        EntryKind::Dir => format!("{}/", head.path),
        EntryKind::Hardlink => format!("{} == {}", head.path, head.link),
        EntryKind::Symlink => format!("{} -> {}", head.path, head.link),
        _ => head.path.to_string(),
    };
    entries(store, layer).iter().map(|(head, _)| name(head)).collect()
}
