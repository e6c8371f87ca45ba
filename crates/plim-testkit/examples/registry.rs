//! A registry to try tools against: `cargo run -p plim-testkit --example registry -- --auth token --referrers off`.
//!
//! Prints its address and runs until its standard input ends or it is killed.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program")]

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use plim_testkit::registry::{Auth, Registry, Switches};

const USAGE: &str = "\
usage: registry [--SWITCH VALUE]...
  --auth none|basic|token      with --user USER, --password PASSWORD (user, secret)
  --anonymous-pull on|off      tokens to pull for everybody
  --expires SECONDS            of tokens (300)
  --referrers --referrers-filter --monolithic --chunked --mount --ranges --head-digest --delete --delete-tags on|off (on)
  --redirect-blobs --relative-location --sparse-indexes --corrupt --truncate --wrong-digest on|off (off)
  --throttle N, --failing N    so many requests
  --cut-download BYTES, --cut-upload BYTES   each again for one more
  --chunk-minimum BYTES, --page N, --slow MILLISECONDS, --ns HOST";

fn main() -> ExitCode {
    let switches = match parse(std::env::args().skip(1)) {
        Ok(switches) => switches,
        Err(message) => {
            eprintln!("{message}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let registry = Registry::with(switches);
    println!("{}", registry.address());
    // standard input only says when it is over
    drop(std::io::copy(&mut std::io::stdin().lock().by_ref(), &mut std::io::sink()));
    for request in registry.requests() {
        eprintln!("{} {} {}", request.method, request.path, request.body_length);
    }
    ExitCode::SUCCESS
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Switches, String> {
    let mut switches = Switches::default();
    let (mut kind, mut user, mut password) = ("none".to_owned(), "user".to_owned(), "secret".to_owned());
    let (mut anonymous_pull, mut expires_seconds) = (false, 300);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let on = || match value.as_str() {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(format!("{flag} is on or off")),
        };
        let number = || value.parse::<u64>().map_err(|_| format!("{flag} is a number"));
        match flag.as_str() {
            "--auth" => kind.clone_from(&value),
            "--user" => user.clone_from(&value),
            "--password" => password.clone_from(&value),
            "--anonymous-pull" => anonymous_pull = on()?,
            "--expires" => expires_seconds = number()?,
            "--referrers" => switches.referrers = on()?,
            "--referrers-filter" => switches.referrers_filter = on()?,
            "--monolithic" => switches.monolithic = on()?,
            "--chunked" => switches.chunked = on()?,
            "--mount" => switches.mount = on()?,
            "--ranges" => switches.ranges = on()?,
            "--head-digest" => switches.head_digest = on()?,
            "--delete" => switches.delete = on()?,
            "--delete-tags" => switches.delete_tags = on()?,
            "--redirect-blobs" => switches.redirect_blobs = on()?,
            "--relative-location" => switches.relative_location = on()?,
            "--sparse-indexes" => switches.sparse_indexes = on()?,
            "--corrupt" => switches.corrupt = on()?,
            "--truncate" => switches.truncate = on()?,
            "--wrong-digest" => switches.wrong_manifest_digest = on()?,
            "--throttle" => switches.throttle = number()? as u32,
            "--failing" => switches.failing = number()? as u32,
            "--cut-download" => switches.cut_downloads.push_back(number()?),
            "--cut-upload" => switches.cut_uploads.push_back(number()?),
            "--chunk-minimum" => switches.chunk_minimum = Some(number()?),
            "--page" => switches.page = Some(number()? as usize),
            "--slow" => switches.slow = Some(Duration::from_millis(number()?)),
            "--ns" => switches.ns_required = Some(value.clone()),
            _ => return Err(format!("{flag} is no switch")),
        }
    }
    switches.auth = match kind.as_str() {
        "none" => Auth::None,
        "basic" => Auth::Basic { user, password },
        "token" => Auth::Token { user, password, anonymous_pull, expires_seconds },
        _ => return Err("--auth is none, basic or token".to_owned()),
    };
    Ok(switches)
}
