//! Random trees: views, mounts and layers agree.

use bstr::BString;
use plim_oci::Silent;
use plim_testkit::{Recorder, TempLayout};
use proptest::prelude::*;

use super::super::{Snapshots, layer_from_dir, settle};
use super::*;

const PATHS: [&str; 9] = ["a", "a/b", "a/b/c", "a/d", "e", "e/f", "e/f/g", "h", "a/b/i"];

#[derive(Debug, Clone, Copy)]
enum What {
    Absent,
    File(u8),
    Link,
    Dir,
    Opaque,
    Deleted,
}

fn layer() -> impl Strategy<Value = Vec<What>> {
    let what = prop_oneof![
        3 => Just(What::Absent),
        2 => (0..3_u8).prop_map(What::File),
        1 => Just(What::Link),
        3 => Just(What::Dir),
        1 => Just(What::Opaque),
        1 => Just(What::Deleted),
    ];
    proptest::collection::vec(what, PATHS.len())
}

/// Makes a diff directory as the kernel would leave it: nothing lies below what is no directory, and only what
/// shows is deleted.
fn build(dir: &Path, layer: &[What], below: &View) {
    fs::create_dir(dir).unwrap();
    let hidden = |path: &str| {
        let above = PATHS.iter().zip(layer).filter(|(other, _)| path.starts_with(&format!("{other}/")));
        above.into_iter().any(|(_, what)| matches!(what, What::Opaque))
    };
    for (path, what) in PATHS.iter().zip(layer) {
        let place = dir.join(path);
        if !place.parent().unwrap().is_dir() {
            continue;
        }
        match what {
            What::Absent => {}
            What::File(content) => make(dir, &[&format!("{path}={content}")]),
            What::Link => make(dir, &[&format!("{path}->x")]),
            What::Dir => make(dir, &[&format!("{path}/")]),
            What::Opaque => make(dir, &[&format!("{path}/!")]),
            What::Deleted if hidden(path) || below.node((*path).into()).unwrap().is_none() => {}
            What::Deleted => make(dir, &[&format!("!{path}")]),
        }
    }
}

/// Returns each path with its time.
fn times(view: &View) -> Vec<(BString, (i64, u32))> {
    let mut out = Vec::new();
    let mut pending = vec![BString::default()];
    while let Some(path) = pending.pop() {
        for node in view.children(path.as_bstr()).unwrap() {
            out.push((node.head.path.clone(), node.stamp.mtime));
            pending.push(node.head.path.clone());
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_settled_directory_has_the_times_of_its_layer(layers in proptest::collection::vec(layer(), 1..4)) {
        if !root() {
            return Ok(());
        }
        let store = TempLayout::new();
        let snapshots = Snapshots::open(&store.dir().join("snapshots")).unwrap();
        let (mut made, mut image) = (Chain::scratch(), plim_testkit::ImageBuilder::new().write(&store));
        for (number, layer) in layers.iter().enumerate() {
            let dir = store.dir().join(number.to_string());
            let lower = View::new(&made);
            build(&dir, layer, &lower);
            let options = LayerOptions { epoch: [3_000, 1_000, 2_000][number], ..options() };
            let write = || layer_from_dir(&dir, &lower, &store, &options, None, &Silent).unwrap();
            let before = write();
            settle(&dir, &lower, options.epoch, &Silent).unwrap();
            image.layers.push(write());
            prop_assert_eq!(&image.layers[number], &before, "the layer is the same before and after");
            made = made.push(Digest::of(b"x"), dir);
        }
        let unpacked = snapshots.unpack(&image, &store, &Recorder::new()).unwrap();
        prop_assert_eq!(times(&View::new(&made)), times(&View::new(&unpacked)));
    }

    #[test]
    fn layers_mean_what_their_directories_show(layers in proptest::collection::vec(layer(), 1..4)) {
        if !root() {
            return Ok(());
        }
        let store = TempLayout::new();
        let snapshots = Snapshots::open(&store.dir().join("snapshots")).unwrap();
        let (mut made, mut image) = (Chain::scratch(), plim_testkit::ImageBuilder::new().write(&store));
        for (number, layer) in layers.iter().enumerate() {
            let dir = store.dir().join(number.to_string());
            build(&dir, layer, &View::new(&made));
            image.layers.push(layer_from_dir(&dir, &View::new(&made), &store, &options(), None, &Silent).unwrap());
            made = made.push(Digest::of(b"x"), dir);
        }
        let shown = listing(&View::new(&made));
        let unpacked = snapshots.unpack(&image, &store, &Recorder::new()).unwrap();
        prop_assert_eq!(&listing(&View::new(&unpacked)), &shown);
        let target = store.dir().join("mount");
        fs::create_dir(&target).unwrap();
        if made.lower.len() > 1 && let Some(kernel) = super::views::mounted(&made, &target) {
            prop_assert_eq!(&kernel, &shown);
        }
        // no path twice, every directory before what is in it or in a layer below
        for layer in &image.layers {
            let names = names(&store, layer);
            let mut sorted = names.clone();
            sorted.sort();
            sorted.dedup();
            prop_assert_eq!(sorted.len(), names.len());
        }
    }
}
