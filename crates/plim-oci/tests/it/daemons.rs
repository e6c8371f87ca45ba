//! Images of container engines, against one that does not always do what it should.

use std::os::unix::fs::PermissionsExt as _;

use plim_oci::archive::{Archive, write_docker};
use plim_oci::copy::{Options, copy};
use plim_oci::daemon::{Daemon, DaemonError, Sockets};
use plim_oci::location::Engine;
use plim_oci::{BlobError, Image, Reference, Silent};
use plim_testkit::engine::{ContainerEngine, Hitch, dead_socket};
use plim_testkit::{ImageBuilder, LayerBuilder, TempLayout};

fn image(layout: &TempLayout) -> Image {
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(n) >> 9) as u8).collect();
    ImageBuilder::new().layer(LayerBuilder::new().file("large", content)).write(layout)
}

fn name() -> Reference {
    "shop:1".parse().unwrap()
}

/// What `docker save` writes of an image.
fn saved() -> (TempLayout, Image, Vec<u8>) {
    let layout = TempLayout::new();
    let image = image(&layout);
    let mut archive = Vec::new();
    write_docker(&*layout, &image, &[name()], &mut archive).unwrap();
    (layout, image, archive)
}

fn daemon(kind: Engine, engine: &ContainerEngine) -> Daemon {
    Daemon::find(kind, &Sockets { given: Some(engine.address()), usual: Vec::new() }).unwrap()
}

fn fetch(daemon: &Daemon, image: &str) -> Result<Archive, DaemonError> {
    daemon.fetch(image, tempfile::tempfile().unwrap())
}

#[test]
fn an_image_comes_out_of_an_engine_and_goes_into_it() {
    let (layout, image, archive) = saved();
    for kind in [Engine::Docker, Engine::Podman] {
        let engine = ContainerEngine::start();
        engine.image("localhost/team/shop:1", archive.clone());
        let daemon = daemon(kind, &engine);
        let fetched = fetch(&daemon, "localhost/team/shop:1").unwrap();
        let out = TempLayout::new();
        let root = fetched.resolve("").unwrap();
        copy(&fetched, &*out, &root, Options::default(), &Silent).unwrap();
        daemon.load(&|out| write_docker(&*layout, &image, &[name()], out)).unwrap();
        assert!(engine.loaded() == [archive.clone()], "{kind:?}");
        let requests = engine.requests();
        match kind {
            Engine::Docker => {
                assert_eq!(requests, ["GET /images/localhost/team/shop:1/get", "POST /images/load?quiet=1"]);
            }
            Engine::Podman => {
                assert!(requests.iter().all(|request| request.contains("/libpod/images/")), "{requests:?}");
            }
        }
    }
}

#[test]
fn an_image_that_is_not_there_is_named() {
    let engine = ContainerEngine::start();
    let error = fetch(&daemon(Engine::Docker, &engine), "shop:9").unwrap_err();
    assert_eq!(error.to_string(), "Docker has no image shop:9");
    assert!(error.hint().unwrap().contains("docker images"));
}

#[test]
fn a_refusal_says_what_the_engine_said() {
    let (layout, image, archive) = saved();
    let engine = ContainerEngine::start();
    engine.image("shop:1", archive);
    engine.hitch(Hitch::Status(500, "the disk is on fire\u{7}".to_owned()));
    let error = fetch(&daemon(Engine::Docker, &engine), "shop:1").unwrap_err();
    assert_eq!(error.to_string(), "Docker answered with status 500 when asked to give an image: the disk is on fire");
    // a load that fails late is answered with 200 all the same
    engine.hitch(Hitch::LateError("no space left on device".to_owned()));
    let error =
        daemon(Engine::Docker, &engine).load(&|out| write_docker(&*layout, &image, &[name()], out)).unwrap_err();
    assert!(error.to_string().ends_with("no space left on device"), "{error}");
}

