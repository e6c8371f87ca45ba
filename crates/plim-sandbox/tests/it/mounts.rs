//! Mounts of every kind, and that nothing of them remains.

use std::fs;
use std::os::unix::fs::symlink;

use plim_sandbox::{Mount, MountSource, RootFs, Secret, Spec};

use crate::Case;
use crate::fixture::{Fixture, chain, listing};

pub const CASES: &[Case] = &[
    ("mounts::binds_write_through_unless_read_only", binds_write_through_unless_read_only),
    ("mounts::scratch_writes_are_discarded", scratch_writes_are_discarded),
    ("mounts::unions_show_a_path_of_another_root", unions_show_a_path_of_another_root),
    ("mounts::tmpfs_has_size_and_mode", tmpfs_has_size_and_mode),
    ("mounts::secrets_never_reach_the_disk", secrets_never_reach_the_disk),
    ("mounts::nested_targets_in_any_order", nested_targets_in_any_order),
    ("mounts::links_do_not_lead_outside", links_do_not_lead_outside),
    ("mounts::kinds_must_match", kinds_must_match),
    ("mounts::hosts_and_resolver", hosts_and_resolver),
    ("mounts::usual_mounts_can_be_replaced", usual_mounts_can_be_replaced),
];

pub fn mount(target: &str, source: MountSource) -> Mount {
    Mount { target: target.into(), source }
}

fn with(mut spec: Spec, mounts: Vec<Mount>) -> Spec {
    spec.mounts = mounts;
    spec
}

fn binds_write_through_unless_read_only(fixture: &Fixture) {
    let (layer, host) = (fixture.layer(), fixture.host_dir());
    fs::write(host.path().join("in"), "from the host\n").unwrap();
    let bind = |read_only| mount("/cache/dir", MountSource::Bind { path: host.path().to_owned(), read_only });
    let script = "cat /cache/dir/in; echo x > /cache/dir/out || echo refused";
    let outcome = Fixture::run(&with(fixture.spec(&layer, script), vec![bind(true)]));
    assert_eq!(outcome.ok(), "from the host\nrefused\n");
    Fixture::run(&with(fixture.spec(&layer, script), vec![bind(false)])).ok();
    assert_eq!(fs::read_to_string(host.path().join("out")).unwrap(), "x\n");
    assert_eq!(listing(&layer.upper), [""; 0]);
}

fn scratch_writes_are_discarded(fixture: &Fixture) {
    let (layer, host) = (fixture.layer(), fixture.host_dir());
    fs::write(host.path().join("in"), "old\n").unwrap();
    let scratch = |path: &std::path::Path, target| mount(target, MountSource::Scratch { path: path.to_owned() });
    let mounts = || vec![scratch(host.path(), "/ctx"), scratch(&host.path().join("in"), "/one")];
    let script = "echo new > /ctx/in; rm -f /ctx/in; echo new > /ctx/more; echo new > /one; cat /ctx/more /one";
    assert_eq!(Fixture::run(&with(fixture.spec(&layer, script), mounts())).ok(), "new\nnew\n");
    let in_place = Spec { root: RootFs::ReadOnly { lower: vec![fixture.lower()] }, ..fixture.spec(&layer, script) };
    assert_eq!(Fixture::run(&with(in_place, mounts())).ok(), "new\nnew\n");
    assert_eq!(listing(host.path()), ["in"]);
    assert_eq!(fs::read_to_string(host.path().join("in")).unwrap(), "old\n");
    assert_eq!(listing(&layer.upper), [""; 0]);
    assert_eq!(listing(layer.upper.parent().unwrap()), ["upper", "work"]);
}

fn unions_show_a_path_of_another_root(fixture: &Fixture) {
    let (layer, top) = (fixture.layer(), fixture.host_dir());
    fs::create_dir(top.path().join("data")).unwrap();
    fs::write(top.path().join("data/more"), "top\n").unwrap();
    symlink("/data", top.path().join("link")).unwrap();
    symlink("/../../etc", top.path().join("out")).unwrap();
    let union = |path: &str, writable| MountSource::Union {
        lower: vec![top.path().to_owned(), fixture.lower()],
        path: path.into(),
        writable,
    };
    let script = "cat /m/more /m/file; echo x > /m/new 2>/dev/null && cat /m/new || echo refused";
    let run = |source, script| Fixture::run(&with(fixture.spec(&layer, script), vec![mount("/m", source)])).ok();
    assert_eq!(run(union("link", false), script), "top\nlower\nrefused\n");
    assert_eq!(run(union("/data", true), script), "top\nlower\nx\n");
    assert_eq!(run(union("data/file", false), "cat /m"), "lower\n");
    assert!(run(union("out", false), "ls /m").contains("passwd\n"), "the union's own /etc");
    let missing = with(fixture.spec(&layer, "true"), vec![mount("/m", union("no/such", false))]);
    let error = Fixture::try_run(&missing).err().expect("there is no such path");
    assert_eq!(chain(&error), "failed to find no/such for the mount on /m: no such file or directory");
    assert_eq!(listing(&layer.upper), [""; 0]);
    assert_eq!(listing(top.path()), ["data", "data/more", "link", "out"]);
}

