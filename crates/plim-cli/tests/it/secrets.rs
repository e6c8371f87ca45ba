//! A secret is readable in its step and nowhere else.

use std::process::{Command, Stdio};

use crate::env::{Output, TestEnv, files_below};
use crate::rootfs::{SHELL, shell_image};

/// Looks like nothing else in a store, a cache or an output.
const VALUE: &str = "hunter2-correct-horse-battery-staple";

#[test]
fn a_secret_is_left_nowhere() {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return;
    }
    env.write(
        "Dockerfile",
        format!(
            "FROM {SHELL}\n\
             RUN --mount=type=secret,id=token [ -s /run/secrets/token ] && cat /run/secrets/token\n\
             RUN --mount=type=secret,id=token,env=TOKEN echo \"token is $TOKEN\" && [ -n \"$TOKEN\" ]\n\
             RUN --mount=type=secret,id=file,target=/key cat /key >&2\n\
             RUN [ ! -e /run/secrets/token ] && [ ! -s /key ]\n"
        ),
    );
    let key = env.path("home/key");
    std::fs::write(&key, VALUE).unwrap();
    let file = format!("id=file,src={}", key.display());
    let mut command =
        env.command(["build", "-vv", "--secret", "id=token,env=TOKEN", "--secret", &file, "-t", "s", "."]);
    command.env("TOKEN", VALUE).env("PLIM_LOG", "trace");
    let output = Output::of(command);
    assert!(!output.stdout.contains(VALUE) && !output.stderr.contains(VALUE), "printed: {output}");
    output.good();
    for dir in ["data", "cache", "work"] {
        for file in files_below(&env.path(dir)) {
            assert!(!holds(&file), "{} holds the secret", file.display());
        }
    }
}

#[test]
fn a_failing_step_does_not_show_the_secret() {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return;
    }
    env.write("Dockerfile", format!("FROM {SHELL}\nRUN --mount=type=secret,id=TOKEN cat /run/secrets/TOKEN; exit 1\n"));
    let mut command = env.command(["build", "--secret", "id=TOKEN", "."]);
    command.env("TOKEN", VALUE);
    let output = Output::of(command).fails(1);
    assert!(!output.stderr.contains(VALUE), "{output}");
}

#[test]
fn a_secret_that_is_not_set_is_named() {
    let env = TestEnv::new();
    env.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    env.check("secret_not_set", &env.plim(["build", "--secret", "id=token,env=NO_SUCH_TOKEN", "."]).fails(2));
}

#[test]
fn a_malformed_secret_is_not_repeated() {
    let env = TestEnv::new();
    env.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let output = env.plim(["build", "--secret", VALUE, "."]).fails(2);
    assert!(!output.stderr.contains(VALUE), "{output}");
}

/// Says whether a file, as it is or unpacked, holds the secret.
fn holds(path: &std::path::Path) -> bool {
    let raw = std::fs::read(path).unwrap_or_default();
    let found = |bytes: &[u8]| bytes.windows(VALUE.len()).any(|window| window == VALUE.as_bytes());
    if found(&raw) {
        return true;
    }
    if !raw.starts_with(&[0x1f, 0x8b]) {
        return false;
    }
    let unpacked = Command::new("gzip").arg("-dcq").arg(path).stderr(Stdio::null()).output().unwrap();
    found(&unpacked.stdout)
}
