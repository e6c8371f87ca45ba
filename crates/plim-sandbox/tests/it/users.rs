//! USER as a Dockerfile means it, and what is left of root.

use plim_sandbox::SandboxError;

use crate::Case;
use crate::fixture::Fixture;

pub const CASES: &[Case] = &[
    ("users::names_and_numbers", names_and_numbers),
    ("users::unknown_names_are_errors", unknown_names_are_errors),
    ("users::capabilities_are_the_usual_ones", capabilities_are_the_usual_ones),
    ("users::no_new_privs_on_demand", no_new_privs_on_demand),
    ("users::unmapped_users_have_a_hint", unmapped_users_have_a_hint),
];

fn as_user(fixture: &Fixture, user: &str, script: &str) -> String {
    let mut spec = fixture.spec(&fixture.layer(), script);
    user.clone_into(&mut spec.user);
    Fixture::run(&spec).ok()
}

fn names_and_numbers(fixture: &Fixture) {
    let who = "echo $(id -u):$(id -g):$(id -G):$HOME";
    assert_eq!(as_user(fixture, "root", who), "0:0:0:/root\n");
    if !fixture.has_users() {
        return;
    }
    assert_eq!(as_user(fixture, "app", who), "1000:1001:1001 44:/home/app\n");
    assert_eq!(as_user(fixture, "app:video", who), "1000:44:44:/home/app\n");
    assert_eq!(as_user(fixture, "1000", who), "1000:1001:1001 44:/home/app\n");
    assert_eq!(as_user(fixture, "12345", who), "12345:0:0:/\n");
    assert_eq!(as_user(fixture, "12345:6", who), "12345:6:6:/\n");
    let groups = |user| as_user(fixture, user, "grep Groups: /proc/self/status");
    assert_eq!(groups("app"), "Groups:\t44 1001 \n");
    assert_eq!(groups("12345:6"), "Groups:\t6 \n");
    assert_eq!(as_user(fixture, "app", "touch /etc/x 2>/dev/null || echo refused"), "refused\n");
}

fn unknown_names_are_errors(fixture: &Fixture) {
    let mut spec = fixture.spec(&fixture.layer(), "true");
    spec.user = "nobody-here".into();
    let error = Fixture::try_run(&spec).err().expect("the user is unknown");
    assert_eq!(error.to_string(), "user `nobody-here` is not in the image's /etc/passwd");
    spec.user = "root:nogroup-here".into();
    assert!(matches!(Fixture::try_run(&spec), Err(SandboxError::UnknownGroup { .. })));
}

fn status(fixture: &Fixture, user: &str) -> String {
    as_user(fixture, user, "grep -E '^(SigIgn|Cap|NoNewPrivs|Seccomp:)' /proc/self/status")
}

fn capabilities_are_the_usual_ones(fixture: &Fixture) {
    assert_eq!(
        status(fixture, ""),
        "SigIgn:\t0000000000000000\nCapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n\
         CapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\n"
    );
    if fixture.has_users() {
        assert_eq!(
            status(fixture, "app"),
            "SigIgn:\t0000000000000000\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
             CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\n"
        );
    }
}

fn no_new_privs_on_demand(fixture: &Fixture) {
    let mut spec = fixture.spec(&fixture.layer(), "grep NoNewPrivs /proc/self/status");
    spec.no_new_privs = true;
    assert_eq!(Fixture::run(&spec).ok(), "NoNewPrivs:\t1\n");
}

fn unmapped_users_have_a_hint(fixture: &Fixture) {
    if fixture.has_users() {
        return;
    }
    let mut spec = fixture.spec(&fixture.layer(), "true");
    spec.user = "app".into();
    let error = Fixture::try_run(&spec).err().expect("only one user is mapped");
    assert!(error.to_string().starts_with("failed to switch to user 1000:1001"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("/etc/subuid")));
}
