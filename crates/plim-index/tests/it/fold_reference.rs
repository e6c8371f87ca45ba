//! The fold against a naive reference: layers are unpacked with real system calls, each into an empty directory, and
//! moved over the merged directory one after the other.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use bstr::{BString, ByteSlice};
use plim_oci::{EntryHead, EntryKind};
use proptest::prelude::*;

use crate::build::{LayerBuilder, inventory};

/// What both sides are compared by. Names of the same file share a group, numbered in order of paths.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Dir(u32),
    File { content: Vec<u8>, mode: u32, group: usize },
    Symlink(BString),
}

type Tree = BTreeMap<BString, Seen>;

/// Resolves a directory below `root` component by component, links included, making what is missing.
fn directory(root: &Path, path: &Path, make: bool) -> Option<PathBuf> {
    let mut at: Vec<std::ffi::OsString> = Vec::new();
    let mut todo: Vec<std::ffi::OsString> = path.iter().map(Into::into).collect();
    todo.reverse();
    let mut links = 0;
    while let Some(part) = todo.pop() {
        match Path::new(&part).components().next()? {
            Component::ParentDir => {
                at.pop();
                continue;
            }
            Component::RootDir => {
                at.clear();
                continue;
            }
            Component::CurDir | Component::Prefix(_) => continue,
            Component::Normal(_) => {}
        }
        let next: PathBuf = root.join(at.iter().collect::<PathBuf>()).join(&part);
        match fs::symlink_metadata(&next) {
            Ok(metadata) if metadata.is_symlink() => {
                links += 1;
                if links > 40 {
                    return None;
                }
                let target = fs::read_link(&next).unwrap();
                todo.extend(target.iter().rev().map(Into::into));
            }
            Ok(metadata) if metadata.is_dir() => at.push(part),
            Ok(_) => return None,
            Err(_) => {
                if make {
                    fs::create_dir(&next).unwrap();
                    fs::set_permissions(&next, fs::Permissions::from_mode(0o755)).unwrap();
                }
                at.push(part);
            }
        }
    }
    Some(root.join(at.iter().collect::<PathBuf>()))
}

fn remove(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

/// What unpacking one layer leaves to be done to the lower ones.
#[derive(Default)]
struct Rest {
    whiteouts: Vec<PathBuf>,
    opaque: Vec<PathBuf>,
    /// Stand-ins for links to files of lower layers, and what they link to.
    links: HashMap<PathBuf, PathBuf>,
    /// Directories that the layer names, whose metadata counts.
    named: Vec<PathBuf>,
}

impl Rest {
    /// Clears the place of an entry, and forgets what was there: stand-ins and directories that had been named.
    fn clear(&mut self, upper: &Path, inside: &Path) {
        remove(&upper.join(inside));
        self.named.retain(|path| !path.starts_with(inside));
        self.links.retain(|path, _| !path.starts_with(inside));
    }
}

/// Unpacks one layer into its own empty directory.
fn unpack(upper: &Path, layer: &LayerBuilder) -> Rest {
    let mut rest = Rest::default();
    for (head, content) in &layer.entries {
        let path = Path::new(head.path.to_os_str().unwrap());
        let (parent, name) = (path.parent().unwrap(), path.file_name().unwrap());
        let Some(dir) = directory(upper, parent, true) else { continue };
        let inside = dir.strip_prefix(upper).unwrap().to_owned();
        if name == ".wh..wh..opq" {
            rest.opaque.push(inside);
            continue;
        }
        if let Some(hidden) = name.as_bytes().strip_prefix(b".wh.") {
            rest.whiteouts.push(inside.join(hidden.to_os_str().unwrap()));
            continue;
        }
        let place = dir.join(name);
        if head.kind == EntryKind::Dir {
            if !place.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                rest.clear(upper, &inside.join(name));
                fs::create_dir(&place).unwrap();
            }
            fs::set_permissions(&place, fs::Permissions::from_mode(head.mode)).unwrap();
            rest.named.push(inside.join(name));
            continue;
        }
        if head.kind == EntryKind::Hardlink {
            let link = Path::new(head.link.to_os_str().unwrap());
            let Some(dir) = directory(upper, link.parent().unwrap(), false) else { continue };
            let target = dir.join(link.file_name().unwrap());
            if target == place || target.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                continue;
            }
            // clearing its place would take away what it links to
            if target.symlink_metadata().is_ok() && target.starts_with(&place) {
                continue;
            }
            let inside = inside.join(name);
            rest.clear(upper, &inside);
            if target.symlink_metadata().is_ok() {
                fs::hard_link(&target, &place).unwrap();
                let stand_in = rest.links.get(target.strip_prefix(upper).unwrap()).cloned();
                stand_in.map(|lower| rest.links.insert(inside, lower));
            } else {
                // not in this layer: the name of a lower file, linked when the layers meet
                fs::write(&place, b"").unwrap();
                rest.links.insert(inside, target.strip_prefix(upper).unwrap().to_owned());
            }
            continue;
        }
        rest.clear(upper, &inside.join(name));
        if head.kind == EntryKind::Symlink {
            symlink(head.link.to_os_str().unwrap(), &place).unwrap();
        } else {
            fs::write(&place, content).unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(head.mode)).unwrap();
        }
    }
    rest
}

