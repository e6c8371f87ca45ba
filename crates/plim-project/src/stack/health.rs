//! What every language has in common when it is asked whether a program is well.

use plim_dockerfile::{Command, HealthcheckTest};

use crate::evidence::Declared;

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

/// Returns the port of an EXPOSE, if it is one of TCP.
pub(crate) fn tcp_port(exposed: &str) -> Option<u16> {
    match exposed.split_once('/') {
        None => exposed.parse().ok(),
        Some((port, protocol)) if protocol.eq_ignore_ascii_case("tcp") => port.parse().ok(),
        Some(_) => None,
    }
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

    #[test]
    fn only_tcp_is_asked_for_health() {
        assert_eq!(tcp_port("8080"), Some(8080));
        assert_eq!(tcp_port("8080/TCP"), Some(8080));
        assert_eq!(tcp_port("53/udp"), None);
    }
}
