//! `secret-variable`: ARG and ENV whose name says that the value is a secret.

use plim_diag::{Diagnostic, Rule, Severity};
use plim_dockerfile::{Kind, Spanned};

use super::View;

pub(super) const RULE: Rule = Rule {
    id: "secret-variable",
    group: "dockerfile",
    severity: Severity::Warning,
    summary: "a secret in ARG or ENV can be read from the image",
    docs: include_str!("secret_variable.md"),
};

/// Parts of names that say so.
const SECRET: [&str; 10] =
    ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];
/// Parts that say the contrary.
const OPEN: [&str; 1] = ["public"];

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for instruction in &view.file.instructions {
        let names: Vec<&Spanned> = match &instruction.kind {
            Kind::Arg(definitions) => definitions.iter().map(|definition| &definition.name).collect(),
            Kind::Env(pairs) => pairs.iter().map(|pair| &pair.key).collect(),
            _ => continue,
        };
        for name in names.into_iter().filter(|name| is_secret(name)) {
            // neither the value nor a part of it is shown
            found.push(
                view.report(&RULE, format!("`{}` sounds like a secret, which the image would give away", name.value))
                    .primary(name.span, "the history of the image has its value")
                    .with_help(
                        "give it to the step that needs it: RUN --mount=type=secret,id=NAME,env=NAME, and `--secret id=NAME`",
                    ),
            );
        }
    }
}

fn is_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let has = |known: &[&str]| lower.split('_').any(|part| known.contains(&part));
    has(&SECRET) && !has(&OPEN)
}

#[cfg(test)]
mod tests {
    use super::is_secret;

    #[test]
    fn whole_parts_of_names_count() {
        for name in ["TOKEN", "NPM_TOKEN", "aws_secret_access_key", "DB_PASSWORD", "APIKEY", "auth"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["TOKENIZER", "MONKEY", "PUBLIC_KEY", "AUTHOR", "KEYBOARD_LAYOUT", "PATH", "PASSWORDLESS"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
