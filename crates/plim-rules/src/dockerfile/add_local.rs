//! `add-local`: ADD where COPY does the same.

use plim_diag::{Diagnostic, Edit, Fix, Rule, Severity, Span};
use plim_dockerfile::{Add, Kind, Source};

use super::View;

pub(super) const RULE: Rule = Rule {
    id: "add-local",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "ADD copies local files that COPY copies without surprises",
    docs: include_str!("add_local.md"),
};

/// Ends of names that ADD may unpack.
const ARCHIVES: &[&str] = &[".tar", ".tgz", ".gz", ".tbz", ".tbz2", ".bz2", ".txz", ".xz", ".tzst", ".zst", ".zip"];

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for instruction in &view.file.instructions {
        let Kind::Add(add) = &instruction.kind else { continue };
        if !only_plain_files(add) {
            continue;
        }
        let keyword =
            Span { start: instruction.span.start, end: instruction.span.start + instruction.name.value.len() };
        found.push(
            view.report(&RULE, "ADD where COPY does the same")
                .primary(keyword, "unpacks archives and downloads URLs, which is not wanted here")
                .with_fix(Fix::safe("use COPY", vec![Edit::replace(keyword, "COPY")])),
        );
    }
}

/// Nothing that only ADD can do: no URL, no repository, no archive, no pattern that could match one, no flag of its own.
fn only_plain_files(add: &Add) -> bool {
    let plain = |source: &Source| match source {
        Source::Path(path) => {
            let name = path.value.to_ascii_lowercase();
            !name.contains("://")
                && !name.starts_with("git@")
                && !name.contains(['*', '?', '[', '$'])
                && !ARCHIVES.iter().any(|end| name.ends_with(end))
        }
        Source::Heredoc(_) => true,
    };
    add.keep_git_dir.is_none() && add.checksum.is_none() && add.unpack.is_none() && add.sources.iter().all(plain)
}
