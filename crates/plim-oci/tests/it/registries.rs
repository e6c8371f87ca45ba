//! The registry client against a registry with every habit that real ones have.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read as _;
use std::time::Duration;

use plim_oci::copy::{Options, copy};
use plim_oci::http::{ClientOptions, Retry};
use plim_oci::registry::{Credential, Credentials, Registries, RegistrySettings, Repository, Secret, Settings};
use plim_oci::{
    BlobError, Blobs as _, BlobsMut as _, Compression, Descriptor, Digest, Image, Index, Manifest, Platform, Reference,
    Silent, media_type, write,
};
use plim_testkit::registry::{Auth, Registry, Switches};
use plim_testkit::{ImageBuilder, LayerBuilder, TempLayout};

fn client_with(settings: Settings, credentials: Credentials) -> Registries {
    let retry = Retry { attempts: 4, pause: Duration::from_millis(1) };
    Registries::new(ClientOptions { retry, ..ClientOptions::default() }, settings, credentials)
}

fn client() -> Registries {
    client_with(Settings::default(), Credentials::default())
}

fn user(registry: &Registry, password: &str) -> Credentials {
    let credential = Credential::Password { user: "captain".to_owned(), password: Secret::new(password) };
    Credentials { given: BTreeMap::from([(registry.address(), credential)]), ..Credentials::default() }
}

fn name(registry: &Registry, rest: &str) -> Reference {
    format!("{}/{rest}", registry.address()).parse().unwrap()
}

fn repository(registry: &Registry, rest: &str) -> Repository {
    client().repository(&name(registry, rest)).unwrap()
}

/// Bytes that do not compress.
fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..size).map(|_| next()).collect()
}

/// An image with a layer of 3 MB and a small one.
fn image(layout: &TempLayout) -> Image {
    ImageBuilder::new()
        .compression(Compression::Gzip(1))
        .layer(LayerBuilder::new().file("large", noise(3 << 20, 1)))
        .layer(LayerBuilder::new().file("small", "hello"))
        .write_as(layout, "app")
}

fn push(repository: &Repository, layout: &TempLayout, root: &Descriptor, tag: &str) -> Result<(), BlobError> {
    copy(&**layout, repository, root, Options { referrers: true, ..Options::default() }, &Silent)?;
    repository.tag(tag, root)
}

fn pull(repository: &Repository, tag: &str) -> Result<(TempLayout, Descriptor), BlobError> {
    let layout = TempLayout::new();
    let root = repository.resolve(tag)?;
    copy(repository, &*layout, &root, Options { referrers: true, ..Options::default() }, &Silent)?;
    Ok((layout, root))
}

/// Pushes and pulls an image with some switches, as `captain`.
fn round_trip(switches: Switches) -> Registry {
    let registry = Registry::with(switches);
    let repository =
        client_with(Settings::default(), user(&registry, "aye")).repository(&name(&registry, "fleet/app")).unwrap();
    let layout = TempLayout::new();
    let image = image(&layout);
    push(&repository, &layout, &image.descriptor, "v1").unwrap();
    assert_eq!(registry.tags("fleet/app"), ["v1"]);
    let (pulled, root) = pull(&repository, "v1").unwrap();
    assert_eq!((&root.digest, root.size), (&image.descriptor.digest, image.descriptor.size));
    for layer in &image.layers {
        let mut bytes = Vec::new();
        pulled.open(&layer.descriptor).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(Digest::of(&bytes), layer.descriptor.digest);
    }
    registry
}

fn asked(registry: &Registry, method: &str, part: &str) -> usize {
    registry.requests().iter().filter(|request| request.method == method && request.path.contains(part)).count()
}

/// Turns a registry into one of some kind.
type Change = Box<dyn Fn(&mut Switches)>;

