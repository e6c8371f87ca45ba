//! Tests of the public interface.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod build;
mod fold_reference;
mod inventory;
mod schema;
mod whole_layers;
