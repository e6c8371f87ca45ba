//! `plim copy`.

use serde_json::Value;

use crate::env::TestEnv;
use crate::rootfs::files_layout;

/// The configuration of an image in an OCI layout, by way of its index and manifest.
fn config(env: &TestEnv, layout: &str) -> Value {
    let read = |path: String| -> Value { serde_json::from_str(&env.read(&format!("{layout}/{path}"))).unwrap() };
    let blob = |digest: &Value| format!("blobs/sha256/{}", digest.as_str().unwrap().trim_start_matches("sha256:"));
    let index = read("index.json".to_owned());
    let manifest = read(blob(&index["manifests"][0]["digest"]));
    read(blob(&manifest["config"]["digest"]))
}

#[test]
fn a_round_trip_keeps_configuration_and_layers() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let first = env.plim(["copy", "oci:in", "shop:1"]).good();
    let steps = [
        ["shop:1", "oci:out:v1"],
        ["oci:out:v1", "oci-archive:out.tar"],
        ["oci-archive:out.tar", "docker-archive:docker.tar:shop:1"],
        ["docker-archive:docker.tar", "shop:back"],
        ["shop:back", "oci:last"],
    ];
    for [from, to] in steps {
        env.plim(["copy", from, to]).good();
    }
    let (before, after) = (config(&env, "in"), config(&env, "last"));
    assert_eq!(before, after);
    assert_eq!(after["rootfs"]["diff_ids"].as_array().unwrap().len(), 2);
    assert_eq!(after["config"]["Labels"]["org.example.kept"], "yes");
    // layouts and stores keep the very bytes of the manifest
    assert_eq!(env.plim(["copy", "oci:out", "shop:again"]).good(), first);
}

#[test]
fn archives_have_the_same_bytes_each_time() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    for kind in ["oci-archive", "docker-archive"] {
        for file in ["a.tar", "b.tar"] {
            env.plim(["copy", "oci:in", &format!("{kind}:{file}")]).good();
        }
        let bytes = |file| std::fs::read(env.work().join(file)).unwrap();
        assert!(bytes("a.tar") == bytes("b.tar"), "{kind} differs");
    }
}

#[test]
fn a_copy_says_what_can_be_done_next() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    env.check("copy", &env.plim(["copy", "oci:in", "shop:1"]));
}

#[test]
fn a_misspelt_name_gets_a_suggestion() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    env.plim(["copy", "oci:in", "shop:1"]).good();
    env.check("copy_misspelt", &env.plim(["copy", "shopp:1", "oci:out"]).fails(2));
    assert!(!env.work().join("out").exists(), "a copy that fails leaves no layout behind");
}

#[test]
fn a_layout_that_is_not_there_is_an_error() {
    let env = TestEnv::new();
    env.check("copy_no_layout", &env.plim(["copy", "oci:nowhere", "shop:1"]).fails(2));
}

#[test]
fn a_blob_whose_bytes_changed_is_refused() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let mut blobs = crate::env::files_below(&env.work().join("in/blobs"));
    blobs.sort_by_key(|path| std::cmp::Reverse(std::fs::metadata(path).unwrap().len()));
    let mut bytes = std::fs::read(&blobs[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&blobs[0], bytes).unwrap();
    let output = env.plim(["copy", "oci:in", "shop:1"]).fails(2);
    assert!(output.stderr.contains("digest"), "{output}");
    assert_eq!(env.plim(["images", "-o", "json"]).json()["images"].as_array().unwrap().len(), 0);
}

#[test]
fn several_images_in_a_layout_need_a_tag() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    env.plim(["copy", "oci:in", "oci:out:one"]).good();
    env.plim(["copy", "oci:in", "oci:out:two"]).good();
    env.check("copy_which_tag", &env.plim(["copy", "oci:out", "shop:1"]).fails(2));
}