#[test]
fn an_image_goes_up_and_comes_down_whatever_the_registry_is_like() {
    let token = || Auth::Token {
        user: "captain".to_owned(),
        password: "aye".to_owned(),
        anonymous_pull: false,
        expires_seconds: 60,
    };
    let kinds: Vec<(&str, Change)> = vec![
        ("usual", Box::new(|_| {})),
        ("basic", Box::new(|s| s.auth = Auth::Basic { user: "captain".to_owned(), password: "aye".to_owned() })),
        ("token", Box::new(move |s| s.auth = token())),
        ("throttled", Box::new(|s| s.throttle = 3)),
        ("failing", Box::new(|s| s.failing = 3)),
        ("chunks only", Box::new(|s| s.monolithic = false)),
        (
            "chunks only, and says so oddly",
            Box::new(|s| (s.monolithic, s.monolithic_refusal) = (false, (400, "UNSUPPORTED"))),
        ),
        ("large chunks only", Box::new(|s| (s.monolithic, s.chunk_minimum) = (false, Some(20 << 20)))),
        ("no chunks", Box::new(|s| s.chunked = false)),
        ("redirects", Box::new(|s| s.redirect_blobs = true)),
        ("no ranges", Box::new(|s| s.ranges = false)),
        ("silent about digests", Box::new(|s| s.head_digest = false)),
        ("relative", Box::new(|s| s.relative_location = true)),
        ("absolute", Box::new(|s| s.relative_location = false)),
        ("no referrers", Box::new(|s| s.referrers = false)),
        ("cut downloads", Box::new(|s| s.cut_downloads = [1 << 20, 100, 1 << 19].into())),
        ("cut, no ranges", Box::new(|s| (s.ranges, s.cut_downloads) = (false, [1 << 20].into()))),
        ("cut uploads", Box::new(|s| s.cut_uploads = [1 << 20, 1 << 20].into())),
        ("cut chunks", Box::new(|s| (s.monolithic, s.cut_uploads) = (false, [1 << 20, 1 << 20].into()))),
    ];
    for (kind, change) in kinds {
        let mut switches = Switches::default();
        change(&mut switches);
        println!("{kind}");
        round_trip(switches);
    }
}

#[test]
fn an_upload_that_breaks_goes_on_where_it_ended() {
    let registry = Registry::with(Switches { cut_uploads: [2 << 20].into(), ..Switches::default() });
    let layout = TempLayout::new();
    let layer = &image(&layout).layers[0].descriptor;
    let open = |from| layout.open_from(layer, from);
    repository(&registry, "fleet/app").put_from(layer, &open).unwrap();
    assert_eq!(Digest::of(&registry.blob("fleet/app", &layer.digest).unwrap()), layer.digest);
    // the rest came in a chunk, which is smaller than the blob
    let chunks: Vec<u64> = registry
        .requests()
        .iter()
        .filter(|request| request.method == "PATCH")
        .map(|request| request.body_length)
        .collect();
    assert_eq!(chunks.len(), 1, "{chunks:?}");
    assert!(chunks[0] < 2 << 20, "{chunks:?}");
}

#[test]
fn a_refusal_of_the_blob_itself_is_not_tried_again_in_chunks() {
    let refusal = (400, "DIGEST_INVALID");
    let switches = Switches { monolithic: false, monolithic_refusal: refusal, ..Switches::default() };
    let registry = Registry::with(switches);
    let layout = TempLayout::new();
    let layer = &image(&layout).layers[0].descriptor;
    let open = |from| layout.open_from(layer, from);
    let error = repository(&registry, "fleet/app").put_from(layer, &open).unwrap_err();
    assert!(error.to_string().contains("DIGEST_INVALID"), "{error}");
    assert_eq!(asked(&registry, "PATCH", "uploads"), 0);
}

