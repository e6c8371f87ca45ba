//! Tests of the loopback registry.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "these are tests, their helpers included")]

mod auth;
mod lists;
mod peers;
mod pull;
mod push;
mod wire;
