//! Commands without namespaces: what is put into the root, and that nothing of it remains.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use bstr::BString;
use plim_sandbox::{Exit, Isolation, MountSource, Network, RootFs, SandboxError, Secret, Spec, start};

use crate::Case;
use crate::background::until;
use crate::fixture::{Fixture, Mode, chain, listing};
use crate::mounts::mount;

pub const CASES: &[Case] = &[
    ("chroot::a_command_leaves_only_what_it_made", a_command_leaves_only_what_it_made),
    ("chroot::mounts_are_put_in_and_taken_out", mounts_are_put_in_and_taken_out),
    ("chroot::caches_are_moved_in_and_back", caches_are_moved_in_and_back),
    ("chroot::secrets_are_gone_wherever_they_were_put", secrets_are_gone_wherever_they_were_put),
    ("chroot::what_was_covered_comes_back", what_was_covered_comes_back),
    ("chroot::failures_leave_nothing", failures_leave_nothing),
    ("chroot::no_process_survives", no_process_survives),
    ("chroot::a_killed_caller_takes_all_with_it", a_killed_caller_takes_all_with_it),
    ("chroot::a_killed_helper_leaves_no_process", a_killed_helper_leaves_no_process),
    ("chroot::devices_work", devices_work),
    ("chroot::users_have_their_rights", users_have_their_rights),
    ("chroot::signals_and_network_are_those_outside", signals_and_network_are_those_outside),
    ("chroot::only_directories_are_roots", only_directories_are_roots),
];

/// A root of its own with the fixture's programs; it goes away with the fixture.
struct Root(PathBuf);

impl Root {
    fn new(fixture: &Fixture) -> Option<Self> {
        if fixture.mode != Mode::Root {
            println!("skipped: only root can change the root directory");
            return None;
        }
        let root = fixture.layer().upper;
        let copied = Command::new("cp").arg("-a").arg(fixture.lower().join(".")).arg(&root).status().unwrap();
        assert!(copied.success());
        Some(Self(root))
    }

    fn spec(&self, script: &str) -> Spec {
        Spec {
            isolation: Isolation::Chroot,
            args: ["sh", "-c", script].map(BString::from).to_vec(),
            env: vec!["PATH=/usr/bin:/bin".into()],
            ..Spec::new(RootFs::Dir(self.0.clone()))
        }
    }

    /// The paths that the fixture did not put there.
    fn added(&self, fixture: &Fixture) -> Vec<String> {
        let before = listing(&fixture.lower());
        listing(&self.0).into_iter().filter(|path| !before.contains(path)).collect()
    }

    fn is_tidy(&self, fixture: &Fixture) -> bool {
        let beside = listing(self.0.parent().unwrap()).into_iter().any(|path| path.contains("covered"));
        self.added(fixture).is_empty() && !beside
    }
}

fn content(target: &str, text: &str) -> plim_sandbox::Mount {
    mount(target, MountSource::Content { bytes: Secret::new(text.into()), mode: 0o400, uid: 0, gid: 0 })
}

fn a_command_leaves_only_what_it_made(fixture: &Fixture) {
    let Some(root) = Root::new(fixture) else { return };
    let time = |root: &Root, path: &str| fs::metadata(root.0.join(path)).unwrap().modified().unwrap();
    let (before, made) = (["", "etc"].map(|path| time(&root, path)), time(&root, "data"));
    let out =
        Fixture::run(&root.spec("ls -d /proc /dev /sys /etc/hosts; ls /proc/self 2>/dev/null; echo x > /data/new"));
    assert_eq!(out.ok(), "/dev\n/etc/hosts\n/proc\n/sys\n");
    assert_eq!(root.added(fixture), ["data/new"]);
    assert_eq!(["", "etc"].map(|path| time(&root, path)), before);
    assert_ne!(time(&root, "data"), made, "the command made a file here");
}

fn mounts_are_put_in_and_taken_out(fixture: &Fixture) {
    let Some(root) = Root::new(fixture) else { return };
    let host = fixture.host_dir();
    fs::write(host.path().join("in"), "from the host\n").unwrap();
    let mut spec = root.spec("cat /in/here/in /one; echo x > /in/here/in; echo y > /tmp/z; stat -c %a /tmp; ls /tmp");
    spec.mounts = vec![
        mount("/in/here", MountSource::Bind { path: host.path().to_owned(), read_only: true }),
        mount("/one", MountSource::Scratch { path: host.path().join("in") }),
        mount("/tmp", MountSource::Tmpfs { size: None, mode: 0o1777 }),
    ];
    assert_eq!(Fixture::run(&spec).ok(), "from the host\nfrom the host\n1777\nz\n");
    assert!(root.is_tidy(fixture), "{:?}", root.added(fixture));
    assert_eq!(fs::read_to_string(host.path().join("in")).unwrap(), "from the host\n");
    spec.mounts = vec![mount("/rw", MountSource::Bind { path: host.path().to_owned(), read_only: false })];
    let error = Fixture::try_run(&spec).err().expect("nothing can be shown in two places");
    assert_eq!(error.to_string(), "without namespaces /rw can only be mounted to be read (`:ro`)");
}

