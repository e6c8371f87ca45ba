//! `copy-ignored`: COPY and ADD of files that the ignore file leaves out.

use plim_diag::{Diagnostic, Rule, Severity};
use plim_dockerfile::{Kind, Source, Spanned};

use super::View;

pub(super) const RULE: Rule = Rule {
    id: "copy-ignored",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "a source of COPY or ADD is left out by .dockerignore",
    docs: include_str!("copy_ignored.md"),
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    let Some(ignore) = view.ignore else { return };
    for instruction in &view.file.instructions {
        let sources = match &instruction.kind {
            Kind::Copy(copy) if copy.from.is_none() => &copy.sources,
            Kind::Add(add) => &add.sources,
            _ => continue,
        };
        for source in sources {
            let Source::Path(path) = source else { continue };
            let Some(cleaned) = plain(path) else { continue };
            if ignore.excludes(&cleaned) && !ignore.may_reinclude_below(&cleaned) {
                found.push(
                    view.report(&RULE, format!("`{}` is left out by .dockerignore", path.value))
                        .primary(path.span, "the build does not see this")
                        .with_help(format!("`!{cleaned}` at the end of .dockerignore lets it in again")),
                );
            }
        }
    }
}

/// A source as a path of the context; none for patterns, variables, addresses and the whole context.
fn plain(path: &Spanned) -> Option<String> {
    if path.contains(['*', '?', '[', '$', '\\', '"', '\'']) || path.contains("://") {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}
