//! `plim diff`.

use plim_testkit::{ImageBuilder, LayerBuilder};

use crate::env::TestEnv;
use crate::rootfs::write_layout;

fn status(packages: &[(&str, &str)]) -> String {
    let paragraph = |(name, version): &(&str, &str)| {
        format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\n\n")
    };
    packages.iter().map(paragraph).collect()
}

/// Writes `work/old` and `work/new`.
fn pair(env: &TestEnv) {
    let base = || LayerBuilder::new().file("etc/os-release", "ID=test\n").created_by("ADD rootfs.tar / # buildkit");
    let app = |packages: &[(&str, &str)]| {
        LayerBuilder::new()
            .file("var/lib/dpkg/status", status(packages))
            .file("var/lib/dpkg/info/curl.list", "/usr/bin/curl\n")
    };
    let old = app(&[("curl", "8.1"), ("git", "2.47")])
        .executable("usr/bin/curl", vec![1; 30_000])
        .file("app/main.py", "print(1)\n")
        .file("app/|`odd`", vec![1; 9000])
        .created_by("RUN apt-get install curl git # buildkit");
    let new = app(&[("curl", "8.2"), ("jq", "1.7")])
        .executable("usr/bin/curl", vec![2; 34_000])
        .executable("app/main.py", "print(1)\n")
        .file("app/data", vec![2; 1000])
        .created_by("RUN apt-get install curl jq # buildkit");
    write_layout(
        env,
        "old",
        &ImageBuilder::new().layer(base()).layer(old).config(|config| {
            config.env = vec!["MODE=old".to_owned()];
            config.cmd = Some(vec!["python".to_owned(), "main.py".to_owned()]);
            config.labels.insert("stage".to_owned(), String::new());
        }),
    );
    write_layout(
        env,
        "new",
        &ImageBuilder::new().layer(base()).layer(new).config(|config| {
            config.user = String::from("65532");
            config.env = vec!["MODE=new".to_owned()];
            config.cmd = Some(vec!["python".to_owned(), "main.py".to_owned()]);
            config.exposed_ports.insert("80/tcp".to_owned(), serde_json::json!({}));
        }),
    );
}

#[test]
fn two_images_are_compared_for_people() {
    let env = TestEnv::new();
    pair(&env);
    env.check("diff", &env.plim(["diff", "oci:old", "oci:new"]));
    env.check("diff_rows", &env.plim(["diff", "--rows", "1", "oci:old", "oci:new"]));
    env.check("diff_nothing", &env.plim(["diff", "oci:old", "oci:old"]));
}

#[test]
fn markdown_is_for_the_summary_of_a_run() {
    let env = TestEnv::new();
    pair(&env);
    env.check("diff_markdown", &env.plim(["diff", "-o", "markdown", "oci:old", "oci:new"]));
}

#[test]
fn json_and_its_schema_name_the_same_fields() {
    let env = TestEnv::new();
    pair(&env);
    let report = env.plim(["diff", "-o", "json", "oci:old", "oci:new"]).json();
    let schema = env.plim(["debug", "schema", "diff"]).json();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&report), keys(&schema["properties"]));
    assert_eq!(report["command"], "diff");
    assert_eq!(report["layers"]["shared"], 1);
}

#[test]
fn a_format_that_there_is_not_is_refused_before_the_work() {
    let env = TestEnv::new();
    let failed = env.plim(["diff", "-o", "sarif", "oci:nowhere", "oci:new"]).fails(2);
    assert!(failed.stderr.contains("text, json, markdown"), "{}", failed.stderr);
}

#[test]
fn an_image_that_is_not_there_is_an_error() {
    let env = TestEnv::new();
    pair(&env);
    env.plim(["diff", "oci:old", "shop:1"]).fails(2);
}
