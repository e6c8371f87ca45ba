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
fn the_output_of_steps_is_in_the_log() {
    let Some(env) = env("RUN echo spoken aloud\n") else { return };
    let output = env.plim(["build", "."]);
    let said = output.stderr.lines().find(|line| line.starts_with("#1 ") && line.ends_with(" spoken aloud"));
    assert!(said.is_some(), "{output}");
    assert!(!output.stdout.contains("spoken"), "{output}");
    let again = env.plim(["build", "."]);
    assert!(again.stderr.contains("#1 CACHED\n"), "{again}");
    let quiet = env.plim(["build", "--no-cache", "-q", "."]);
    assert_eq!(quiet.stderr, "", "{quiet}");
    quiet.good();
}

#[test]
fn raw_json_is_all_there_is_on_standard_error() {
    let Some(env) = env("RUN --mount=type=secret,id=t,env=T echo \"it is $T\"; echo aside >&2\n") else { return };
    let mut command = env.command(["build", "--progress", "rawjson", "--secret", "id=t", "."]);
    command.env("t", "hunter2");
    let output = crate::env::Output::of(command);
    let lines: Vec<serde_json::Value> =
        output.stderr.lines().map(|line| serde_json::from_str(line).expect("each line is a document")).collect();
    let logs: Vec<(u64, String)> = lines
        .iter()
        .flat_map(|line| line["logs"].as_array().cloned().unwrap_or_default())
        .map(|log| (log["stream"].as_u64().unwrap(), log["data"].as_str().unwrap().to_owned()))
        .collect();
    // `it is ***` and `aside`
    assert!(logs.contains(&(1, "aXQgaXMgKioqCg==".to_owned())), "{logs:?}");
    assert!(logs.contains(&(2, "YXNpZGUK".to_owned())), "{logs:?}");
    assert!(lines.iter().any(|line| line["vertexes"][0]["completed"].is_string()), "{output}");
    output.good();
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
