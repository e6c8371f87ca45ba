//! Nothing that Debian did not sign for gets through.

use jiff::Timestamp;
use pgp::composed::KeyType;
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::SignatureType;
use pgp::types::KeyDetails as _;
use plim_debian::{DebianError, Keyring, Plan, SuiteKind};
use plim_oci::{Platform, Silent};

use crate::synthetic::{Mirror, key, key_of, public, recipe, sign, sign_as};

fn archive() -> Mirror {
    Mirror::new(&[
        (
            "Package: hello\nVersion: 1.0\nArchitecture: amd64\nDepends: library (>= 2)\nDescription: greets\n",
            &[("./usr/bin/", ""), ("./usr/bin/hello", "hello\n"), ("./usr/share/doc/hello/news", "none\n")],
        ),
        (
            "Package: library\nVersion: 2.1\nArchitecture: amd64\nDescription: is used\n",
            &[("./lib/", ""), ("./lib/library.so", "library\n")],
        ),
    ])
}

fn plan(mirror: &Mirror) -> Result<Plan, DebianError> {
    mirror.archive().plan(&recipe("'hello'", "drop = ['usr/share/doc']"), &Platform::new("linux", "amd64"), &Silent)
}

fn message(result: Result<impl std::fmt::Debug, DebianError>) -> String {
    let error = result.unwrap_err();
    let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}

#[test]
fn an_untouched_archive_becomes_a_level() {
    let mirror = archive();
    let plan = plan(&mirror).unwrap();
    plan.fetch(&Silent).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let level = &plan.levels()[0];
    level.unpack(dir.path(), &[], &Silent).unwrap();
    level.finish(dir.path()).unwrap();
    let read = |path: &str| std::fs::read_to_string(dir.path().join(path)).ok();
    assert_eq!(read("usr/bin/hello").as_deref(), Some("hello\n"));
    assert_eq!(read("usr/lib/library.so").as_deref(), Some("library\n"));
    assert_eq!(read("usr/share/doc/hello/news"), None);
    assert!(read("var/lib/dpkg/status.d/hello").unwrap().contains("Version: 1.0"));
    assert!(plan.lock().contains("name = \"library\"\nversion = \"2.1\""));
    assert_eq!(plan.image_config().unwrap().created.as_deref(), Some("2023-11-14T22:13:20Z"));
}

#[test]
fn a_second_run_needs_no_mirror() {
    let mirror = archive();
    plan(&mirror).unwrap().fetch(&Silent).unwrap();
    std::fs::remove_dir_all(mirror.dir.path()).unwrap();
    plan(&mirror).unwrap().fetch(&Silent).unwrap();
}

#[test]
fn packages_are_kept_as_zstd_and_fetched_again_when_they_are_cut() {
    let mirror = archive();
    let plan = plan(&mirror).unwrap();
    let shown = || -> Vec<(String, Vec<u8>)> {
        plan.packages()
            .map(|package| {
                let file = package.stored();
                let kind = file.file_name().unwrap().to_string_lossy().replace(package.digest.hex(), "");
                (kind, std::fs::read(&file).unwrap())
            })
            .collect()
    };
    plan.fetch(&Silent).unwrap();
    let first = shown();
    assert!(first.iter().all(|(kind, _)| kind == ".zst.deb"), "{first:?}");
    let pool = plan.packages().next().unwrap().stored().parent().unwrap().to_owned();
    let files = || std::fs::read_dir(&pool).unwrap().count();
    assert_eq!(files(), first.len() + 1, "the lock, and each package once");
    let cut = plan.packages().next().unwrap().stored();
    std::fs::write(&cut, &first[0].1[..first[0].1.len() - 2]).unwrap();
    plan.fetch(&Silent).unwrap();
    assert_eq!((shown(), files()), (first.clone(), first.len() + 1));
    // an end between the two: the one that was verified counts
    let package = plan.packages().find(|package| package.name == "hello").unwrap();
    let fetched = package.stored().with_file_name(format!("{}.deb", package.digest.hex()));
    std::fs::copy(mirror.dir.path().join("debian/pool/hello.deb"), &fetched).unwrap();
    assert_eq!(package.stored(), fetched);
}

