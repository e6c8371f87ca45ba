//! Layers that are `zstd:chunked`: read as what they are, copied with what describes them.

use std::io::Read as _;

use plim_oci::compress::decompressor;
use plim_oci::convert::{Conversion, Overlay, convert};
use plim_oci::copy::{Options, copy};
use plim_oci::{Blobs as _, Descriptor, Digest, Image, Layout, Platform, Silent, form_name, media_type, read};
use plim_testkit::chunked::{TABLE_CHECKSUM, TABLE_POSITION};
use plim_testkit::{ImageBuilder, LayerBuilder, TempLayout};

fn layer() -> LayerBuilder {
    LayerBuilder::new().dir("d").file("d/large", vec![7; 300_000]).file("d/empty", "").symlink("l", "d/large")
}

fn stored(layout: &Layout) -> Image {
    ImageBuilder::new().layer(layer().chunked()).layer(LayerBuilder::new().file("plain", "x")).write(layout)
}

fn blob(layout: &Layout, layer: &Descriptor) -> Vec<u8> {
    let mut bytes = Vec::new();
    layout.open(layer).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn image(layout: &Layout, root: &Descriptor) -> Image {
    read::image(layout, root, &Platform::new("linux", "amd64")).unwrap()
}

#[test]
fn the_tar_comes_out_without_the_table() {
    let layout = TempLayout::new();
    let image = stored(&layout);
    let (chunked, plain) = (&image.layers[0], &image.layers[1]);
    let mut tar = Vec::new();
    decompressor(&blob(&layout, &chunked.descriptor)[..]).read_to_end(&mut tar).unwrap();
    assert_eq!(tar, layer().tar());
    assert_eq!(chunked.diff_id, Digest::of(&tar));
    assert_eq!([form_name(&chunked.descriptor), form_name(&plain.descriptor)], ["zstd:chunked", "gzip"]);
}

#[test]
fn the_table_is_where_the_annotation_says() {
    let layout = TempLayout::new();
    let layer = stored(&layout).layers[0].descriptor.clone();
    let bytes = blob(&layout, &layer);
    let numbers: Vec<usize> =
        layer.annotations[TABLE_POSITION].split(':').map(|number| number.parse().unwrap()).collect();
    let [at, compressed, size, 1] = numbers[..] else { panic!("{numbers:?}") };
    let table = &bytes[at..at + compressed];
    assert_eq!(Digest::of(table).to_string(), layer.annotations[TABLE_CHECKSUM]);
    let table: serde_json::Value = serde_json::from_slice(&zstd::bulk::decompress(table, size).unwrap()).unwrap();
    let large = &table["entries"][1];
    let place = |key: &str| large[key].as_u64().unwrap() as usize;
    let content = zstd::bulk::decompress(&bytes[place("offset")..place("endOffset")], 1 << 20).unwrap();
    assert_eq!(content, vec![7; 300_000], "a file can be fetched alone");
}

#[test]
fn a_copy_keeps_blob_and_annotations() {
    let (src, dst) = (TempLayout::new(), TempLayout::new());
    let before = stored(&src);
    copy(&*src, &*dst, &before.descriptor, Options::default(), &Silent).unwrap();
    let after = image(&dst, &before.descriptor);
    assert_eq!(after.layers[0].descriptor, before.layers[0].descriptor);
    assert!(after.layers[0].descriptor.annotations.contains_key(TABLE_POSITION));
}

#[test]
fn asked_for_zstd_it_stays_and_asked_for_gzip_it_is_an_ordinary_layer() {
    let src = TempLayout::new();
    let before = stored(&src);
    let to = |form: &str| {
        let (scratch, out) = (TempLayout::new(), TempLayout::new());
        let conversion = Conversion { form: form.parse().unwrap(), force: false, observe: None };
        let done = convert(&*src, &scratch, &before.descriptor, conversion, &Silent).unwrap();
        copy(&Overlay::new(&scratch, &*src), &*out, &done.root, Options::default(), &Silent).unwrap();
        image(&out, &done.root)
    };
    let zstd = to("zstd");
    assert_eq!(zstd.layers[0].descriptor, before.layers[0].descriptor);
    assert_eq!(form_name(&zstd.layers[1].descriptor), "zstd");
    let gzip = to("gzip");
    assert_eq!(gzip.layers[0].descriptor.media_type, media_type::OCI_LAYER_GZIP);
    assert!(gzip.layers[0].descriptor.annotations.is_empty(), "{:?}", gzip.layers[0].descriptor.annotations);
    assert_eq!(gzip.config_bytes, before.config_bytes);
}
