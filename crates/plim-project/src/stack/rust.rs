//! Rust: how a project is recognised and what is taken from it, top to bottom.

mod artifacts;
mod author;
mod binary;
mod config;
mod environment;
mod literals;
mod lock;
mod manifest;
mod native;
mod packages;
mod port;
mod replaced;
mod sources;
mod start;
mod steps;
mod version;
mod workspace;

use camino::{Utf8Path, Utf8PathBuf};
use plim_dockerfile::ignore::Patterns;

use crate::error::DetectError;
use crate::evidence::Declared;
use crate::folder::Folder;
use crate::project::{Artifact, Choices, Finding, Install, Replaced, StackKind, StackProfile};
use crate::stack::script::Entry;

use author::{Author, Build};
use binary::Program;
use config::Config;
use environment::Environment;
use lock::Lock;
use manifest::{Features, Package};
use native::{Needs, Switches};
use sources::Sources;
use start::Start;
use steps::Order;
use workspace::Workspace;

pub(crate) use steps::OUT;

/// The flag that makes the C library a part of the program.
const STATIC: &str = "-C target-feature=+crt-static";

/// The working directory when there is no Dockerfile that has one.
const WORKDIR: &str = "/app";

/// Folders that are the program's own, so that the build can work where the program will run: a path that is compiled in then
/// means the same in both.
const OWN: &[&str] =
    &["/app", "/build", "/code", "/project", "/service", "/src", "/srv", "/usr/src", "/work", "/workspace"];

/// Where the build stage works otherwise.
const BUILD_DIR: &str = "/build";

/// The finding that asks for the full image of the compiler.
const FULL_BASE: &str = "built in the full image";

/// The end of the finding that asks for a whole folder before the dependencies are compiled.
const STANDS_IN: &str = "stands in for published packages";

/// What the parts of the detection look at.
struct Context<'a> {
    folder: &'a Folder,
    declared: &'a Declared,
    /// Name of the author's Dockerfile, for the places in findings.
    dockerfile: &'a Utf8Path,
    choices: &'a Choices,
}

impl Context<'_> {
    /// Returns `Dockerfile:LINE`.
    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.dockerfile)
    }
}

