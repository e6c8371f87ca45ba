//! The Dockerfile of a Python project.

use minijinja::context;

use super::carried::Language;
use super::ending::Ending;
use super::parts::{self, BUILD_DIR, copies, found, manifests, steps};
use super::{RewriteOptions, carried, libraries, text};
use crate::project::{Place, Project, StackProfile};
use crate::stack::python::{DEPS, needs_full_base};

/// Folders of programs that every image has on its path.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where pip puts the programs of dependencies.
const DEPS_PROGRAMS: &str = "/deps/bin";

const TEMPLATE: &str = include_str!("templates/python.dockerfile");

/// The version of Python for which there is a runtime base without a shell, and its name.
const DISTROLESS: (&str, &str) = ("3.13", "gcr.io/distroless/python3-debian13:nonroot");

/// The image that the program runs on.
struct Runtime {
    base: String,
    why: String,
    comment: String,
    interpreter: &'static str,
    /// It has no package manager.
    distroless: bool,
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
    let script = profile.start.first().filter(|program| program.starts_with('/')).cloned();
    let mut fixed = vec![script.clone().unwrap_or_else(|| runtime.interpreter.to_owned())];
    fixed.extend(profile.start.iter().take(profile.entrypoint).skip(1).cloned());
    let ask = |port: u16, path: &str| {
        let code = format!("import urllib.request as u; u.urlopen('http://127.0.0.1:{port}{path}', timeout=5)");
        vec![runtime.interpreter.to_owned(), "-c".to_owned(), code]
    };
    // programs of the dependencies, for the script
    let known = profile.env.iter().find(|(name, _)| name == "PATH").map_or(USUAL_PATH, |(_, value)| value.as_str());
    let path = format!("{}/bin:{known}", runtime.site);
    let mut env = vec![("PYTHONUNBUFFERED", "1"), ("PYTHONDONTWRITEBYTECODE", "1")];
    let mut without_path = profile.clone();
    if script.is_some() && has_deps {
        env.push(("PATH", path.as_str()));
        without_path.env.retain(|(name, _)| name != "PATH");
    }
    if script.is_some() {
        notes.extend(
            profile
                .found
                .iter()
                .filter(|found| {
                    ["the entry script ", "the list of commands "].iter().any(|start| found.what.starts_with(start))
                })
                .map(|found| found.what.clone()),
        );
    }
    let ending = Ending {
        env: &env,
        env_why: "output appears at once; no byte code is written; what the program and the previous file set",
        not_env: &[],
        user_known: runtime.distroless,
        entrypoint: &fixed,
        ask: Some((&ask, "Python")),
        check: None,
    };
    let ending = ending.context(project, &without_path, &mut notes);
    // where the base has no package manager, packages come from a stage of their own
    let libraries = libraries::context(profile, runtime.distroless.then_some(runtime.base.as_str()));
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
        runtime_comment => if script.is_some() {
            "the image: Python, the dependencies and the program; the shell starts the program".to_owned()
        } else {
            runtime.comment
        },
        runtime_base => runtime.base,
        runtime_base_why => text::reason(&runtime.why),
        has_deps,
        programs => script.filter(|_| has_deps).map(|_| runtime.interpreter),
        has_program => !profile.artifacts.is_empty() || profile.carried.iter().any(|carried| carried.place == Place::Build),
        site => runtime.site,
    };
    let language = Language { env: &[("PYTHONPATH", DEPS.to_owned())], programs: Some(DEPS_PROGRAMS) };
    let language = if has_deps { language } else { Language::default() };
    let carried = carried::context(project, profile, language);
    Ok((parts::fill(TEMPLATE, [context, ending, libraries, carried])?, notes))
}

fn runtime(profile: &StackProfile, options: RewriteOptions, notes: &mut Vec<String>) -> Runtime {
    let version = &profile.version;
    let (distroless_version, distroless) = DISTROLESS;
    let obstacle = if options.keep_shell {
        Some("a shell was asked for".to_owned())
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
            distroless: true,
            site: format!("/usr/local/lib/python{version}/dist-packages"),
        },
        Some(obstacle) => {
            notes.push(format!("the image is based on python:{version}-slim: {obstacle}"));
            Runtime {
                base: format!("docker.io/library/python:{version}-slim"),
                why: obstacle,
                comment: "the image: Python, the dependencies and the program".to_owned(),
                interpreter: "/usr/local/bin/python3",
                distroless: false,
                site: format!("/usr/local/lib/python{version}/site-packages"),
            }
        }
    }
}
