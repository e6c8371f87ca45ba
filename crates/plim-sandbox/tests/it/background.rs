//! Containers in the background.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bstr::BString;
use plim_sandbox::{
    Container, Exit, Isolation, Mount, MountSource, Network, RootFs, SandboxError, Secret, Spec, start,
};

use crate::Case;
use crate::fixture::{Fixture, listing};

pub const CASES: &[Case] = &[
    ("background::logs_signals_and_end", logs_signals_and_end),
    ("background::the_network_of_a_container_is_reached", the_network_of_a_container_is_reached),
    ("background::dropping_kills", dropping_kills),
    ("background::a_killed_caller_takes_all_with_it", a_killed_caller_takes_all_with_it),
    ("background::a_dead_helper_is_cleaned_up_after", a_dead_helper_is_cleaned_up_after),
    ("background::programs_that_cannot_start_are_errors", programs_that_cannot_start_are_errors),
];

/// Longer than anything here takes on a loaded machine; nothing depends on it when all is well.
pub const LONG: Duration = Duration::from_mins(1);

pub fn until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < deadline, "it did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn says(container: &Container, text: &str) -> bool {
    String::from_utf8_lossy(&container.logs()).contains(text)
}

fn logs_signals_and_end(fixture: &Fixture) {
    let script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done";
    let mut container = start(&fixture.spec(&fixture.layer(), script)).unwrap();
    assert!(container.pid() > 1);
    until(|| says(&container, "ready"));
    assert!(container.try_wait().unwrap().is_none());
    assert!(container.wait_timeout(Duration::from_millis(1)).unwrap().is_none());
    container.signal(15).unwrap();
    assert_eq!(container.wait_timeout(LONG).unwrap(), Some(Exit { code: 7, signal: None }));
    assert_eq!(container.try_wait().unwrap(), Some(Exit { code: 7, signal: None }));
    assert_eq!(container.logs(), b"ready\nbye\n");
    container.signal(9).unwrap();
    assert!(matches!(container.signal(1000), Err(SandboxError::Invalid(_))));
}

fn the_network_of_a_container_is_reached(fixture: &Fixture) {
    let mut spec = fixture.spec(&fixture.layer(), "echo up; sleep 1000");
    spec.network = Network::None;
    let container = start(&spec).unwrap();
    // what listens inside is this thread, moved in: the same way back out leads to the host
    let listener = container.in_network(|| TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"inside").unwrap());
    let mut answer = String::new();
    container.in_network(|| TcpStream::connect(address).unwrap().read_to_string(&mut answer).unwrap()).unwrap();
    server.join().unwrap();
    assert_eq!(answer, "inside");
    assert!(TcpStream::connect(address).is_err(), "the host's network is another one");
    let route = container.in_network(|| TcpStream::connect("192.0.2.1:9")).unwrap();
    assert!(route.is_err(), "there is no way out");
}

fn dropping_kills(fixture: &Fixture) {
    let layer = fixture.layer();
    let container = start(&fixture.spec(&layer, "echo ready; sleep 100000")).unwrap();
    until(|| says(&container, "ready"));
    let process = format!("/proc/{}", container.pid());
    assert!(fs::exists(&process).unwrap());
    drop(container);
    assert!(!fs::exists(&process).unwrap());
}

/// What this program does when a case starts it as a caller that will be killed.
pub fn as_caller() {
    let mut args = std::env::args().skip(1).map(PathBuf::from);
    let Some(first) = args.next() else { return };
    let script = |text: &str| ["sh", "-c", text].map(BString::from).to_vec();
    let spec = if let (Some(upper), Some(work)) = (args.next(), args.next()) {
        let root = RootFs::Overlay { lower: vec![first], upper, work };
        Spec { args: script("trap '' HUP TERM; sleep 100000"), ..Spec::new(root) }
    } else {
        // one directory is the root of a command without namespaces
        let bytes = Secret::new(b"hunter2".to_vec());
        let source = MountSource::Content { bytes, mode: 0o400, uid: 0, gid: 0 };
        Spec {
            args: script("trap '' HUP TERM; sleep 314159 & sleep 314159"),
            isolation: Isolation::Chroot,
            mounts: vec![Mount { target: "/run/secrets/token".into(), source }],
            ..Spec::new(RootFs::Dir(first))
        }
    };
    let container = start(&spec).unwrap();
    println!("{}", container.pid());
    std::thread::sleep(LONG);
}

/// Starts this program as a caller.
pub fn caller(args: &[&PathBuf]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg0("this-test-calls").args(args).stdout(Stdio::piped()).spawn().unwrap()
}

/// The process id that a caller prints.
pub fn first_line(caller: &mut Child) -> String {
    let mut pid = String::new();
    BufReader::new(caller.stdout.take().unwrap()).read_line(&mut pid).unwrap();
    pid.trim().to_owned()
}

fn a_killed_caller_takes_all_with_it(fixture: &Fixture) {
    let layer = fixture.layer();
    let mut caller = caller(&[&fixture.lower(), &layer.upper, &layer.work]);
    let pid = first_line(&mut caller);
    let process = format!("/proc/{pid}");
    assert!(fs::exists(&process).unwrap(), "{pid}");
    caller.kill().unwrap();
    caller.wait().unwrap();
    until(|| !fs::exists(&process).unwrap());
    until(|| listing(&layer.upper).is_empty());
}

/// The helper that watches over a container.
pub fn helper_of(container: &Container) -> rustix::process::Pid {
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).unwrap();
    let helper = status.lines().find_map(|line| line.strip_prefix("PPid:\t")).unwrap();
    rustix::process::Pid::from_raw(helper.parse().unwrap()).unwrap()
}

fn a_dead_helper_is_cleaned_up_after(fixture: &Fixture) {
    let layer = fixture.layer();
    let mut container = start(&fixture.spec(&layer, "echo ready; sleep 100000")).unwrap();
    until(|| says(&container, "ready"));
    assert!(layer.upper.join("proc").exists(), "the mount point is there while it is needed");
    rustix::process::kill_process(helper_of(&container), rustix::process::Signal::KILL).unwrap();
    let process = format!("/proc/{}", container.pid());
    assert!(matches!(container.wait_timeout(LONG), Err(SandboxError::Helper(_))));
    until(|| !fs::exists(&process).unwrap());
    assert_eq!(listing(&layer.upper), [""; 0]);
}

fn programs_that_cannot_start_are_errors(fixture: &Fixture) {
    let spec = Spec { args: vec!["no-such".into()], ..fixture.spec(&fixture.layer(), "") };
    assert!(matches!(start(&spec), Err(SandboxError::Program { .. })));
}
