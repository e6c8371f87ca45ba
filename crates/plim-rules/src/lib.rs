//! What judges. Rules look at facts and give [`Diagnostic`]s; they read no file and change nothing.

mod dockerfile;

pub use dockerfile::{CHECK_OPTIONS, Checks, RULES, buildkit_name, dockerfile, dockerfile_with, syntax_error};
pub use plim_diag::Diagnostic;
