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