#[test]
fn a_stream_that_breaks_is_no_image() {
    let (_, _, archive) = saved();
    for cut in [0, 100, archive.len() / 2, archive.len()] {
        let engine = ContainerEngine::start();
        engine.image("shop:1", archive.clone());
        engine.hitch(Hitch::Cut(cut));
        let error = fetch(&daemon(Engine::Docker, &engine), "shop:1").unwrap_err();
        assert!(matches!(error, DaemonError::Broken { .. }), "{cut}: {error:?}");
        // and the next time all is well
        fetch(&daemon(Engine::Docker, &engine), "shop:1").unwrap();
    }
}

#[test]
fn an_engine_that_hangs_up_stops_the_writer() {
    let (layout, image, _) = saved();
    let engine = ContainerEngine::start();
    engine.hitch(Hitch::HangUp(100_000));
    let error =
        daemon(Engine::Docker, &engine).load(&|out| write_docker(&*layout, &image, &[name()], out)).unwrap_err();
    assert!(matches!(error, DaemonError::Unreachable { .. }), "{error:?}");
    assert!(engine.loaded().is_empty());
}

#[test]
fn an_image_that_cannot_be_written_is_never_loaded_in_part() {
    let engine = ContainerEngine::start();
    let fails = |out: &mut dyn std::io::Write| {
        let failed = |source| BlobError::Io { action: "write", path: "the archive".to_owned(), source };
        out.write_all(&vec![1; 100_000]).map_err(failed)?;
        Err(failed(std::io::Error::other("a layer is damaged")))
    };
    let error = daemon(Engine::Docker, &engine).load(&fails).unwrap_err();
    assert!(
        matches!(&error, DaemonError::Blob(BlobError::Io { source, .. }) if source.to_string().contains("damaged"))
    );
    assert!(engine.loaded().is_empty());
}

#[test]
fn an_engine_that_is_not_running_gets_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let absent = Sockets { given: None, usual: vec![dir.path().join("a.sock"), dir.path().join("b.sock")] };
    let error = Daemon::find(Engine::Podman, &absent).unwrap_err();
    assert!(error.to_string().contains("a.sock") && error.to_string().contains("b.sock"), "{error}");
    assert!(error.hint().unwrap().contains("podman.socket"));
    // the socket of a daemon that died
    let dead = Sockets { given: None, usual: vec![dead_socket(dir.path())] };
    let error = fetch(&Daemon::find(Engine::Docker, &dead).unwrap(), "shop:1").unwrap_err();
    assert!(error.hint().unwrap().contains("start it"), "{error:?}");
    let remote = Sockets { given: Some("tcp://10.0.0.1:2375".to_owned()), usual: Vec::new() };
    let error = Daemon::find(Engine::Docker, &remote).unwrap_err();
    assert!(error.hint().unwrap().contains("docker save"), "{error}");
}

#[test]
fn a_socket_that_one_may_not_use_gets_a_hint_about_the_group() {
    if rustix::process::geteuid().is_root() {
        let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = DaemonError::Unreachable { engine: Engine::Docker, socket: "/run/x".to_owned(), source };
        assert!(error.hint().unwrap().contains("group `docker`"));
        return;
    }
    let engine = ContainerEngine::start();
    std::fs::set_permissions(engine.socket(), std::fs::Permissions::from_mode(0o000)).unwrap();
    let error = fetch(&daemon(Engine::Docker, &engine), "shop:1").unwrap_err();
    assert!(error.hint().unwrap().contains("group `docker`"), "{error:?}");
}

#[test]
fn an_archive_from_a_stream_is_read_by_way_of_a_file() {
    let (_, image, archive) = saved();
    let read = Archive::from_reader_by(&archive[..], tempfile::tempfile().unwrap(), "a stream").unwrap();
    let root = read.resolve("").unwrap();
    let platform = plim_oci::Platform::new("linux", "amd64");
    assert_eq!(plim_oci::read::image(&read, &root, &platform).unwrap().config_bytes, image.config_bytes);
}