/// Returns the profile of the Rust project in a folder.
pub(crate) fn profile(
    folder: &Folder,
    declared: &Declared,
    dockerfile: &Utf8Path,
    ignored: Option<&Patterns>,
    choices: &Choices,
) -> Result<StackProfile, DetectError> {
    let context = Context { folder, declared, dockerfile, choices };
    let mut found = Vec::new();
    let workspace = Workspace::read(folder)?;
    let lock = Lock::read(folder)?;
    let config = Config::read(folder)?;
    let author = Author::of(&context);

    let (version, why) = version::find(&context, &author)?;
    found.push(Finding::new(format!("Rust {version}"), why));

    // the binary, and how it is started
    let entry = Entry::of(declared, dockerfile, choices);
    let said = match &entry {
        Some(entry) => start::of_script(entry, &workspace, &author),
        None => start::said(&context)?,
    };
    let entry = entry.filter(|entry| !entry.is_needless());
    let (program, why) = binary::choose(&context, &workspace, &author, said.as_ref())?;
    found.push(Finding::new(format!("binary {} of {}", program.bin.name, program.package.name), why));
    let mut programs = binary::with_others(&context, &workspace, &author, program, &mut found);
    let mut start = Start::of(said, &author, &program.bin.name, &mut found);
    let workdir = workdir(&context, &mut found);
    let kept = entry.as_ref().map(|entry| entry.keep(&workdir, None, &[]));
    if let (Some(entry), Some(kept)) = (&entry, &kept) {
        start = Start::kept(entry, kept, &mut found);
        binary::where_called(&workspace, &entry.script.commands, &mut programs)?;
    }

    // how it is built
    let build = author.build_of(&program.package.name, &program.bin.name);
    let features = features(&context, build, program, &mut found);
    let profile = build_profile(&context, build, &mut found);
    let closures: Vec<_> = programs.iter().map(|(program, _)| workspace.closure(program.package, &features)).collect();
    let direct = direct(&closures.concat(), program, &features);
    let (needs, names) = if let Some(lock) = &lock {
        let reach = lock.reach(direct.iter().map(String::as_str));
        let switches = Switches::of(&closures.concat(), program.package, &features);
        (Needs::of(&reach, &switches), reach.packages().map(|locked| locked.name.clone()).collect())
    } else {
        found.push(Finding::new("versions are chosen anew by every build", "there is no Cargo.lock"));
        (Needs::without_lock(), direct.clone())
    };
    let git = workspace.git_dependency();
    let mut packages = packages::sort(&context, &needs, git, lock.is_some(), &mut found);
    for (package, why) in kept.iter().flat_map(|kept| &kept.packages) {
        found.push(Finding::new(format!("system package {package}"), why.clone()));
        packages.runtime.push(package.clone());
    }
    packages.runtime.sort();
    packages.runtime.dedup();
    let sources = Sources::scan(folder, &workspace.closure(program.package, &features));
    let environment = Environment { context: &context, author: &author, config: &config, build, profile: &profile };
    let is_static = environment::linking(&needs, &packages, &mut found);
    let env = environment.variables(&workspace, &names, is_static, &mut found);
    let args = environment.arguments(&sources, &mut found);
    let order = Order {
        workspace: &workspace,
        programs: programs.iter().map(|(program, dest)| (program.package, program.bin, dest.clone())).collect(),
        features,
        profile: profile.clone(),
        locked: lock.is_some(),
        vendored: config.vendor.is_some(),
        git: git.is_some(),
        moved_target: config.target_dir,
    };
    let locks: Vec<Utf8PathBuf> = lock.iter().map(|_| Lock::FILE.into()).collect();
    let extra: Vec<Utf8PathBuf> = locks.iter().cloned().chain(config.path.clone()).collect();
    let manifests = order.manifests(&extra);

    // what it needs when it runs
    let mut artifacts: Vec<Artifact> = artifacts::find(&context, &author, &sources, &names, ignored, &mut found);
    for artifact in &mut artifacts {
        if let Ok(below) = artifact.dest.strip_prefix(&workdir) {
            artifact.dest = below.to_owned();
        }
    }
    if let Some(kept) = &kept
        && let Some(script) = start::artifact(kept, &workdir, &artifacts)
    {
        artifacts.push(script);
        artifacts.sort();
    }
    let mut run_env = start.env.clone();
    if names.iter().any(|name| name == "rocket") && needs_rocket_address(&context) {
        found.push(Finding::new("ROCKET_ADDRESS is 0.0.0.0", "rocket listens on loopback alone unless told"));
        run_env.push(("ROCKET_ADDRESS".to_owned(), "0.0.0.0".to_owned()));
    }
    let port = port::find(&context, &start.words, &start.origin, &sources, &names);
    let health = port.as_ref().map(|(port, why)| {
        found.push(Finding::new(format!("port {port}"), why.clone()));
        let (path, why) = port::health(&context, &sources);
        found.push(Finding::new(format!("health at {path}"), why));
        path
    });

    for path in workspace.patches.iter().chain(&config.vendor) {
        found.push(Finding::new(format!("{path} {STANDS_IN}"), "other dependencies are compiled against its sources"));
    }
    let replaced = Replaced { sources: build_dir(&workdir, &author), ..replaced::find(&context, &author, &workspace) };
    let build_inputs = build_inputs(folder, &workspace, &config, program, &sources);

    Ok(StackProfile {
        kind: StackKind::Rust,
        name: program.package.name.clone(),
        version,
        manifests,
        locks,
        install: Install {
            steps: order.dependencies(),
            names: direct,
            hashed: lock.is_some(),
            system: packages.build,
            args,
            env,
            ..Install::default()
        },
        left_out: left_out(folder, &workspace, &build_inputs),
        build_inputs,
        build: vec![order.program()],
        artifacts,
        workdir,
        env: run_env,
        entrypoint: start.entrypoint,
        start: start.words,
        port: port.map(|(port, _)| port),
        health,
        native: needs.native,
        system: packages.runtime,
        found,
        carried: Vec::new(),
        replaced,
        kept_stages: Vec::new(),
        carry: choices.carry.clone(),
    })
}

/// Whether the program brings everything that it needs, so that it runs on a base without a C library.
pub(crate) fn is_static(profile: &StackProfile) -> bool {
    profile.install.env.iter().any(|(name, value)| name == "RUSTFLAGS" && value.contains(STATIC))
}

/// Returns why the build needs the full image of the compiler, if it does.
pub(crate) fn needs_full_base(profile: &StackProfile) -> Option<String> {
    profile.found.iter().find_map(|finding| {
        let reason = finding.what.strip_prefix(FULL_BASE)?.trim_start_matches([':', ' ']);
        Some(format!("{reason} ({})", finding.why))
    })
}

/// Whether a folder must be there with all its files when the dependencies are compiled.
pub(crate) fn stands_in(profile: &StackProfile, path: &Utf8Path) -> bool {
    profile.found.iter().any(|finding| finding.what == format!("{path} {STANDS_IN}"))
}

