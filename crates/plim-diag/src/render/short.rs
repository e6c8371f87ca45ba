//! One line per finding: `path:line:column: severity[rule] message`, as editors and grep like it.

use std::io;

use super::position;
use crate::plain::one_line;
use crate::{Diagnostic, Rule, Sources};

/// Writes one line per diagnostic. Line and column are left out where they are not known.
pub fn short(
    diagnostics: &[Diagnostic],
    sources: &dyn Sources,
    _rules: &[Rule],
    out: &mut dyn io::Write,
) -> io::Result<()> {
    for diagnostic in diagnostics {
        let subject = diagnostic.subject.display();
        write!(out, "{}", one_line(&subject))?;
        if let Some(position) = position(diagnostic, sources) {
            write!(out, ":{}:{}", position.line, position.column)?;
        }
        writeln!(out, ": {}[{}] {}", diagnostic.severity, diagnostic.rule, one_line(&diagnostic.message))?;
    }
    Ok(())
}
