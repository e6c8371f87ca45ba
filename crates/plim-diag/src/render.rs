//! Diagnostics as people and programs want them. One file per format.
//!
//! Every renderer takes the diagnostics in the order in which they shall appear (see [`sort`](crate::sort)), the
//! [`Sources`] to resolve lines from, and the rules for names and documentation.

mod json;
mod sarif;
mod short;
mod text;

pub use json::{Envelope, SCHEMA, json};
pub use sarif::sarif;
pub use short::short;
pub use text::{TextOptions, text};

use crate::{Diagnostic, LineIndex, Position, Sources, Subject};

/// Returns the position of the diagnostic in its file, columns in characters.
fn position(diagnostic: &Diagnostic, sources: &dyn Sources) -> Option<Position> {
    let Subject::File { path } = &diagnostic.subject else { return None };
    let span = diagnostic.span()?;
    Some(LineIndex::new(sources.text(path)?).position(span.start))
}
