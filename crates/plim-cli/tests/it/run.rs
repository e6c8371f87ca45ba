//! `plim run`.

use crate::env::TestEnv;
use crate::rootfs::{SHELL, files_layout, shell_image};

#[test]
fn the_image_s_command_is_run() {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return;
    }
    env.check("run_cmd", &env.plim(["run", SHELL]));
}

#[test]
fn the_exit_code_is_that_of_the_command() {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return;
    }
    env.plim(["run", SHELL, "sh", "-c", "exit 7"]).fails(7);
}

#[test]
fn both_streams_stay_apart() {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return;
    }
    let output = env.plim(["run", SHELL, "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
fn overrides_take_effect() {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return;
    }
    let output = env.plim(["run", "-e", "GREETING=bye", "-w", "/etc", SHELL, "sh", "-c", "echo $GREETING; pwd"]);
    assert_eq!(output.good(), "bye\n/etc\n");
    assert_eq!(env.plim(["run", "--entrypoint", "/bin/cat", SHELL, "/etc/group"]).good(), "root:x:0:\n");
}

#[test]
fn writes_are_thrown_away_and_a_read_only_root_takes_none() {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return;
    }
    let write = "echo x >/file && cat /file";
    assert_eq!(env.plim(["run", SHELL, "sh", "-c", write]).good(), "x\n");
    env.plim(["run", SHELL, "sh", "-c", "cat /file"]).fails(1);
    assert_ne!(env.plim(["run", "--read-only", SHELL, "sh", "-c", write]).code(), 0);
    env.plim(["run", "--read-only", SHELL, "sh", "-c", "echo x >/tmp/file"]).good();
}

#[test]
fn volumes_are_mounted() {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return;
    }
    env.write("shared/in", "from outside\n");
    let script = "cat /data/in; echo inside >/data/out";
    assert_eq!(env.plim(["run", "-V", "shared:/data", SHELL, "sh", "-c", script]).good(), "from outside\n");
    assert_eq!(env.read("shared/out"), "inside\n");
    assert_ne!(env.plim(["run", "-V", "shared:/data:ro", SHELL, "sh", "-c", script]).code(), 0);
}

#[test]
fn a_program_that_the_image_has_not_is_named() {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return;
    }
    env.check("run_no_program", &env.plim(["run", SHELL, "nosuchprogram"]));
}

#[test]
fn an_image_without_command_asks_for_one() {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return;
    }
    env.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    env.plim(["build", "-t", "silent", "."]).good();
    env.check("run_no_command", &env.plim(["run", "silent"]).fails(1));
}

#[test]
fn an_image_that_is_not_there_is_an_error() {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return;
    }
    env.check("run_missing", &env.plim(["run", "nowhere"]).fails(2));
}

#[test]
fn a_layout_can_be_run_from_where_it_is() {
    let env = TestEnv::new();
    if !shell_image(&env) {
        return;
    }
    env.plim(["copy", SHELL, "oci:layout"]).good();
    assert_eq!(env.plim(["run", "oci:layout"]).good(), "hello from CMD\n");
    files_layout(&env, "files");
    // its entry point has an interpreter that is not there; its own user needs a range of ids
    env.check("run_no_interpreter", &env.plim(["run", "-u", "0", "oci:files"]).fails(2));
}
