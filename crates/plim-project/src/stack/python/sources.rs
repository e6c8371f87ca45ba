//! What the Python sources tell: application objects, programs, Django's files, ports and health paths.
//!
//! The sources are looked at line by line, not parsed: an application object is an assignment at the start of a line, which
//! is how everybody writes it. What is overlooked can be said with a flag.

use camino::{Utf8Path, Utf8PathBuf};

use super::artifacts::Layout;
use crate::folder::Folder;

/// The most files that are looked at.
const MAX_FILES: usize = 4_000;

/// What a framework's application object is called with, and how it is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interface {
    /// FastAPI, Starlette, Quart, Litestar, Sanic: served by uvicorn and its like.
    Asgi,
    /// Flask, Bottle, Falcon: served by gunicorn and its like.
    Wsgi,
}

/// An application object, or a function that makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct App {
    pub(super) interface: Interface,
    /// The class that is called: `FastAPI`.
    pub(super) class: &'static str,
    /// Dotted name of the module as the interpreter in the image sees it.
    pub(super) module: String,
    /// The object or function.
    pub(super) name: String,
    /// A function makes the object.
    pub(super) factory: bool,
    /// File and line.
    pub(super) place: String,
}

/// What the sources tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    pub(super) apps: Vec<App>,
    /// Packages with a `__main__.py`: module name and file.
    pub(super) mains: Vec<(String, Utf8PathBuf)>,
    /// Files in the working directory that do something when they are run: path in the image and file.
    pub(super) scripts: Vec<(String, Utf8PathBuf)>,
    /// `manage.py`: path in the image and file.
    pub(super) manage: Option<(String, Utf8PathBuf)>,
    /// Django's `wsgi.py` and `asgi.py`: interface, module, file.
    pub(super) django: Vec<(Interface, String, Utf8PathBuf)>,
    /// `port=8080` and the like: port and place.
    pub(super) ports: Vec<(u16, String)>,
    /// Where the metadata of an installed package is asked for.
    pub(super) reads_own_metadata: Option<String>,
    /// The texts, for searches.
    pub(super) texts: Vec<(Utf8PathBuf, String)>,
}

const CLASSES: &[(&str, Interface)] = &[
    ("FastAPI", Interface::Asgi),
    ("Starlette", Interface::Asgi),
    ("Quart", Interface::Asgi),
    ("Litestar", Interface::Asgi),
    ("BlackSheep", Interface::Asgi),
    ("Flask", Interface::Wsgi),
    ("Bottle", Interface::Wsgi),
];

impl Sources {
    /// Looks at every Python file of the program.
    pub(super) fn scan(folder: &Folder, layout: &Layout) -> Self {
        let mut sources = Self::default();
        let files = folder.files().filter(|path| path.extension() == Some("py") && !is_test(path)).take(MAX_FILES);
        for path in files {
            let Some(in_image) = layout.in_image(path) else { continue };
            let Some(text) = folder.text(path) else { continue };
            sources.read(path, &in_image, &text);
            sources.texts.push((path.to_owned(), text));
        }
        sources
    }

    fn read(&mut self, path: &Utf8Path, in_image: &Utf8Path, text: &str) {
        let name = path.file_name().unwrap_or_default();
        let module = module_name(in_image);
        if name == "__main__.py" {
            let package = module.strip_suffix(".__main__").unwrap_or(&module).to_owned();
            self.mains.push((package, path.to_owned()));
        }
        let top_level = in_image.components().count() == 1;
        if name == "manage.py" && text.contains("DJANGO_SETTINGS_MODULE") && self.manage.is_none() {
            self.manage = Some((in_image.to_string(), path.to_owned()));
        } else if top_level && text.contains("__name__") && text.contains("__main__") && name != "__main__.py" {
            self.scripts.push((in_image.to_string(), path.to_owned()));
        }
        if name == "wsgi.py" && text.contains("get_wsgi_application") {
            self.django.push((Interface::Wsgi, module.clone(), path.to_owned()));
        }
        if name == "asgi.py" && text.contains("get_asgi_application") {
            self.django.push((Interface::Asgi, module.clone(), path.to_owned()));
        }
        let mut function = None;
        for (index, line) in text.lines().enumerate() {
            let place = || format!("{path}:{}", index + 1);
            if line.starts_with(|c: char| !c.is_whitespace() && c != '#' && c != ')') {
                function = line.strip_prefix("def ").and_then(|rest| rest.split(['(', ' ']).next());
            }
            if let Some(port) = port_in(line) {
                self.ports.push((port, place()));
            }
            let own = line.contains("importlib.metadata")
                || line.contains("version(__name__)")
                || line.contains("version(__package__)");
            if own && self.reads_own_metadata.is_none() && text.contains("version(__") {
                self.reads_own_metadata = Some(place());
            }
            if let Some((name, class, interface)) = app_in(line) {
                let indented = line.starts_with([' ', '\t']);
                let (name, factory) = match (indented, function) {
                    (false, _) => (name, false),
                    (true, Some(function)) if function.contains("app") => (function, true),
                    _ => continue,
                };
                self.apps.push(App {
                    interface,
                    class,
                    module: module.clone(),
                    name: name.to_owned(),
                    factory,
                    place: place(),
                });
            }
        }
    }

