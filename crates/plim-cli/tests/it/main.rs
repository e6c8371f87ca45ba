//! What a user types and sees: every test runs the built `plim` in a home of its own and looks at standard output, standard
//! error and exit code together.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too, fail by panicking")]

mod env;
mod rootfs;

mod analyze;
mod base;
mod build;
mod build_outputs;
mod caches;
mod config;
mod copy;
mod daemon;
mod debug;
mod diff;
mod help;
mod images;
mod isolation;
mod lint;
mod on_error;
mod optimize;
mod pipe;
mod podman;
mod registry;
mod run;
mod run_steps;
mod secrets;
mod user;
mod waste;
mod why;
