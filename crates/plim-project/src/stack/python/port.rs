//! The port that the program listens on.

use super::super::port::{self, of_address};
use camino::{Utf8Path, Utf8PathBuf};

use super::artifacts::Layout;
use super::sources::{self, Sources};
use super::start::Start;
use super::{Context, WORKDIR};

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

/// Returns the port and where it is said: the flag, the start command, `EXPOSE`, Gunicorn's settings, the sources, the
/// server's default.
pub(super) fn find(context: &Context<'_>, start: &Start, sources: &Sources, layout: &Layout) -> (Option<u16>, String) {
    if let Some(port) = context.choices.port {
        return (Some(port), "--port".to_owned());
    }
    if let Some(port) = of_words(start.served()) {
        return (Some(port), start.origin.clone());
    }
    if let Some((port, line)) = port::declared(context.declared, &["PORT"]) {
        return (Some(port), context.at(line));
    }
    let module = start.module();
    if module == Some("gunicorn")
        && let Some((port, place)) = of_gunicorn(context, start.served(), layout)
    {
        return (Some(port), place);
    }
    if let Some((name, port)) = module.and_then(|module| DEFAULTS.iter().find(|(name, _)| *name == module)) {
        return (Some(*port), format!("the default of {name}"));
    }
    if start.served().iter().any(|word| word == "runserver") {
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

/// Reads the port from the file with Gunicorn's settings: the one that the command names, or the one with the usual name.
fn of_gunicorn(context: &Context<'_>, words: &[String], layout: &Layout) -> Option<(u16, String)> {
    let workdir = context.declared.workdir.as_ref().map_or(WORKDIR, |told| told.value.trim_end_matches('/'));
    let mut named = words.iter().enumerate().filter_map(|(index, word)| match word.as_str() {
        "-c" | "--config" => words.get(index + 1).map(String::as_str),
        word => word.strip_prefix("--config="),
    });
    let path = match named.next() {
        None => Utf8PathBuf::from("gunicorn.conf.py"),
        Some(named) => {
            if let Some(module) = named.strip_prefix("python:") {
                Utf8PathBuf::from(format!("{}.py", module.replace('.', "/")))
            } else {
                let named = named.strip_prefix("file:").unwrap_or(named);
                let below = named.strip_prefix(workdir).map_or(named, |below| below.trim_start_matches('/'));
                Utf8PathBuf::from(below.trim_start_matches("./"))
            }
        }
    };
    // a file from elsewhere in the image goes by its name
    let file = layout.in_project(context.folder, &path).or_else(|| {
        let name = path.file_name().filter(|_| path.is_absolute())?;
        context.folder.files().find(|file| file.file_name() == Some(name)).map(Utf8Path::to_owned)
    })?;
    let (port, line) = bound(&context.folder.text(&file)?)?;
    Some((port, format!("{file}:{line}")))
}

/// Returns the port in `bind = …`, and the line; where that names a variable, the port that the file gives it.
fn bound(text: &str) -> Option<(u16, usize)> {
    let lines = || text.lines().enumerate().map(|(index, line)| (index + 1, line.split('#').next().unwrap_or(line)));
    let (number, value) = lines().find_map(|(number, line)| {
        let value = line.strip_prefix("bind")?.trim_start().strip_prefix('=')?;
        Some((number, value))
    })?;
    let digits = |c: char| c.is_ascii_digit();
    let last = value.split(|c: char| !digits(c) && c != '.').filter(|run| !run.is_empty() && run.chars().all(digits));
    match last.filter_map(|run| run.parse().ok()).rfind(|port: &u16| *port >= 80) {
        Some(port) => Some((port, number)),
        None => lines().find_map(|(number, line)| Some((sources::port_in(line)?, number))),
    }
}

/// Reads the port from `--port 80`, `--port=80`, `-p 80`, `--bind HOST:80`, `-b :80`, `--listen *:80`, `--http :80` and
/// runserver's `HOST:80`.
fn of_words(words: &[String]) -> Option<u16> {
    let mut port = None;
    let mut previous = "";
    for word in words {
        let (option, written) = match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, value),
            _ => (previous, word.as_str()),
        };
        // what a shell would put in for a variable without a value
        let value = written.split_once("${").and_then(|(_, rest)| Some(rest.split_once(":-")?.1.trim_end_matches('}')));
        let value = value.unwrap_or(written);
        port = match option {
            "--port" | "-p" | "--server.port" | "--http-port" => value.parse().ok(),
            "--bind" | "-b" | "--listen" | "--http" | "--http-socket" => {
                of_address(value).or_else(|| value.parse().ok())
            }
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
        let words = ["gunicorn", "a:b", "-b", "0.0.0.0:${PORT:-9100}"].map(ToOwned::to_owned);
        assert_eq!(of_words(&words), Some(9100));
    }

    #[test]
    fn ports_are_read_from_the_settings_of_gunicorn() {
        assert_eq!(bound("# x\nbind = \"0.0.0.0:8081\"\n"), Some((8081, 2)));
        assert_eq!(bound("bind = [\"[::]:{}\".format(os.environ.get(\"PORT\", 5006))]\n"), Some((5006, 1)));
        assert_eq!(bound("port = os.getenv(\"PORT\", \"8082\")\nbind = f\"0.0.0.0:{port}\"\n"), Some((8082, 1)));
        assert_eq!(bound("bind = \"unix:/run/app.sock\"\n"), None);
        assert_eq!(bound("binding = 8083\nworkers = 1000\n"), None);
    }
}
