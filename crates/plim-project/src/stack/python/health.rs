//! The path that tells whether the program is well.

use plim_dockerfile::{Command, HealthcheckTest};

use super::Context;
use super::sources::Sources;

/// Paths by which programs say that they are well, the most telling first.
const PATHS: &[&str] = &[
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

/// Returns the path and where it is said: the flag, the author's HEALTHCHECK, the sources, or `/`.
pub(super) fn find(context: &Context<'_>, sources: &Sources) -> (String, String) {
    if let Some(path) = &context.choices.health {
        return (path.clone(), "--health".to_owned());
    }
    if let Some(told) = &context.declared.healthcheck
        && let HealthcheckTest::Command(command) = &told.value.test
    {
        let text = match command {
            Command::Shell(text) => text.value.clone(),
            Command::Exec(words) => words.iter().map(|word| word.value.as_str()).collect::<Vec<_>>().join(" "),
        };
        if let Some(path) = path_of_url(&text) {
            return (path, context.at(told.line));
        }
    }
    for path in PATHS {
        for quote in ['"', '\''] {
            if let Some(place) = sources.find(&format!("{quote}{path}{quote}")) {
                return ((*path).to_owned(), place);
            }
        }
        // Django's patterns begin without a slash and often end with one
        let relative = path.trim_start_matches('/');
        for pattern in [format!("path(\"{relative}\""), format!("path('{relative}'")] {
            if let Some(place) = sources.find(&pattern) {
                return ((*path).to_owned(), place);
            }
        }
        for pattern in [format!("path(\"{relative}/\""), format!("path('{relative}/'")] {
            if let Some(place) = sources.find(&pattern) {
                return (format!("{path}/"), place);
            }
        }
    }
    ("/".to_owned(), "no path of that kind in the sources".to_owned())
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
        assert_eq!(path("python -c \"import urllib; urlopen('http://localhost/a/b')\""), "/a/b");
        assert_eq!(path_of_url("pg_isready"), None);
    }
}
