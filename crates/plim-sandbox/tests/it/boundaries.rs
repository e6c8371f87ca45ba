//! What a hostile image must not reach.

use std::fs::File;

use plim_sandbox::Network;
use rustix::fs::{SealFlags, StatVfsMountFlags};

use crate::Case;
use crate::fixture::{Fixture, Mode};

pub const CASES: &[Case] = &[
    ("boundaries::dangerous_files_are_masked", dangerous_files_are_masked),
    ("boundaries::dangerous_files_are_read_only", dangerous_files_are_read_only),
    ("boundaries::devices_are_few_and_no_others_open", devices_are_few_and_no_others_open),
    ("boundaries::no_mount_of_the_host_is_left", no_mount_of_the_host_is_left),
    ("boundaries::only_standard_streams_are_open", only_standard_streams_are_open),
    ("boundaries::the_helpers_program_cannot_be_written", the_helpers_program_cannot_be_written),
    ("boundaries::network_none_has_loopback_only", network_none_has_loopback_only),
    ("boundaries::syncing_is_skipped", syncing_is_skipped),
    ("boundaries::links_in_place_of_proc_are_refused", links_in_place_of_proc_are_refused),
];

/// What this program does when a case starts it inside.
pub fn inside() {
    match std::env::args().next().as_deref() {
        Some("/proc/self/exe") => {
            let exe = File::open("/proc/self/exe").unwrap();
            let flags = rustix::fs::fstatvfs(&exe).unwrap().f_flag;
            let sealed = rustix::fs::fcntl_get_seals(&exe).is_ok_and(|seals| seals.contains(SealFlags::WRITE));
            println!("read-only: {}", flags.contains(StatVfsMountFlags::RDONLY) || sealed);
        }
        Some("this-test-syncs") => {
            // on a descriptor that cannot be synced only the filter answers with success
            println!("{}", File::open("/dev/null").unwrap().sync_all().is_ok());
        }
        Some("this-test-calls") => crate::background::as_caller(),
        _ => return,
    }
    std::process::exit(0);
}

fn dangerous_files_are_masked(fixture: &Fixture) {
    assert_eq!(fixture.sh("cat /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug 2>/dev/null; true").ok(), "");
    assert_eq!(fixture.sh("ls /sys/firmware /proc/acpi /proc/scsi 2>/dev/null | grep -v : ; true").ok().trim(), "");
}

fn dangerous_files_are_read_only(fixture: &Fixture) {
    for file in
        ["/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/sys/kernel/mm/x"]
    {
        let script = format!("echo x > {file} || echo refused");
        assert_eq!(fixture.sh(&script).ok(), "refused\n", "{file}");
    }
    let mounts = fixture.sh("grep -E ' /(sys|proc/sys) ' /proc/self/mountinfo").ok();
    assert!(mounts.lines().count() >= 2 && mounts.lines().all(|line| line.contains(" ro,")), "{mounts}");
}

fn devices_are_few_and_no_others_open(fixture: &Fixture) {
    assert_eq!(
        fixture.sh("echo $(ls /dev)").ok(),
        "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero\n"
    );
    assert_eq!(fixture.sh("dd if=/dev/urandom of=/dev/null bs=1 count=8 2>/dev/null && echo x > /dev/null").ok(), "");
    if fixture.mode == Mode::Root {
        for dir in ["/", "/dev/", "/dev/shm/", "/tmp/"] {
            let script = format!("mknod {dir}mine c 1 5 && dd if={dir}mine bs=1 count=1 2>&1 | grep -c denied");
            assert_eq!(fixture.sh(&script).ok(), "1\n", "a device made in {dir} opens");
        }
    }
}

fn no_mount_of_the_host_is_left(fixture: &Fixture) {
    let out = fixture.sh("cat /proc/self/mountinfo").ok();
    assert!(!out.contains(fixture.lower().to_str().unwrap()), "the container learns no path of the host: {out}");
    let root = out.lines().filter(|line| line.split(' ').nth(4) == Some("/")).count();
    assert_eq!(root, 1, "{out}");
}

fn only_standard_streams_are_open(fixture: &Fixture) {
    // 3 is the directory that ls itself reads
    assert_eq!(fixture.sh("exec ls /proc/self/fd").ok(), "0\n1\n2\n3\n");
    assert_eq!(fixture.sh("ls -l /proc/self/fd/0 | grep -c /dev/null").ok(), "1\n");
}

fn the_helpers_program_cannot_be_written(fixture: &Fixture) {
    let layer = fixture.layer();
    Fixture::run(&fixture.spec(&layer, "echo '#!/proc/self/exe' > /bin/again; chmod 755 /bin/again")).ok();
    let mut spec = fixture.spec(&layer, "");
    spec.args = vec!["again".into()];
    assert_eq!(Fixture::run(&spec).ok(), "read-only: true\n");
}

fn network_none_has_loopback_only(fixture: &Fixture) {
    let mut spec =
        fixture.spec(&fixture.layer(), "grep : /proc/net/dev; cat /sys/class/net/lo/operstate; ls /sys/class/net");
    spec.network = Network::None;
    let out = Fixture::run(&spec).ok();
    let devices: Vec<&str> = out.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim()).collect();
    assert!(devices.contains(&"lo") && !devices.iter().any(|name| name.starts_with("eth")), "{out}");
    assert!(out.ends_with("unknown\nlo\n"), "loopback is up, and alone: {out}");
}

fn syncing_is_skipped(fixture: &Fixture) {
    let layer = fixture.layer();
    Fixture::run(&fixture.spec(&layer, "ln /bin/this-test /bin/this-test-syncs")).ok();
    for skip in [true, false] {
        let mut spec = fixture.spec(&layer, "");
        spec.args = vec!["this-test-syncs".into()];
        spec.skip_fsync = skip;
        assert_eq!(Fixture::run(&spec).ok(), format!("{skip}\n"));
    }
}

fn links_in_place_of_proc_are_refused(fixture: &Fixture) {
    let top = fixture.host_dir();
    std::os::unix::fs::symlink("/etc", top.path().join("proc")).unwrap();
    let layer = fixture.layer();
    let mut spec = fixture.spec(&layer, "true");
    spec.root = plim_sandbox::RootFs::ReadOnly { lower: vec![top.path().to_owned(), fixture.lower()] };
    let error = Fixture::try_run(&spec).err().expect("proc must be a directory");
    assert_eq!(error.to_string(), "/proc of the image is not a directory");
}
