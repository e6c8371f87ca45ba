//! The stacks: one module for each language, and what they have in common.

mod health;
pub(crate) mod node;
mod port;
pub(crate) mod python;
pub(crate) mod rust;
mod said;
mod script;
