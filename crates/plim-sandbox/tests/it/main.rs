//! The sandbox as its callers see it: real namespaces, a root file system made of this machine's own programs.
//!
//! The test binary is its own helper process, which cargo's harness could not be. As root the tests run three times: as
//! root, as an ordinary user with a range in `/etc/subuid`, and as an ordinary user without.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::exit,
    unreachable_pub,
    missing_debug_implementations,
    reason = "a test program, though without the harness by which the lints would know"
)]

mod background;
mod boundaries;
mod chroot;
mod fixture;
mod layers;
mod mounts;
mod running;
mod runtimes;
mod terminal;
mod users;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};

use fixture::{Fixture, Mode};
use plim_sandbox::userns;

type Case = (&'static str, fn(&Fixture));

fn main() -> ExitCode {
    plim_sandbox::helper_main();
    boundaries::inside();
    let mode = match userns::enter_if_needed() {
        Ok(mode) => mode,
        Err(error) => return skip(&error.to_string()),
    };
    let support = plim_sandbox::probe();
    if !support.namespaces || !support.overlay {
        return skip(&support.reason.unwrap_or_default());
    }
    let fixture = match Fixture::new(mode) {
        Ok(fixture) => fixture,
        Err(reason) => return skip(&reason),
    };
    let filters: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let groups = [
        running::CASES,
        users::CASES,
        mounts::CASES,
        layers::CASES,
        boundaries::CASES,
        background::CASES,
        chroot::CASES,
        runtimes::CASES,
        terminal::CASES,
    ];
    let cases: Vec<&Case> = groups.into_iter().flatten().collect();
    let chosen = cases.iter().filter(|(name, _)| filters.is_empty() || filters.iter().any(|part| name.contains(part)));
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in chosen {
        let outcome = catch_unwind(AssertUnwindSafe(|| case(&fixture)));
        println!("test {name} ({mode:?}) ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
        *if outcome.is_ok() { &mut passed } else { &mut failed } += 1;
    }
    let mut others_failed = false;
    if mode == Mode::Root {
        others_failed = as_others(&fixture);
    }
    let failed_at_all = failed > 0 || others_failed;
    println!(
        "\ntest result: {}. {passed} passed; {failed} failed; as {mode:?}",
        if failed_at_all { "FAILED" } else { "ok" }
    );
    if failed_at_all { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn skip(reason: &str) -> ExitCode {
    println!("\nskipped: this machine allows no sandbox: {reason}");
    ExitCode::SUCCESS
}

/// Runs the tests again as users without rights; whether any failed.
fn as_others(fixture: &Fixture) -> bool {
    let program = fixture.readable_copy_of_this_program();
    let ranged = std::fs::read_to_string("/etc/subuid").unwrap_or_default();
    let ranged = ranged.lines().filter_map(|line| line.split(':').next()).find(|user| *user != "root");
    let mut failed = false;
    for (user, what) in [(ranged, "with a range in /etc/subuid"), (Some("nobody"), "without a range")] {
        let Some(user) = user else {
            println!("skipped: no user {what} on this machine");
            continue;
        };
        println!("\nas {user}, {what}:");
        let status = Command::new("setpriv")
            .args(["--reuid", user, "--regid", &group_of(user), "--clear-groups", "--"])
            .arg(&program)
            .args(std::env::args().skip(1))
            .env_remove("HOME")
            .current_dir("/")
            .status();
        match status {
            Ok(status) => failed |= !status.success(),
            Err(error) => println!("skipped: failed to start setpriv: {error}"),
        }
    }
    failed
}

fn group_of(user: &str) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = passwd.lines().find(|line| line.split(':').next() == Some(user));
    line.and_then(|line| line.split(':').nth(3)).unwrap_or("65534").to_owned()
}
