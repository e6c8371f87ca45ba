//! `plim pull`, `push`, `inspect`, `save`, `load`, `tag`, `rm`, and FROM of a registry's image.

use std::io::Write as _;

use plim_testkit::registry::{Auth, Registry, Switches};
use plim_testkit::tls::{Authority, Door};
use serde_json::Value;

use crate::env::{Output, TestEnv};
use crate::rootfs::files_layout;

/// Runs the program with the registry in reach.
pub(crate) fn online<const N: usize>(env: &TestEnv, args: [&str; N]) -> Output {
    let mut command = env.command(args);
    command.env_remove("PLIM_OFFLINE");
    Output::of(command)
}

#[test]
fn an_image_goes_to_a_registry_and_comes_back() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let registry = Registry::start();
    let name = format!("{}/fleet/shop:1", registry.address());
    let digest = env.plim(["copy", "oci:in", "shop:1"]).good();
    let pushed = online(&env, ["push", "shop:1", &name]).good();
    assert!(pushed.starts_with(digest.trim()), "{pushed}");
    assert_eq!(registry.tags("fleet/shop"), ["1"]);

    let other = TestEnv::new();
    let pulled = online(&other, ["pull", &name]).good();
    assert!(pulled.starts_with(digest.trim()), "{pulled}");
    // nothing is asked of the registry any more
    registry.clear_requests();
    let report = other.plim(["analyze", &name, "-o", "json"]).good();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["layers"].as_array().unwrap().len(), 2);
    let raw = other.plim(["inspect", "--raw", &name]).good();
    let (_, stored) = registry.manifest("fleet/shop", "1").unwrap();
    assert!(registry.requests().is_empty());
    assert!(raw.as_bytes() == stored, "{raw}");
    drop(registry);
    let config: Value = serde_json::from_str(&other.plim(["inspect", "--image-config", &name]).good()).unwrap();
    assert_eq!(config["config"]["User"], "65532");
}

#[test]
fn an_image_is_analyzed_and_inspected_where_it_is() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let registry = Registry::start();
    let name = format!("{}/fleet/shop:1", registry.address());
    online(&env, ["copy", "oci:in", &format!("registry:{name}")]).good();
    let inspected: Value = serde_json::from_str(&online(&env, ["inspect", &name]).good()).unwrap();
    assert_eq!(inspected["layers"].as_array().unwrap().len(), 2);
    assert_eq!(inspected["config"]["config"]["Labels"]["org.example.kept"], "yes");
    online(&env, ["analyze", &name]).good();
    assert_eq!(env.plim(["images", "-q"]).good(), "there are no images in the store\n");
}

#[test]
fn credentials_are_those_of_docker() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let auth = Auth::Basic { user: "captain".to_owned(), password: "aye".to_owned() };
    let registry = Registry::with(Switches { auth, ..Switches::default() });
    let target = format!("registry:{}/fleet/shop:1", registry.address());
    let refused = online(&env, ["copy", "oci:in", &target]).fails(2);
    assert!(refused.stderr.contains("docker login"), "{}", refused.stderr);
    let dir = env.path("home/.docker");
    std::fs::create_dir(&dir).unwrap();
    // captain:aye
    let text = format!(r#"{{"auths": {{"{}": {{"auth": "Y2FwdGFpbjpheWU="}}}}}}"#, registry.address());
    std::fs::write(dir.join("config.json"), text).unwrap();
    online(&env, ["copy", "oci:in", &target]).good();
}

#[test]
fn from_takes_an_image_of_a_registry_through_a_mirror() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let registry = Registry::start();
    online(&env, ["copy", "oci:in", &format!("registry:{}/library/base:1", registry.address())]).good();
    registry.set(|switches| switches.ns_required = Some("docker.io".to_owned()));
    env.write(
        "plim.toml",
        format!("[[registry]]\nname = \"docker.io\"\nmirrors = [\"http://{}\"]\n", registry.address()),
    );
    env.write("Dockerfile", "FROM base:1\nCOPY a /a\n");
    env.write("a", "a");
    online(&env, ["build", "-t", "shop:2", "."]).good();
    drop(registry);
    // from now on it is in the store
    env.write("a", "b");
    env.plim(["build", "-t", "shop:2", "."]).good();
}

