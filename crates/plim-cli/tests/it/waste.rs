//! What `plim analyze` says of an image that plim built: base, waste, costs.

use crate::env::TestEnv;
use crate::rootfs::files_layout;

#[test]
fn an_image_that_plim_built_knows_its_base_and_the_lines_of_its_waste() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    env.plim(["copy", "oci:in", "test/base:1"]).good();
    env.write("Dockerfile", "FROM test/base:1\nCOPY a.txt /data/\nCOPY --chmod=755 a.txt /data/\n");
    env.write("a.txt", "text of a file\n");
    env.plim(["build", "-t", "shop:1", "."]).good();
    let report = env.plim(["analyze", "-o", "json", "shop:1"]).json();
    assert_eq!(report["base"]["evidence"], "build");
    assert_eq!(report["base"]["layers"], 2);
    assert_eq!(report["base"]["name"], "docker.io/test/base:1");
    // no directory is copied, so nothing above the base is known to be used again
    assert_eq!(report["cost"]["assumptions"]["reused_layers"], 2);
    let waste = report["waste"].as_array().unwrap();
    let row = |kind: &str| waste.iter().find(|row| row["kind"] == kind).unwrap();
    let rewritten = row("rewritten");
    assert_eq!((rewritten["line"].as_str(), rewritten["layer"].as_u64()), (Some("Dockerfile:2"), Some(3)));
    assert!(rewritten["hint"].as_str().unwrap().contains("COPY --chmod=755"), "{rewritten}");
    assert_eq!(rewritten["weight"]["bytes"], 15);
    let deleted = row("deleted");
    assert_eq!((deleted["layer"].as_u64(), deleted["hidden_by"].as_u64()), (Some(1), Some(2)));
    assert!(deleted["hint"].as_str().unwrap().starts_with("it came with the base image"), "{deleted}");
    assert_eq!(report["reclaimable"]["bytes"], 5015);
    // a copy under another store does not know its build, and goes by the store
    env.plim(["copy", "shop:1", "oci:out"]).good();
    std::fs::remove_dir_all(env.path("cache/lines")).unwrap();
    assert_eq!(env.plim(["analyze", "-o", "json", "oci:out"]).json()["base"]["evidence"], "annotation");
}