#[test]
fn a_download_that_breaks_goes_on_where_it_ended() {
    let registry = round_trip(Switches::default());
    let layout = TempLayout::new();
    let layer = &image(&layout).layers[0].descriptor;
    registry.set(|switches| switches.cut_downloads = [2 << 20].into());
    let mut bytes = Vec::new();
    repository(&registry, "fleet/app").open(layer).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(Digest::of(&bytes), layer.digest);
    let ranges: Vec<String> =
        registry.requests().iter().filter_map(|request| request.headers.get("range").cloned()).collect();
    assert_eq!(ranges.len(), 1, "{ranges:?}");
    assert!(ranges[0] != "bytes=0-", "{ranges:?}");
}

#[test]
fn a_pull_that_was_ended_uses_what_it_had() {
    let registry = round_trip(Switches::default());
    let repository = repository(&registry, "fleet/app");
    let layout = TempLayout::new();
    let root = repository.resolve("v1").unwrap();
    registry.set(|switches| switches.cut_downloads = vec![2 << 20; 20].into());
    registry.set(|switches| switches.ranges = false);
    copy(&repository, &*layout, &root, Options::default(), &Silent).unwrap_err();
    registry.set(|switches| (switches.cut_downloads, switches.ranges) = (VecDeque::new(), true));
    registry.clear_requests();
    copy(&repository, &*layout, &root, Options::default(), &Silent).unwrap();
    assert!(registry.requests().iter().any(|request| request.headers.contains_key("range")));
    assert_eq!(std::fs::read_dir(layout.root().join(".plim/partial")).unwrap().count(), 0);
}

#[test]
fn wrong_bytes_are_never_stored() {
    for change in [|s: &mut Switches| s.corrupt = true, |s: &mut Switches| s.truncate = true] {
        let registry = round_trip(Switches::default());
        let repository = repository(&registry, "fleet/app");
        let root = repository.resolve("v1").unwrap();
        registry.set(change);
        let layout = TempLayout::new();
        copy(&repository, &*layout, &root, Options::default(), &Silent).unwrap_err();
        for entry in std::fs::read_dir(layout.root().join("blobs/sha256")).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(Digest::of(&bytes).hex(), path.file_name().unwrap().to_str().unwrap());
        }
        // and when the registry is well again, all is well
        registry.set(|switches| (switches.corrupt, switches.truncate) = (false, false));
        copy(&repository, &*layout, &root, Options::default(), &Silent).unwrap();
    }
}

#[test]
fn a_manifest_with_a_false_digest_is_refused() {
    let registry = round_trip(Switches::default());
    registry.set(|switches| switches.wrong_manifest_digest = true);
    assert!(pull(&repository(&registry, "fleet/app"), "v1").is_err());
}

#[test]
fn what_the_registry_has_is_not_sent_again() {
    let registry = round_trip(Switches::default());
    let repository = repository(&registry, "fleet/app");
    let layout = TempLayout::new();
    let image = image(&layout);
    registry.clear_requests();
    push(&repository, &layout, &image.descriptor, "v2").unwrap();
    assert_eq!(asked(&registry, "POST", "uploads"), 0);
    assert_eq!(registry.tags("fleet/app"), ["v1", "v2"]);
}

#[test]
fn blobs_of_another_repository_are_taken_over() {
    for mount in [true, false] {
        let registry = round_trip(Switches { mount, ..Switches::default() });
        let from = repository(&registry, "fleet/app");
        let to = repository(&registry, "harbour/app");
        let root = from.resolve("v1").unwrap();
        registry.clear_requests();
        let report = copy(&from, &to, &root, Options::default(), &Silent).unwrap();
        assert_eq!(report.adopted > 0, mount);
        assert_eq!(asked(&registry, "GET", "/blobs/") == 0, mount);
        assert_eq!(registry.open_uploads(), 0);
        to.tag("v1", &root).unwrap();
        pull(&to, "v1").unwrap();
    }
}

