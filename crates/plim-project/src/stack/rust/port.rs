//! Where the program listens, and how it says that it is well.

use super::Context;
use super::sources::Sources;
use crate::stack::health::{self, PATHS};
use crate::stack::port::{self, of_address};

/// Variables that hold the port.
const VARIABLES: &[&str] = &["PORT", "ROCKET_PORT", "HTTP_PORT", "SERVER_PORT", "APP_PORT", "LISTEN_PORT"];

/// Frameworks that listen somewhere when nothing is said.
const DEFAULTS: &[(&str, u16)] =
    &[("rocket", 8000), ("loco-rs", 5150), ("leptos_axum", 3000), ("dioxus-fullstack", 8080)];

/// Returns the port and where it is said: the flag, the start command, `EXPOSE`, a variable, the sources, the default of the
/// framework.
pub(super) fn find(
    context: &Context<'_>,
    start: &[String],
    origin: &str,
    sources: &Sources,
    names: &[String],
) -> Option<(u16, String)> {
    if let Some(port) = context.choices.port {
        return Some((port, "--port".to_owned()));
    }
    if let Some(port) = of_words(start) {
        return Some((port, origin.to_owned()));
    }
    if let Some((port, line)) = port::declared(context.declared, VARIABLES) {
        return Some((port, context.at(line)));
    }
    if let Some(found) = sources.port() {
        return Some(found);
    }
    let default = DEFAULTS.iter().find(|(name, _)| names.iter().any(|own| own == name));
    default.map(|(name, port)| (*port, format!("the default of {name}")))
}

/// Reads the port from `--port 80`, `-p 80`, `--listen HOST:80`, `--addr=HOST:80` and the like.
fn of_words(words: &[String]) -> Option<u16> {
    let mut previous = "";
    for word in words.iter().skip(1) {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, value),
            _ => (previous, word.as_str()),
        };
        let port = match option {
            "--port" | "-p" | "--http-port" | "--listen-port" => value.parse().ok().or_else(|| of_address(value)),
            "--bind" | "-b" | "--listen" | "-l" | "--addr" | "--address" | "-a" | "--http" | "--host" | "--server" => {
                of_address(value)
            }
            _ => None,
        };
        if port.is_some() {
            return port;
        }
        previous = word;
    }
    None
}

/// Returns the path to ask for and where it is said: the flag, the author's HEALTHCHECK, the sources, or `/`.
pub(super) fn health(context: &Context<'_>, sources: &Sources) -> (String, String) {
    if let Some((path, line)) = health::said(context.choices, context.declared) {
        return (path, line.map_or_else(|| "--health".to_owned(), |line| context.at(line)));
    }
    PATHS
        .iter()
        .find_map(|path| Some(((*path).to_owned(), sources.find(path)?)))
        .unwrap_or_else(|| ("/".to_owned(), "no path of that kind in the sources".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_from_the_usual_options() {
        let port = |text: &str| of_words(&crate::parse_command(text).unwrap());
        assert_eq!(port("shop --port 8080"), Some(8080));
        assert_eq!(port("shop serve --listen=0.0.0.0:9000"), Some(9000));
        assert_eq!(port("shop -a 127.0.0.1:9001 -v"), Some(9001));
        assert_eq!(port("shop --addr :9002"), Some(9002));
        assert_eq!(port("shop --host 0.0.0.0"), None);
        assert_eq!(port("shop 8080"), None);
    }
}
