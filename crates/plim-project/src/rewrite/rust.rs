//! The Dockerfile of a Rust project.

use camino::{Utf8Path, Utf8PathBuf};
use minijinja::{Value, context};
use plim_dockerfile::{Command, HealthcheckTest};

use super::carried::Language;
use super::ending::Ending;
use super::parts::{self, copies, found, found_or, manifests, pair, steps};
use super::{RewriteOptions, carried, libraries, text};
use crate::project::{Artifact, Place, Project, StackProfile};
use crate::stack::rust::{OUT, is_static, needs_full_base, stands_in};

const TEMPLATE: &str = include_str!("templates/rust.dockerfile");

/// The image that the program runs on.
struct Runtime {
    base: &'static str,
    why: String,
    comment: String,
    /// It has no package manager.
    distroless: bool,
}

/// Fills in the template. Returns it with the reasons still in it, and notes for the user.
pub(super) fn render(
    project: &Project,
    profile: &StackProfile,
    options: RewriteOptions,
) -> Result<(String, Vec<String>), minijinja::Error> {
    let mut notes = Vec::new();
    let runtime = runtime(profile, options, &mut notes);
    let (build_base, build_base_why) = build_base(profile);
    let fixed: Vec<String> = profile.start.iter().take(profile.entrypoint.max(1)).cloned().collect();
    let script = profile.found.iter().filter(|found| found.what.starts_with("the entry script "));
    notes.extend(script.map(|found| found.what.clone()));
    let check = own_check(project, profile);
    let ending = Ending {
        env: &[],
        env_why: "what the program and the previous file set",
        not_env: &["CARGO_", "RUSTFLAGS", "RUSTUP_", "RUSTC_", "SQLX_OFFLINE"],
        user_known: runtime.distroless,
        entrypoint: &fixed,
        ask: None,
        check: check.as_deref(),
    };
    let ending = ending.context(project, profile, &mut notes);
    let libraries = libraries::context(profile, runtime.distroless.then_some(runtime.base));
    let whole: Vec<Artifact> =
        profile.build_inputs.iter().filter(|input| stands_in(profile, &input.path)).cloned().collect();
    let install = &profile.install;
    // commands of the author may read and change what the program reads: then it passes through the build stage
    let runs = profile.carried.iter().any(|carried| carried.place == Place::Build && !carried.command.is_empty());
    let (placed, artifacts) = if runs { through_build(profile) } else { (Vec::new(), artifacts(profile)) };
    let context = context! {
        build_base,
        build_base_why => text::reason(&build_base_why),
        packages => install.system.join(" "),
        packages_why => text::reason(&packages_why(profile)),
        is_static => is_static(profile),
        build_env => install.env.iter().map(pair).collect::<Vec<String>>(),
        build_env_why => text::reason(&linking(profile)),
        args => install.args.iter().map(|(name, value)| context! {
            words => if value.is_empty() { name.clone() } else { pair(&(name.clone(), value.clone())) },
            why => text::reason(&found(profile, &format!("build argument {name}"))),
        }).collect::<Vec<_>>(),
        build_dir => profile.replaced.sources.clone(),
        manifests => manifests(profile),
        whole => copies(&whole, ".", "other dependencies are compiled against it"),
        install => steps(&install.steps),
        build => steps(&profile.build),
        runtime_comment => runtime.comment,
        runtime_base => runtime.base,
        runtime_base_why => text::reason(&runtime.why),
        out => OUT,
        binary => profile.start.first().cloned().unwrap_or_default(),
        placed,
        artifacts,
    };
    let carried = carried::context(project, profile, Language::default());
    Ok((parts::fill(TEMPLATE, [context, ending, libraries, carried])?, notes))
}

/// The image with the compiler.
fn build_base(profile: &StackProfile) -> (String, String) {
    let version = &profile.version;
    let full = needs_full_base(profile);
    let slim = if full.is_some() { "" } else { "-slim" };
    let why = full.unwrap_or_else(|| found(profile, "Rust "));
    if version == "nightly" {
        return (format!("docker.io/rustlang/rust:nightly{slim}"), why);
    }
    // libraries that the program loads must be those of the runtime's release
    let minor: Option<u32> = version.split('.').nth(1).map_or(Some(u32::MAX), |minor| minor.parse().ok());
    let release = if !is_static(profile) && minor.is_some_and(|minor| minor >= 90) { "-trixie" } else { "" };
    (format!("docker.io/library/rust:{version}{slim}{release}"), why)
}

