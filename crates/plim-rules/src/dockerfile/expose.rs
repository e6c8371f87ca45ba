//! `expose-casing` and `expose-mapping`: ports in forms that mean less than they say.

use plim_diag::{Diagnostic, Edit, Fix, Rule, Severity};
use plim_dockerfile::Kind;
use plim_dockerfile::ports::Ports;

use super::View;

pub(super) const CASING: Rule = Rule {
    id: "expose-casing",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "the protocol of a port has capital letters",
    docs: include_str!("expose_casing.md"),
};

pub(super) const MAPPING: Rule = Rule {
    id: "expose-mapping",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "EXPOSE names an address or port of the host, which means nothing",
    docs: include_str!("expose_mapping.md"),
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for instruction in &view.file.instructions {
        let Kind::Expose(words) = &instruction.kind else { continue };
        for word in words.iter().filter(|word| !word.contains('$')) {
            let Ok(ports) = Ports::parse(word) else { continue };
            // a word that goes over two lines is not put together again
            let exact = word.span.text(&view.file.source) == Some(word.value.as_str());
            let mend = |diagnostic: Diagnostic, title: &str, text: &str| {
                if !exact {
                    return diagnostic;
                }
                diagnostic.with_fix(Fix::safe(title, vec![Edit::replace(word.span, text)]))
            };
            let port = word.value.rsplit_once(':').map_or(word.value.as_str(), |(_, port)| port);
            if ports.mapped {
                let diagnostic = view
                    .report(&MAPPING, format!("`{}` maps a port, which EXPOSE cannot", word.value))
                    .primary(word.span, "ports are mapped when a container is started");
                found.push(mend(diagnostic, &format!("write {port}"), port));
            } else if ports.protocol.contains(char::is_uppercase) {
                let lower = word.value.to_lowercase();
                let diagnostic = view
                    .report(&CASING, format!("`{}` is written in capitals", ports.protocol))
                    .primary(word.span, "protocols are written in small letters");
                found.push(mend(diagnostic, &format!("write {lower}"), &lower));
            }
        }
    }
}
