//! What a finding is an instance of.

use serde::Serialize;

use crate::Severity;

/// A rule as the renderers and the documentation know it. Rules are compiled in, hence the static strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Stable name in kebab case, for example `cache-order`.
    pub id: &'static str,
    /// The family it belongs to, for example `dockerfile`, `image`, `secret`.
    pub group: &'static str,
    /// The severity it has unless configured otherwise.
    pub severity: Severity,
    /// One line: what is wrong when it fires.
    pub summary: &'static str,
    /// The whole page in Markdown: what it does, why it is bad, an example, what to write instead.
    pub docs: &'static str,
}

/// Returns the rule of that name.
pub fn find_rule<'a>(rules: &'a [Rule], id: &str) -> Option<&'a Rule> {
    rules.iter().find(|rule| rule.id == id)
}
