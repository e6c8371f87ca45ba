//! One vocabulary for bad news, and the renderers that show it.
//!
//! A [`Diagnostic`] is a *result*: something that plim found out about the user's subject, be it a Dockerfile, a project
//! folder or an image. It names a [`Rule`], points at a place, explains itself and may carry a [`Fix`]. A run that ends in
//! diagnostics has done its work; depending on their [`Severity`] the command exits 0 or 1.
//!
//! An *error* (a `std::error::Error` of whatever crate) means that plim could not answer: the file was unreadable, the
//! registry did not reply. Errors are never turned into diagnostics nor the other way round, so a pipeline can tell "the
//! image has a problem" (exit 1) from "nobody has looked" (exit 2).
//!
//! Diagnostics hold byte offsets. Lines and columns are computed by the renderers from [`Sources`], because every format
//! counts them differently.

mod diagnostic;
mod fix;
pub mod plain;
pub mod render;
mod rule;
mod severity;
mod sources;
mod span;
mod summary;

pub use diagnostic::{Diagnostic, Label, Subject, sort};
pub use fix::{Applicability, Edit, Fix, FixError, apply, compatible};
pub use rule::{Rule, find_rule};
pub use severity::{Severity, UnknownSeverity};
pub use sources::{NoSources, Sources};
pub use span::{LineIndex, Position, Span};
pub use summary::Summary;