fn caches_are_moved_in_and_back(fixture: &Fixture) {
    let Some(root) = Root::new(fixture) else { return };
    let host = fixture.host_dir();
    let (cache, lost) = (host.path().join("cache"), host.path().join("lost"));
    for dir in [&cache, &lost] {
        fs::create_dir(dir).unwrap();
        fs::write(dir.join("old"), "old\n").unwrap();
    }
    let before = fs::metadata(root.0.join("data")).unwrap().modified().unwrap();
    let mut spec = root.spec("cat /data/cache/old /lost/old; echo new > /data/cache/new; rm /data/cache/old");
    spec.mounts = vec![
        mount("/data/cache", MountSource::Moved { path: cache.clone(), back: true }),
        mount("/lost", MountSource::Moved { path: lost.clone(), back: false }),
    ];
    assert_eq!(Fixture::run(&spec).ok(), "old\nold\n");
    assert_eq!(listing(&cache), ["new"]);
    assert!(!lost.exists());
    assert!(root.is_tidy(fixture), "{:?}", root.added(fixture));
    assert_eq!(fs::metadata(root.0.join("data")).unwrap().modified().unwrap(), before);
}

fn secrets_are_gone_wherever_they_were_put(fixture: &Fixture) {
    let Some(root) = Root::new(fixture) else { return };
    let mut spec = root.spec(
        "stat -c %a /run/secrets/token; cat /run/secrets/token; ln /run/secrets/token /kept; mv /run/secrets /moved; \
         ln /run/other /data/linked; rm -f /run/other",
    );
    spec.mounts = vec![content("/run/secrets/token", "hunter2"), content("/run/other", "hunter2-too")];
    assert_eq!(Fixture::run(&spec).ok(), "400\nhunter2");
    for path in ["kept", "moved/token", "data/linked"] {
        assert_eq!(fs::read(root.0.join(path)).unwrap(), b"", "{path}");
    }
    let found = Command::new("grep")
        .args(["-rl", "--exclude=this-test", "hunter2"])
        .arg(root.0.parent().unwrap())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}

fn what_was_covered_comes_back(fixture: &Fixture) {
    let Some(root) = Root::new(fixture) else { return };
    fs::create_dir(root.0.join("dev")).unwrap();
    fs::write(root.0.join("dev/mine"), "mine").unwrap();
    fs::write(root.0.join("etc/hosts"), "10.0.0.1 mine\n").unwrap();
    let old = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
    fs::File::open(root.0.join("etc")).unwrap().set_times(old).unwrap();
    let mut spec = root.spec("grep -c mine /etc/hosts; ls /dev/mine; echo x >> /etc/hosts; rm -f /etc/hosts; true");
    spec.extra_hosts.push(("db".to_owned(), "10.1.2.3".to_owned()));
    assert_eq!(Fixture::run(&spec).ok(), "0\n");
    assert_eq!(fs::read_to_string(root.0.join("etc/hosts")).unwrap(), "10.0.0.1 mine\n");
    assert_eq!(listing(&root.0.join("dev")), ["mine"]);
    // a directory in the place of one that was covered stays away, too
    let outcome = Fixture::run(&root.spec("mv /dev /old; mkdir /dev; echo x > /dev/x"));
    assert!(outcome.exit.success(), "{}", outcome.err);
    assert_eq!(listing(&root.0.join("dev")), ["mine"]);
}

fn failures_leave_nothing(fixture: &Fixture) {
    let Some(root) = Root::new(fixture) else { return };
    let mut spec = root.spec("");
    spec.args = vec!["no-such".into()];
    spec.mounts = vec![content("/run/secrets/token", "hunter2")];
    assert!(matches!(Fixture::try_run(&spec), Err(SandboxError::Program { .. })));
    assert!(root.is_tidy(fixture), "{:?}", root.added(fixture));
    spec.mounts.push(mount("/data/file", MountSource::Tmpfs { size: None, mode: 0o755 }));
    let error = Fixture::try_run(&spec).err().expect("a directory cannot cover a file");
    assert_eq!(chain(&error), "failed to mount on /data/file: not a directory");
    assert!(root.is_tidy(fixture), "{:?}", root.added(fixture));
    spec.mounts.clear();
    "nobody-knows".clone_into(&mut spec.user);
    assert!(matches!(Fixture::try_run(&spec), Err(SandboxError::UnknownUser { .. })));
    assert!(root.is_tidy(fixture), "{:?}", root.added(fixture));
}

