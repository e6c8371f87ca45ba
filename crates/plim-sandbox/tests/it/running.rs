//! Exit codes, output, environment, programs.

use std::cell::Cell;

use bstr::BString;
use plim_sandbox::{Exit, ProgramFault, RootFs, SandboxError, Spec, Ulimit, run};

use crate::Case;
use crate::fixture::{Fixture, chain};

pub const CASES: &[Case] = &[
    ("running::exit_codes_and_signals", exit_codes_and_signals),
    ("running::output_arrives_whole", output_arrives_whole),
    ("running::environment_is_exact", environment_is_exact),
    ("running::limits_are_cut_down_not_refused", limits_are_cut_down_not_refused),
    ("running::missing_programs_are_named", missing_programs_are_named),
    ("running::command_is_process_one", command_is_process_one),
    ("running::working_directories", working_directories),
    ("running::cancelling_kills", cancelling_kills),
    ("running::background_processes_are_killed", background_processes_are_killed),
    ("running::bad_specs_are_refused", bad_specs_are_refused),
];

fn exit_codes_and_signals(fixture: &Fixture) {
    assert_eq!(fixture.sh("exit 0").exit, Exit { code: 0, signal: None });
    assert_eq!(fixture.sh("exit 42").exit, Exit { code: 42, signal: None });
    assert_eq!(fixture.sh("sh -c 'kill -9 $$'").exit.code, 137);
}

fn output_arrives_whole(fixture: &Fixture) {
    let outcome = fixture.sh("echo out; echo err >&2; printf end");
    assert_eq!((outcome.out.as_str(), outcome.err.as_str()), ("out\nend", "err\n"));
    let many = fixture.sh("i=0; while [ $i -lt 20000 ]; do echo line-$i; i=$((i+1)); done").ok();
    assert_eq!(many.lines().count(), 20000);
    assert!(many.ends_with("line-19999\n"));
}

fn environment_is_exact(fixture: &Fixture) {
    let mut spec = fixture.spec(&fixture.layer(), "");
    spec.args = vec!["env".into()];
    spec.env.push("ODD=a b=c".into());
    assert_eq!(Fixture::run(&spec).ok(), "PATH=/usr/bin:/bin\nODD=a b=c\nHOME=/root\n");
    spec.env.push("HOME=/mine".into());
    assert!(Fixture::run(&spec).ok().ends_with("HOME=/mine\n"));
    assert_eq!(fixture.sh("cat").ok(), "", "standard input is empty");
    assert_eq!(fixture.sh("umask").ok(), "0022\n");
    assert_eq!(fixture.sh("cat /proc/sys/kernel/hostname").ok(), "plimsoll\n");
}

fn limits_are_cut_down_not_refused(fixture: &Fixture) {
    let limit = |name: &str, number| Ulimit { name: name.to_owned(), soft: number, hard: number };
    let mut spec = fixture.spec(&fixture.layer(), "ulimit -n");
    spec.ulimits = vec![limit("nofile", 99), limit("core", u64::MAX)];
    assert_eq!(Fixture::run(&spec).ok(), "99\n");
    spec.ulimits = vec![limit("no-such", 1)];
    assert!(matches!(Fixture::try_run(&spec), Err(SandboxError::Invalid(_))));
}

fn missing_programs_are_named(fixture: &Fixture) {
    let layer = fixture.layer();
    let error = |spec: &Spec| Fixture::try_run(spec).err().expect("the program cannot run");
    let mut spec = fixture.spec(&layer, "");
    spec.args = vec!["no-such".into()];
    assert_eq!(error(&spec).to_string(), "executable `no-such` not found in PATH");
    assert_eq!(error(&spec).exit_code(), Some(127));
    spec.args = vec!["/data/file".into()];
    assert_eq!(error(&spec).exit_code(), Some(126));
    let write = |name: &str, text: &str| {
        Fixture::run(&fixture.spec(&layer, &format!("printf '{text}' > /bin/{name}; chmod 755 /bin/{name}"))).ok();
    };
    write("lost", "#!/no/such\\n");
    spec.args = vec!["lost".into()];
    let found = error(&spec);
    assert!(matches!(found, SandboxError::Program { fault: ProgramFault::NoInterpreter, .. }), "{found}");
    write("text", "hello");
    spec.args = vec!["text".into()];
    let found = error(&spec);
    assert!(matches!(found, SandboxError::Program { fault: ProgramFault::WrongFormat, .. }), "{found}");
    assert!(found.is_subject() && found.hint().is_some());
}

fn command_is_process_one(fixture: &Fixture) {
    assert_eq!(fixture.sh("echo $$").ok(), "1\n");
    assert_eq!(fixture.sh("echo /proc/[0-9]*").ok(), "/proc/1\n");
}

fn working_directories(fixture: &Fixture) {
    let layer = fixture.layer();
    let mut spec = fixture.spec(&layer, "stat -c %a:%u . && pwd");
    spec.cwd = "/srv/app".into();
    assert_eq!(Fixture::run(&spec).ok(), "755:0\n/srv/app\n");
    assert!(layer.upper.join("srv/app").is_dir(), "a working directory that was made stays");
    spec.cwd = "/srv/other".into();
    spec.create_cwd = false;
    assert!(matches!(Fixture::try_run(&spec), Err(SandboxError::WorkingDirectory { .. })));
    spec.cwd = "/data/file".into();
    spec.create_cwd = true;
    let error = Fixture::try_run(&spec).err().expect("a file is no directory");
    assert_eq!(chain(&error), "failed to enter the working directory `/data/file`: not a directory");
}

fn cancelling_kills(fixture: &Fixture) {
    let asked = Cell::new(0);
    let cancelled = || {
        asked.set(asked.get() + 1);
        asked.get() > 2
    };
    let spec = fixture.spec(&fixture.layer(), "trap '' TERM INT; sleep 1000; sleep 1000");
    let exit = run(&spec, &mut |_, _| {}, &cancelled).unwrap();
    assert_eq!(exit, Exit { code: 137, signal: Some(9) });
}

fn background_processes_are_killed(fixture: &Fixture) {
    // the sleeper holds the pipe; if it outlived the command this would never return
    let outcome = fixture.sh("sleep 100000 & echo done");
    assert_eq!(outcome.ok(), "done\n");
}

fn bad_specs_are_refused(fixture: &Fixture) {
    let good = fixture.spec(&fixture.layer(), "");
    let refused = |change: &dyn Fn(&mut Spec)| {
        let mut spec = good.clone();
        change(&mut spec);
        matches!(Fixture::try_run(&spec), Err(SandboxError::Invalid(_)))
    };
    assert!(refused(&|spec| spec.args.clear()));
    assert!(refused(&|spec| spec.cwd = "relative".into()));
    assert!(refused(&|spec| spec.env.push(BString::from("A=\0"))));
    assert!(refused(&|spec| spec.root = RootFs::ReadOnly { lower: Vec::new() }));
    let missing = Spec { args: vec!["sh".into()], ..Spec::new(RootFs::Dir("/no/such/root".into())) };
    let error = Fixture::try_run(&missing).err().expect("there is no root");
    assert_eq!(chain(&error), "failed to open /no/such/root: no such file or directory");
}
