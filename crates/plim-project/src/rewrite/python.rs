//! The Dockerfile of a Python project.

use camino::{Utf8Path, Utf8PathBuf};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Value, context};
use plim_dockerfile::HealthcheckTest;

use super::RewriteOptions;
use super::text;
use crate::project::{Artifact, Project, StackProfile, Step};
use crate::stack::python::{DEPS, needs_full_base};

const TEMPLATE: &str = include_str!("templates/python.dockerfile");

/// Where the build stage keeps manifests and what only the build needs.
const BUILD_DIR: &str = "/build";

/// The user without rights: the number that distroless images call `nonroot`. Where no passwd file says so, its group must
/// be named, or it would be root's.
const USER: &str = "65532";
const USER_AND_GROUP: &str = "65532:65532";

/// The version of Python for which there is a runtime base without a shell, and its name.
const DISTROLESS: (&str, &str) = ("3.13", "gcr.io/distroless/python3-debian13:nonroot");

/// The image that the program runs on.
struct Runtime {
    base: String,
    why: String,
    comment: String,
    interpreter: &'static str,
    /// A directory in which Python looks for packages by itself.
    site: String,
}

/// Fills in the template. Returns it with the reasons still in it, and notes for the user.
pub(super) fn render(
    project: &Project,
    profile: &StackProfile,
    options: RewriteOptions,
) -> Result<(String, Vec<String>), minijinja::Error> {
    let declared = &project.evidence.declared;
    let mut notes = Vec::new();
    let version = &profile.version;
    let runtime = runtime(profile, options, &mut notes);
    let (build_base, build_base_why) = match needs_full_base(profile, declared) {
        Some(why) => (format!("docker.io/library/python:{version}"), format!("with compilers and git: {why}")),
        None => (format!("docker.io/library/python:{version}-slim"), found(profile, "Python ")),
    };
    let has_deps = !profile.install.steps.is_empty()
        || profile.build.iter().any(|step| step.command.contains(&format!("--target={DEPS}")));
    let compile: Vec<&str> = [
        (!profile.artifacts.is_empty()).then_some(profile.workdir.as_str()),
        // an installed project arrives after the dependencies were compiled
        profile.build.iter().any(|step| step.command.contains(&format!("--target={DEPS}"))).then_some(DEPS),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (healthcheck, healthcheck_why) = healthcheck(project, profile, runtime.interpreter, &mut notes);
    let (user, user_why) = user(project, runtime.base == DISTROLESS.1, &mut notes);
    if profile.port.is_some_and(|port| port < 1024) {
        notes.push(
            "ports below 1024 need a runtime that lets ordinary users open them (Docker does since 20.10)".to_owned(),
        );
    }
    let mut fixed = vec![runtime.interpreter.to_owned()];
    fixed.extend(profile.start.iter().take(profile.entrypoint).skip(1).cloned());
    let arguments: Vec<String> = profile.start.iter().skip(profile.entrypoint.max(1)).cloned().collect();
    let env = environment(project, profile);
    let env_why = "output appears at once; no byte code is written; what the program and the previous file set";
    let exposed = exposed(project, profile);
    let at = |line: usize| format!("{}:{line}", project.dockerfile.as_deref().unwrap_or(Utf8Path::new("Dockerfile")));

    let context = context! {
        build_base,
        build_base_why => text::reason(&build_base_why),
        build_dir => BUILD_DIR,
        manifests => manifests(profile),
        install => steps(&profile.install.steps),
        compile_deps => !profile.install.steps.is_empty(),
        deps => DEPS,
        artifacts => copies(&profile.artifacts, &profile.workdir, "a file or folder of the program"),
        artifacts_comment => "what it needs when it runs, without tests and tools",
        build_inputs => copies(&profile.build_inputs, ".", "needed to build the package"),
        build => steps(&profile.build),
        compile => compile.join(" "),
        runtime_comment => runtime.comment,
        runtime_base => runtime.base,
        runtime_base_why => text::reason(&runtime.why),
        system => profile.system.join(" "),
        system_why => text::reason(&system_why(profile)),
        workdir => profile.workdir.clone(),
        workdir_why => text::reason(&found_or(profile, "working directory", "the usual place")),
        env,
        env_why,
        has_deps,
        site => runtime.site,
        volumes => declared.volumes.iter().map(|told| context! {
            words => text::exec(std::slice::from_ref(&told.value)),
            why => at(told.line),
        }).collect::<Vec<Value>>(),
        expose => exposed.join(" "),
        expose_why => text::reason(&found_or(profile, "port", "the previous file")),
        labels => declared.labels.iter().map(|told| pair(&told.value)).collect::<Vec<String>>(),
        labels_why => declared.labels.iter().map(|told| at(told.line)).collect::<Vec<String>>().join(", "),
        stop_signal => declared.stop_signal.as_ref().map(|told| text::reason(&told.value)),
        stop_signal_why => declared.stop_signal.as_ref().map(|told| at(told.line)),
        healthcheck,
        healthcheck_why,
        user,
        user_why,
        start_why => text::reason(&found(profile, "start ")),
        entrypoint => text::exec(&fixed),
        cmd => (!arguments.is_empty()).then(|| text::exec(&arguments)),
    };
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    // names of Dockerfiles end in nothing that would switch on escaping for HTML, but the default must not decide that
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.add_template("python", TEMPLATE)?;
    Ok((environment.get_template("python")?.render(context)?, notes))
}

fn runtime(profile: &StackProfile, options: RewriteOptions, notes: &mut Vec<String>) -> Runtime {
    let version = &profile.version;
    let (distroless_version, distroless) = DISTROLESS;
    let obstacle = if options.keep_shell {
        Some("a shell was asked for".to_owned())
    } else if !profile.system.is_empty() {
        Some(format!("the program needs Debian packages ({})", profile.system.join(", ")))
    } else if version != distroless_version {
        Some(format!(
            "it runs on Python {version}; with {distroless_version} the image could do without a shell and a package manager"
        ))
    } else {
        None
    };
    match obstacle {
        None => Runtime {
            base: distroless.to_owned(),
            why: format!("Debian 13's Python {version}, without shell and package manager"),
            comment: "the image: Python, the dependencies and the program; no shell, no pip".to_owned(),
            interpreter: "/usr/bin/python3",
            site: format!("/usr/local/lib/python{version}/dist-packages"),
        },
        Some(obstacle) => {
            notes.push(format!("the image is based on python:{version}-slim: {obstacle}"));
            Runtime {
                base: format!("docker.io/library/python:{version}-slim"),
                why: obstacle,
                comment: "the image: Python, the dependencies and the program".to_owned(),
                interpreter: "/usr/local/bin/python3",
                site: format!("/usr/local/lib/python{version}/site-packages"),
            }
        }
    }
}

/// Returns the reason of the first finding that begins with the words.
fn found(profile: &StackProfile, what: &str) -> String {
    found_or(profile, what, "")
}

fn found_or(profile: &StackProfile, what: &str, otherwise: &str) -> String {
    let finding = profile.found.iter().find(|finding| finding.what.starts_with(what));
    finding.map_or_else(|| otherwise.to_owned(), |finding| finding.why.clone())
}

fn steps(steps: &[Step]) -> Vec<Value> {
    steps
        .iter()
        .map(|step| {
            context! {
                command => step.command.clone(),
                caches => step.caches.clone(),
                comment => text::reason(&step.comment),
                why => text::reason(&step.why),
            }
        })
        .collect()
}

/// COPY instructions for files that keep their places in the build folder.
fn manifests(profile: &StackProfile) -> Vec<Value> {
    let artifact = |path: &Utf8PathBuf| Artifact { path: path.clone(), folder: false, dest: path.clone() };
    let all: Vec<Artifact> = profile.manifests.iter().map(artifact).collect();
    copies(&all, ".", "named by the install command")
}

/// COPY instructions that put artifacts below a folder: files that go to one place together, each folder alone, because
/// COPY takes the contents of a folder and not the folder itself.
fn copies(artifacts: &[Artifact], base: &str, why: &str) -> Vec<Value> {
    let mut groups: Vec<(String, Vec<&Utf8Path>)> = Vec::new();
    for artifact in artifacts.iter().filter(|artifact| !artifact.folder) {
        let parent = artifact.dest.parent().unwrap_or(Utf8Path::new(""));
        let keeps_name = artifact.dest.file_name() == artifact.path.file_name();
        let dest = match (keeps_name, parent.as_str()) {
            (false, _) => format!("{base}/{}", artifact.dest),
            (true, "") => format!("{base}/"),
            (true, parent) => format!("{base}/{parent}/"),
        };
        match groups.iter_mut().find(|(known, _)| *known == dest && keeps_name) {
            Some((_, group)) => group.push(&artifact.path),
            None => groups.push((dest, vec![&artifact.path])),
        }
    }
    for artifact in artifacts.iter().filter(|artifact| artifact.folder) {
        let dest = match artifact.dest.as_str() {
            "" => format!("{base}/"),
            dest => format!("{base}/{dest}"),
        };
        groups.push((dest, vec![&artifact.path]));
    }
    groups
        .into_iter()
        .map(|(dest, group)| context! { words => text::copy(group, &dest), why => why.to_owned() })
        .collect()
}

fn pair((name, value): &(String, String)) -> String {
    format!("{}={}", text::value(name), text::value(value))
}

/// The environment: what makes Python behave in a container, what the start needs, what the author sets. Each name once,
/// the author's value winning.
fn environment(project: &Project, profile: &StackProfile) -> Vec<String> {
    let defaults = ["PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"].map(|name| (name.to_owned(), "1".to_owned()));
    let mut all: Vec<(String, String)> = defaults.into_iter().chain(profile.env.iter().cloned()).collect();
    for told in &project.evidence.declared.env {
        match all.iter_mut().find(|(name, _)| *name == told.value.0) {
            // PYTHONUNBUFFERED=0 is as good as 1: any text switches it on
            Some(known) => known.1.clone_from(&told.value.1),
            None => all.push(told.value.clone()),
        }
    }
    all.iter().map(pair).collect()
}

fn exposed(project: &Project, profile: &StackProfile) -> Vec<String> {
    let mut ports: Vec<String> = profile.port.iter().map(ToString::to_string).collect();
    for told in &project.evidence.declared.exposed {
        let port = told.value.strip_suffix("/tcp").unwrap_or(&told.value).to_owned();
        if !ports.contains(&port) && port.chars().all(|c| c.is_ascii_alphanumeric() || c == '/' || c == '-') {
            ports.push(port);
        }
    }
    ports
}

/// The author's health check, asked by Python itself: curl and wget are not in the image.
fn healthcheck(
    project: &Project,
    profile: &StackProfile,
    interpreter: &str,
    notes: &mut Vec<String>,
) -> (Option<String>, Option<String>) {
    let Some(told) = &project.evidence.declared.healthcheck else { return (None, None) };
    let why = Some(format!("line {} of the previous file, asked by Python itself", told.line));
    if matches!(told.value.test, HealthcheckTest::None) {
        return (Some("NONE".to_owned()), why);
    }
    let (Some(port), Some(path)) = (profile.port, &profile.health) else {
        notes.push(format!("the health check in line {} is left out: the program listens on no known port", told.line));
        return (None, None);
    };
    let check = &told.value;
    let durations = [
        ("interval", check.interval),
        ("timeout", check.timeout),
        ("start-period", check.start_period),
        ("start-interval", check.start_interval),
    ];
    let mut words: Vec<String> = durations
        .into_iter()
        .filter_map(|(name, value)| Some(format!("--{name}={}", text::duration(value?))))
        .chain((check.retries > 0).then(|| format!("--retries={}", check.retries)))
        .collect();
    let code = format!("import urllib.request as u; u.urlopen('http://127.0.0.1:{port}{path}', timeout=5)");
    words.push("CMD".to_owned());
    words.push(text::exec(&[interpreter.to_owned(), "-c".to_owned(), code]));
    (Some(words.join(" ")), why)
}

/// The author's user if it is a number other than root's, or else one without rights, which the base may have in its
/// passwd file (`known`).
fn user(project: &Project, known: bool, notes: &mut Vec<String>) -> (String, String) {
    let name = if known { USER } else { USER_AND_GROUP };
    let default = (name.to_owned(), "a user without rights".to_owned());
    let Some(told) = &project.evidence.declared.user else {
        return default;
    };
    let numeric = told.value.split(':').all(|part| part.parse::<u32>().is_ok());
    let root = told.value.split(':').next().is_some_and(|name| name == "root" || name.parse() == Ok(0_u32));
    if numeric && !root {
        return (told.value.clone(), format!("line {} of the previous file", told.line));
    }
    if !root {
        notes.push(format!(
            "the user {} of line {} is now {name}: volumes that hold its files need a change of owner",
            told.value, told.line
        ));
    }
    default
}

fn system_why(profile: &StackProfile) -> String {
    let by_package = profile
        .native
        .iter()
        .filter(|native| !native.libraries.is_empty())
        .map(|native| format!("{} for {} ({})", native.libraries.join(", "), native.name, native.why));
    let by_author = profile
        .found
        .iter()
        .filter_map(|finding| Some(format!("{} ({})", finding.what.strip_prefix("system package ")?, finding.why)));
    by_package.chain(by_author).collect::<Vec<_>>().join(", ")
}
