//! Layers as diff directories, hostile ones too.

use plim_oci::BlobError;
use plim_testkit::{ImageBuilder, LayerBuilder, Recorder, TempLayout};

use super::super::{Snapshots, node};
use super::*;
use crate::files::FilesError;

pub(super) struct Bench {
    pub(super) store: TempLayout,
    snapshots: Snapshots,
}

impl Bench {
    pub(super) fn new() -> Self {
        let store = TempLayout::new();
        let snapshots = Snapshots::open(&store.dir().join("snapshots")).unwrap();
        Self { store, snapshots }
    }

    pub(super) fn unpack(&self, layers: &[LayerBuilder]) -> Result<Chain, FilesError> {
        let image = layers.iter().fold(ImageBuilder::new(), |image, layer| image.layer(layer.clone()));
        self.snapshots.unpack(&image.write(&self.store), &self.store, &Recorder::new())
    }

    pub(super) fn listing(&self, layers: &[LayerBuilder]) -> Vec<String> {
        listing(&View::new(&self.unpack(layers).unwrap()))
            .into_iter()
            .map(|line| line.replace(" 644 0:0", "").replace(" 755 0:0", ""))
            .collect()
    }
}

fn layer() -> LayerBuilder {
    LayerBuilder::new()
}

fn head(path: &str, kind: EntryKind) -> EntryHead {
    EntryHead::new(path, kind, 0o755)
}

#[test]
fn layers_stack_with_deletions_and_opaque_directories() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let lower = layer().dir("d").file("d/a", "1").file("d/b", "1").dir("e").file("e/x", "1").file("f", "1");
    let upper = layer().whiteout("d/a").opaque("e").file("e/y", "2").whiteout("f").whiteout("never");
    assert_eq!(bench.listing(&[lower, upper]), ["d/", "d/b =1", "e/", "e/y =2"]);
}

#[test]
fn what_makes_a_layer_one_of_estargz_is_not_unpacked() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let lazy = layer().file(".no.prefetch.landmark", [0xf]).file("a", "1").file("stargz.index.json", "{}");
    assert_eq!(bench.listing(&[lazy]), ["a =1"]);
    // a file of the application that is only called like it
    let plain = layer().file("a", "1").file("stargz.index.json", "{}");
    assert_eq!(bench.listing(&[plain]), ["a =1", "stargz.index.json ={}"]);
    let early = layer().file(".no.prefetch.landmark", [0xf]).file("stargz.index.json", "{}").file("a", "1");
    assert_eq!(bench.listing(&[early]).len(), 3);
}

#[test]
fn deleted_and_made_anew_in_one_layer_hides_the_old_in_either_order() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let lower = layer().dir("d").file("d/a", "1");
    let before = layer().whiteout("d").dir("d").file("d/b", "2");
    let after = layer().dir("d").file("d/b", "2").whiteout("d");
    let unnamed = layer().whiteout("d").file("d/b", "2");
    for upper in [before, after, unnamed] {
        assert_eq!(bench.listing(&[lower.clone(), upper]), ["d/", "d/b =2"]);
    }
}

#[test]
fn deletions_that_mean_nothing_leave_no_mark() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let lower = layer().dir("d").file("d/a", "1");
    let upper = layer().dir("new").whiteout("new/x").whiteout("gone").whiteout("d/a").whiteout("d/b").opaque("d");
    let chain = bench.unpack(&[lower, upper]).unwrap();
    // the kernel would show each of them as a file that cannot be opened
    for dir in ["new", "d", "."] {
        let names: Vec<_> = fs::read_dir(chain.lower[0].join(dir)).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| name == "new" || name == "d"), "{dir}: {names:?}");
    }
}

