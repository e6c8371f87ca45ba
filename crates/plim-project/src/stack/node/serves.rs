//! Where the program listens, and the path that tells whether it is well.

use super::Context;
use super::sources::{Sources, listen_in, port_in};
use super::start::Start;
use crate::stack::{health, port};

/// Ports that servers listen on when nothing else is said: program or package, and port.
const DEFAULTS: &[(&str, u16)] = &[
    ("astro", 4321),
    ("directus", 8055),
    ("fastify", 3000),
    ("http-server", 8080),
    ("json-server", 3000),
    ("next", 3000),
    ("nuxt", 3000),
    ("react-router-serve", 3000),
    ("remix-serve", 3000),
    ("serve", 3000),
    ("strapi", 1337),
];

/// Returns the port and where it is said: the flag, the start command, `EXPOSE`, `PORT`, the sources, the server's default.
pub(super) fn port(context: &Context<'_>, start: &Start, sources: &Sources) -> (Option<u16>, String) {
    if let Some(port) = context.choices.port {
        return (Some(port), "--port".to_owned());
    }
    if let Some(port) = of_words(&start.words) {
        return (Some(port), start.origin.clone());
    }
    for told in &context.declared.exposed {
        if let Some(port) = port::tcp(&told.value) {
            return (Some(port), context.at(told.line));
        }
    }
    if let Some((_, value)) = start.env.iter().find(|(name, _)| name == "PORT")
        && let Ok(port) = value.parse()
    {
        return (Some(port), start.origin.clone());
    }
    if let Some(told) = context.declared.env.iter().find(|told| told.value.0 == "PORT")
        && let Ok(port) = told.value.1.parse()
    {
        return (Some(port), context.at(told.line));
    }
    if let Some((name, port)) = DEFAULTS.iter().find(|(name, _)| start.program.as_deref() == Some(name)) {
        return (Some(*port), format!("the default of {name}"));
    }
    let first = |pick: fn(&str) -> Option<u16>| {
        let mut all = sources.lines().filter_map(|(path, line, text)| Some((pick(text)?, format!("{path}:{line}"))));
        let first = all.next()?;
        all.all(|(port, _)| port == first.0).then_some(first)
    };
    // a number beside the variable, then one in the call, then any
    let by_variable = first(|line| line.contains("PORT").then(|| port_in(line)).flatten());
    if let Some((port, place)) = by_variable.or_else(|| first(listen_in)).or_else(|| first(port_in)) {
        return (Some(port), place);
    }
    match ["next", "nuxt"].into_iter().find(|name| context.manifest.has(name)) {
        Some(name) => (Some(3000), format!("the default of {name}")),
        None => (None, String::new()),
    }
}

/// Reads the port from `--port 80`, `--port=80`, `-p 80`, `-l 80`.
fn of_words(words: &[String]) -> Option<u16> {
    let mut previous = "";
    let mut port = None;
    for word in words.iter().skip(2) {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) if option.starts_with('-') => (option, value),
            _ => (previous, word.as_str()),
        };
        if matches!(option, "--port" | "-p" | "-l" | "--listen" | "-P") {
            port = value.rsplit(':').next().and_then(|value| value.parse().ok()).or(port);
        }
        previous = word;
    }
    port
}

/// Returns the path and where it is said: the flag, the author's HEALTHCHECK, the sources, or `/`.
pub(super) fn health(context: &Context<'_>, sources: &Sources) -> (String, String) {
    if let Some(path) = &context.choices.health {
        return (path.clone(), "--health".to_owned());
    }
    if let Some((path, line)) = health::declared(context.declared) {
        return (path, context.at(line));
    }
    let literal =
        |line: &str, path: &str| ['"', '\'', '`'].iter().any(|quote| line.contains(&format!("{quote}{path}{quote}")));
    // on the application itself, where nothing is put in front of the path
    let direct = |line: &str| ["app.", "server.", "fastify."].iter().any(|object| line.contains(object));
    for path in health::PATHS {
        if let Some(place) = sources.find(|line| direct(line) && literal(line, path)) {
            return ((*path).to_owned(), place);
        }
    }
    let prefix = sources.lines().find_map(|(_, _, line)| {
        let written = line.split_once("setGlobalPrefix(")?.1.trim_start_matches(['"', '\'', '`']);
        Some(format!("/{}", written.split(['"', '\'', '`']).next()?.trim_matches('/')))
    });
    for path in health::PATHS {
        let name = path.trim_start_matches('/');
        let nest = |line: &str| {
            (line.contains("@Controller(") || line.contains("@Get(")) && (literal(line, name) || literal(line, path))
        };
        if let Some(place) = sources.find(nest) {
            return (format!("{}{path}", prefix.clone().unwrap_or_default()), place);
        }
        let file = sources.paths().find(|file| {
            let route = file.as_str().trim_start_matches("src/");
            let in_app = route
                .strip_prefix("app")
                .is_some_and(|rest| rest.rsplit_once("/route.").is_some_and(|(dir, _)| dir == *path));
            let in_pages = route
                .strip_prefix("pages")
                .is_some_and(|rest| rest.rsplit_once('.').is_some_and(|(stem, _)| stem == *path));
            in_app || in_pages
        });
        if let Some(file) = file {
            return ((*path).to_owned(), file.to_string());
        }
        if let Some(place) = sources.find(|line| literal(line, path)) {
            return ((*path).to_owned(), place);
        }
    }
    ("/".to_owned(), "no path of that kind in the sources".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_from_the_options_of_servers() {
        let port = |text: &str| of_words(&crate::parse_command(text).unwrap());
        assert_eq!(port("node node_modules/next/dist/bin/next start -p 8080"), Some(8080));
        assert_eq!(port("node node_modules/serve/build/main.js -s dist -l 5000"), Some(5000));
        assert_eq!(port("node x.js --port=81"), Some(81));
        assert_eq!(port("node -p 80"), None);
    }
}
