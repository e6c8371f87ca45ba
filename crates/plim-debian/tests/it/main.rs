//! The archive from the outside: with one made here, and with Debian's where the host's apt configuration names a
//! mirror.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::format_push_string,
    reason = "helpers of tests are tests, though clippy knows only the functions that carry the attribute"
)]

mod configured;
mod levels;
mod real;
mod synthetic;
mod tampering;