#[test]
fn tokens_and_passwords_are_shown_to_nobody_else() {
    let auth = Auth::Token {
        user: "captain".to_owned(),
        password: "aye".to_owned(),
        anonymous_pull: false,
        expires_seconds: 60,
    };
    // the storage behind the redirect refuses requests with credentials
    let registry = round_trip(Switches { auth, redirect_blobs: true, ..Switches::default() });
    let wrong = client_with(Settings::default(), user(&registry, "nay-nay"));
    let error = wrong.repository(&name(&registry, "fleet/app")).unwrap().resolve("v1").unwrap_err();
    let text = format!("{error} {error:?} {}", error.hint().unwrap_or_default());
    assert!(text.contains("does not let us read") && text.contains("the command line"), "{text}");
    assert!(!text.contains("nay-nay"), "{text}");
    let error = repository(&registry, "fleet/app").resolve("v1").unwrap_err();
    assert!(error.hint().unwrap().contains("docker login"), "{error}");
}

#[test]
fn a_token_that_ended_is_renewed() {
    let auth = Auth::Token {
        user: "captain".to_owned(),
        password: "aye".to_owned(),
        anonymous_pull: false,
        expires_seconds: 0,
    };
    let registry = Registry::with(Switches { auth, ..Switches::default() });
    let repository =
        client_with(Settings::default(), user(&registry, "aye")).repository(&name(&registry, "fleet/app")).unwrap();
    let layout = TempLayout::new();
    let image = image(&layout);
    push(&repository, &layout, &image.descriptor, "v1").unwrap();
    registry.expire_tokens();
    pull(&repository, "v1").unwrap();
}

#[test]
fn identity_tokens_are_exchanged() {
    let auth = Auth::Token {
        user: "captain".to_owned(),
        password: "aye".to_owned(),
        anonymous_pull: false,
        expires_seconds: 60,
    };
    let registry = Registry::with(Switches { auth, ..Switches::default() });
    let credential = Credential::Identity(Secret::new(Registry::identity_token()));
    let given = BTreeMap::from([(registry.address(), credential)]);
    let registries = client_with(Settings::default(), Credentials { given, ..Credentials::default() });
    let repository = registries.repository(&name(&registry, "fleet/app")).unwrap();
    let layout = TempLayout::new();
    let image = image(&layout);
    push(&repository, &layout, &image.descriptor, "v1").unwrap();
    assert_eq!(registries.catalog(&registry.address()).unwrap(), ["fleet/app"]);
}

#[test]
fn lists_come_in_pages() {
    let registry = Registry::with(Switches { page: Some(2), ..Switches::default() });
    let repository = repository(&registry, "fleet/app");
    let layout = TempLayout::new();
    let image = image(&layout);
    let tags = ["a", "b", "c", "d", "e"];
    for tag in tags {
        push(&repository, &layout, &image.descriptor, tag).unwrap();
    }
    assert_eq!(repository.tags().unwrap(), tags);
    for other in ["fleet/b", "fleet/c"] {
        push(&self::repository(&registry, other), &layout, &image.descriptor, "v1").unwrap();
    }
    assert_eq!(client().catalog(&registry.address()).unwrap(), ["fleet/app", "fleet/b", "fleet/c"]);
}

/// An artifact about an image.
fn signature(layout: &TempLayout, subject: &Descriptor, text: &str) -> Descriptor {
    let config = write::put(&**layout, "application/vnd.oci.empty.v1+json", b"{}").unwrap();
    let layer = write::put(&**layout, "application/vnd.example.note", text.as_bytes()).unwrap();
    let manifest = Manifest {
        subject: Some(Descriptor::new(&subject.media_type, subject.digest.clone(), subject.size)),
        artifact_type: Some("application/vnd.example.signature".to_owned()),
        annotations: BTreeMap::from([("text".to_owned(), text.to_owned())]),
        ..Manifest::new(config, vec![layer])
    };
    let bytes = serde_json::to_vec(&manifest).unwrap();
    let descriptor = write::put(&**layout, media_type::OCI_MANIFEST, &bytes).unwrap();
    layout.attach(&subject.digest, &descriptor).unwrap();
    descriptor
}

