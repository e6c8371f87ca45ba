//! The public surface against recorded behaviour and against properties.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail by panicking and say what they skip")]

mod conformance;
mod corpus;
mod pack;
mod properties;
