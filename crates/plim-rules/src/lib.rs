//! What judges. Rules look at facts and give [`Diagnostic`]s; they read no file and change nothing.

mod dockerfile;

pub use dockerfile::{RULES, dockerfile, syntax_error};
pub use plim_diag::Diagnostic;
