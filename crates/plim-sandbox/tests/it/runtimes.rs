//! The same commands by other runtimes: what they see must be what plim's own containers show.

use std::fs;
use std::path::{Path, PathBuf};

use plim_sandbox::{Mount, MountSource, Network, SandboxError};

use crate::Case;
use crate::fixture::{Fixture, Mode};

pub const CASES: &[Case] = &[
    ("runtimes::rights_are_those_of_plims_own_containers", rights_are_the_same),
    ("runtimes::changes_and_mounts_are_as_ever", changes_and_mounts_are_as_ever),
    ("runtimes::nothing_outlives_the_command", nothing_outlives_the_command),
    ("runtimes::one_that_is_not_there_is_named", one_that_is_not_there_is_named),
];

/// The runtimes of this machine. runc wants control groups, which it cannot have in a user namespace.
fn runtimes(fixture: &Fixture) -> Vec<PathBuf> {
    let names: &[&str] = if matches!(fixture.mode, Mode::Root) { &["crun", "runc"] } else { &["crun"] };
    let found = |name: &&str| {
        ["/usr/bin", "/usr/sbin", "/usr/local/bin"]
            .iter()
            .map(|dir| Path::new(dir).join(name))
            .find(|path| path.exists())
    };
    // not each can do its work everywhere: crun as root wants to load a program into the kernel
    let usable = |runtime: &PathBuf| {
        let mut spec = fixture.spec(&fixture.layer(), "true");
        spec.runtime = Some(runtime.clone());
        let outcome = Fixture::run(&spec);
        if !outcome.exit.success() {
            println!("skipped: {} does not work here: {}", runtime.display(), outcome.err.trim());
        }
        outcome.exit.success()
    };
    let found: Vec<PathBuf> = names.iter().filter_map(found).filter(usable).collect();
    if found.is_empty() {
        println!("skipped: neither crun nor runc can be used");
    }
    found
}

fn rights_are_the_same(fixture: &Fixture) {
    let script = "grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups)' /proc/self/status; id; echo $HOME; pwd; cat /proc/1/comm
        cat /proc/sys/kernel/hostname; ls /dev /proc/acpi; touch /proc/sys/kernel/x 2>&1; cat /etc/hosts; echo pid $$; ls -d /proc/[0-9]*; cat /proc/kcore /proc/keys
        umask; mount 2>&1; mknod /tmp/n b 8 0; mknod /tmp/k c 1 1; cat /tmp/n /tmp/k 2>&1 | grep -o ': [OP].*'; ls -A /; exit 3";
    for runtime in runtimes(fixture) {
        for user in ["", "app"] {
            if user == "app" && !fixture.has_users() {
                continue;
            }
            let outcome = |runtime: Option<&PathBuf>| {
                let mut spec = fixture.spec(&fixture.layer(), script);
                user.clone_into(&mut spec.user);
                spec.cwd = "/made/for/it".into();
                spec.runtime = runtime.cloned();
                let outcome = Fixture::run(&spec);
                let differs = ["sh", "crun", "runc"];
                let lines = outcome.out.lines().filter(|line| !differs.contains(line));
                (outcome.exit.code, lines.map(str::to_owned).collect::<Vec<_>>())
            };
            let (own, other) = (outcome(None), outcome(Some(&runtime)));
            assert_eq!(own, other, "{} as `{user}`", runtime.display());
            assert_eq!(own.0, 3);
        }
    }
}

fn changes_and_mounts_are_as_ever(fixture: &Fixture) {
    for runtime in runtimes(fixture) {
        let host = fixture.host_dir();
        fs::write(host.path().join("in"), "from outside").unwrap();
        let layer = fixture.layer();
        let mut spec = fixture.spec(&layer, "cat /deep/mount/in; cat /run/secret; echo new >/data/file; rm /etc/group");
        spec.runtime = Some(runtime.clone());
        spec.network = Network::None;
        spec.mounts.push(Mount {
            target: "/deep/mount".into(),
            source: MountSource::Bind { path: host.path().to_owned(), read_only: true },
        });
        let bytes = b"hidden".to_vec().into();
        spec.mounts.push(Mount {
            target: "/run/secret".into(),
            source: MountSource::Content { bytes, mode: 0o400, uid: 0, gid: 0 },
        });
        assert_eq!(Fixture::run(&spec).ok(), "from outsidehidden");
        let mut left: Vec<String> =
            fs::read_dir(&layer.upper).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["data", "etc"], "no trace of mounts, by {}", runtime.display());
        assert_eq!(fs::read_to_string(layer.upper.join("data/file")).unwrap(), "new\n");
    }
}

fn nothing_outlives_the_command(fixture: &Fixture) {
    for runtime in runtimes(fixture) {
        let layer = fixture.layer();
        let script = "(while :; do sleep 0.05; echo x >>/data/alive; done) >/dev/null 2>&1 & sleep 0.3; exit 7";
        let mut spec = fixture.spec(&layer, script);
        spec.runtime = Some(runtime.clone());
        assert_eq!(Fixture::run(&spec).exit.code, 7);
        let size = || fs::metadata(layer.upper.join("data/alive")).unwrap().len();
        let before = size();
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(size(), before, "{}", runtime.display());
    }
}

fn one_that_is_not_there_is_named(fixture: &Fixture) {
    let mut spec = fixture.spec(&fixture.layer(), "true");
    spec.runtime = Some("/nowhere/crun".into());
    let error = Fixture::try_run(&spec).err().expect("there is no such runtime");
    assert_eq!(error.to_string(), "executable `/nowhere/crun` not found");
    spec.runtime = Some("crun".into());
    assert!(matches!(Fixture::try_run(&spec), Err(SandboxError::Invalid(_))));
}
