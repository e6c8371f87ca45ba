//! `--isolation`.

use std::os::unix::fs::MetadataExt as _;

use crate::env::{Output, TestEnv};
use crate::rootfs::{SHELL, shell_image, skip};

/// An environment with the shell image; none where the root directory cannot be changed.
fn env() -> Option<TestEnv> {
    let env = TestEnv::new();
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        let refused = env.plim(["run", "--isolation", "chroot", SHELL]).fails(2);
        assert!(refused.stderr.contains("hint:"), "{refused}");
        skip("only root can change the root directory");
        return None;
    }
    shell_image(&env).then_some(env)
}

#[test]
fn a_chroot_builds_the_same_image_and_says_so_once() {
    let Some(env) = env() else { return };
    env.write(
        "Dockerfile",
        format!("FROM {SHELL}\nRUN echo a >/a; id >/b\nRUN --network=none cat /a >>/b; echo c >/etc/c\n"),
    );
    let first = env.plim(["build", "--no-cache", "--isolation", "namespaces", "."]).good();
    let chroot = env.plim(["build", "--no-cache", "--isolation", "chroot", "."]);
    assert_eq!(chroot.stderr.matches("warning: --isolation chroot: ").count(), 1, "{chroot}");
    assert_eq!(chroot.good(), first);
    let mut command = env.command(["build", "--no-cache", "."]);
    command.env("PLIM_ISOLATION", "chroot");
    let chroot = Output::of(command);
    assert!(chroot.stderr.contains("--isolation chroot"), "{chroot}");
    assert_eq!(chroot.good(), first);
}

#[test]
fn a_command_runs_in_a_chroot_and_what_is_missed_is_said() {
    let Some(env) = env() else { return };
    let output = env.plim(["run", "--isolation", "chroot", SHELL, "sh", "-c", "echo x >/file; cat /file; exit 7"]);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str(), output.code()), ("x\n", "", 7));
    let output = env.plim(["run", "--isolation", "chroot", "--read-only", "--network", "none", SHELL]);
    let said = "not enforced here: read-only root, network";
    assert!(output.stderr.contains(said), "{output}");
    assert_eq!(output.good(), "hello from CMD\n");
}

#[test]
fn the_configuration_chooses_and_the_flag_wins() {
    let Some(env) = env() else { return };
    env.write("plim.toml", "[build]\nisolation = \"chroot\"\n");
    env.write("Dockerfile", format!("FROM {SHELL}\nRUN echo a >/a\n"));
    assert!(env.plim(["build", "--no-cache", "."]).stderr.contains("--isolation chroot"));
    assert!(!env.plim(["build", "--no-cache", "--isolation", "auto", "."]).stderr.contains("--isolation chroot"));
}

#[test]
fn an_isolation_that_does_not_exist_is_named() {
    let env = TestEnv::new();
    env.write("plim.toml", "[build]\nisolation = \"vm\"\n");
    env.write("Dockerfile", "FROM scratch\nCOPY plim.toml /\n");
    let output = env.plim(["build", "."]).fails(2);
    assert!(output.stderr.contains("`vm`") && output.stderr.contains("`namespaces` or `chroot`"), "{output}");
}
