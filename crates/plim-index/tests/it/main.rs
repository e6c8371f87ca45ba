//! Tests of the public interface.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]
#![expect(clippy::print_stdout, reason = "a test that cannot run says why")]

mod build;
mod dive;
mod fold_reference;
mod hostile;
mod inventory;
mod languages;
mod schema;
mod tools;
mod waste;
mod whole_layers;