/// Moves an unpacked layer over the merged directory.
fn lay_over(upper: &Path, merged: &Path, dir: &Path, rest: &Rest) {
    let mut names: Vec<_> = fs::read_dir(upper.join(dir)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    for name in names {
        let path = dir.join(name);
        let (from, to) = (upper.join(&path), merged.join(&path));
        if rest.links.contains_key(&path) {
            continue;
        }
        if !from.symlink_metadata().unwrap().is_dir() {
            remove(&to);
            fs::rename(&from, &to).unwrap();
            continue;
        }
        let merges = to.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        if !merges {
            remove(&to);
            fs::create_dir(&to).unwrap();
        }
        if !merges || rest.named.contains(&path) {
            fs::set_permissions(&to, from.metadata().unwrap().permissions()).unwrap();
        }
        lay_over(upper, merged, &path, rest);
    }
}

fn reference(layers: &[LayerBuilder]) -> Tree {
    let work = tempfile::tempdir().unwrap();
    let merged = work.path().join("merged");
    fs::create_dir(&merged).unwrap();
    for (number, layer) in layers.iter().enumerate() {
        let upper = work.path().join(number.to_string());
        fs::create_dir(&upper).unwrap();
        let rest = unpack(&upper, layer);
        let reachable = |path: &Path| {
            path.parent()
                .unwrap_or(path)
                .ancestors()
                .all(|dir| merged.join(dir).symlink_metadata().is_ok_and(|metadata| metadata.is_dir()))
        };
        for path in rest.whiteouts.iter().filter(|path| reachable(path)) {
            remove(&merged.join(path));
        }
        for dir in rest.opaque.iter().filter(|path| reachable(path)) {
            if merged.join(dir).symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                for entry in fs::read_dir(merged.join(dir)).unwrap() {
                    remove(&entry.unwrap().path());
                }
            }
        }
        // the lower files get a safe second name before this layer covers them
        let safe = work.path().join(format!("{number}.links"));
        fs::create_dir(&safe).unwrap();
        let mut made: Vec<(PathBuf, PathBuf)> = Vec::new();
        for (at, (path, target)) in rest.links.iter().enumerate() {
            let dir = directory(&merged, target.parent().unwrap(), false);
            let file = dir.map(|dir| dir.join(target.file_name().unwrap()));
            let known = file.filter(|file| file.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir()));
            if let Some(file) = known {
                fs::hard_link(file, safe.join(at.to_string())).unwrap();
                made.push((path.clone(), safe.join(at.to_string())));
            }
        }
        lay_over(&upper, &merged, Path::new(""), &rest);
        made.sort();
        for (path, file) in made {
            remove(&merged.join(&path));
            fs::rename(&file, merged.join(&path)).unwrap();
            // renaming onto another name of the same file leaves both names: POSIX rename()
            remove(&file);
        }
    }
    let mut tree = Tree::new();
    let mut groups = HashMap::new();
    read(&merged, Path::new(""), &mut tree, &mut groups);
    renumber(tree)
}

fn read(root: &Path, dir: &Path, tree: &mut Tree, groups: &mut HashMap<u64, usize>) {
    for entry in fs::read_dir(root.join(dir)).unwrap() {
        let path = dir.join(entry.unwrap().file_name());
        let full = root.join(&path);
        let metadata = full.symlink_metadata().unwrap();
        let key = BString::from(path.as_os_str().as_bytes());
        if metadata.is_dir() {
            tree.insert(key, Seen::Dir(metadata.mode() & 0o7777));
            read(root, &path, tree, groups);
        } else if metadata.is_symlink() {
            tree.insert(key, Seen::Symlink(fs::read_link(&full).unwrap().as_os_str().as_bytes().into()));
        } else {
            let next = groups.len();
            let group = *groups.entry(metadata.ino()).or_insert(next);
            tree.insert(key, Seen::File { content: fs::read(&full).unwrap(), mode: metadata.mode() & 0o7777, group });
        }
    }
}

/// Numbers the groups of hard links in the order of their first paths.
fn renumber(mut tree: Tree) -> Tree {
    let mut numbers = HashMap::new();
    for seen in tree.values_mut() {
        if let Seen::File { group, .. } = seen {
            let next = numbers.len();
            *group = *numbers.entry(*group).or_insert(next);
        }
    }
    tree
}

