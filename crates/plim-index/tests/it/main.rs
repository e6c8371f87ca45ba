//! Tests of the public interface.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

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
