//! What every language has in common when it is asked whether a program is well.

use plim_dockerfile::{Command, HealthcheckTest};

use crate::evidence::Declared;
use crate::project::Choices;

/// Paths by which programs say that they are well, the most telling first.
pub(crate) const PATHS: &[&str] = &[
    "/healthz",
    "/health",
    "/readyz",
    "/ready",
    "/livez",
    "/live",
    "/healthcheck",
    "/health-check",
    "/health_check",
    "/api/healthz",
    "/api/health",
    "/-/healthy",
    "/ping",
    "/status",
];

/// Returns the path that a person names and where: the flag, or the author's HEALTHCHECK. The place is the number of a line,
/// none for the flag.
pub(crate) fn said(choices: &Choices, author: &Declared) -> Option<(String, Option<usize>)> {
    if let Some(path) = &choices.health {
        return Some((path.clone(), None));
    }
    declared(author).map(|(path, line)| (path, Some(line)))
}

/// Returns the path that the author's HEALTHCHECK asks for, and its line.
pub(crate) fn declared(declared: &Declared) -> Option<(String, usize)> {
    let told = declared.healthcheck.as_ref()?;
    let HealthcheckTest::Command(command) = &told.value.test else { return None };
    let text = match command {
        Command::Shell(text) => text.value.clone(),
        Command::Exec(words) => words.iter().map(|word| word.value.as_str()).collect::<Vec<_>>().join(" "),
    };
    Some((path_of_url(&text)?, told.line))
}

/// Returns the path of the first URL in a text.
fn path_of_url(text: &str) -> Option<String> {
    let rest = text.split_once("http://").or_else(|| text.split_once("https://"))?.1;
    let url = rest.split([' ', '"', '\'', ')', '|', ';', '&', '?', '#']).next()?;
    let path = url.find('/').map_or("/", |at| &url[at..]);
    Some(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_health_check_is_that_of_its_url() {
        let path = |text| path_of_url(text).unwrap_or_default();
        assert_eq!(path("curl -f http://localhost:8080/healthz || exit 1"), "/healthz");
        assert_eq!(path("wget -q http://127.0.0.1:80"), "/");
        assert_eq!(path("node -e \"fetch('http://localhost/a/b')\""), "/a/b");
        assert_eq!(path_of_url("pg_isready"), None);
    }
}
