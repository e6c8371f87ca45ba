//! Builds through the public API. A program of its own, because steps run in a sandbox whose helper is this
//! very program, executed again.

#![expect(clippy::unwrap_used, reason = "these are tests, but the lint knows only those of the standard harness")]

mod cache;
mod chroot;
mod config;
mod direct;
mod failures;
mod late;
mod steps;
mod travel;
mod workbench;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// A test and its name.
type Test = (&'static str, fn());

#[expect(clippy::print_stdout, reason = "a test runner reports on standard output")]
fn main() -> ExitCode {
    plim_sandbox::helper_main();
    let filters: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let all: Vec<Test> = [
        cache::TESTS,
        config::TESTS,
        direct::TESTS,
        failures::TESTS,
        late::TESTS,
        steps::TESTS,
        chroot::TESTS,
        travel::TESTS,
    ]
    .concat();
    let chosen = all.iter().filter(|(name, _)| filters.is_empty() || filters.iter().any(|part| name.contains(part)));
    if std::env::args().any(|arg| arg == "--list") {
        for (name, _) in chosen {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let mut failed = 0;
    for (name, test) in chosen {
        let passed = catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += u32::from(!passed);
    }
    if chroot::can_run_both() {
        workbench::without_namespaces();
        let steps = steps::TESTS.iter().filter(|(name, _)| !chroot::NEED_NAMESPACES.contains(name));
        for (name, test) in
            steps.filter(|(name, _)| filters.is_empty() || filters.iter().any(|part| name.contains(part)))
        {
            let passed = catch_unwind(AssertUnwindSafe(test)).is_ok();
            println!("test {name} (chroot) ... {}", if passed { "ok" } else { "FAILED" });
            failed += u32::from(!passed);
        }
    }
    println!("{failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
