//! Where `plim build` takes its context from, and what it writes besides the store.

use plim_testkit::LayerBuilder;
use plim_testkit::registry::Registry;

use crate::env::TestEnv;
use crate::registry::online;

/// Two stages; the second takes a file of the first and one of the context.
fn project() -> TestEnv {
    let env = TestEnv::new();
    env.write(
        "Dockerfile",
        "FROM scratch AS files\nCOPY a.txt /in/a.txt\nCOPY b.txt /in/b.txt\n\nFROM files\nCOPY a.txt /top\nLABEL x=y\n",
    );
    env.write("a.txt", "a\n");
    env.write("b.txt", "b\n");
    env
}

#[test]
fn the_files_of_a_stage_land_in_a_folder() {
    let env = project();
    env.write("out/stays", "s\n");
    env.write("out/top", "old\n");
    env.plim(["build", "--output", "out", "."]).good();
    assert_eq!(env.read("out/in/a.txt"), "a\n");
    assert_eq!((env.read("out/top"), env.read("out/stays")), ("a\n".to_owned(), "s\n".to_owned()));
    env.plim(["build", "--target", "files", "-o", "type=local,dest=stage", "."]).good();
    assert!(env.work().join("stage/in/b.txt").exists() && !env.work().join("stage/top").exists());
}

