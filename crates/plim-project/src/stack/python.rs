//! Python: how a project is recognised and what is taken from it, top to bottom.

mod artifacts;
mod health;
mod install;
mod names;
mod port;
mod pyproject;
mod requirements;
mod sources;
mod start;
mod version;

use camino::Utf8Path;
use plim_dockerfile::ignore::Patterns;

use crate::error::DetectError;
use crate::evidence::{Declared, Ecosystem, Purpose, RunCommand};
use crate::folder::Folder;
use crate::project::{Choices, Finding, Native, Replaced, StackKind, StackProfile, Step};

use artifacts::Layout;
use install::Plan;
use pyproject::Pyproject;
use sources::Sources;
use version::Minor;

/// Where the build stage installs dependencies; copied to a site directory of the runtime.
pub(crate) const DEPS: &str = "/deps";

/// The working directory when the author names none.
const WORKDIR: &str = "/app";

/// What the parts of the detection look at.
struct Context<'a> {
    folder: &'a Folder,
    declared: &'a Declared,
    /// Name of the author's Dockerfile, for the places in findings.
    dockerfile: &'a Utf8Path,
    choices: &'a Choices,
    pyproject: Option<&'a Pyproject>,
}

impl Context<'_> {
    /// Returns `Dockerfile:LINE`.
    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.dockerfile)
    }
}

/// Returns the profile of the Python project in a folder.
pub(crate) fn profile(
    folder: &Folder,
    declared: &Declared,
    dockerfile: &Utf8Path,
    ignored: Option<&Patterns>,
    choices: &Choices,
) -> Result<StackProfile, DetectError> {
    let pyproject = Pyproject::read(folder)?;
    let context = Context { folder, declared, dockerfile, choices, pyproject: pyproject.as_ref() };
    let mut found = Vec::new();
    refuse_conda(declared)?;

    let (version, why) = python_version(&context);
    found.push(Finding::new(format!("Python {version}"), why));

    let workdir = match &declared.workdir {
        Some(told) if is_own_folder(&told.value) => {
            found.push(Finding::new(format!("working directory {}", told.value), context.at(told.line)));
            told.value.trim_end_matches('/').to_owned()
        }
        _ => WORKDIR.to_owned(),
    };
    let plan = Plan::make(&context, version, &mut found)?;
    let mut layout = Layout::find(&context, &workdir, ignored, &plan.files());
    let sources = Sources::scan(folder, &layout);
    let start = start::find(&context, &plan, &layout, &sources, &workdir)?;
    found.extend(start.found.iter().cloned());

    let mut env = start.env.clone();
    let (mut build, mut build_inputs) = (Vec::new(), Vec::new());
    if let Some((step, why)) = plan.package_step(&context, &layout, &start, &sources) {
        build_inputs = plan.package_inputs(&context, &layout);
        layout.drop_installed(folder);
        found.push(Finding::new("the project is installed as a package", why));
        build.push(step);
    } else if let Some(base) = &start.search_path {
        let declares_path = declared.env.iter().any(|told| told.value.0 == "PYTHONPATH");
        if !declares_path {
            env.push(("PYTHONPATH".to_owned(), format!("{workdir}/{base}")));
            found.push(Finding::new(format!("modules are in {base}"), format!("{base}/ and the start command")));
        }
    }

    if let Some((step, why)) = static_files(&context, &sources, &workdir) {
        found.push(Finding::new("Django's static files are collected", why));
        build.push(step);
    }
    for runner in &start.runners {
        build.push(runner_step(runner, &start.origin));
    }

    let (port, why) = port::find(&context, &start, &sources, &layout);
    if let Some(port) = port {
        found.push(Finding::new(format!("port {port}"), why));
    }
    let health = port.map(|_| {
        let (path, why) = health::find(&context, &sources);
        found.push(Finding::new(format!("health at {path}"), why));
        path
    });

    let left_out = artifacts::nested_tests(folder, &layout, &sources);
    if let Some((path, in_image)) = &start.script {
        layout.add_script(path, in_image, &workdir);
    }
    let native = native(&plan);
    let mut system: Vec<String> = native.iter().flat_map(|native| native.libraries.clone()).collect();
    for package in declared.packages.iter().filter(|package| !package.for_build) {
        found.push(Finding::new(format!("system package {}", package.name), context.at(package.line)));
        system.push(package.name.clone());
    }
    for (package, why) in &start.packages {
        found.push(Finding::new(format!("system package {package}"), why.clone()));
        system.push(package.clone());
    }
    system.sort();
    system.dedup();

    Ok(StackProfile {
        kind: StackKind::Python,
        name: project_name(&context),
        version: version.to_string(),
        manifests: plan.manifests.clone(),
        locks: plan.locks.clone(),
        install: plan.install.clone(),
        build_inputs,
        build,
        artifacts: layout.artifacts,
        left_out,
        workdir,
        env,
        entrypoint: start.entrypoint,
        start: start.words,
        port,
        health,
        native,
        system,
        carried: Vec::new(),
        replaced: Replaced::default(),
        kept_stages: Vec::new(),
        carry: choices.carry.clone(),
        found,
    })
}