fn folded(layers: &[LayerBuilder]) -> Tree {
    let inventory = inventory(layers);
    let mut groups = HashMap::new();
    let mut tree = Tree::new();
    for (path, node) in &inventory.nodes {
        assert_eq!(*path, node.head.path);
        let seen = match node.head.kind {
            EntryKind::Dir => Seen::Dir(node.head.mode),
            EntryKind::Symlink => Seen::Symlink(node.head.link.clone()),
            _ => {
                let origin = node.origin.unwrap();
                let (_, content) = content_of(layers, &inventory, origin);
                let next = groups.len();
                let group = *groups.entry(origin).or_insert(next);
                Seen::File { content, mode: node.head.mode, group }
            }
        };
        tree.insert(path.clone(), seen);
    }
    renumber(tree)
}

/// Finds the content behind an origin by its digest in the layer that the origin names.
fn content_of(
    layers: &[LayerBuilder],
    inventory: &plim_index::Inventory,
    origin: plim_index::Origin,
) -> (u32, Vec<u8>) {
    let entry = &inventory.indexes[origin.layer].entries[origin.entry as usize];
    let found = layers[origin.layer].entries.iter().find(|(head, content)| {
        head.kind == EntryKind::File
            && Some(plim_oci::Digest::of(content)) == entry.digest.map(plim_index::ContentDigest::to_digest)
    });
    (origin.entry, found.unwrap().1.clone())
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "a-"]), 1..4).prop_map(|parts| parts.join("/"))
}

fn entry() -> impl Strategy<Value = (EntryHead, Vec<u8>)> {
    let target = prop_oneof![
        path(),
        path().prop_map(|path| format!("/{path}")),
        path().prop_map(|path| format!("../{path}")),
        Just(".".to_owned())
    ];
    let modes = prop::sample::select(vec![0o700, 0o755, 0o750]);
    prop_oneof![
        4 => (path(), 0u8..8, prop::sample::select(vec![0o644, 0o755])).prop_map(|(path, byte, mode)| {
            (EntryHead::new(path, EntryKind::File, mode), vec![byte; byte.into()])
        }),
        3 => (path(), modes).prop_map(|(path, mode)| (EntryHead::new(path, EntryKind::Dir, mode), Vec::new())),
        2 => (path(), target).prop_map(|(path, link)| {
            (EntryHead { link: link.into(), ..EntryHead::new(path, EntryKind::Symlink, 0o777) }, Vec::new())
        }),
        2 => (path(), path()).prop_map(|(path, link)| {
            (EntryHead { link: link.into(), ..EntryHead::new(path, EntryKind::Hardlink, 0o644) }, Vec::new())
        }),
        2 => path().prop_map(|path| {
            let (dir, name) = path.rsplit_once('/').map_or((String::new(), path.as_str()), |(dir, name)| (format!("{dir}/"), name));
            (EntryHead::new(format!("{dir}.wh.{name}"), EntryKind::File, 0o644), Vec::new())
        }),
        1 => path().prop_map(|path| (EntryHead::new(format!("{path}/.wh..wh..opq"), EntryKind::File, 0o644), Vec::new())),
        1 => Just((EntryHead::new(".wh..wh..opq", EntryKind::File, 0o644), Vec::new())),
    ]
}

fn layer() -> impl Strategy<Value = LayerBuilder> {
    prop::collection::vec(entry(), 0..14).prop_map(|entries| {
        entries.into_iter().fold(LayerBuilder::new(), |layer, (head, content)| layer.push(head, &content))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn fold_is_unpacking_one_layer_over_the_other(layers in prop::collection::vec(layer(), 1..5)) {
        prop_assert_eq!(folded(&layers), reference(&layers));
    }

    #[test]
    fn every_byte_is_visible_or_hidden(layers in prop::collection::vec(layer(), 1..5)) {
        let inventory = inventory(&layers);
        let all: u64 = inventory.layers.iter().map(|layer| layer.bytes_added).sum();
        let lost: u64 = inventory.anomalies.iter().flat_map(|anomaly| {
            // entries that could not be placed hold bytes too
            let entries = &inventory.indexes[anomaly.layer].entries;
            let same = entries.iter().filter(|entry| entry.head.path == anomaly.path && entry.head.kind == EntryKind::File);
            same.map(|entry| entry.head.size).collect::<Vec<_>>()
        }).sum();
        let known = inventory.total_size() + inventory.hidden_bytes();
        prop_assert!(known <= all && all <= known + lost, "{known} of {all}, {lost} lost");
        let visible: u64 = inventory.layers.iter().map(|layer| layer.visible_bytes).sum();
        prop_assert_eq!(visible, inventory.total_size());
    }
}