fn runtime(profile: &StackProfile, options: RewriteOptions, notes: &mut Vec<String>) -> Runtime {
    if options.keep_shell {
        notes.push("the image is based on debian:trixie-slim: a shell was asked for".to_owned());
        return Runtime {
            base: "docker.io/library/debian:trixie-slim",
            why: "a shell was asked for".to_owned(),
            comment: "the image: a small Debian and the program".to_owned(),
            distroless: false,
        };
    }
    let why = linking(profile);
    if is_static(profile) {
        return Runtime {
            base: "gcr.io/distroless/static-debian13:nonroot",
            why,
            comment: "the image: the program, certificates and time zones; no shell, no C library".to_owned(),
            distroless: true,
        };
    }
    Runtime {
        base: "gcr.io/distroless/cc-debian13:nonroot",
        why,
        comment: "the image: the program and the libraries that it is linked with; no shell, no package manager"
            .to_owned(),
        distroless: true,
    }
}

/// How the program is linked, and why.
fn linking(profile: &StackProfile) -> String {
    let linked = profile.found.iter().find(|finding| finding.what.starts_with("linked "));
    linked.map_or_else(String::new, |finding| format!("{} ({})", finding.what, finding.why))
}

/// What each package of the build stage is for.
fn packages_why(profile: &StackProfile) -> String {
    let needed = profile.found.iter().filter(|finding| finding.what.starts_with("the build needs "));
    let whys: Vec<String> =
        needed.map(|finding| format!("{} ({})", &finding.what["the build needs ".len()..], finding.why)).collect();
    whys.join(", ")
}

/// COPY instructions for what the program reads when it runs.
fn artifacts(profile: &StackProfile) -> Vec<Value> {
    profile
        .artifacts
        .iter()
        .flat_map(|artifact| {
            let why = why_needed(profile, artifact);
            let mut artifact = artifact.clone();
            let base = match artifact.dest.strip_prefix("/") {
                Ok(below) => {
                    artifact.dest = Utf8PathBuf::from(below);
                    ""
                }
                Err(_) => profile.workdir.trim_end_matches('/'),
            };
            copies(std::slice::from_ref(&artifact), base, &text::reason(&why))
        })
        .collect()
}

/// COPY instructions that put what the program reads in its place in the build stage, and from there into the image.
fn through_build(profile: &StackProfile) -> (Vec<Value>, Vec<Value>) {
    let place = |artifact: &Artifact| Utf8Path::new(&profile.workdir).join(&artifact.dest);
    let there = |artifact: &&Artifact| Utf8Path::new(&profile.replaced.sources).join(&artifact.path) != place(artifact);
    let absolute = |artifact: &Artifact| Artifact {
        dest: place(artifact).as_str().trim_start_matches('/').into(),
        ..artifact.clone()
    };
    let missing: Vec<Artifact> = profile.artifacts.iter().filter(there).map(absolute).collect();
    let image = profile.artifacts.iter().map(|artifact| {
        let path = place(artifact);
        let words = text::copy([path.as_path()], path.as_str());
        context! { words => format!("--from=build {words}"), why => text::reason(&why_needed(profile, artifact)) }
    });
    (copies(&missing, "", "commands of the previous file may read it"), image.collect())
}

fn why_needed(profile: &StackProfile, artifact: &Artifact) -> String {
    found_or(profile, &format!("{} is needed", artifact.path), "the program reads it")
}

/// The author's health check, when the program itself is what asks.
fn own_check(project: &Project, profile: &StackProfile) -> Option<Vec<String>> {
    let told = project.evidence.declared.healthcheck.as_ref()?;
    let HealthcheckTest::Command(command) = &told.value.test else { return None };
    let words: Vec<String> = match command {
        Command::Exec(words) => words.iter().map(|word| word.value.clone()).collect(),
        Command::Shell(text) => {
            let text = text.value.trim();
            // Docker takes any failure for the same
            let text = text.strip_suffix("|| exit 1").unwrap_or(text);
            crate::parse_command(text).ok()?
        }
    };
    let (program, arguments) = words.split_first()?;
    let own = profile.start.first()?;
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let name = profile.found.iter().find_map(|finding| finding.what.strip_prefix("binary ")?.split(' ').next());
    let is_own = base(program) == base(own) || Some(base(program).as_str()) == name;
    is_own.then(|| [own.clone()].into_iter().chain(arguments.iter().cloned()).collect())
}