/// What platforms that know no Dockerfile do for Django: collect the static files, where the settings say where to. Where there
/// is a Dockerfile, it decides.
fn static_files(context: &Context<'_>, sources: &Sources, workdir: &str) -> Option<(Step, String)> {
    let (manage, _) = sources.manage.as_ref().filter(|_| context.declared.base.is_none())?;
    let why = sources.find("STATIC_ROOT =")?;
    // settings want a key before they do anything; the files do not depend on it
    let command = format!(
        "cd {workdir} && PYTHONPATH={DEPS} SECRET_KEY=of-the-build python3 {manage} collectstatic --noinput || \\\n    echo 'the static files were not collected: the settings need more than there is in a build' >&2"
    );
    let comment = "the static files of Django and its applications, in the folder that the settings name".to_owned();
    Some((Step { command, caches: Vec::new(), comment, why: why.clone() }, why))
}

/// A stand-in for `poetry run` and the like in a script: the dependencies are installed for the image's interpreter, so
/// that all it has to do is to run what follows.
fn runner_step(name: &str, why: &str) -> Step {
    Step {
        command: format!(
            "mkdir -p {DEPS}/bin && \\\n    printf '%s\\n' '#!/bin/sh' shift 'while [ \"${{1#--}}\" != \"$1\" ]; do shift; done' 'exec \"$@\"' \\\n        > {DEPS}/bin/{name} && \\\n    chmod 755 {DEPS}/bin/{name}"
        ),
        caches: Vec::new(),
        comment: format!("the start calls `{name} run`, which in the image only has to run what follows"),
        why: why.to_owned(),
    }
}

/// Conda brings a Python and libraries of its own; nothing of it can be installed beside Debian's.
fn refuse_conda(declared: &Declared) -> Result<(), DetectError> {
    let is_conda = |command: &&RunCommand| command.purpose() == Purpose::LanguagePackages(Ecosystem::Conda);
    if let Some(command) = declared.commands.iter().find(is_conda) {
        return Err(DetectError::Conda { line: command.line });
    }
    match &declared.base {
        Some(base) if ["conda", "mamba", "anaconda"].iter().any(|word| base.value.contains(word)) => {
            Err(DetectError::Conda { line: base.line })
        }
        _ => Ok(()),
    }
}

/// Whether the dependencies of a profile can only be installed with compilers or git at hand.
pub(crate) fn needs_full_base(profile: &StackProfile, declared: &Declared) -> Option<String> {
    if let Some(native) = profile.native.iter().find(|native| native.compiles) {
        return Some(format!("{} has no wheel and is compiled ({})", native.name, native.why));
    }
    let compilers = ["build-essential", "gcc", "g++", "clang", "gfortran", "git", "cargo", "rustc"];
    let package = declared.packages.iter().find(|package| {
        package.for_build && (package.name.ends_with("-dev") || compilers.contains(&package.name.as_str()))
    })?;
    Some(format!("the author's build installs {} (line {})", package.name, package.line))
}

/// Whether a working directory can be copied as a whole from the build stage: it holds nothing of the system or of the
/// build, and any user may read it.
fn is_own_folder(path: &str) -> bool {
    const SHARED: &[&str] =
        &["", "/usr", "/usr/src", "/usr/local", "/opt", "/opt/tools", "/var", "/home", "/tmp", "/etc", "/build", DEPS];
    let path = path.trim_end_matches('/');
    let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c));
    plain && path.starts_with('/') && path != "/root" && !path.starts_with("/root/") && !SHARED.contains(&path)
}

/// The version that is wanted, else the author's.
fn python_version(context: &Context<'_>) -> (Minor, String) {
    let (authors, why) = authors_version(context);
    match context.choices.version_of(StackKind::Python) {
        Some(wanted) => match Minor::parse(&wanted.version) {
            Some(version) if version == authors => (authors, why),
            Some(version) => (version, format!("{}; the project has {authors} ({why})", wanted.why)),
            None => (authors, why),
        },
        None => (authors, why),
    }
}

fn authors_version(context: &Context<'_>) -> (Minor, String) {
    if let Some(base) = &context.declared.base
        && let Some(minor) = Minor::of_image(&base.value)
    {
        return (minor, context.at(base.line));
    }
    for file in [".python-version", "runtime.txt"] {
        let text = context.folder.text(file);
        if let Some(minor) = text.as_deref().and_then(|text| text.lines().find_map(Minor::parse)) {
            return (minor, file.to_owned());
        }
    }
    if let Some(pyproject) = context.pyproject
        && let Some(specifier) = &pyproject.requires_python
        && let Some(minor) = version::choose(specifier)
    {
        return (minor, format!("{}, which allows {specifier}", pyproject.at("python")));
    }
    (version::DEBIAN, "the version of Debian 13; nothing asks for another".to_owned())
}

fn project_name(context: &Context<'_>) -> String {
    if let Some(name) = context.pyproject.and_then(|pyproject| pyproject.name.clone()) {
        return name;
    }
    let root = context.folder.root();
    let real = root.canonicalize_utf8().ok();
    real.as_deref().unwrap_or(root).file_name().unwrap_or("app").to_owned()
}

fn native(plan: &Plan) -> Vec<Native> {
    let mut all = Vec::new();
    for (name, why) in &plan.named {
        if let Some(known) = names::native(name) {
            all.push(Native {
                name: name.clone(),
                compiles: known.compiles,
                libraries: known.libraries.iter().map(|library| (*library).to_owned()).collect(),
                why: why.clone(),
            });
        } else if names::is_compiled_wheel(name) || plan.from_git.contains(name) {
            let compiles = plan.from_git.contains(name);
            all.push(Native { name: name.clone(), compiles, libraries: Vec::new(), why: why.clone() });
        }
    }
    all
}
