//! The stacks: one module for each language.

pub(crate) mod python;
