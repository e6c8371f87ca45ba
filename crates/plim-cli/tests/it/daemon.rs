//! Images of Docker and Podman, over their sockets.

use plim_testkit::engine::{ContainerEngine, Hitch};

use crate::env::{Output, TestEnv};
use crate::rootfs::files_layout;

/// Runs the program with an engine in reach.
fn with<const N: usize>(env: &TestEnv, engine: &ContainerEngine, args: [&str; N]) -> Output {
    let mut command = env.command(args);
    command.env("DOCKER_HOST", engine.address()).env("CONTAINER_HOST", engine.address());
    Output::of(command)
}

/// An engine that has `shop:1`.
fn engine(env: &TestEnv) -> ContainerEngine {
    files_layout(env, "in");
    env.plim(["copy", "oci:in", "docker-archive:shop.tar:shop:1"]).good();
    let engine = ContainerEngine::start();
    engine.image("shop:1", std::fs::read(env.work().join("shop.tar")).unwrap());
    engine
}

#[test]
fn an_image_of_an_engine_is_taken_like_any_other() {
    let env = TestEnv::new();
    let engine = engine(&env);
    for place in ["docker-daemon:shop:1", "podman:shop:1"] {
        with(&env, &engine, ["analyze", place]).good();
        let inspected = with(&env, &engine, ["inspect", place]).json();
        assert_eq!(inspected["layers"].as_array().unwrap().len(), 2);
        with(&env, &engine, ["copy", place, "oci:out"]).good();
    }
    with(&env, &engine, ["copy", "docker-daemon:shop:1", "harbour:1"]).good();
    assert_eq!(with(&env, &engine, ["load", "docker-daemon:shop:1"]).good(), "shop:1\n");
    assert_eq!(with(&env, &engine, ["load", "podman:shop:1", "-t", "quay:1"]).good(), "quay:1\n");
    let images = env.plim(["images"]).good();
    assert!(["harbour:1", "shop:1", "quay:1"].iter().all(|name| images.contains(name)), "{images}");
    // nothing is left in the cache
    assert_eq!(crate::env::files_below(&env.path("cache/scratch")).len(), 0);
}

#[test]
fn an_image_goes_to_an_engine() {
    let env = TestEnv::new();
    let engine = engine(&env);
    with(&env, &engine, ["copy", "oci:in", "docker-daemon:shop:1"]).good();
    let saved = std::fs::read(env.work().join("shop.tar")).unwrap();
    assert!(engine.loaded() == [saved], "what is loaded is what `save` writes");
    engine.hitch(Hitch::LateError("no space left on device".to_owned()));
    let failed = with(&env, &engine, ["copy", "oci:in", "docker-daemon:shop:1"]).fails(2);
    assert!(failed.stderr.contains("no space left on device"), "{failed}");
}

#[test]
fn what_goes_wrong_is_said_with_a_way_out() {
    let env = TestEnv::new();
    let engine = engine(&env);
    env.check("daemon_no_image", &with(&env, &engine, ["inspect", "docker-daemon:shop:9"]).fails(2));
    engine.hitch(Hitch::Cut(2000));
    env.check("daemon_broken", &with(&env, &engine, ["copy", "docker-daemon:shop:1", "oci:x"]).fails(2));
    let mut command = env.command(["inspect", "docker-daemon:shop:1"]);
    command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    env.check("daemon_not_running", &Output::of(command).fails(2));
    let mut command = env.command(["inspect", "docker-daemon:shop:1"]);
    command.env("DOCKER_HOST", "ssh://harbour");
    env.check("daemon_elsewhere", &Output::of(command).fails(2));
}
