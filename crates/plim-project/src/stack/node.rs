//! Node.js: how a project is recognised and what is taken from it, top to bottom.

mod artifacts;
mod author;
mod build;
mod install;
mod lock;
mod manager;
mod manifest;
mod members;
mod native;
mod outputs;
mod programs;
mod replaced;
mod serves;
mod sources;
mod start;
mod version;

#[cfg(test)]
mod tests;

use camino::{Utf8Path, Utf8PathBuf};
use plim_dockerfile::ignore::Patterns;

use crate::error::DetectError;
use crate::evidence::Declared;
use crate::folder::Folder;
use crate::project::{Choices, Finding, StackKind, StackProfile};

use artifacts::Layout;
use install::Plan;
use manager::Manager;
use manifest::Manifest;
use outputs::Outputs;
use sources::Sources;
use start::{Scope, Start};
use version::Major;

pub(crate) use native::{needs_full_base, wants_openssl};
pub(crate) use start::COMES_WITH_NODE;

/// The working directory when the author names none.
const WORKDIR: &str = "/app";

/// Where `npm install --global` puts packages.
pub(crate) const GLOBALS: &str = "/usr/local/lib/node_modules";

/// What the parts of the detection look at.
struct Context<'a> {
    folder: &'a Folder,
    declared: &'a Declared,
    /// Name of the author's Dockerfile, for the places in findings.
    dockerfile: &'a Utf8Path,
    choices: &'a Choices,
    manifest: &'a Manifest,
    /// Where the project is in the image.
    workdir: String,
}

impl Context<'_> {
    /// Returns `Dockerfile:LINE`.
    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.dockerfile)
    }
}

/// Returns the profile of the Node.js project in a folder.
pub(crate) fn profile(
    folder: &Folder,
    declared: &Declared,
    dockerfile: &Utf8Path,
    ignored: Option<&Patterns>,
    choices: &Choices,
) -> Result<StackProfile, DetectError> {
    let manifest = &Manifest::read(folder, Utf8Path::new(""))?;
    members::check(folder, manifest)?;
    let mut found = Vec::new();
    let author = author::read(declared, &|stage| replaced::is_foreign(folder, declared, stage));
    let workdir = match &declared.workdir {
        Some(told) if is_own_folder(&told.value) => {
            found
                .push(Finding::new(format!("working directory {}", told.value), format!("{dockerfile}:{}", told.line)));
            told.value.trim_end_matches('/').to_owned()
        }
        _ => WORKDIR.to_owned(),
    };
    let context = &Context { folder, declared, dockerfile, choices, manifest, workdir };

    let (version, why) = node_version(context);
    found.insert(0, Finding::new(format!("Node.js {version}"), why));
    let manager = Manager::find(folder, manifest, &author, dockerfile, &mut found)?;
    let scope = Scope { context, manager: &manager, author: &author, workdir: &context.workdir };
    let start = start::find(&scope)?;
    found.extend(start.found.iter().cloned());
    let sources = Sources::scan(folder);

    let build = build::steps(&scope, &start, &mut found);
    let outputs = (!build.is_empty()).then(|| Outputs::find(context, &author, &start, &sources));
    let plan = Plan::make(&scope, &start, outputs.as_ref(), &mut found);
    let mut layout = Layout::find(context, &start, &sources, outputs.as_ref(), ignored, &plan.manifests);
    if let Some((path, in_image)) = &start.script {
        layout.add_script(path, in_image, &context.workdir, !build.is_empty());
    }
    check_start(&scope, &start, &layout)?;
    if let Some(path) = layout.private(folder) {
        found.push(Finding::new("files are made readable for every user", format!("{path} is for its owner only")));
    }

    let (port, why) = serves::port(context, &start, &sources);
    if let Some(port) = port {
        found.push(Finding::new(format!("port {port}"), why));
    }
    let health = port.map(|_| {
        let (path, why) = serves::health(context, &sources);
        found.push(Finding::new(format!("health at {path}"), why));
        path
    });

    if folder.has(".env")
        && ["dotenv", "@nestjs/config", "dotenv-flow", "env-cmd"].iter().any(|package| manifest.has(package))
    {
        found.push(Finding::new(
            "an environment file is not part of the image: give its variables to the container",
            ".env",
        ));
    }

    let native = native::find(context, &manager, plan.all);
    let mut system: Vec<String> = native.iter().flat_map(|native| native.libraries.clone()).collect();
    let by_apt =
        declared.packages.iter().filter(|package| !package.for_build).map(|package| (&package.name, package.line));
    for (name, line) in by_apt.chain(author.alpine.iter().map(|(name, line)| (name, *line))) {
        found.push(Finding::new(format!("system package {name}"), context.at(line)));
        system.push(name.clone());
    }
    for (package, why) in &start.system {
        found.push(Finding::new(format!("system package {package}"), why.clone()));
        system.push(package.clone());
    }
    system.sort();
    system.dedup();

    let replaced = replaced::find(context, &author, &layout);
    Ok(StackProfile {
        kind: StackKind::Node,
        name: project_name(context),
        version: version.to_string(),
        manifests: plan.manifests,
        locks: manager.lock.iter().cloned().collect(),
        install: plan.install,
        build_inputs: layout.inputs,
        build,
        artifacts: layout.artifacts,
        left_out: Vec::new(),
        workdir: context.workdir.clone(),
        env: start.env,
        entrypoint: start.entrypoint,
        start: start.words,
        port,
        health,
        native,
        system,
        found,
        carried: Vec::new(),
        replaced,
        kept_stages: Vec::new(),
        carry: choices.carry.clone(),
    })
}