#[test]
fn an_offline_run_asks_no_registry() {
    let env = TestEnv::new();
    let registry = Registry::start();
    let failed = env.plim(["pull", &format!("{}/x:1", registry.address())]).fails(2);
    assert!(failed.stderr.contains("--offline"), "{}", failed.stderr);
    assert!(registry.requests().is_empty());
}

#[test]
fn an_image_is_saved_and_loaded() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    env.plim(["copy", "oci:in", "shop:1"]).good();
    env.plim(["save", "shop:1", "shop.tar"]).good();
    let other = TestEnv::new();
    std::fs::copy(env.work().join("shop.tar"), other.work().join("shop.tar")).unwrap();
    assert_eq!(other.plim(["load", "shop.tar"]).good(), "shop:1\n");
    other.plim(["load", "shop.tar", "--tag", "harbour:2"]).good();
    let mut command = other.command(["load", "-", "--tag", "harbour:3"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&std::fs::read(env.work().join("shop.tar")).unwrap()).unwrap();
    assert!(child.wait().unwrap().success());
    let images = other.plim(["images"]).good();
    assert!(["shop:1", "harbour:2", "harbour:3"].iter().all(|name| images.contains(name)), "{images}");
}

#[test]
fn names_come_and_go() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let digest = env.plim(["copy", "oci:in", "shop:1"]).good();
    assert_eq!(env.plim(["tag", "shop:1", "shop:latest"]).good(), digest);
    let failed = env.plim(["rm", "shop:1", "shop:9"]).fails(2);
    assert!(failed.stderr.contains("shop:9"), "{}", failed.stderr);
    assert!(env.plim(["images"]).good().contains("shop:1"), "all names go, or none");
    env.plim(["rm", "shop:1", "shop:latest"]).good();
    assert_eq!(env.plim(["images", "-q"]).good(), "there are no images in the store\n");
    env.plim(["prune"]).good();
}

#[test]
fn a_directory_is_an_image() {
    let env = TestEnv::new();
    env.write("root/etc/os-release", "ID=test\n");
    let report: Value = serde_json::from_str(&env.plim(["analyze", "rootfs:root", "-o", "json"]).good()).unwrap();
    assert_eq!(report["layers"].as_array().unwrap().len(), 1);
}

/// Puts a credential helper on a path of its own, and names it in Docker's configuration.
fn helper(env: &TestEnv, registry: &Registry, script: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let bin = env.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let program = bin.join("docker-credential-harbour");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let dir = env.path("home/.docker");
    std::fs::create_dir_all(&dir).unwrap();
    let text = format!(r#"{{"credHelpers": {{"{}": "harbour"}}}}"#, registry.address());
    std::fs::write(dir.join("config.json"), text).unwrap();
    bin
}

/// Runs the program with the helper on its path.
fn helped<const N: usize>(env: &TestEnv, bin: &std::path::Path, args: [&str; N]) -> Output {
    let mut command = env.command(args);
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    command.env_remove("PLIM_OFFLINE").env("PATH", path);
    Output::of(command)
}

#[test]
fn a_credential_helper_is_asked() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let auth = Auth::Basic { user: "captain".to_owned(), password: "aye".to_owned() };
    let registry = Registry::with(Switches { auth, ..Switches::default() });
    let target = format!("registry:{}/fleet/shop:1", registry.address());
    // it answers only to the right question
    let script = format!(
        "read server\n[ \"$1\" = get ] && [ \"$server\" = {} ] || {{ echo credentials not found in native keychain; exit 1; }}\n\
         echo '{{\"ServerURL\":\"x\",\"Username\":\"captain\",\"Secret\":\"aye\"}}'",
        registry.address()
    );
    let bin = helper(&env, &registry, &script);
    helped(&env, &bin, ["copy", "oci:in", &target]).good();
    assert_eq!(registry.tags("fleet/shop"), ["1"]);
}

