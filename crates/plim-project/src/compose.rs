//! What a compose file tells about the project: how its author builds and runs it on one machine.
//!
//! It is a witness of lower rank than the Dockerfile: what that says about the image wins, and what only concerns a running
//! container (environment, services beside it) is for the proof.

pub(crate) mod apply;
mod interpolate;
mod service;
pub mod yaml;

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use crate::evidence::Told;
use crate::folder::Folder;
use crate::project::Finding;
pub(crate) use service::Service;

/// The names that Compose looks for, in its order.
const NAMES: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// Files that change others for a developer's machine; Compose reads them by itself.
const OVERRIDES: &[&str] =
    &["compose.override.yaml", "compose.override.yml", "docker-compose.override.yaml", "docker-compose.override.yml"];

/// Folders of a project in which people keep the file.
const FOLDERS: &[&str] = &["", "docker", ".docker", "deploy", "deployment"];

/// How many folders above the project are looked at, no further than the repository's root.
const ABOVE: usize = 3;

/// Names and values. The values may be secrets, so only the names are shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings(pub Vec<(String, String)>);

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// The service that is the project.
#[derive(Debug, Clone, PartialEq)]
pub struct ComposeFacts {
    /// The compose file, relative to the folder that was read; begins with `../` when it lies above.
    pub file: Utf8PathBuf,
    /// The service.
    pub service: String,
    /// Build arguments of the author's Dockerfile.
    pub build_args: Settings,
    /// Environment of the container.
    pub environment: Settings,
    /// TCP ports inside the container.
    pub ports: Vec<Told<u16>>,
    /// What it starts instead of the image's command.
    pub command: Option<Told<Vec<String>>>,
    /// The path that the health check asks for.
    pub health: Option<Told<String>>,
    /// Other services that it needs.
    pub needs: Vec<Need>,
}

/// A service that the project needs, such as a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Its name.
    pub service: String,
    /// Its image; none for one that is built.
    pub image: Option<String>,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.image {
            Some(image) => write!(f, "{} ({image})", self.service),
            None => f.write_str(&self.service),
        }
    }
}

/// A compose file with services that are built from the folder that is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct File {
    /// Relative to the folder that is read.
    pub(crate) path: Utf8PathBuf,
    pub(crate) services: Vec<Service>,
    /// What each built service is built from.
    pub(crate) builds: Vec<Built>,
}

/// A service that is built from the folder that is read, paths relative to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Built {
    /// Index of the service.
    pub(crate) service: usize,
    pub(crate) context: Utf8PathBuf,
    /// The Dockerfile, which may lie outside (`None`).
    pub(crate) dockerfile: Option<Utf8PathBuf>,
    pub(crate) target: Option<String>,
}

impl File {
    /// Returns `compose.yaml:LINE`.
    pub(crate) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }

    /// What the service of a build says.
    pub(crate) fn facts(&self, built: &Built) -> ComposeFacts {
        let service = &self.services[built.service];
        let words = |told: &Option<Told<Vec<String>>>| told.as_ref().map(|told| told.value.clone()).unwrap_or_default();
        let line = service.entrypoint.as_ref().or(service.command.as_ref()).map(|told| told.line);
        let command: Vec<String> = words(&service.entrypoint).into_iter().chain(words(&service.command)).collect();
        ComposeFacts {
            file: self.path.clone(),
            service: service.name.clone(),
            build_args: service.build.as_ref().map(|build| build.args.clone()).unwrap_or_default(),
            environment: service.environment.clone(),
            ports: service.ports.clone(),
            command: line.filter(|_| !command.is_empty()).map(|line| Told { value: command, line }),
            health: service.health.clone(),
            needs: service.needs(&self.services),
        }
    }
}