/// Folders beside the artifacts that the author makes for the program to write into: absolute paths, each with its line.
pub(crate) fn writable(declared: &Declared, workdir: &str) -> Vec<(String, usize)> {
    let volumes = declared.volumes.iter().map(|told| (told.value.clone(), told.line));
    let mut all: Vec<(String, usize)> = Vec::new();
    for (path, line) in volumes.chain(author::read(declared, &|_| false).folders) {
        let path = if path.starts_with('/') { path } else { format!("{workdir}/{path}") };
        let path = path.trim_end_matches('/').to_owned();
        let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c)) && !path.contains("/..");
        // a folder that holds the program, or parts of the system, is not for writing
        let own = path.strip_prefix(workdir).is_some_and(|rest| rest.starts_with('/'));
        let taken = workdir.starts_with(&path)
            || !own
                && ["/tmp", "/root", "/usr", "/etc", "/home", "/var/lib/apt", "/run"]
                    .iter()
                    .any(|dir| path == *dir || path.starts_with(&format!("{dir}/")));
        if plain && !taken && !path.contains("node_modules") && !all.iter().any(|(known, _)| *known == path) {
            all.push((path, line));
        }
    }
    all
}

/// A file that is started must be one that the image has, as far as that can be known.
fn check_start(scope: &Scope<'_>, start: &Start, layout: &Layout) -> Result<(), DetectError> {
    let Some(file) = &start.file else { return Ok(()) };
    let source = scope.source(file.as_str());
    let there = file.starts_with("node_modules")
        || layout.holds(file)
        || layout
            .artifacts
            .iter()
            .any(|artifact| artifact.dest.as_str().is_empty() || file.starts_with(&artifact.dest))
        || source.is_some_and(|source| layout.holds(&source));
    if there {
        return Ok(());
    }
    let (path, line) = start.origin.rsplit_once(':').unwrap_or((&start.origin, "1"));
    Err(DetectError::Unsuited {
        path: path.into(),
        message: format!(
            "the start command runs `{file}` (line {line}), which is not in the project, and nothing says how it is made"
        ),
        hint: "add a script `build` to package.json, or say what to run with `--start 'node server.js'`".to_owned(),
    })
}

/// Whether a working directory can be copied as a whole from the build stage: it holds nothing of the system or of the
/// build, and any user may read it.
fn is_own_folder(path: &str) -> bool {
    const SHARED: &[&str] =
        &["", "/usr", "/usr/src", "/usr/local", "/opt", "/var", "/var/www", "/home", "/tmp", "/etc", "/srv", "/nodejs"];
    let path = path.trim_end_matches('/');
    let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c));
    plain && path.starts_with('/') && path != "/root" && !path.starts_with("/root/") && !SHARED.contains(&path)
}

/// The version that is wanted, else the author's.
fn node_version(context: &Context<'_>) -> (Major, String) {
    let (authors, why) = authors_version(context);
    let wanted = context.choices.version_of(StackKind::Node);
    match wanted.and_then(|wanted| Some((Major::parse(&wanted.version)?, &wanted.why))) {
        Some((version, _)) if version == authors => (authors, why),
        Some((version, by)) => (version, format!("{by}; the project has {authors} ({why})")),
        None => (authors, why),
    }
}

/// The author's image, the files of version managers, what `package.json` asks for.
fn authors_version(context: &Context<'_>) -> (Major, String) {
    if let Some(base) = &context.declared.base
        && let Some(major) = Major::of_image(&base.value)
    {
        return (major, context.at(base.line));
    }
    for file in [".nvmrc", ".node-version"] {
        if let Some(major) = context.folder.text(file).as_deref().and_then(Major::parse) {
            return (major, file.to_owned());
        }
    }
    let manifest = context.manifest;
    if let Some(major) = manifest.volta.as_deref().and_then(Major::parse) {
        return (major, manifest.at("volta"));
    }
    if let Some(range) = &manifest.engine
        && let Some(major) = version::choose(range)
    {
        return (major, format!("{}, which allows {range}", manifest.at("engines")));
    }
    (version::DEBIAN, "the version of Debian 13; nothing asks for another".to_owned())
}

fn project_name(context: &Context<'_>) -> String {
    if let Some(name) = &context.manifest.name {
        return name.rsplit('/').next().unwrap_or(name).to_owned();
    }
    let root = context.folder.root();
    let real: Option<Utf8PathBuf> = root.canonicalize_utf8().ok();
    real.as_deref().unwrap_or(root).file_name().unwrap_or("app").to_owned()
}
