//! A reader that goes away.

use std::process::Stdio;

use crate::env::TestEnv;

#[test]
fn a_closed_pipe_is_no_error() {
    let env = TestEnv::new();
    let commands: [&[&str]; 3] = [&["base", "list"], &["debug", "schema", "optimize"], &["images"]];
    for command in commands {
        let mut child = env.command(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // closed before the program has written anything
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{command:?}: {stderr}");
        assert!(!stderr.contains("error") && !stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn help_into_a_closed_pipe_does_not_panic() {
    let env = TestEnv::new();
    let mut child = env.command(["--help"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
}