#[test]
fn a_credential_helper_that_fails_is_warned_about() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let registry = Registry::start();
    online(&env, ["copy", "oci:in", &format!("registry:{}/fleet/shop:1", registry.address())]).good();
    let auth = Auth::Token {
        user: "captain".to_owned(),
        password: "aye".to_owned(),
        anonymous_pull: true,
        expires_seconds: 60,
    };
    registry.set(|switches| switches.auth = auth);
    let name = format!("{}/fleet/shop:1", registry.address());
    for (script, said) in [
        ("echo the keychain is locked; exit 1", "docker-credential-harbour failed"),
        ("echo nonsense", "the answer of docker-credential-harbour cannot be understood"),
    ] {
        let other = TestEnv::new();
        let bin = helper(&other, &registry, script);
        // what needs no credentials works all the same
        let pulled = helped(&other, &bin, ["pull", &name]);
        assert!(pulled.stderr.contains(said), "{pulled}");
        pulled.good();
    }
    // that there are none is an ordinary answer
    let other = TestEnv::new();
    let bin = helper(&other, &registry, "echo credentials not found in native keychain; exit 1");
    let pulled = helped(&other, &bin, ["pull", &name]);
    assert!(!pulled.stderr.contains("credential"), "{pulled}");
    pulled.good();
}

#[test]
fn a_registry_with_a_certificate_of_a_private_authority_is_configured() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let registry = Registry::with(Switches { relative_location: true, ..Switches::default() });
    let (authority, clients) = (Authority::new(), Authority::new());
    let door = Door::open(&authority, Some(&clients), &registry.address());
    let target = format!("registry:{}/fleet/shop:1", door.address());
    authority.write(&env.work(), "ca.pem");
    clients.client().write(&env.work(), "client.pem", "client.key");
    let settings = |rest: &str| {
        let head = format!("[[registry]]\nname = \"{}\"\nplain-http = false\n", door.address());
        env.write("plim.toml", head + rest);
    };
    settings("");
    let failed = online(&env, ["copy", "oci:in", &target]).fails(2);
    assert!(failed.stderr.contains("ca = \"ca.pem\""), "{failed}");
    settings("ca = \"ca.pem\"\n");
    let failed = online(&env, ["copy", "oci:in", &target]).fails(2);
    assert!(failed.stderr.contains("client-cert"), "{failed}");
    settings("ca = \"ca.pem\"\nclient-cert = \"client.pem\"\nclient-key = \"client.key\"\n");
    online(&env, ["copy", "oci:in", &target]).good();
    assert_eq!(registry.tags("fleet/shop"), ["1"]);
}

#[test]
fn layers_are_compressed_anew_for_a_registry() {
    let env = TestEnv::new();
    files_layout(&env, "in");
    let registry = Registry::start();
    env.plim(["copy", "oci:in", "shop:1"]).good();
    let name = format!("{}/fleet/shop:1", registry.address());
    let pushed = online(&env, ["push", "shop:1", &name, "--compression", "zstd"]).good();
    assert!(pushed.contains("layers compressed anew: 2"), "{pushed}");
    let (_, manifest) = registry.manifest("fleet/shop", "1").unwrap();
    assert!(String::from_utf8(manifest).unwrap().contains("tar+zstd"));
    let local = env.plim(["inspect", "--raw", "shop:1"]).good();
    assert!(local.contains("tar+gzip"), "the image in the store stays as it is");
    assert_eq!(crate::env::files_below(&env.path("cache/scratch")).len(), 0);
    // from one repository to another
    let from = format!("registry:{name}");
    let to = format!("registry:{}/harbour/shop:1", registry.address());
    online(&env, ["copy", &from, &to, "--compression", "estargz"]).good();
    let other = TestEnv::new();
    online(&other, ["copy", &to, "shop:1"]).good();
    let report = other.plim(["analyze", "shop:1", "-o", "json"]).json();
    let paths = report["largest"].to_string();
    assert!(!paths.contains("stargz.index.json"), "{paths}");
}
