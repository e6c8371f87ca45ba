//! Checks and generators of the repository: `cargo xtask TASK`.

mod floors;
mod generate;

use std::process::ExitCode;

use crate::generate::Mode;

const USAGE: &str = "\
usage: cargo xtask floors              check that no crate depends on one above it
       cargo xtask generate            write docs/reference from the program and the rules
       cargo xtask generate --check    fail if docs/reference is not what generate would write";

#[expect(clippy::print_stderr, reason = "a developer's command line tool")]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        ["floors"] => floors::check(),
        ["generate"] => generate::run(Mode::Write),
        ["generate", "--check"] => generate::run(Mode::Check),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
