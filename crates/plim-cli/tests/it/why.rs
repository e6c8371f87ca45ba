//! `plim why`.

use crate::env::TestEnv;
use crate::rootfs::files_layout;

/// A path of the image that the other tests use, by its own listing.
fn largest(env: &TestEnv) -> String {
    let report = env.plim(["analyze", "-o", "json", "oci:in"]).json();
    report["largest"][0]["name"].as_str().unwrap().to_owned()
}

#[test]
fn a_path_knows_its_layer() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let path = largest(&env);
    env.check("why", &env.plim(["why", "oci:in", &path]));
    // a directory is all that is below it
    let root = env.plim(["why", "-o", "json", "oci:in", "/"]).json();
    let files = env.plim(["analyze", "-o", "json", "oci:in"]).json();
    assert_eq!(root["files"], files["files"]);
    let schema = env.plim(["debug", "schema", "why"]).json();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&root), keys(&schema["properties"]));
}

#[test]
fn an_image_that_plim_built_knows_the_line_of_the_dockerfile() {
    let env = TestEnv::new();
    env.write("Dockerfile", "FROM scratch\n\nCOPY file.txt /data/\n");
    env.write("file.txt", "text");
    env.plim(["build", "-t", "shop:1", "."]).good();
    let report = env.plim(["why", "-o", "json", "shop:1", "/data/file.txt"]).json();
    assert_eq!(report["layers"][0]["line"], "Dockerfile:3");
}

#[test]
fn a_path_that_is_not_there_is_an_error_with_the_nearest() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let path = largest(&env);
    let name = path.rsplit('/').next().unwrap();
    env.check("why_missing", &env.plim(["why", "oci:in", &format!("/nowhere/{name}")]).fails(1));
}
