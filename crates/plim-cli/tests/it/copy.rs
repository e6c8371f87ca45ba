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