#[test]
fn a_changed_release_file_is_refused() {
    let mirror = archive();
    let path = mirror.dir.path().join(Mirror::release_path("trixie"));
    let text = std::fs::read_to_string(&path).unwrap();
    Mirror::flip(&path, text.find("Architectures: amd64").unwrap() + 15);
    let error = message(plan(&mirror));
    assert!(error.contains("InRelease of trixie failed its signature check"), "{error}");
    assert!(error.contains("the text or the signature was changed"), "{error}");
}

#[test]
fn every_byte_of_a_signed_text_counts() {
    let mirror = archive();
    let path = mirror.dir.path().join(Mirror::release_path("trixie"));
    let good = std::fs::read_to_string(&path).unwrap();
    let start = good.find("Origin").unwrap();
    let end = good.find("\n-----BEGIN PGP SIGNATURE").unwrap();
    for at in (start..end).step_by(11) {
        Mirror::flip(&path, at);
        assert!(plan(&mirror).is_err(), "byte {at}");
        Mirror::flip(&path, at);
    }
    plan(&mirror).unwrap();
}

#[test]
fn a_release_file_of_another_key_is_refused() {
    let mirror = archive();
    let path = Mirror::release_path("trixie-security");
    let text = std::fs::read_to_string(mirror.dir.path().join(&path)).unwrap();
    let signed = text.split("\n\n").nth(1).unwrap().split("-----BEGIN").next().unwrap().to_owned();
    mirror.write(&path, sign(&key(), &signed).as_bytes());
    let error = message(plan(&mirror));
    assert!(error.contains("InRelease of trixie-security failed its signature check"), "{error}");
    assert!(error.contains("by a key that is not trusted here"), "{error}");
}

#[test]
fn signatures_that_prove_nothing_are_refused() {
    // the other kinds of keys would not sign a weak digest at all
    let key = key_of(KeyType::Rsa(2048));
    let mut keyring = Keyring::empty();
    keyring.add(SuiteKind::Archive, &public(&key), None).unwrap();
    let now = Timestamp::now();
    let today = u32::try_from(now.as_second()).unwrap();
    let verify = |kind, hash, at| {
        let signed = sign_as(&key, "Origin: Test", kind, hash, at);
        let result = keyring.verify(SuiteKind::Archive, signed.as_bytes(), now);
        result.map_err(|reason| reason.replace(&key.primary_key.fingerprint().to_string(), "KEY"))
    };
    assert_eq!(verify(SignatureType::Text, HashAlgorithm::Sha512, today).unwrap(), "Origin: Test");
    insta::assert_snapshot!(verify(SignatureType::Text, HashAlgorithm::Sha1, today).unwrap_err(),
        @"the signature by KEY rests on Sha1, which is refused");
    insta::assert_snapshot!(verify(SignatureType::Binary, HashAlgorithm::Sha512, today).unwrap_err(),
        @"the signature by KEY is none over text");
    insta::assert_snapshot!(verify(SignatureType::Text, HashAlgorithm::Sha512, today + 200_000).unwrap_err(),
        @"the signature by KEY is from the future");
    let signed = sign_as(&key, "x", SignatureType::Text, HashAlgorithm::Sha512, today);
    assert!(keyring.verify(SuiteKind::Security, signed.as_bytes(), now).unwrap_err().contains("not trusted here"));
}

#[test]
fn a_package_that_the_mirror_has_replaced_makes_the_next_run_ask_again() {
    let mirror = archive();
    let plan = plan(&mirror).unwrap();
    std::fs::remove_file(mirror.dir.path().join("debian/pool/hello.deb")).unwrap();
    let error = plan.fetch(&Silent).unwrap_err();
    assert!(error.hint().unwrap().contains("run again"), "{error}");
    let kept = mirror.cache.path().join("releases/trixie.InRelease");
    assert!(kept.metadata().unwrap().modified().unwrap().elapsed().unwrap().as_secs() > 24 * 60 * 60);
}