fn tmpfs_has_size_and_mode(fixture: &Fixture) {
    let layer = fixture.layer();
    let tmpfs = mount("/tmp", MountSource::Tmpfs { size: Some(1 << 20), mode: 0o1777 });
    let script = "stat -c %a /tmp; dd if=/dev/zero of=/tmp/x bs=64k count=17 2>/dev/null || echo full";
    assert_eq!(Fixture::run(&with(fixture.spec(&layer, script), vec![tmpfs])).ok(), "1777\nfull\n");
    assert_eq!(listing(&layer.upper), [""; 0]);
}

fn secrets_never_reach_the_disk(fixture: &Fixture) {
    let layer = fixture.layer();
    let bytes = Secret::new(b"hunter2-hunter2".to_vec());
    let uid = if fixture.has_users() { 1000 } else { 0 };
    let secret = mount("/run/secrets/token", MountSource::Content { bytes, mode: 0o400, uid, gid: 0 });
    let bytes = Secret::new(vec![b'x'; 1 << 20]);
    let large = mount("/large", MountSource::Content { bytes, mode: 0o444, uid: 0, gid: 0 });
    let script = "stat -c %a:%u /run/secrets/token; stat -c %s /large; cat /run/secrets/token; echo x > /run/secrets/token || echo ' refused'";
    let spec = with(fixture.spec(&layer, script), vec![secret, large]);
    let expected = format!("400:{uid}\n1048576\nhunter2-hunter2 refused\n");
    assert_eq!(Fixture::run(&spec).ok(), expected);
    assert_eq!(listing(&layer.upper), [""; 0]);
    assert_eq!(listing(&layer.work), [""; 0]);
    assert!(!format!("{spec:?}").contains("hunter2"));
}

fn nested_targets_in_any_order(fixture: &Fixture) {
    let (layer, outer, inner) = (fixture.layer(), fixture.host_dir(), fixture.host_dir());
    fs::create_dir(outer.path().join("sub")).unwrap();
    fs::write(inner.path().join("deep"), "deep\n").unwrap();
    let bind = |path: &std::path::Path| MountSource::Bind { path: path.to_owned(), read_only: false };
    let mounts = vec![mount("/a/sub", bind(inner.path())), mount("/a", bind(outer.path()))];
    assert_eq!(Fixture::run(&with(fixture.spec(&layer, "cat /a/sub/deep"), mounts)).ok(), "deep\n");
    assert_eq!(listing(&layer.upper), [""; 0]);
}

fn links_do_not_lead_outside(fixture: &Fixture) {
    let (layer, host) = (fixture.layer(), fixture.host_dir());
    fs::create_dir(host.path().join("target")).unwrap();
    let top = fixture.host_dir();
    // the image tries to have a mount point made, and a mount made, in a directory of the host
    symlink(host.path(), top.path().join("trick")).unwrap();
    symlink("../../../../..", top.path().join("up")).unwrap();
    let mut spec = fixture.spec(&layer, "echo x > /trick/target/x; cat /trick/target/x; ls /");
    spec.root = RootFs::Overlay {
        lower: vec![top.path().to_owned(), fixture.lower()],
        upper: layer.upper.clone(),
        work: layer.work.clone(),
    };
    let tmpfs = || MountSource::Tmpfs { size: None, mode: 0o755 };
    let up = format!("/up{}/target", host.path().display());
    let outcome = Fixture::run(&with(spec, vec![mount("/trick/target", tmpfs()), mount(&up, tmpfs())]));
    assert!(outcome.ok().starts_with("x\n"));
    assert_eq!(listing(host.path()), ["target"]);
    assert_eq!(listing(&layer.upper), [""; 0]);
}

fn kinds_must_match(fixture: &Fixture) {
    let host = fixture.host_dir();
    let bind = MountSource::Bind { path: host.path().to_owned(), read_only: true };
    let spec = with(fixture.spec(&fixture.layer(), "true"), vec![mount("/data/file", bind)]);
    let error = Fixture::try_run(&spec).err().expect("a directory cannot cover a file");
    assert_eq!(chain(&error), "failed to mount on /data/file: not a directory");
}

fn hosts_and_resolver(fixture: &Fixture) {
    let layer = fixture.layer();
    let mut spec =
        fixture.spec(&layer, "grep -c . /etc/hosts; grep db /etc/hosts; echo x > /etc/hosts || echo refused");
    spec.extra_hosts.push(("db".to_owned(), "10.1.2.3".to_owned()));
    assert_eq!(Fixture::run(&spec).ok(), "3\n10.1.2.3 db\nrefused\n");
    assert_eq!(listing(&layer.upper), [""; 0]);
    if let Ok(host) = fs::read_to_string("/etc/resolv.conf") {
        assert_eq!(fixture.sh("cat /etc/resolv.conf").ok(), host);
    }
}

fn usual_mounts_can_be_replaced(fixture: &Fixture) {
    let layer = fixture.layer();
    let content = |text: &str| MountSource::Content { bytes: Secret::new(text.into()), mode: 0o644, uid: 0, gid: 0 };
    let tmpfs = MountSource::Tmpfs { size: Some(128 << 20), mode: 0o1777 };
    let mounts = vec![mount("/dev/shm/", tmpfs), mount("/etc/hosts", content("mine\n"))];
    let script =
        "grep -E ' /(dev/shm|etc/hosts) ' /proc/mounts | grep -c .; grep -c size=131072k /proc/mounts; cat /etc/hosts";
    assert_eq!(Fixture::run(&with(fixture.spec(&layer, script), mounts)).ok(), "2\n1\nmine\n");
}
