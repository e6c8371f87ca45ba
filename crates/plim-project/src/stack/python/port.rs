//! The port that the program listens on.

use super::super::port::{self, of_address};
use super::Context;
use super::sources::Sources;
use super::start::Start;

/// Ports that servers listen on when nothing else is said.
const DEFAULTS: &[(&str, u16)] = &[
    ("uvicorn", 8000),
    ("gunicorn", 8000),
    ("hypercorn", 8000),
    ("daphne", 8000),
    ("granian", 8000),
    ("fastapi", 8000),
    ("sanic", 8000),
    ("litestar", 8000),
    ("quart", 5000),
    ("flask", 5000),
    ("waitress", 8080),
    ("streamlit", 8501),
    ("http.server", 8000),
];

/// Returns the port and where it is said: the flag, the start command, `EXPOSE`, the sources, the server's default.
pub(super) fn find(context: &Context<'_>, start: &Start, sources: &Sources) -> (Option<u16>, String) {
    if let Some(port) = context.choices.port {
        return (Some(port), "--port".to_owned());
    }
    if let Some(port) = of_words(&start.words) {
        return (Some(port), start.origin.clone());
    }
    if let Some((port, line)) = port::declared(context.declared, &["PORT"]) {
        return (Some(port), context.at(line));
    }
    let module = start.module();
    if let Some((name, port)) = module.and_then(|module| DEFAULTS.iter().find(|(name, _)| *name == module)) {
        return (Some(*port), format!("the default of {name}"));
    }
    if start.words.iter().any(|word| word == "runserver") {
        return (Some(8000), "the default of runserver".to_owned());
    }
    let mut ports: Vec<u16> = sources.ports.iter().map(|(port, _)| *port).collect();
    ports.sort_unstable();
    ports.dedup();
    match (ports.as_slice(), sources.ports.first()) {
        ([port], Some((_, place))) => (Some(*port), place.clone()),
        _ => (None, String::new()),
    }
}

/// Reads the port from `--port 80`, `--port=80`, `-p 80`, `--bind HOST:80`, `-b :80`, `--listen *:80`, `--http :80` and
/// runserver's `HOST:80`.
fn of_words(words: &[String]) -> Option<u16> {
    let mut port = None;
    let mut previous = "";
    for word in words {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, value),
            _ => (previous, word.as_str()),
        };
        port = match option {
            "--port" | "-p" | "--server.port" | "--http-port" => value.parse().ok(),
            "--bind" | "-b" | "--listen" | "--http" | "--http-socket" => of_address(value),
            "runserver" | "http.server" => value.parse().ok().or_else(|| of_address(value)),
            _ => None,
        }
        .or(port);
        previous = word;
    }
    port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_from_the_options_of_servers() {
        let port = |text: &str| of_words(&crate::parse_command(text).unwrap());
        assert_eq!(port("uvicorn a:b --host 0.0.0.0 --port 8080"), Some(8080));
        assert_eq!(port("gunicorn a:b --bind=0.0.0.0:9000 -w 4"), Some(9000));
        assert_eq!(port("gunicorn a:b -b :9001"), Some(9001));
        assert_eq!(port("flask run -p 5001"), Some(5001));
        assert_eq!(port("python manage.py runserver 0.0.0.0:8002"), Some(8002));
        assert_eq!(port("python -m http.server 8003"), Some(8003));
        assert_eq!(port("celery -A tasks worker"), None);
    }
}
