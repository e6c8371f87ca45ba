//! Images whose layers are stored in another form.

use std::collections::BTreeMap;
use std::io::Read as _;

use plim_oci::compress::decompressor;
use plim_oci::convert::{Conversion, Converted, Overlay, convert};
use plim_oci::copy::{Options, copy};
use plim_oci::{
    BlobError, Blobs as _, BlobsMut as _, Compression, Descriptor, Digest, Image, Index, LayerForm, Layout, Manifest,
    Platform, Silent, media_type, read, write,
};
use plim_testkit::{ImageBuilder, LayerBuilder, Recorder, TempLayout};

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 27) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn builder() -> ImageBuilder {
    ImageBuilder::new()
        .annotation("org.example.kept", "yes")
        .layer(LayerBuilder::new().dir("a").file("a/large", noise(5 << 20)).created_by("COPY a"))
        .layer(LayerBuilder::new().file("small", "hello").whiteout("a/large").created_by("RUN b"))
}

fn to(form: &str) -> Conversion<'static> {
    Conversion { form: form.parse().unwrap(), force: false, observe: None }
}

/// Converts, and brings all of the result into one layout.
fn converted(src: &Layout, root: &Descriptor, conversion: Conversion<'_>) -> (TempLayout, Converted) {
    let (scratch, out) = (TempLayout::new(), TempLayout::new());
    let done = convert(src, &scratch, root, conversion, &Silent).unwrap();
    copy(&Overlay::new(&scratch, src), &*out, &done.root, Options::default(), &Silent).unwrap();
    for written in &done.written {
        assert!(scratch.exists(written).unwrap());
    }
    (out, done)
}

fn image(layout: &Layout, root: &Descriptor) -> Image {
    read::image(layout, root, &Platform::new("linux", "amd64")).unwrap()
}

fn tar(layout: &Layout, layer: &Descriptor) -> Vec<u8> {
    let mut out = Vec::new();
    decompressor(layout.open(layer).unwrap()).read_to_end(&mut out).unwrap();
    out
}

#[test]
fn another_compression_keeps_configuration_and_content() {
    let src = TempLayout::new();
    let before = builder().write(&src);
    for (form, kind) in
        [("zstd", media_type::OCI_LAYER_ZSTD), ("zstd:19", media_type::OCI_LAYER_ZSTD), ("none", media_type::OCI_LAYER)]
    {
        let (out, done) = converted(&src, &before.descriptor, to(form));
        let after = image(&out, &done.root);
        assert_ne!(after.descriptor.digest, before.descriptor.digest);
        assert_eq!(after.config_bytes, before.config_bytes);
        assert_eq!(after.manifest.config, before.manifest.config);
        assert_eq!(after.manifest.annotations, before.manifest.annotations);
        for (old, new) in before.layers.iter().zip(&after.layers) {
            assert_eq!((&new.diff_id, &new.created_by), (&old.diff_id, &old.created_by));
            assert_eq!(new.descriptor.media_type, kind);
            assert!(tar(&out, &new.descriptor) == tar(&src, &old.descriptor), "{form}");
        }
        assert_eq!((done.layers, done.kept, &done.changed[..]), (2, 0, &[before.descriptor.digest.clone()][..]));
        assert_eq!(done.before, before.layers.iter().map(|layer| layer.descriptor.size).sum::<u64>());
        assert_eq!(done.after, after.layers.iter().map(|layer| layer.descriptor.size).sum::<u64>());
    }
}

#[test]
fn equal_images_give_equal_bytes() {
    let src = TempLayout::new();
    let root = builder().write(&src).descriptor;
    for form in ["zstd", "estargz", "none"] {
        let (_, first) = converted(&src, &root, to(form));
        let (_, second) = converted(&src, &root, to(form));
        assert_eq!(first.root, second.root, "{form}");
    }
}

#[test]
fn layers_of_the_form_stay_unless_they_are_forced() {
    let src = TempLayout::new();
    let root = builder().write(&src).descriptor;
    let (_, same) = converted(&src, &root, to("gzip:9"));
    assert_eq!((&same.root, same.layers, same.kept), (&root, 0, 2));
    assert!(same.written.is_empty() && same.changed.is_empty());
    let (out, forced) = converted(&src, &root, Conversion { force: true, ..to("gzip:9") });
    assert_eq!((forced.layers, forced.kept), (2, 0));
    assert_ne!(forced.root.digest, root.digest);
    let (before, after) = (image(&src, &root), image(&out, &forced.root));
    assert!(after.layers[0].descriptor.size < before.layers[0].descriptor.size);
    assert_eq!(after.config_bytes, before.config_bytes);
}