/// The manifest of the only image in an OCI layout.
fn manifest(env: &TestEnv, layout: &str) -> Value {
    let index: Value = serde_json::from_str(&env.read(&format!("{layout}/index.json"))).unwrap();
    let digest = index["manifests"][0]["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    serde_json::from_str(&env.read(&format!("{layout}/blobs/sha256/{digest}"))).unwrap()
}

#[test]
fn layers_are_compressed_anew_on_the_way() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let before = manifest(&env, "in");
    let report = env.plim(["copy", "oci:in", "oci:out", "--compression", "zstd:9", "-o", "json"]).json();
    assert_eq!((&report["recompressed"]["layers"], &report["recompressed"]["kept"]), (&2.into(), &0.into()));
    assert!(report["copied"].as_u64().unwrap() >= 3, "{report}");
    let after = manifest(&env, "out");
    assert_eq!(before["config"], after["config"]);
    for layer in after["layers"].as_array().unwrap() {
        assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+zstd");
    }
    // into the store, and into files
    env.plim(["copy", "oci:out", "shop:1", "--compression", "estargz"]).good();
    let inspected = env.plim(["inspect", "shop:1"]).json();
    assert_eq!(inspected["layers"][0]["media_type"], "application/vnd.oci.image.layer.v1.tar+gzip");
    env.plim(["copy", "shop:1", "oci-archive:shop.tar", "--compression", "none"]).good();
    env.plim(["save", "shop:1", "saved.tar", "--compression", "zstd"]).good();
    env.plim(["load", "saved.tar"]).good();
    // the files are those that they were, however they are kept
    let files = |place: &str| {
        let report = env.plim(["analyze", place, "-o", "json"]).json();
        (report["files"].clone(), report["largest"].clone())
    };
    for place in ["oci:out", "shop:1", "oci-archive:shop.tar", "oci-archive:saved.tar"] {
        assert_eq!(files(place), files("oci:in"), "{place}");
    }
}

#[test]
fn layers_that_are_so_already_stay() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let digest = env.plim(["copy", "oci:in", "shop:1"]).good();
    let same = env.plim(["copy", "oci:in", "shop:2", "--compression", "gzip"]).good();
    assert_eq!(same, format!("{digest}the layers are so already\n"));
    let forced = env.plim(["copy", "oci:in", "shop:3", "--compression", "gzip:12", "--force-compression"]).good();
    assert!(!forced.starts_with(digest.trim()), "{forced}");
}

#[test]
fn a_compression_that_cannot_be_is_refused() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    for args in [
        ["copy", "oci:in", "oci:out", "--compression", "xz"],
        ["copy", "oci:in", "docker-archive:out.tar", "--compression", "zstd"],
        ["copy", "oci:in", "docker-daemon:shop:1", "--compression", "zstd"],
    ] {
        let failed = env.plim(args).fails(2);
        assert!(failed.stderr.contains("compress"), "{failed}");
    }
    assert!(!env.work().join("out").exists() && !env.work().join("out.tar").exists());
    env.plim(["copy", "oci:in", "oci:out", "--compression", "zstd", "-n"]).fails(2);
}

#[test]
fn signatures_of_the_old_image_stay_behind_with_a_warning() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    env.plim(["copy", "oci:in", "shop:1"]).good();
    let digest = env.plim(["copy", "oci:in", "shop:1"]).good();
    // by cosign's tag
    env.plim(["copy", "oci:in", &format!("shop:sha256-{}.sig", digest.trim().trim_start_matches("sha256:"))]).good();
    let copied = env.plim(["copy", "shop:1", "oci:out", "--compression", "zstd"]);
    assert!(copied.stderr.contains("1 signature or the like stays behind"), "{copied}");
    let index: Value = serde_json::from_str(&env.read("out/index.json")).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    let silent = env.plim(["copy", "shop:1", "oci:out2", "--compression", "zstd", "--no-referrers"]);
    assert!(!silent.stderr.contains("stays behind"), "{silent}");
}