/// Reads the services of a compose file.
fn services(text: &str) -> Result<Vec<Service>, yaml::Mistake> {
    let document = yaml::read(text)?;
    let Some(services) = document.get("services") else { return Ok(Vec::new()) };
    let extended = |node: &yaml::Node| {
        let extends = node.get("extends")?;
        // another file is another project's business
        let name =
            extends.text().or_else(|| extends.get("service").filter(|_| extends.get("file").is_none())?.text())?;
        services.get(name).cloned()
    };
    let read = |(name, node): &(String, yaml::Node)| {
        let mut node = node.clone();
        if let Some(base) = extended(&node)
            && let yaml::Value::Map(pairs) = &mut node.value
        {
            let more = base.pairs().iter().filter(|(key, _)| !pairs.iter().any(|(known, _)| known == key));
            let more: Vec<_> = more.cloned().collect();
            pairs.extend(more);
        }
        Service::read(name, &node)
    };
    Ok(services.pairs().iter().map(read).collect())
}

/// Finds the compose file that builds something in the folder: in it, or above it as far as the repository's root.
pub(crate) fn find(folder: &Folder, found: &mut Vec<Finding>) -> Option<File> {
    let root = folder.real_root();
    let mut places: Vec<Utf8PathBuf> = FOLDERS.iter().map(|name| root.join(name)).collect();
    let mut above = root;
    // the root of the repository is the last that counts
    while let Some(parent) =
        above.parent().filter(|_| places.len() < FOLDERS.len() + ABOVE && !above.join(".git").exists())
    {
        places.push(parent.to_owned());
        above = parent;
    }
    for place in places {
        let Some(path) = NAMES.iter().map(|name| place.join(name)).find(|path| path.is_file()) else { continue };
        let shown = shown(root, &path);
        // what cannot be read, or leads elsewhere, is no witness
        let Ok(text) = crate::folder::read_text(&path) else { continue };
        let services = match services(&text) {
            Ok(services) => services,
            Err(mistake) => {
                let why = format!("line {}: {}", mistake.line, mistake.message);
                found.push(Finding::new(format!("{shown} is not understood"), why));
                continue;
            }
        };
        let builds: Vec<Built> =
            services.iter().enumerate().filter_map(|(index, service)| built(root, &place, index, service)).collect();
        if builds.is_empty() {
            continue;
        }
        for name in OVERRIDES.iter().filter(|name| place.join(name).is_file()) {
            found.push(Finding::new(format!("{name} is not used"), "it is for the machines of developers"));
        }
        return Some(File { path: shown, services, builds });
    }
    None
}

/// A path as it is seen from the folder that is read.
fn shown(root: &Utf8Path, path: &Utf8Path) -> Utf8PathBuf {
    for (up, above) in root.ancestors().enumerate() {
        if let Ok(rest) = path.strip_prefix(above) {
            return std::iter::repeat_n("..", up).collect::<Utf8PathBuf>().join(rest);
        }
    }
    path.to_owned()
}

/// What a service is built from, if that is in the folder.
fn built(root: &Utf8Path, place: &Utf8Path, index: usize, service: &Service) -> Option<Built> {
    let build = service.build.as_ref()?;
    // a repository elsewhere is no folder
    if build.context.as_str().contains("://") || build.context.as_str().starts_with("git@") {
        return None;
    }
    let context = normal(&place.join(&build.context));
    let dockerfile = normal(&context.join(build.dockerfile.as_deref().unwrap_or(Utf8Path::new("Dockerfile"))));
    let below = |path: &Utf8Path| path.strip_prefix(root).ok().map(Utf8Path::to_owned);
    Some(Built {
        service: index,
        context: below(&context)?,
        dockerfile: below(&dockerfile),
        target: build.target.clone(),
    })
}

/// Removes `.` and `..` from an absolute path.
fn normal(path: &Utf8Path) -> Utf8PathBuf {
    let mut out = Utf8PathBuf::new();
    for component in path.components() {
        match component {
            camino::Utf8Component::ParentDir => {
                out.pop();
            }
            camino::Utf8Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

/// Reads any text as a compose file and forgets it; for tests of robustness.
#[doc(hidden)]
pub fn fuzz(text: &str) {
    if let Ok(services) = services(text) {
        for (index, service) in services.iter().enumerate() {
            let _ = service.needs(&services);
            if let Some(built) = built(Utf8Path::new("/p"), Utf8Path::new("/p/docker"), index, service) {
                assert!(!built.context.is_absolute(), "contexts lie in the folder");
                let file = File { path: "compose.yaml".into(), services: services.clone(), builds: Vec::new() };
                let _ = file.facts(&built);
            }
        }
    }
}
