//! The stacks: one module for each language.

mod health;
pub(crate) mod node;
pub(crate) mod python;
