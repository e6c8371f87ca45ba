//! `undefined-base-argument` and `invalid-base-default`: FROM with variables that give no image.

use plim_diag::{Diagnostic, Rule, Severity};
use plim_dockerfile::words::{Lexer, is_used_bare};
use plim_dockerfile::{Kind, Spanned, closest};

use super::View;

pub(super) const UNDEFINED: Rule = Rule {
    id: "undefined-base-argument",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "FROM uses a variable that no ARG before it declares",
    docs: include_str!("undefined_base_argument.md"),
};

pub(super) const DEFAULT: Rule = Rule {
    id: "invalid-base-default",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "without build arguments FROM names no image",
    docs: include_str!("invalid_base_default.md"),
};

/// What builders know of by themselves.
const PREDEFINED: [&str; 11] = [
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETOSVERSION",
    "TARGETARCH",
    "TARGETVARIANT",
    "TARGETSTAGE",
];

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    let lexer = Lexer::new(view.file.escape);
    let mut declared: Vec<&str> = Vec::new();
    let mut stages = 0;
    for instruction in &view.file.instructions {
        match &instruction.kind {
            Kind::Arg(definitions) if stages == 0 => {
                declared.extend(definitions.iter().map(|definition| definition.name.value.as_str()));
            }
            Kind::From(from) => {
                stages += 1;
                let mut unknown = false;
                for word in std::iter::once(&from.image).chain(&from.platform) {
                    for name in lexer.variables(word).into_iter().filter(|name| is_used_bare(word, name)) {
                        if !declared.contains(&name.as_str()) && !PREDEFINED.contains(&name.as_str()) {
                            unknown = true;
                            found.push(undefined(view, word, &name, &declared));
                        }
                    }
                }
                if !unknown {
                    found.extend(invalid(view, &from.image, lexer));
                }
            }
            _ => {}
        }
    }
}

fn undefined(view: &View<'_>, word: &Spanned, name: &str, declared: &[&str]) -> Diagnostic {
    let similar = closest(name, declared.iter().copied().chain(PREDEFINED));
    let help = match similar {
        Some(similar) => format!("did you mean `{similar}`?"),
        None => format!("write `ARG {name}=…` before the first FROM"),
    };
    view.report(&UNDEFINED, format!("no ARG before the first FROM declares `{name}`"))
        .primary(word.span, "becomes nothing here")
        .with_help(help)
}

/// Looks at the name that the defaults give.
fn invalid(view: &View<'_>, image: &Spanned, lexer: Lexer) -> Option<Diagnostic> {
    let variables = lexer.variables(image);
    // what the platform is, is known only when something is built
    if variables.is_empty() || variables.iter().any(|name| PREDEFINED.contains(&name.as_str())) {
        return None;
    }
    let name = lexer.process_word(image, &view.graph.global_args).ok()?.text;
    let why = fault(&name)?;
    Some(
        view.report(&DEFAULT, format!("without build arguments the image is `{name}`: {why}"))
            .primary(image.span, "needs an argument to be a name")
            .with_help(format!("give {} a default that works", variables.join(" and "))),
    )
}

/// What is wrong with the name of an image, as far as that shows without asking anybody.
fn fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.contains(char::is_whitespace) {
        return Some("it has blanks");
    }
    let (rest, digest) = name.split_once('@').map_or((name, None), |(rest, digest)| (rest, Some(digest)));
    if digest.is_some_and(|digest| !digest.contains(':') || digest.ends_with(':')) {
        return Some("the digest is missing");
    }
    let last = rest.rfind('/').map_or(0, |at| at + 1);
    let (path, tag) = match rest[last..].find(':') {
        Some(at) => (&rest[..last + at], Some(&rest[last + at + 1..])),
        None => (rest, None),
    };
    if tag == Some("") {
        return Some("the tag is missing");
    }
    if path.split('/').any(str::is_empty) {
        return Some("a part of the path is missing");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn only_what_is_certainly_no_name_is_found() {
        for name in ["alpine", "alpine:3", "r.example:5000/a/b:1", "a@sha256:00", "scratch", "localhost:5000/a"] {
            assert_eq!(fault(name), None, "{name}");
        }
        for name in ["", "alpine:", "/alpine", "r.example//a", "a@", "a@sha256:", "r.example/"] {
            assert!(fault(name).is_some(), "{name}");
        }
    }
}