#[test]
fn a_release_file_of_another_suite_is_refused() {
    let mirror = archive();
    let other = std::fs::read(mirror.dir.path().join(Mirror::release_path("trixie-updates"))).unwrap();
    mirror.write(&Mirror::release_path("trixie"), &other);
    let error = message(plan(&mirror));
    assert!(error.contains("InRelease of trixie failed its suite check"), "{error}");
}

#[test]
fn an_older_release_file_than_the_known_one_is_refused() {
    let mirror = archive();
    plan(&mirror).unwrap();
    mirror.publish("trixie", "", "2026-01-09T00:00:00Z");
    let mut options = mirror.options();
    options.max_age = 0;
    let archive = plim_debian::Archive::new(options, crate::synthetic::Files);
    let error = message(archive.plan(&recipe("'hello'", ""), &Platform::new("linux", "amd64"), &Silent));
    assert!(error.contains("InRelease of trixie failed its date check"), "{error}");
    assert!(error.contains("one of 2026-01-10T00:00:00Z was seen before"), "{error}");
}

#[test]
fn a_changed_index_is_refused() {
    let mirror = archive();
    Mirror::flip(&mirror.index_file("trixie"), 40);
    let error = message(plan(&mirror));
    assert!(error.contains("main/binary-amd64/Packages.xz of trixie failed its digest check"), "{error}");
}

#[test]
fn a_cut_index_is_refused() {
    let mirror = archive();
    let path = mirror.index_file("trixie");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let error = message(plan(&mirror));
    assert!(error.contains("Packages.xz of trixie failed its size check"), "{error}");
}

#[test]
fn a_changed_package_is_refused() {
    let mirror = archive();
    let plan = plan(&mirror).unwrap();
    Mirror::flip(&mirror.dir.path().join("debian/pool/hello.deb"), 200);
    let error = message(plan.fetch(&Silent));
    assert!(error.contains("hello.deb") && error.contains("digest"), "{error}");
    assert!(!plan.packages().find(|package| package.name == "hello").unwrap().stored().exists());
}

#[test]
fn offline_without_a_cache_says_what_is_missing() {
    let mirror = archive();
    let mut options = mirror.options();
    options.offline = true;
    let archive = plim_debian::Archive::new(options, crate::synthetic::Files);
    let error = archive.plan(&recipe("'hello'", ""), &Platform::new("linux", "amd64"), &Silent).unwrap_err();
    insta::assert_snapshot!(error, @"InRelease of trixie is not in the cache and the network is not to be used");
    assert_eq!(error.hint().as_deref(), Some("run once with the network"));
}

#[test]
fn an_architecture_without_packages_is_an_error() {
    let mirror = archive();
    let result = mirror.archive().plan(&recipe("'hello'", ""), &Platform::new("linux", "arm64"), &Silent);
    insta::assert_snapshot!(message(result), @"Debian trixie has no packages for arm64");
}

#[test]
fn two_packages_with_one_file_are_an_error_unless_one_replaces_the_other() {
    let files: &[(&str, &str)] = &[("./etc/", ""), ("./etc/same", "x")];
    let packages = |replaces: &str| {
        Mirror::new(&[
            ("Package: a\nVersion: 1\nArchitecture: amd64\n", files),
            (&format!("Package: b\nVersion: 1\nArchitecture: amd64\n{replaces}"), &[("./etc/same", "of b")]),
        ])
    };
    let unpack = |mirror: &Mirror| {
        let plan = mirror.archive().plan(&recipe("'a', 'b'", ""), &Platform::new("linux", "amd64"), &Silent).unwrap();
        plan.fetch(&Silent).unwrap();
        let dir = tempfile::tempdir().unwrap();
        plan.levels()[0]
            .unpack(dir.path(), &[], &Silent)
            .map(|()| std::fs::read_to_string(dir.path().join("etc/same")).unwrap())
    };
    insta::assert_snapshot!(message(unpack(&packages(""))), @"packages a and b both ship etc/same, and neither replaces the other");
    assert_eq!(unpack(&packages("Replaces: a (<< 2)\n")).unwrap(), "of b");
}
