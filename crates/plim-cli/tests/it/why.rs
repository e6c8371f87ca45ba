//! `plim why`.

use plim_testkit::{ImageBuilder, LayerBuilder};

use crate::env::TestEnv;
use crate::rootfs::{files_layout, write_layout};

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

#[test]
fn a_path_that_a_later_layer_deletes_is_still_in_the_image() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    env.check("why_hidden", &env.plim(["why", "oci:in", "/etc/gone"]));
}

#[test]
fn a_link_and_a_start_command_are_followed() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    env.check("why_link", &env.plim(["why", "oci:in", "/etc/link"]));
}

#[test]
fn a_pattern_and_a_package_stand_for_their_files() {
    let env = TestEnv::new();
    let package = |name: &str, depends: &str| {
        format!("Package: {name}\nStatus: install ok installed\nVersion: 3.0\nDepends: {depends}\n\n")
    };
    let databases = [package("openssl", "libssl3"), package("libssl3", "libc6"), package("curl", "openssl")].concat();
    let layer = LayerBuilder::new()
        .file("var/lib/dpkg/status", databases)
        .file("var/lib/dpkg/info/libssl3.list", "/usr/lib/libssl.so.3\n/usr/lib/libcrypto.so.3\n")
        .file("usr/lib/libssl.so.3", vec![1; 700])
        .file("usr/lib/libcrypto.so.3", vec![1; 4200])
        .created_by("RUN apt-get install openssl");
    write_layout(&env, "in", &ImageBuilder::new().layer(layer));
    env.check("why_package", &env.plim(["why", "oci:in", "libssl3"]));
    env.check("why_pattern", &env.plim(["why", "oci:in", "/usr/lib/*.so.*"]));
}
