//! How many findings of which kind.

use std::fmt;

use serde::Serialize;

use crate::{Applicability, Diagnostic, Severity};

/// Counts of diagnostics; shown as `1 error, 2 warnings`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Findings of severity error.
    pub errors: usize,
    /// Findings of severity warning.
    pub warnings: usize,
    /// Findings of severity info.
    pub infos: usize,
    /// Findings of severity hint.
    pub hints: usize,
    /// Findings with a fix that is safe to apply.
    pub fixable: usize,
}

impl Summary {
    /// Counts.
    pub fn of(diagnostics: &[Diagnostic]) -> Self {
        let mut summary = Self::default();
        for diagnostic in diagnostics {
            match diagnostic.severity {
                Severity::Error => summary.errors += 1,
                Severity::Warning => summary.warnings += 1,
                Severity::Info => summary.infos += 1,
                Severity::Hint => summary.hints += 1,
            }
            if diagnostic.fix.as_ref().is_some_and(|fix| fix.applicability == Applicability::Safe) {
                summary.fixable += 1;
            }
        }
        summary
    }

    /// Returns the number of findings.
    pub const fn total(self) -> usize {
        self.errors + self.warnings + self.infos + self.hints
    }

    /// Returns the worst severity found.
    pub const fn worst(self) -> Option<Severity> {
        match self {
            Self { errors: 1.., .. } => Some(Severity::Error),
            Self { warnings: 1.., .. } => Some(Severity::Warning),
            Self { infos: 1.., .. } => Some(Severity::Info),
            Self { hints: 1.., .. } => Some(Severity::Hint),
            _ => None,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [(self.errors, "error"), (self.warnings, "warning"), (self.infos, "info"), (self.hints, "hint")];
        let mut separator = "";
        for (count, name) in counts.into_iter().filter(|(count, _)| *count > 0) {
            // "info" is a mass noun: it takes no plural
            let plural = if count == 1 || name == "info" { "" } else { "s" };
            write!(f, "{separator}{count} {name}{plural}")?;
            separator = ", ";
        }
        if separator.is_empty() { f.write_str("nothing found") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_reads_as_a_sentence() {
        let summary = Summary { errors: 1, warnings: 2, infos: 3, ..Summary::default() };
        assert_eq!(summary.to_string(), "1 error, 2 warnings, 3 info");
        assert_eq!(summary.worst(), Some(Severity::Error));
        assert_eq!(summary.total(), 6);
        assert_eq!(Summary::default().to_string(), "nothing found");
        assert_eq!(Summary::default().worst(), None);
    }
}