#[test]
fn an_index_and_what_is_about_it_survive_a_copy_unchanged() {
    for referrers in [true, false] {
        let layout = TempLayout::new();
        let mut index = Index::default();
        for arch in ["amd64", "arm64"] {
            let platform = Platform::new("linux", arch);
            let image =
                ImageBuilder::new().platform(&platform).layer(LayerBuilder::new().file("arch", arch)).write(&layout);
            index.manifests.push(Descriptor { platform: Some(platform), ..image.descriptor });
        }
        let bytes = serde_json::to_vec(&index).unwrap();
        let root = write::put(&*layout, media_type::OCI_INDEX, &bytes).unwrap();
        let about_all = signature(&layout, &root, "all");
        let about_one = signature(&layout, &index.manifests[0], "one");
        let about_about = signature(&layout, &about_all, "about a signature");
        let by_tag = signature(&layout, &about_one, "by tag");
        let companion = format!("sha256-{}.sig", root.digest.hex());
        layout.tag(&companion, &by_tag).unwrap();

        let registry = Registry::with(Switches { referrers, ..Switches::default() });
        let repository = repository(&registry, "fleet/app");
        push(&repository, &layout, &root, "v1").unwrap();
        let there: Vec<Digest> = repository.referrers(&root.digest).unwrap().into_iter().map(|d| d.digest).collect();
        assert_eq!(there, std::slice::from_ref(&about_all.digest));
        assert!(registry.tags("fleet/app").contains(&companion));

        let (pulled, found) = pull(&self::repository(&registry, "fleet/app"), "v1").unwrap();
        assert_eq!(found.digest, root.digest);
        let lists = |subject: &Digest| -> Vec<(Digest, Option<String>)> {
            pulled.referrers(subject).unwrap().into_iter().map(|d| (d.digest, d.artifact_type)).collect()
        };
        let kind = Some("application/vnd.example.signature".to_owned());
        assert_eq!(lists(&root.digest), [(about_all.digest.clone(), kind.clone())]);
        assert_eq!(lists(&index.manifests[0].digest), [(about_one.digest.clone(), kind.clone())]);
        assert_eq!(lists(&about_all.digest), [(about_about.digest.clone(), kind)]);
        assert_eq!(pulled.companion(&companion).unwrap().unwrap().digest, by_tag.digest);
    }
}

#[test]
fn signatures_of_what_was_removed_are_swept() {
    let layout = TempLayout::new();
    let image = image(&layout);
    let first = signature(&layout, &image.descriptor, "one");
    let second = signature(&layout, &first, "two");
    layout.sweep_unreferenced(&|_| false).unwrap();
    assert!(layout.exists(&second).unwrap());
    layout.untag("app").unwrap();
    layout.sweep_unreferenced(&|_| false).unwrap();
    assert!(!layout.exists(&image.descriptor).unwrap() && !layout.exists(&first).unwrap());
    assert!(!layout.exists(&second).unwrap());
    assert!(layout.index().unwrap().manifests.is_empty());
}

#[test]
fn a_wrong_list_of_referrers_is_corrected_by_the_manifests() {
    let registry = Registry::with(Switches { referrers: false, ..Switches::default() });
    let layout = TempLayout::new();
    let image = image(&layout);
    let about = signature(&layout, &image.descriptor, "one");
    let repository = repository(&registry, "fleet/app");
    push(&repository, &layout, &image.descriptor, "v1").unwrap();
    // other tools write the configuration's type, or nothing
    let tag = plim_oci::registry::fallback_tag(&image.descriptor.digest);
    let wrong = Index {
        manifests: vec![Descriptor { artifact_type: Some("application/wrong".to_owned()), ..about.clone() }],
        ..Index::default()
    };
    registry.put_manifest("fleet/app", &tag, media_type::OCI_INDEX, serde_json::to_vec(&wrong).unwrap());
    let found = repository.referrers(&image.descriptor.digest).unwrap();
    assert_eq!(found[0].artifact_type.as_deref(), Some("application/vnd.example.signature"));
    assert_eq!(found[0].annotations["text"], "one");
    // deleting takes it out of the list
    repository.delete(&about).unwrap();
    assert!(repository.referrers(&image.descriptor.digest).unwrap().is_empty());
}