#[test]
fn metadata_is_kept() {
    if !root() {
        return;
    }
    let capability = "\u{1}\0\0\u{2}\0\u{4}\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let mut ping = EntryHead::new("ping", EntryKind::File, 0o4755);
    (ping.uid, ping.gid, ping.mtime) = (65534, 12, 1_000);
    ping.xattrs.insert("security.capability".into(), capability.into());
    ping.xattrs.insert("user.note".into(), "x".into());
    ping.xattrs.insert("trusted.overlay.redirect".into(), "/etc".into());
    let mut dir = EntryHead::new("d", EntryKind::Dir, 0o2750);
    (dir.gid, dir.mtime) = (7, 2_000);
    let mut null = EntryHead::new("d/null", EntryKind::Char, 0o666);
    null.device = (1, 3);
    let bench = Bench::new();
    let one = layer().entry(ping.clone(), "x").entry(dir, []).entry(null, []).entry(head("d/p", EntryKind::Fifo), []);
    let view = View::new(&bench.unpack(&[one]).unwrap());
    let found = view.lookup("ping".into()).unwrap().unwrap().head;
    assert_eq!((found.mode, found.uid, found.gid, found.mtime), (0o4755, 65534, 12, 1_000));
    let names: Vec<_> = found.xattrs.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["security.capability", "user.note"]);
    assert_eq!(found.xattrs[&bstr::BString::from("security.capability")], capability.as_bytes());
    let found = view.lookup("d".into()).unwrap().unwrap().head;
    assert_eq!((found.mode, found.gid, found.mtime), (0o2750, 7, 2_000), "the time is set after the content is made");
    if makes_devices() {
        assert_eq!(view.lookup("d/null".into()).unwrap().unwrap().head.device, (1, 3));
    }
    assert_eq!(view.lookup("d/p".into()).unwrap().unwrap().head.kind, EntryKind::Fifo);
}

#[test]
fn directories_a_layer_does_not_name_are_like_those_below() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let lower = layer().entry(EntryHead::new("d", EntryKind::Dir, 0o711), []);
    let chain = bench.unpack(&[lower, layer().file("d/new/x", "1")]).unwrap();
    assert_eq!(listing(&View::new(&chain)), ["d/ 711 0:0", "d/new/ 755 0:0", "d/new/x 644 0:0 =1"]);
}

#[test]
fn hard_links_join_files_of_one_layer_and_copy_across_layers() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let lower = layer().file("low", "1");
    let upper = layer().dir("d").file("d/a", "2").hardlink("d/b", "d/a").hardlink("c", "low").hardlink("d/a", "d/a");
    let chain = bench.unpack(&[lower, upper]).unwrap();
    let view = View::new(&chain);
    let inode = |path: &str| view.lookup(path.into()).unwrap().unwrap().stamp.inode;
    assert_eq!(inode("d/a"), inode("d/b"));
    assert_ne!(inode("c"), inode("low"));
    assert_eq!(view.read("c".into(), 9).unwrap().unwrap(), b"1");
}

#[test]
fn a_later_entry_replaces_an_earlier_one_of_the_same_layer() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let one = layer()
        .dir("d")
        .symlink("d/l", "/etc")
        .file("d", "file")
        .dir("d")
        .file("d/l/x", "1")
        .file("e", "1")
        .file("e", "2")
        .symlink("s", "e")
        .file("s", "3");
    assert_eq!(bench.listing(&[one]), ["d/", "d/l/", "d/l/x =1", "e =2", "s =3"]);
}

#[test]
fn nothing_is_written_through_a_symbolic_link_to_the_outside() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let outside = bench.store.dir().join("outside");
    fs::create_dir(&outside).unwrap();
    let target = outside.to_str().unwrap();
    let chain = bench
        .unpack(&[layer()
            .symlink("abs", target)
            .file("abs/one", "1")
            .symlink("up", "../../../../../../../..")
            .file(&format!("up{target}/two"), "2")
            .hardlink("link", &format!("abs/{target}/three"))
            .whiteout("abs/four")
            .file("link", "x")])
        .map_err(|error| error.to_string());
    assert!(chain.is_err(), "a hard link to nothing is refused");
    let chain = bench
        .unpack(&[layer()
            .symlink("abs", target)
            .file("abs/one", "1")
            .symlink("up", "../../../../../../../..")
            .file(&format!("up{target}/two"), "2")
            .whiteout("abs/four")
            .opaque("abs")])
        .unwrap();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    let view = View::new(&chain);
    let inside = format!("{}/one", target.trim_start_matches('/'));
    assert_eq!(view.read(inside.as_str().into(), 9).unwrap().unwrap(), b"1", "the link leads inside the root");
}