#[test]
fn what_describes_the_old_blob_is_not_said_of_the_new_one() {
    let src = TempLayout::new();
    let before = builder().write(&src);
    let mut manifest = before.manifest.clone();
    let annotations = [
        ("org.example.layer", "kept"),
        ("containerd.io/snapshot/stargz/toc.digest", "sha256:0"),
        ("io.github.containers.zstd-chunked.manifest-checksum", "sha256:0"),
        ("io.containers.zstd-chunked.manifest-position", "1:2:3:1"),
    ];
    manifest.layers[0].annotations =
        annotations.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    manifest.layers[0].urls = vec!["https://r.example/layer".to_owned()];
    let root = write::put(&*src, media_type::OCI_MANIFEST, &serde_json::to_vec(&manifest).unwrap()).unwrap();
    let (out, done) = converted(&src, &root, to("zstd"));
    let layer = &image(&out, &done.root).layers[0].descriptor;
    assert_eq!(layer.annotations, BTreeMap::from([("org.example.layer".to_owned(), "kept".to_owned())]));
    assert!(layer.urls.is_empty());
}

/// The same image in Docker's types.
fn in_dockers_types(layout: &Layout, image: &Image) -> Descriptor {
    let mut manifest = image.manifest.clone();
    manifest.media_type = Some(media_type::DOCKER_MANIFEST.to_owned());
    manifest.annotations.clear();
    media_type::DOCKER_CONFIG.clone_into(&mut manifest.config.media_type);
    for layer in &mut manifest.layers {
        media_type::DOCKER_LAYER_GZIP.clone_into(&mut layer.media_type);
    }
    write::put(layout, media_type::DOCKER_MANIFEST, &serde_json::to_vec(&manifest).unwrap()).unwrap()
}

#[test]
fn dockers_types_become_those_of_oci_where_they_must() {
    let src = TempLayout::new();
    let docker = in_dockers_types(&src, &builder().write(&src));
    let types = |form: &str, force| {
        let (out, done) = converted(&src, &docker, Conversion { force, ..to(form) });
        let Manifest { media_type, config, layers, .. } = image(&out, &done.root).manifest;
        assert_eq!(media_type.as_deref(), Some(&*done.root.media_type));
        (done.root.media_type, config.media_type, layers[0].media_type.clone())
    };
    let owned = |kind: &str, config: &str, layer: &str| (kind.to_owned(), config.to_owned(), layer.to_owned());
    let oci = |layer| owned(media_type::OCI_MANIFEST, media_type::OCI_CONFIG, layer);
    assert_eq!(types("zstd", false), oci(media_type::OCI_LAYER_ZSTD));
    assert_eq!(types("none", false), oci(media_type::OCI_LAYER));
    assert_eq!(types("estargz", false), oci(media_type::OCI_LAYER_GZIP));
    let stays = owned(media_type::DOCKER_MANIFEST, media_type::DOCKER_CONFIG, media_type::DOCKER_LAYER_GZIP);
    assert_eq!(types("gzip:9", true), stays);
    // a list of such manifests becomes an index
    let list = Index {
        media_type: Some(media_type::DOCKER_LIST.to_owned()),
        manifests: vec![Descriptor { platform: Some(Platform::new("linux", "amd64")), ..docker.clone() }],
        ..Index::default()
    };
    let list = write::put(&*src, media_type::DOCKER_LIST, &serde_json::to_vec(&list).unwrap()).unwrap();
    assert_eq!(converted(&src, &list, to("zstd")).1.root.media_type, media_type::OCI_INDEX);
    let forced = Conversion { force: true, ..to("gzip:9") };
    assert_eq!(converted(&src, &list, forced).1.root.media_type, media_type::DOCKER_LIST);
}

/// An index of two platforms, with an attestation of BuildKit's kind about each image.
fn index(layout: &Layout) -> (Descriptor, Index) {
    let mut index = Index::default();
    for arch in ["amd64", "arm64"] {
        let platform = Platform::new("linux", arch);
        let image = builder().platform(&platform).layer(LayerBuilder::new().file("arch", arch)).write(layout);
        index.manifests.push(Descriptor { platform: Some(platform), ..image.descriptor });
    }
    for about in index.manifests.clone() {
        let config = write::put(layout, media_type::OCI_CONFIG, b"{}").unwrap();
        let statement = write::put(layout, "application/vnd.in-toto+json", about.digest.as_str().as_bytes()).unwrap();
        let manifest = serde_json::to_vec(&Manifest::new(config, vec![statement])).unwrap();
        let mut attestation = write::put(layout, media_type::OCI_MANIFEST, &manifest).unwrap();
        attestation.platform = Some(Platform::new("unknown", "unknown"));
        let notes = [("type", "attestation-manifest"), ("digest", about.digest.as_str())];
        for (key, value) in notes {
            attestation.annotations.insert(format!("vnd.docker.reference.{key}"), value.to_owned());
        }
        index.manifests.push(attestation);
    }
    let root = write::put(layout, media_type::OCI_INDEX, &serde_json::to_vec(&index).unwrap()).unwrap();
    (root, index)
}

