//! Layers on each other: what one to three layers of strangers make, indexed, folded and counted.

use std::collections::HashSet;
use std::sync::Arc;

use plim_index::{Inventory, LayerIndex, dive_figures, fold, index_tar};
use plim_oci::tar::TarWriter;
use plim_oci::{EntryHead, EntryKind, ImageConfig, Platform};

/// Names of which paths are made: few, so that entries meet, and all that mean something in a layer.
const NAMES: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"lib",
    b".wh.a",
    b".wh.b",
    b".wh.lib",
    b".wh..wh..opq",
    b".wh..wh.plnk",
    b".wh.",
    b".wh...",
    b"\xff\xfe",
    b"new\nline",
    b".",
    b"",
    b"var",
];

/// Where symbolic links lead.
const TARGETS: &[&[u8]] = &[b"a", b"/a", b"../a", b"../../..", b".", b"/", b"b/c", b"../lib", b"c", b"/var/b"];

/// Bytes of one entry: kind, three names, target, size.
const ENTRY: usize = 6;

/// Each group of bytes is an entry of a layer, or begins the next layer. Nothing of it may be refused.
pub fn entries(data: &[u8]) {
    let mut tars: Vec<TarWriter<Vec<u8>>> = vec![TarWriter::new(Vec::new())];
    for group in data.chunks_exact(ENTRY) {
        if group[0] == u8::MAX && tars.len() < 3 {
            tars.push(TarWriter::new(Vec::new()));
        }
        let Some(tar) = tars.last_mut() else { continue };
        let head = head(group);
        let kept = if head.path.is_empty() && head.kind != EntryKind::Dir { continue } else { head };
        let content = vec![group[5]; kept.size as usize];
        tar.entry(&kept, &mut &content[..]).expect("memory takes everything");
    }
    let indexes = tars.into_iter().map(|tar| {
        let tar = tar.finish().expect("memory takes everything");
        Arc::new(index_tar(&tar[..]).expect("a well-formed layer is indexed"))
    });
    check(&indexes.collect::<Vec<_>>());
}

fn head(group: &[u8]) -> EntryHead {
    let name = |byte: u8| NAMES[usize::from(byte) % NAMES.len()];
    // the high bits of the kind say how many names the path has
    let depth = 1 + usize::from(group[0] >> 6) % 3;
    let path = group[1..=depth].iter().map(|byte| name(*byte)).collect::<Vec<_>>().join(&b'/');
    let kind = match group[0] % 8 {
        0 | 1 => EntryKind::Dir,
        2 => EntryKind::Symlink,
        3 => EntryKind::Hardlink,
        4 => EntryKind::Char,
        5 => EntryKind::Fifo,
        _ => EntryKind::File,
    };
    let link = match kind {
        EntryKind::Symlink => TARGETS[usize::from(group[4]) % TARGETS.len()].to_vec(),
        EntryKind::Hardlink => [name(group[4]), name(group[4] >> 4)].join(&b'/'),
        _ => Vec::new(),
    };
    let size = if kind == EntryKind::File { u64::from(group[5]) } else { 0 };
    let head = EntryHead { link: link.into(), size, ..EntryHead::new(path, kind, 0o644) };
    let bare = head.path.iter().all(|byte| matches!(byte, b'/' | b'.'));
    if bare { EntryHead { path: Vec::new().into(), ..head } } else { head }
}

/// The bytes are one to three tars: the first two give the lengths of the first two, in blocks.
pub fn tars(data: &[u8]) {
    let [first, second, rest @ ..] = data else { return };
    let mut rest = rest;
    let mut indexes = Vec::new();
    for blocks in [usize::from(*first), usize::from(*second), usize::MAX] {
        let (tar, after) = rest.split_at(rest.len().min(blocks.saturating_mul(512)));
        let tar = sealed(tar);
        // what no layer may have is refused; the others still make an image
        indexes.extend(index_tar(&tar[..]).ok().map(Arc::new));
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    check(&indexes);
}

/// Returns a tar in which each header has the checksum that its bytes ask for.
fn sealed(tar: &[u8]) -> Vec<u8> {
    let mut tar = tar.to_vec();
    let mut at = 0_usize;
    while let Some(header) = at.checked_add(512).and_then(|end| tar.get_mut(at..end)) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits = std::str::from_utf8(&header[124..135]).ok();
        let size = digits.and_then(|text| usize::from_str_radix(text.trim(), 8).ok()).unwrap_or(0);
        let Some(next) = at.checked_add(512).and_then(|at| at.checked_add(size.div_ceil(512) * 512)) else { break };
        at = next;
    }
    tar
}

/// What must hold of every image.
fn check(layers: &[Arc<LayerIndex>]) {
    let inventory = fold(&ImageConfig::new(&Platform::new("linux", "amd64")), layers);
    tree(&inventory);
    let files = |layer: &LayerIndex| -> u64 {
        layer.entries.iter().filter(|entry| entry.head.kind == EntryKind::File).map(|entry| entry.head.size).sum()
    };
    let all: u64 = layers.iter().map(|layer| files(layer)).sum();
    let visible: u64 = inventory.layers.iter().map(|layer| layer.visible_bytes).sum();
    let hidden: u64 = inventory.hidden.iter().map(|hidden| hidden.bytes).sum();
    // what is neither seen nor hidden could not be unpacked
    assert!(visible + hidden <= all, "{visible} + {hidden} > {all}");
    if inventory.anomalies.is_empty() {
        assert_eq!(visible + hidden, all, "every byte is seen or hidden");
    }
    let _ = inventory.size_by_owner();
    let _ = inventory.largest(10);
    let dive = dive_figures(layers);
    assert!((0.0..=1.0).contains(&dive.efficiency), "{}", dive.efficiency);
    assert_eq!(dive.wasted.iter().map(|path| path.bytes).sum::<u64>(), dive.wasted_bytes);
    assert!(dive.user_wasted.is_none_or(|share| share >= 0.0 && share.is_finite()));
}

/// Every path of the tree is one that a kernel could reach: below directories, none of them a link.
fn tree(inventory: &Inventory) {
    let mut origins = HashSet::new();
    for (path, node) in &inventory.nodes {
        assert_eq!(*path, node.head.path);
        if let Some(slash) = path.iter().rposition(|byte| *byte == b'/') {
            let above = inventory.nodes.get(&path[..slash]).expect("what is above is in the tree");
            assert_eq!(above.head.kind, EntryKind::Dir, "{path}");
        }
        assert!(path.split(|byte| *byte == b'/').all(|part| !matches!(part, b"." | b"..")), "{path}");
        assert!(node.head.kind != EntryKind::Hardlink, "{path}");
        if let Some(origin) = node.origin {
            assert!(origin.layer < inventory.layers.len());
            origins.insert(origin);
        }
    }
    for hidden in &inventory.hidden {
        assert!(hidden.by < inventory.layers.len() && hidden.layer <= hidden.by);
        assert!(hidden.bytes == 0 || !origins.contains(&hidden.origin), "{} is counted though it is seen", hidden.path);
    }
}
