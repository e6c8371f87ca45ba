//! `plim images`.

use crate::env::TestEnv;
use crate::rootfs::files_layout;

#[test]
fn an_empty_store_says_what_to_do() {
    let env = TestEnv::new();
    env.check("images_empty", &env.plim(["images"]));
}

#[test]
fn images_are_listed_by_name() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    env.plim(["copy", "oci:in", "shop:2"]).good();
    env.plim(["copy", "oci:in", "example.org/team/app"]).good();
    let report = env.plim(["images", "-o", "json"]).json();
    let names: Vec<_> = report["images"].as_array().unwrap().iter().map(|image| image["name"].clone()).collect();
    assert_eq!(names, ["docker.io/library/shop:2", "example.org/team/app:latest"]);
    let text = env.plim(["images"]).good();
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn a_format_that_the_report_has_not_is_an_error() {
    let env = TestEnv::new();
    env.check("images_sarif", &env.plim(["images", "-o", "sarif"]).fails(2));
}

#[test]
fn what_was_not_used_for_long_is_pruned() {
    use std::time::{Duration, SystemTime};
    let env = TestEnv::new();
    files_layout(&env, "in");
    for name in ["old:1", "new:1"] {
        env.plim(["copy", "oci:in", name]).good();
    }
    // the older image has a layer of its own
    env.write("root/only", vec![b'x'; 100_000]);
    env.plim(["copy", "rootfs:root", "old:1"]).good();
    let age = |dir: &str| {
        let old = SystemTime::now() - Duration::from_hours(24 * 9);
        for file in crate::env::files_below(&env.path(dir)) {
            let times = std::fs::FileTimes::new().set_modified(old).set_accessed(old);
            std::fs::File::options().write(true).open(file).unwrap().set_times(times).unwrap();
        }
    };
    age("data/store/.plim/used");
    age("data/store/blobs");
    age("cache/index");
    // a name that is used is young again
    env.plim(["inspect", "new:1"]).good();
    let preview = env.plim(["prune", "--older-than", "7d", "-n"]).good();
    assert!(preview.contains("old:1  not used for 9 days") && preview.contains("would be freed"), "{preview}");
    assert!(!preview.contains("new:1"), "{preview}");
    assert_eq!(env.plim(["images"]).good().lines().count(), 3, "a preview removes nothing");
    env.plim(["prune", "--older-than", "2w"]).good();
    assert_eq!(env.plim(["images"]).good().lines().count(), 3, "nothing is that old");
    let done = env.plim(["prune", "--older-than", "7d"]).good();
    assert!(done.contains("old:1"), "{done}");
    let images = env.plim(["images"]).good();
    assert!(images.contains("new:1") && !images.contains("old:1"), "{images}");
    env.plim(["analyze", "new:1"]).good();
    env.plim(["prune", "--older-than", "soon"]).fails(2);
}

#[test]
fn an_image_without_a_name_is_the_only_one_or_named_by_its_digest() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let mut index: serde_json::Value = serde_json::from_str(&env.read("in/index.json")).unwrap();
    index["manifests"][0].as_object_mut().unwrap().remove("annotations");
    env.write("in/index.json", index.to_string());
    env.plim(["inspect", "oci:in"]).good();
    let second = serde_json::json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": format!("sha256:{}", "0".repeat(64)), "size": 7,
    });
    let first = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    index["manifests"].as_array_mut().unwrap().push(second);
    env.write("in/index.json", index.to_string());
    let several = env.plim(["inspect", "oci:in"]).fails(2);
    assert!(several.stderr.contains("2 images without a name") && several.stderr.contains(&first), "{several}");
    env.plim(["inspect", &format!("oci:in:{first}")]).good();
    env.write("in/index.json", r#"{"schemaVersion":2,"manifests":[]}"#);
    assert!(env.plim(["inspect", "oci:in"]).fails(2).stderr.contains("there is no image in in"));
}
