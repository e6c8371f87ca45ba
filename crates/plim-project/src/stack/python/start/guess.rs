//! The start command when nobody says it: what the sources and the dependencies show.

use super::super::sources::{App, Interface};
use super::form::entry_point;
use super::{Scope, Start};
use crate::error::DetectError;
use crate::project::Finding;

/// Looks for an application object, Django's files, a script of the package, a package that can be run, a lonely file.
/// The first kind that is there decides; several of one kind are for the user to choose from.
pub(super) fn guess(scope: &Scope<'_>) -> Result<Start, DetectError> {
    if let Some(start) = django(scope) {
        return Ok(start);
    }
    if let Some(app) = application(scope)? {
        return Ok(serve(scope, app));
    }
    let scripts: Vec<(String, String, Vec<String>)> = scope
        .context
        .pyproject
        .iter()
        .flat_map(|pyproject| pyproject.scripts.iter().map(|(name, target)| (name, target, pyproject.at(target))))
        .filter_map(|(name, target, place)| Some((name.clone(), place, entry_point(scope, target)?)))
        .collect();
    match scripts.as_slice() {
        [] => {}
        [(_, place, words)] => return Ok(start(words.clone(), place)),
        several => return Err(ambiguous(several.iter().map(|(name, place, _)| format!("{name} ({place})")))),
    }
    let mains = &scope.sources.mains;
    match mains.as_slice() {
        [] => {}
        [(module, file)] => return Ok(start(strings(&["python3", "-m", module]), file.as_str())),
        several => {
            return Err(ambiguous(several.iter().map(|(module, file)| format!("python -m {module} ({file})"))));
        }
    }
    match scope.sources.scripts.as_slice() {
        [] => Err(DetectError::NoStart {
            root: scope.context.folder.root().to_owned(),
            looked_for: strings(&[
                "CMD or ENTRYPOINT in the Dockerfile",
                "web: in a Procfile",
                "manage.py",
                "an application object of FastAPI, Starlette, Quart, Litestar or Flask",
                "[project.scripts]",
                "__main__.py",
                "a file with `if __name__ == \"__main__\"`",
            ]),
        }),
        [(path, file)] => Ok(start(strings(&["python3", path]), file.as_str())),
        several => Err(ambiguous(several.iter().map(|(path, _)| format!("python {path}")))),
    }
}

fn django(scope: &Scope<'_>) -> Option<Start> {
    let (manage, file) = scope.sources.manage.as_ref()?;
    let text = scope.context.folder.text(file).unwrap_or_default();
    let module = |interface: Interface| {
        let all: Vec<_> = scope.sources.django.iter().filter(|(kind, _, _)| *kind == interface).collect();
        // of several projects, the one that manage.py names
        all.iter()
            .find(|(_, module, _)| {
                module.split('.').next().is_some_and(|package| text.contains(&format!("{package}.")))
            })
            .or_else(|| all.first())
            .map(|(_, module, file)| (module.clone(), file.clone()))
    };
    if let Some((module, file)) = module(Interface::Wsgi)
        && scope.plan.has("gunicorn")
    {
        let target = format!("{module}:application");
        return Some(start(strings(&["python3", "-m", "gunicorn", &target, "--bind", "0.0.0.0:8000"]), file.as_str()));
    }
    if let Some((module, file)) = module(Interface::Asgi)
        && scope.plan.has("uvicorn")
    {
        let target = format!("{module}:application");
        let words = ["python3", "-m", "uvicorn", &target, "--host", "0.0.0.0", "--port", "8000"];
        return Some(start(strings(&words), file.as_str()));
    }
    let mut start = start(strings(&["python3", manage, "runserver", "0.0.0.0:8000", "--noreload"]), file.as_str());
    start.found.push(Finding::new("runserver is no server for production", "gunicorn is not among the dependencies"));
    Some(start)
}

/// Returns the one application object. Of several, one with the usual name in a module with a usual name is meant.
fn application<'a>(scope: &Scope<'a>) -> Result<Option<&'a App>, DetectError> {
    let apps = &scope.sources.apps;
    let objects: Vec<&App> = apps.iter().filter(|app| !app.factory).collect();
    let candidates = if objects.is_empty() { apps.iter().collect() } else { objects };
    if let [] | [_] = candidates.as_slice() {
        return Ok(candidates.first().copied());
    }
    let usual: Vec<&App> = candidates
        .iter()
        .copied()
        .filter(|app| {
            let module = app.module.rsplit('.').next().unwrap_or(&app.module);
            matches!(module, "main" | "app" | "asgi" | "wsgi" | "server" | "application")
                && matches!(app.name.as_str(), "app" | "application" | "api" | "create_app")
        })
        .collect();
    match usual.as_slice() {
        [one] => Ok(Some(one)),
        _ => Err(ambiguous(
            candidates.iter().map(|app| format!("{} {}:{} ({})", app.class, app.module, app.name, app.place)),
        )),
    }
}

fn serve(scope: &Scope<'_>, app: &App) -> Start {
    let App { module, name, .. } = app;
    let has = |server: &str| scope.plan.has(server);
    let target = format!("{module}:{name}");
    let words: Vec<String> = match app.interface {
        Interface::Asgi if !has("uvicorn") && has("hypercorn") => {
            let target = if app.factory { format!("{target}()") } else { target };
            strings(&["python3", "-m", "hypercorn", &target, "--bind", "0.0.0.0:8000"])
        }
        Interface::Asgi if !has("uvicorn") && has("granian") => {
            let mut words =
                strings(&["python3", "-m", "granian", "--interface", "asgi", "--host", "0.0.0.0", "--port", "8000"]);
            words.extend(app.factory.then(|| "--factory".to_owned()));
            words.push(target);
            words
        }
        Interface::Asgi => {
            let mut words = strings(&["python3", "-m", "uvicorn", &target, "--host", "0.0.0.0", "--port", "8000"]);
            words.extend(app.factory.then(|| "--factory".to_owned()));
            words
        }
        Interface::Wsgi => {
            let call = if app.factory { format!("{target}()") } else { target.clone() };
            if has("gunicorn") {
                strings(&["python3", "-m", "gunicorn", &call, "--bind", "0.0.0.0:8000"])
            } else if has("waitress") {
                let mut words = strings(&["python3", "-m", "waitress", "--listen=*:8080"]);
                words.extend(app.factory.then(|| "--call".to_owned()));
                words.push(target);
                words
            } else {
                strings(&["python3", "-m", "flask", "--app", &target, "run", "--host", "0.0.0.0", "--port", "5000"])
            }
        }
    };
    let mut start = start(words, &app.place);
    match start.words[2].as_str() {
        "flask" => start.found.push(Finding::new(
            "flask run is no server for production",
            "neither gunicorn nor waitress is among the dependencies",
        )),
        "uvicorn" if !has("uvicorn") => {
            start.found.push(Finding::new("uvicorn serves the application", "it comes with another dependency"));
        }
        _ => {}
    }
    start
}

fn start(words: Vec<String>, origin: &str) -> Start {
    Start { words, entrypoint: 1, origin: origin.to_owned(), ..Start::default() }
}

fn ambiguous(candidates: impl Iterator<Item = String>) -> DetectError {
    DetectError::Ambiguous {
        what: "the start command",
        candidates: candidates.collect(),
        flag: "--start",
        key: "[project] start",
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