#[test]
fn all_platforms_of_an_index_are_converted_and_what_is_about_the_old_images_is_left_out() {
    let src = TempLayout::new();
    let (root, before) = index(&src);
    let (out, done) = converted(&src, &root, to("zstd"));
    // the layers that both have are stored anew once
    assert_eq!(done.layers, 4);
    assert_eq!(done.changed.len(), 3);
    assert_eq!(done.left_out.len(), 2);
    let read::Document::Index(after) = read::document(&*out, &done.root).unwrap() else { panic!("an index") };
    assert_eq!(after.manifests.len(), 2);
    for (old, new) in before.manifests.iter().zip(&after.manifests) {
        assert_eq!(new.platform, old.platform);
        let platform = new.platform.clone().unwrap();
        let (old, new) =
            (read::image(&*src, &root, &platform).unwrap(), read::image(&*out, &done.root, &platform).unwrap());
        assert_eq!(old.config_bytes, new.config_bytes);
    }
    // nothing to do: the attestations stay
    let (out, same) = converted(&src, &root, to("gzip"));
    assert_eq!((&same.root, same.left_out.len()), (&root, 0));
    assert!(before.manifests.iter().all(|manifest| out.exists(manifest).unwrap()));
}

#[test]
fn what_is_about_the_old_image_is_never_attached_to_the_new_one() {
    let src = TempLayout::new();
    let old = builder().write_as(&src, "app").descriptor;
    let config = write::put(&*src, "application/vnd.oci.empty.v1+json", b"{}").unwrap();
    let by_tag = write::put(
        &*src,
        media_type::OCI_MANIFEST,
        &serde_json::to_vec(&Manifest::new(config.clone(), Vec::new())).unwrap(),
    )
    .unwrap();
    let note = Manifest { subject: Some(old.clone()), ..Manifest::new(config, Vec::new()) };
    let note = write::put(&*src, media_type::OCI_MANIFEST, &serde_json::to_vec(&note).unwrap()).unwrap();
    src.attach(&old.digest, &note).unwrap();
    src.tag(&format!("sha256-{}.sig", old.digest.hex()), &by_tag).unwrap();
    let scratch = TempLayout::new();
    let done = convert(&*src, &scratch, &old, to("zstd"), &Silent).unwrap();
    assert_eq!(plim_oci::convert::about(&*src, &done.changed).unwrap(), 1 + 1);
    let out = TempLayout::new();
    let options = Options { referrers: true, ..Options::default() };
    let report = copy(&Overlay::new(&scratch, &*src), &*out, &done.root, options, &Silent).unwrap();
    assert_eq!(report.referrers, 0);
    assert!(!out.exists(&note).unwrap());
    assert!(out.referrers(&done.root.digest).unwrap().is_empty());
}

#[test]
fn a_layer_that_is_not_what_its_configuration_says_is_refused() {
    let src = TempLayout::new();
    let before = builder().write(&src);
    let mut config = before.config.clone();
    config.rootfs.diff_ids[1] = Digest::of(b"something else");
    let config = write::put(&*src, media_type::OCI_CONFIG, &serde_json::to_vec(&config).unwrap()).unwrap();
    let manifest = Manifest { config, ..before.manifest.clone() };
    let root = write::put(&*src, media_type::OCI_MANIFEST, &serde_json::to_vec(&manifest).unwrap()).unwrap();
    for form in ["zstd", "estargz"] {
        let scratch = TempLayout::new();
        let error = convert(&*src, &scratch, &root, to(form), &Silent).unwrap_err();
        let BlobError::Io { source, .. } = &error else { panic!("{error}") };
        assert!(source.to_string().contains(&Digest::of(b"something else").to_string()), "{source}");
    }
}

#[test]
fn a_name_that_no_table_can_hold_leaves_the_layer_an_ordinary_one() {
    let src = TempLayout::new();
    let head = plim_oci::EntryHead::new(b"caf\xe9".to_vec(), plim_oci::EntryKind::File, 0o644);
    let root = ImageBuilder::new()
        .compression(Compression::Zstd(1))
        .layer(LayerBuilder::new().entry(head, "latin"))
        .layer(LayerBuilder::new().file("b", "b"))
        .write(&src);
    let (scratch, events) = (TempLayout::new(), Recorder::new());
    let done = convert(&*src, &scratch, &root.descriptor, to("estargz"), &events).unwrap();
    assert_eq!(events.warnings().len(), 1, "{:?}", events.warnings());
    let after = read::image(&Overlay::new(&scratch, &*src), &done.root, &Platform::new("linux", "amd64")).unwrap();
    let form = LayerForm::Estargz(1);
    assert!(!form.is_of(&after.layers[0].descriptor) && form.is_of(&after.layers[1].descriptor));
    assert_eq!(after.layers[0].diff_id, root.layers[0].diff_id);
}

#[test]
fn who_asks_to_stop_is_heard() {
    let src = TempLayout::new();
    let root = builder().write(&src).descriptor;
    let events = Recorder::new();
    events.cancel();
    let scratch = TempLayout::new();
    assert!(matches!(convert(&*src, &scratch, &root, to("zstd"), &events), Err(BlobError::Cancelled)));
}