    /// Returns the first place with one of the texts, in the order of the texts.
    pub(super) fn find(&self, needle: &str) -> Option<String> {
        self.texts.iter().find_map(|(path, text)| {
            let line = text.lines().position(|line| line.contains(needle) && !line.trim_start().starts_with('#'))?;
            Some(format!("{path}:{}", line + 1))
        })
    }
}

/// Returns name, class and interface of `name = FastAPI(` and `name: FastAPI = FastAPI(`.
fn app_in(line: &str) -> Option<(&str, &'static str, Interface)> {
    let (left, right) = line.split_once('=')?;
    let name = left.split(':').next()?.trim();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    let right = right.trim_start();
    let callee = right.split('(').next()?.trim();
    if callee.len() == right.len() {
        return None;
    }
    let class = callee.rsplit('.').next()?;
    let (class, interface) = CLASSES.iter().find(|(known, _)| *known == class)?;
    Some((name, class, *interface))
}

/// Returns the number in `port=8080`, `port: int = 8080`, `PORT = 8080`, `get("PORT", 8080)` and `get("PORT", "8080")`.
pub(super) fn port_in(line: &str) -> Option<u16> {
    let lower = line.split('#').next()?.to_ascii_lowercase();
    lower.match_indices("port").find_map(|(at, word)| {
        // not in the middle of a word such as "import"
        if lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric()) {
            return None;
        }
        let rest = &lower[at + word.len()..];
        let digits = rest.find(|c: char| c.is_ascii_digit())?;
        let (between, number) = rest.split_at(digits);
        if !between.replace("int", "").chars().all(|c| " =,:\"'()".contains(c)) {
            return None;
        }
        let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        number[..end].parse().ok().filter(|port| *port >= 80)
    })
}

/// Returns the dotted name of a file: `app/main.py` is `app.main`, `app/__init__.py` is `app`.
pub(super) fn module_name(path: &Utf8Path) -> String {
    let path = path.strip_prefix("src").unwrap_or(path);
    let dotted = path.with_extension("").as_str().replace('/', ".");
    dotted.strip_suffix(".__init__").unwrap_or(&dotted).to_owned()
}

fn is_test(path: &Utf8Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.starts_with("test_")
        || name.ends_with("_test.py")
        || name == "conftest.py"
        || path.components().any(|part| matches!(part.as_str(), "tests" | "test" | "docs" | "examples" | "benchmarks"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn application_objects_are_assignments() {
        assert_eq!(app_in("app = FastAPI(title=\"x\")").unwrap().0, "app");
        assert_eq!(app_in("api: FastAPI = fastapi.FastAPI()").unwrap().0, "api");
        assert_eq!(app_in("application = Flask(__name__)").unwrap().1, "Flask");
        assert!(app_in("return FastAPI()").is_none());
        assert!(app_in("x.app = FastAPI()").is_none());
        assert!(app_in("kind = FastAPI").is_none());
    }

    #[test]
    fn ports_are_numbers_behind_the_word() {
        assert_eq!(port_in("    uvicorn.run(app, host='0.0.0.0', port=9000)"), Some(9000));
        assert_eq!(port_in("port: int = 8081"), Some(8081));
        assert_eq!(port_in("port = int(os.environ.get(\"PORT\", \"8080\"))"), Some(8080));
        assert_eq!(port_in("app.run(port=int(os.environ.get('PORT', 8080)))"), Some(8080));
        assert_eq!(port_in("PORT = 8082"), Some(8082));
        assert_eq!(port_in("from base import 1234"), None);
        assert_eq!(port_in("port = 99999999"), None);
    }

    #[test]
    fn modules_are_named_as_python_does() {
        assert_eq!(module_name(Utf8Path::new("app/main.py")), "app.main");
        assert_eq!(module_name(Utf8Path::new("src/app/__init__.py")), "app");
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "\\PC{0,40}") {
            let _ = (app_in(&line), port_in(&line));
        }
    }
}
