//! `legacy-key-value`: ENV and LABEL with a blank between name and value.

use plim_diag::{Diagnostic, Edit, Fix, Rule, Severity};
use plim_dockerfile::{KeyValue, Kind};

use super::View;

pub(super) const RULE: Rule = Rule {
    id: "legacy-key-value",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "name and value are separated by a blank, where `=` belongs",
    docs: include_str!("legacy_key_value.md"),
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for instruction in &view.file.instructions {
        let (Kind::Env(pairs) | Kind::Label(pairs)) = &instruction.kind else { continue };
        for pair in pairs.iter().filter(|pair| pair.legacy) {
            let mut diagnostic = view
                .report(&RULE, format!("`{}` and its value are separated by a blank", pair.key.value))
                .primary(pair.key.span.cover(pair.value.span), "everything to the end of the line is the value");
            if let Some(text) = rewritten(pair) {
                let edit = Edit::replace(pair.key.span.cover(pair.value.span), text);
                diagnostic = diagnostic.with_fix(Fix::safe("put `=` between them", vec![edit]));
            }
            found.push(diagnostic);
        }
    }
}

/// The pair with `=`; none where quotes, escapes or line ends would have to be read first.
fn rewritten(pair: &KeyValue) -> Option<String> {
    let (key, value) = (&pair.key.value, &pair.value.value);
    if [key, value].iter().any(|text| text.contains(['"', '\'', '\\', '`', '\n'])) {
        return None;
    }
    Some(if value.contains(char::is_whitespace) || value.is_empty() {
        format!("{key}=\"{value}\"")
    } else {
        format!("{key}={value}")
    })
}

#[cfg(test)]
mod tests {
    use plim_diag::Subject;

    #[test]
    fn names_and_values_with_quotes_or_escapes_are_left_alone() {
        let fixes = |line: &str| {
            let file = plim_dockerfile::parse(&format!("FROM scratch\n{line}\n"));
            assert!(file.errors.is_empty(), "{line}: {:?}", file.errors);
            let findings = crate::dockerfile(&file, &Subject::file("Dockerfile"), None);
            let finding = findings.iter().find(|finding| finding.rule == super::RULE.id).expect("it is found");
            finding.fix.is_some()
        };
        for line in ["ENV a b c", "LABEL a b"] {
            assert!(fixes(line), "{line}");
        }
        for line in ["ENV \", b c", "ENV 'a b", "ENV a\\ b c", "LABEL a\"b\" c", "ENV a \"b\" c"] {
            assert!(!fixes(line), "{line}");
        }
    }
}