#[test]
fn a_link_in_the_folder_is_replaced_and_not_followed() {
    let env = project();
    env.write("elsewhere/in", "mine\n");
    std::fs::create_dir(env.work().join("out")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", env.work().join("out/in")).unwrap();
    std::os::unix::fs::symlink("../elsewhere/in", env.work().join("out/top")).unwrap();
    env.plim(["build", "--output", "out", "."]).good();
    assert_eq!(env.read("elsewhere/in"), "mine\n");
    assert_eq!(std::fs::read_dir(env.work().join("elsewhere")).unwrap().count(), 1);
    assert_eq!(env.read("out/in/b.txt"), "b\n");
}

#[test]
fn each_platform_has_a_folder_of_its_own() {
    let env = project();
    env.plim(["build", "--platform", "linux/amd64,linux/arm/v7", "--output", "out", "."]).good();
    assert_eq!(env.read("out/linux_amd64/top"), "a\n");
    assert_eq!(env.read("out/linux_arm_v7/top"), "a\n");
}

#[test]
fn standard_output_carries_a_tar_when_it_is_asked_to() {
    let env = project();
    let output = env.command(["build", "--output", "-", "."]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    std::fs::write(env.work().join("all.tar"), &output.stdout).unwrap();
    let listed = std::process::Command::new("tar").arg("-tf").arg(env.work().join("all.tar")).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<&str> = listed.lines().filter(|name| *name != "./" && *name != "/").collect();
    assert_eq!(names, ["in/", "in/a.txt", "in/b.txt", "top"]);
    let two = env.plim(["build", "-o", "-", "-o", "type=oci", "."]).fails(2);
    assert!(two.stderr.contains("two outputs want standard output"), "{two}");
}

#[test]
fn what_is_pushed_is_what_was_built() {
    let env = project();
    let registry = Registry::start();
    let name = format!("{}/shop:1", registry.address());
    let digest = online(&env, ["build", "--push", "-t", &name, "."]).good();
    assert_eq!(registry.tags("shop"), ["1"]);
    env.plim(["rm", &name]).good();
    let pulled = online(&env, ["pull", &name]).good();
    assert!(pulled.contains(digest.trim_end()), "{pulled}");
    let nameless = env.plim(["build", "--push", "."]).fails(2);
    assert!(nameless.stderr.contains("no name to be pushed under"), "{nameless}");
}

#[test]
fn squashed_steps_are_one_layer_with_the_same_files() {
    let env = project();
    env.plim(["build", "-t", "many", "."]).good();
    env.plim(["build", "-t", "one", "--squash", "."]).good();
    let report = env.plim(["analyze", "-o", "json", "one"]).json();
    assert_eq!(report["layers"].as_array().unwrap().len(), 1);
    let diff = env.plim(["diff", "-o", "json", "many", "one"]).json();
    for sum in ["added", "removed", "changed", "metadata"] {
        assert_eq!(diff["files"][sum]["files"], 0, "{sum}: {diff}");
    }
    let config = env.plim(["inspect", "--image-config", "one"]).json();
    assert_eq!(config["config"]["Labels"]["x"], "y");
}

#[test]
fn the_metadata_file_has_the_keys_that_ci_systems_read() {
    let env = project();
    let digest = env.plim(["build", "--metadata-file", "m.json", "--annotation", "a=b", "-t", "shop:1", "."]).good();
    let metadata: serde_json::Value = serde_json::from_str(&env.read("m.json")).unwrap();
    assert_eq!(metadata["containerimage.digest"], digest.trim_end());
    assert_eq!(metadata["containerimage.descriptor"]["digest"], digest.trim_end());
    assert_eq!(metadata["image.name"], "docker.io/library/shop:1");
    let manifest = env.plim(["inspect", "--raw", "shop:1"]).json();
    assert_eq!(manifest["annotations"]["a"], "b");
    assert_eq!(metadata["containerimage.config.digest"], manifest["config"]["digest"]);
}

#[test]
fn a_context_may_come_from_standard_input() {
    let env = TestEnv::new();
    let tar = LayerBuilder::new().dir("src").file("src/a.txt", "a\n").file("Dockerfile", "FROM scratch\nCOPY src /s\n");
    let tar = String::from_utf8(tar.tar()).unwrap();
    env.plim_with_input(["build", "-o", "out", "-"], &tar).good();
    assert_eq!(env.read("out/s/a.txt"), "a\n");
    // no archive: the Dockerfile itself
    env.plim_with_input(["build", "-o", "out", "-"], "FROM scratch\nCOPY <<X /typed\nhello\nX\n").good();
    assert_eq!(env.read("out/typed"), "hello\n");
    let empty = env.plim_with_input(["build", "-"], "").fails(2);
    assert!(empty.stderr.contains("standard input is empty"), "{empty}");
}

#[test]
fn a_dockerfile_outside_of_a_context_that_was_sent_is_refused() {
    let env = TestEnv::new();
    let tar = LayerBuilder::new().symlink("Dockerfile", "/etc/passwd").file("x", "1").tar();
    let tar = String::from_utf8(tar).unwrap();
    let failed = env.plim_with_input(["build", "-f", "Dockerfile", "-"], &tar).fails(2);
    assert!(!failed.stderr.contains("root:"), "{failed}");
}

#[test]
fn only_the_stages_that_are_named_are_built_again() {
    let env = project();
    env.plim(["build", "."]).good();
    let output = env.plim(["build", "--no-cache-filter", "1", "."]);
    assert!(output.stderr.contains("2 of 3 steps cached"), "{output}");
    let all = env.plim(["build", "--no-cache-filter", "FILES", "."]);
    assert!(all.stderr.contains("0 of 3 steps cached"), "{all}");
    let unknown = env.plim(["build", "--no-cache-filter", "nobody", "."]);
    assert!(unknown.stderr.contains("no stage is called `nobody`"), "{unknown}");
}

#[test]
fn from_may_be_an_argument_of_the_global_scope() {
    let env = TestEnv::new();
    env.write(
        "Dockerfile",
        "ARG WHICH=one\nFROM scratch AS one\nCOPY a /f\nFROM scratch AS two\nCOPY b /f\nFROM scratch\nCOPY --from=$WHICH /f /f\n",
    );
    env.write("a", "a\n");
    env.write("b", "b\n");
    env.plim(["build", "-o", "out", "."]).good();
    assert_eq!(env.read("out/f"), "a\n");
    env.plim(["build", "-o", "out", "--build-arg", "WHICH=two", "."]).good();
    assert_eq!(env.read("out/f"), "b\n");
    env.write("Dockerfile", "FROM scratch\nCOPY --from=$NOWHERE /f /f\n");
    let failed = env.plim(["build", "."]).fails(1);
    assert!(failed.stderr.contains("uses `NOWHERE`"), "{failed}");
}

#[test]
fn images_for_windows_have_its_shell_and_its_paths() {
    let env = TestEnv::new();
    env.write("Dockerfile", "FROM scratch\nWORKDIR C:\\\\app\nCOPY a bin\\\\\nENTRYPOINT run it\n");
    env.write("a", "a\n");
    env.plim(["build", "--platform", "windows(10.0.1)/amd64", "-t", "w", "-o", "out", "."]).good();
    assert_eq!(env.read("out/app/bin/a"), "a\n");
    let config = env.plim(["inspect", "--image-config", "--platform", "windows/amd64", "w"]).json();
    assert_eq!(config["config"]["WorkingDir"], "\\app");
    assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["cmd", "/S", "/C", "run it"]));
    assert_eq!((&config["os"], &config["os.version"]), (&"windows".into(), &"10.0.1".into()));
}