/// The features that the author builds with, and those without which the binary is not built.
fn features(context: &Context<'_>, build: Option<&Build>, program: Program<'_>, found: &mut Vec<Finding>) -> Features {
    let mut features = build.map(|build| build.features.clone()).unwrap_or_default();
    if let Some(build) = build
        && features != Features::default()
    {
        let mut words = features.names.clone();
        words.extend(features.no_default.then(|| "no defaults".to_owned()));
        words.extend(features.all.then(|| "all".to_owned()));
        found.push(Finding::new(format!("features {}", words.join(", ")), context.at(build.line)));
    }
    let on = program.package.features_on(&features);
    for name in program.bin.required_features.iter().filter(|name| !on.contains(name)) {
        found.push(Finding::new(format!("feature {name} for the binary"), program.bin.place.clone()));
        features.names.push(name.clone());
    }
    features
}

/// The profile that the author builds with; what is built without optimisation is built with it.
fn build_profile(context: &Context<'_>, build: Option<&Build>, found: &mut Vec<Finding>) -> String {
    match build {
        Some(Build { profile: Some(profile), line, .. }) => {
            if profile != "release" {
                found.push(Finding::new(format!("profile {profile}"), context.at(*line)));
            }
            profile.clone()
        }
        Some(build) => {
            found.push(Finding::new(
                "built with --release: an image is no place for a debug build",
                context.at(build.line),
            ));
            "release".to_owned()
        }
        None => "release".to_owned(),
    }
}

/// The names of the published packages that packages of the project ask for, sorted.
fn direct(packages: &[&Package], program: Program<'_>, features: &Features) -> Vec<String> {
    let none = Features::default();
    let mut names: Vec<String> = packages
        .iter()
        .flat_map(|package| package.active(if package.dir == program.package.dir { features } else { &none }))
        .filter(|dependency| dependency.path.is_none())
        .map(|dependency| dependency.package.clone())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The working directory: paths in the program and in its arguments are relative to it.
fn workdir(context: &Context<'_>, found: &mut Vec<Finding>) -> String {
    let plain = |path: &str| path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c));
    match &context.declared.workdir {
        Some(told) if plain(&told.value) => {
            found.push(Finding::new(format!("working directory {}", told.value), context.at(told.line)));
            match told.value.trim_end_matches('/') {
                "" => "/".to_owned(),
                path => path.to_owned(),
            }
        }
        // an image without WORKDIR starts its program in the root
        None if context.declared.base.is_some() => "/".to_owned(),
        _ => WORKDIR.to_owned(),
    }
}

/// Where the build stage works: an author who compiles in the image runs other commands in the same folder.
fn build_dir(workdir: &str, author: &Author) -> String {
    let own = OWN.iter().any(|dir| {
        workdir.strip_prefix(dir).is_some_and(|rest| rest.is_empty() && *dir != "/usr/src" || rest.starts_with('/'))
    });
    let of_author = author.in_image && workdir != "/" && workdir.matches('/').count() > 1;
    if own || of_author { workdir.to_owned() } else { BUILD_DIR.to_owned() }
}

/// Rocket listens on loopback alone, unless a variable or its file says otherwise.
fn needs_rocket_address(context: &Context<'_>) -> bool {
    let by_variable = context.declared.env.iter().any(|told| told.value.0 == "ROCKET_ADDRESS");
    let by_file = context.folder.text("Rocket.toml").is_some_and(|text| text.contains("address"));
    !by_variable && !by_file
}

/// What the compiler reads beside manifests: the program's main file first, then what is built into it.
fn build_inputs(
    folder: &Folder,
    workspace: &Workspace,
    config: &Config,
    program: Program<'_>,
    sources: &Sources,
) -> Vec<Artifact> {
    let whole = workspace.patches.iter().chain(&config.vendor);
    let paths = [program.bin.path.clone()].into_iter().chain(sources.compiled_in(folder)).chain(whole.cloned());
    paths
        .map(|path| Artifact { folder: folder.has_folder(&path), dest: path.clone(), path })
        .filter(|artifact| !artifact.path.as_str().is_empty())
        .collect()
}

/// Folders with tests, benchmarks and examples of packages.
fn left_out(folder: &Folder, workspace: &Workspace, inputs: &[Artifact]) -> Vec<Utf8PathBuf> {
    let is_used = |dir: &Utf8Path| {
        workspace.packages.iter().any(|package| package.dir.starts_with(dir))
            || inputs.iter().any(|input| input.path.starts_with(dir))
    };
    let dirs = workspace
        .packages
        .iter()
        .flat_map(|package| ["tests", "benches", "examples"].map(|name| package.dir.join(name)));
    dirs.filter(|dir| folder.has_folder(dir) && !is_used(dir)).collect()
}

#[cfg(test)]
mod tests;