#[test]
fn hostile_entries_are_refused_or_mean_nothing() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    for bad in [
        layer().file(".wh.", ""),
        layer().file("d/.wh...", ""),
        layer().file(".wh..", ""),
        layer().file("f", "1").file("f/below", "2"),
        layer().symlink("a", "b").symlink("b", "a").file("a/x", "1"),
        layer().hardlink("x", "missing"),
        layer().dir("d").hardlink("x", "d"),
    ] {
        let error = bench.unpack(std::slice::from_ref(&bad)).unwrap_err();
        assert!(matches!(error, FilesError::Archive { .. }), "{error:?}");
        assert!(error.is_subject());
    }
    // a device that would be a deletion in a diff directory, and records of aufs
    let odd = layer().file("a", "1").entry(head("a", EntryKind::Char), []).file(".wh..wh.plnk", "").file("b", "1");
    assert_eq!(bench.listing(&[layer().file("a", "0"), odd]), ["a =1", "b =1"]);
}

#[test]
fn an_opaque_root_drops_all_layers_below() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let chain = bench.unpack(&[layer().file("old", "1"), layer().file(".wh..wh..opq", "").file("new", "1")]).unwrap();
    assert_eq!(chain.lower.len(), 1);
    assert_eq!(listing(&View::new(&chain)), ["new 644 0:0 =1"]);
}

#[test]
fn unpacking_again_reuses_what_is_there_and_ids_depend_on_the_layers_below() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let (a, b) = (layer().file("a", "1"), layer().file("b", "1"));
    let first = bench.unpack(&[a.clone(), b.clone()]).unwrap();
    fs::write(first.lower[0].join("mark"), "").unwrap();
    let again = bench.unpack(&[a, b.clone()]).unwrap();
    assert_eq!(first, again);
    assert!(again.lower[0].join("mark").exists());
    let alone = bench.unpack(&[b]).unwrap();
    assert_ne!(alone.lower[0], first.lower[0]);
}

#[test]
fn bytes_that_are_not_what_they_should_be_leave_no_snapshot() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let mut image = ImageBuilder::new().layer(layer().file("a", "1")).write(&bench.store);
    let other = ImageBuilder::new().layer(layer().file("a", "2")).write(&bench.store);
    let diff_id = image.layers[0].diff_id.clone();
    image.layers[0].descriptor = other.layers[0].descriptor.clone();
    let error = bench.snapshots.unpack(&image, &bench.store, &Recorder::new()).unwrap_err();
    assert!(matches!(error, FilesError::Blob(BlobError::Corrupt { .. })), "{error:?}");
    assert_eq!(bench.snapshots.get(&diff_id), None);

    let blob = bench.store.blob_path(&other.layers[0].descriptor.digest);
    let mut bytes = fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::remove_file(&blob).unwrap();
    fs::write(&blob, bytes).unwrap();
    assert!(bench.snapshots.unpack(&other, &bench.store, &Recorder::new()).is_err());
    assert_eq!(bench.snapshots.get(&other.layers[0].diff_id), None);
}

#[test]
fn several_builds_may_unpack_the_same_image_at_once() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let layers = [layer().file("a", "1").dir("d"), layer().whiteout("a").file("d/b", "2")];
    let image = layers.into_iter().fold(ImageBuilder::new(), ImageBuilder::layer).write(&bench.store);
    let unpack = || {
        let snapshots = Snapshots::open(&bench.store.dir().join("snapshots")).unwrap();
        snapshots.unpack(&image, &bench.store, &Recorder::new()).unwrap()
    };
    let chains = std::thread::scope(|scope| [(); 4].map(|()| scope.spawn(unpack)).map(|thread| thread.join().unwrap()));
    assert!(chains.iter().all(|chain| *chain == chains[0]));
    assert_eq!(listing(&View::new(&chains[0])), ["d/ 755 0:0", "d/b 644 0:0 =2"]);
    let left = fs::read_dir(bench.store.dir().join("snapshots")).unwrap().count();
    assert_eq!(left, 3, "two snapshots and the lock");
}

#[test]
fn cancelling_stops_the_unpacking() {
    if !root() {
        return;
    }
    let bench = Bench::new();
    let image = ImageBuilder::new().layer(layer().file("a", "1")).write(&bench.store);
    let events = Recorder::new();
    events.cancel();
    let error = bench.snapshots.unpack(&image, &bench.store, &events).unwrap_err();
    assert!(matches!(error, FilesError::Cancelled));
}

#[test]
fn a_short_read_fills_the_buffer_as_far_as_it_goes() {
    let mut buffer = [0; 8];
    assert_eq!(node::fill(&mut &b"abc"[..], &mut buffer).unwrap(), 3);
    assert_eq!(node::fill(&mut &b"0123456789"[..], &mut buffer).unwrap(), 8);
}
