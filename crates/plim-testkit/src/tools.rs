//! Programs of others that tests compare with, where they are installed.

use std::fmt::Display;
use std::process::Command;

/// Says why a comparison with a program is left out; the test should return. Where `PLIM_TEST_TOOLS` names the program, leaving
/// out is a failure: a machine that is there to run all tests names what it has.
#[track_caller]
#[expect(clippy::print_stderr, reason = "the test harness shows it beside the test that does nothing")]
pub fn skipped(tool: &str, why: &dyn Display) {
    let required = std::env::var("PLIM_TEST_TOOLS").unwrap_or_default();
    assert!(!required.split_whitespace().any(|name| name == tool), "{tool} is required here: {why}");
    eprintln!("skipped: {tool}: {why}");
}

/// Runs a step of a comparison and returns what it prints; nothing, having [said so](skipped), where it does not work, as
/// without a network.
#[track_caller]
pub fn done(tool: &str, command: &mut Command) -> Option<Vec<u8>> {
    match command.output() {
        Ok(output) if output.status.success() => return Some(output.stdout),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            skipped(tool, &format!("{command:?}: {}: {said}", output.status));
        }
        Err(error) => skipped(tool, &format!("{command:?}: {error}")),
    }
    None
}