/// Says whether a process with this argument runs.
fn runs(argument: &str) -> bool {
    let has = |pid: &Path| {
        fs::read(pid.join("cmdline")).is_ok_and(|line| line.split(|byte| *byte == 0).any(|a| a == argument.as_bytes()))
    };
    fs::read_dir("/proc").unwrap().any(|entry| has(&entry.unwrap().path()))
}

fn no_process_survives(fixture: &Fixture) {
    let Some(root) = Root::new(fixture) else { return };
    let script = "trap '' HUP TERM; (sleep 271828 & (sleep 271828 & sleep 271828) & ) ; env sh -c 'sleep 271828 & exit 0'; \
                  echo started";
    assert_eq!(Fixture::run(&root.spec(script)).ok(), "started\n");
    assert!(!runs("271828"));
    assert!(root.is_tidy(fixture), "{:?}", root.added(fixture));
}

fn a_killed_caller_takes_all_with_it(fixture: &Fixture) {
    let Some(root) = Root::new(fixture) else { return };
    let mut caller = crate::background::caller(&[&root.0]);
    let pid = crate::background::first_line(&mut caller);
    assert!(root.0.join("run/secrets/token").exists(), "{pid}");
    caller.kill().unwrap();
    caller.wait().unwrap();
    until(|| !fs::exists(format!("/proc/{pid}")).unwrap());
    // the directory of what was covered goes last
    until(|| !fs::exists(root.0.with_file_name("upper.covered")).unwrap());
    assert!(root.is_tidy(fixture), "{:?}", root.added(fixture));
    assert!(!runs("314159"));
}

fn a_killed_helper_leaves_no_process(fixture: &Fixture) {
    let Some(root) = Root::new(fixture) else { return };
    let mut container = start(&root.spec("echo ready; (sleep 141421 &) ; sleep 141421")).unwrap();
    until(|| container.logs().starts_with(b"ready"));
    let helper = crate::background::helper_of(&container);
    rustix::process::kill_process(helper, rustix::process::Signal::KILL).unwrap();
    let end = container.wait_timeout(crate::background::LONG);
    assert!(matches!(end, Err(SandboxError::Helper(_))), "{end:?}");
    until(|| !runs("141421"));
}

fn devices_work(fixture: &Fixture) {
    let Some(root) = Root::new(fixture) else { return };
    let script = "for d in null zero full random urandom; do test -c /dev/$d || echo no $d; done; echo x > /dev/null; \
                  dd if=/dev/zero bs=4 count=1 2>/dev/null | od -An -tx1 2>/dev/null; cat /dev/null; \
                  echo x > /dev/full || echo full; test -s /proc/version && echo version";
    let out = Fixture::run(&root.spec(script));
    assert!(out.out.ends_with("full\nversion\n") && !out.out.contains("no "), "{}{}", out.out, out.err);
    assert!(!fs::symlink_metadata("/dev/null").unwrap().file_type().is_file());
    assert!(fs::symlink_metadata("/dev/null").unwrap().file_type().is_char_device());
}

fn users_have_their_rights(fixture: &Fixture) {
    let Some(root) = Root::new(fixture) else { return };
    fs::set_permissions(root.0.join("data"), fs::Permissions::from_mode(0o700)).unwrap();
    let mut spec = root.spec("id -u; id -g; id -G; cat /data/file || echo refused; echo $HOME; umask");
    "app".clone_into(&mut spec.user);
    spec.cwd = "/home/app/work".into();
    assert_eq!(Fixture::run(&spec).ok(), "1000\n1001\n1001 44\nrefused\n/home/app\n0022\n");
    assert_eq!(root.added(fixture), ["home/app/work"]);
}

fn signals_and_network_are_those_outside(fixture: &Fixture) {
    let Some(root) = Root::new(fixture) else { return };
    let mut spec = root.spec("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done");
    spec.network = Network::None;
    let mut container = start(&spec).unwrap();
    until(|| container.logs().starts_with(b"ready"));
    assert_eq!(container.in_network(|| 1).unwrap(), 1);
    container.signal(15).unwrap();
    let end = container.wait_timeout(crate::background::LONG).unwrap();
    assert_eq!(end, Some(Exit { code: 7, signal: None }));
    let container = start(&root.spec("sleep 161803 & sleep 161803")).unwrap();
    drop(container);
    assert!(!runs("161803"));
}

fn only_directories_are_roots(fixture: &Fixture) {
    let layer = fixture.layer();
    let spec = Spec { isolation: Isolation::Chroot, ..fixture.spec(&layer, "true") };
    let error = Fixture::try_run(&spec).err().expect("an overlay cannot be mounted");
    assert_eq!(error.to_string(), "without namespaces a root file system must be one directory");
}