#[test]
fn mirrors_are_asked_first_and_passed_by_when_they_are_of_no_use() {
    let upstream = round_trip(Switches::default());
    let mirror = Registry::with(Switches { ns_required: Some(upstream.address()), ..Switches::default() });
    let settings = |mirror: &Registry| Settings {
        registries: vec![RegistrySettings {
            name: upstream.address(),
            mirrors: vec![format!("http://{}", mirror.address())],
            ..RegistrySettings::default()
        }],
        ..Settings::default()
    };
    // the mirror has nothing: the registry is asked
    let repository = client_with(settings(&mirror), Credentials::default()).repository(&name(&upstream, "fleet/app"));
    pull(&repository.unwrap(), "v1").unwrap();
    assert!(!mirror.requests().is_empty());
    // the mirror has everything: nobody else is asked
    let (layout, root) = pull(&self::repository(&upstream, "fleet/app"), "v1").unwrap();
    mirror.set(|switches| switches.ns_required = None);
    push(&self::repository(&mirror, "fleet/app"), &layout, &root, "v1").unwrap();
    mirror.set(|switches| switches.ns_required = Some(upstream.address()));
    upstream.clear_requests();
    let registries = client_with(settings(&mirror), Credentials::default());
    let repository = registries.repository(&name(&upstream, "fleet/app")).unwrap();
    let target = TempLayout::new();
    let root = repository.resolve("v1").unwrap();
    copy(&repository, &*target, &root, Options::default(), &Silent).unwrap();
    assert!(upstream.requests().is_empty(), "{:?}", upstream.requests());
    // the mirror is ill: it is passed by, and people are told
    mirror.set(|switches| switches.failing = 1000);
    let registries = client_with(settings(&mirror), Credentials::default());
    registries.repository(&name(&upstream, "fleet/app")).unwrap().resolve("v1").unwrap();
    assert!(registries.take_warnings()[0].contains(&mirror.address()));
}

#[test]
fn what_is_not_there_is_named() {
    let registry = round_trip(Switches::default());
    let error = repository(&registry, "fleet/app").resolve("v9").unwrap_err();
    assert_eq!(error.to_string(), format!("tag `v9` is not in {}/fleet/app", registry.address()));
}

#[test]
fn one_platform_of_an_index_keeps_the_digest_of_the_index() {
    let layout = TempLayout::new();
    let mut index = Index::default();
    for arch in ["amd64", "arm64"] {
        let platform = Platform::new("linux", arch);
        let image =
            ImageBuilder::new().platform(&platform).layer(LayerBuilder::new().file("arch", arch)).write(&layout);
        index.manifests.push(Descriptor { platform: Some(platform), ..image.descriptor });
    }
    let root = write::put(&*layout, media_type::OCI_INDEX, &serde_json::to_vec(&index).unwrap()).unwrap();
    let target = TempLayout::new();
    let platform = Platform::new("linux", "arm64");
    let options = Options { platform: Some(&platform), ..Options::default() };
    copy(&*layout, &*target, &root, options, &Silent).unwrap();
    assert!(target.exists(&root).unwrap() && target.exists(&index.manifests[1]).unwrap());
    assert!(!target.exists(&index.manifests[0]).unwrap());
}

#[test]
fn a_dry_run_writes_nothing_and_says_what_would_be() {
    let registry = Registry::start();
    let layout = TempLayout::new();
    let image = image(&layout);
    let options = Options { dry_run: true, ..Options::default() };
    let report = copy(&*layout, &repository(&registry, "fleet/app"), &image.descriptor, options, &Silent).unwrap();
    assert_eq!(report.copied, 4);
    assert!(report.copied_bytes > 3 << 20);
    assert!(registry.repositories().is_empty());
}
