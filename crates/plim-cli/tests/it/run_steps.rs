//! `plim build` with RUN, on an image of the host's own shell.

use crate::env::TestEnv;
use crate::rootfs::{SHELL, shell_image};

/// An environment whose Dockerfile continues `FROM` the shell image; none where nothing can be run.
fn env(rest: &str) -> Option<TestEnv> {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return None;
    }
    env.write("Dockerfile", format!("FROM {SHELL}\n{rest}"));
    Some(env)
}

#[test]
fn what_a_step_writes_is_in_the_image() {
    let Some(env) = env(
        "ARG WHO=world\nRUN echo \"hello $WHO\" >/greeting\nRUN cat /greeting /greeting >/twice\nCMD [\"/bin/cat\", \"/twice\"]\n",
    ) else {
        return;
    };
    env.plim(["build", "-t", "greeter", "."]).good();
    assert_eq!(env.plim(["run", "greeter"]).good(), "hello world\nhello world\n");
    let again = env.plim(["build", "."]);
    assert!(again.stderr.contains("2 of 2 steps cached"), "{again}");
}

#[test]
fn two_builds_have_one_digest() {
    let Some(env) = env("RUN echo a >/a; echo b >/b\nRUN cat /a >>/b\n") else { return };
    let first = env.plim(["build", "--no-cache", "."]).good();
    assert_eq!(env.plim(["build", "--no-cache", "."]).good(), first);
}

#[test]
fn a_step_that_fails_shows_its_output_and_line() {
    let Some(env) = env("\nRUN echo one; echo two >&2; exit 3\n") else { return };
    env.check("build_failing_step", &env.plim(["build", "."]).fails(1));
}

#[test]
fn a_program_that_is_missing_gets_a_hint() {
    let Some(env) = env("RUN nosuchprogram --version\n") else { return };
    let output = env.plim(["build", "."]).fails(1);
    assert!(output.stderr.contains("hint:") && output.stderr.contains("127"), "{output}");
}

#[test]
fn verbose_streams_the_output_of_steps() {
    let Some(env) = env("RUN echo spoken aloud\n") else { return };
    let output = env.plim(["build", "-v", "."]);
    assert!(output.stderr.contains("| spoken aloud"), "{output}");
    assert!(!output.stdout.contains("spoken"), "{output}");
}

#[test]
fn a_build_that_fails_leaves_a_store_that_works() {
    let Some(env) = env("RUN echo fine >/fine\nRUN exit 1\n") else { return };
    env.plim(["build", "-t", "broken", "."]).fails(1);
    env.plim(["analyze", "broken"]).fails(2);
    env.write("Dockerfile", format!("FROM {SHELL}\nRUN echo fine >/fine\nRUN exit 0\n"));
    let output = env.plim(["build", "-t", "mended", "."]);
    assert!(output.stderr.contains("1 of 2 steps cached"), "{output}");
    output.good();
}

#[test]
fn a_step_cannot_see_the_host() {
    let Some(env) = env("RUN exec 2>&1; echo *; cat /proc/1/environ\n") else { return };
    env.write("only-outside", "");
    let mut command = env.command(["build", "-v", "."]);
    command.env("HOST_ONLY", "not-for-steps");
    let output = crate::env::Output::of(command);
    assert!(!output.stderr.contains("only-outside") && !output.stderr.contains("not-for-steps"), "{output}");
    output.good();
}
