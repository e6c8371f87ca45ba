//! The Dockerfile of a Node.js project.

use camino::Utf8Path;
use minijinja::{Value, context};

use super::carried::Language;
use super::ending::{self, Ending};
use super::parts::{self, at, copies, found, manifests, pair, steps};
use super::{RewriteOptions, carried, libraries, text};
use crate::project::{Artifact, Place, Project, StackProfile};
use crate::stack::node::{COMES_WITH_NODE, GLOBALS, needs_full_base, wants_openssl, writable};

const TEMPLATE: &str = include_str!("templates/node.dockerfile");

/// The versions of Node.js for which there is a runtime base without a shell.
const DISTROLESS: &[&str] = &["20", "22", "24"];

/// Variables with a name like that are written into what front ends are built to.
const PUBLIC: &[&str] =
    &["NEXT_PUBLIC_", "VITE_", "REACT_APP_", "NUXT_PUBLIC_", "GATSBY_", "PUBLIC_", "VUE_APP_", "NEXT_TELEMETRY"];

/// How servers are run.
const ENV: &[(&str, &str)] = &[("NODE_ENV", "production")];

/// The same for a script, which looks for node on the path.
const ENV_OF_SCRIPT: &[(&str, &str)] =
    &[("NODE_ENV", "production"), ("PATH", "/nodejs/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")];

/// The image that the program runs on.
struct Runtime {
    base: String,
    why: String,
    comment: &'static str,
    node: &'static str,
    /// It has no package manager.
    distroless: bool,
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
        Some(why) => (format!("docker.io/library/node:{version}"), format!("with compilers: {why}")),
        None => (format!("docker.io/library/node:{version}-slim"), found(profile, "Node.js ")),
    };
    let script = profile.start.first().is_some_and(|program| program.starts_with('/'));
    let fixed = if script {
        profile.start.iter().take(profile.entrypoint).cloned().collect()
    } else {
        [vec![runtime.node.to_owned()], profile.start.iter().take(profile.entrypoint).skip(1).cloned().collect()]
            .concat()
    };
    if script {
        let about = profile.found.iter().filter(|found| found.what.starts_with("the entry script "));
        notes.extend(about.map(|found| found.what.clone()));
    }
    let ask = |port: u16, path: &str| {
        let code = format!(
            "fetch('http://127.0.0.1:{port}{path}').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"
        );
        vec![runtime.node.to_owned(), "-e".to_owned(), code]
    };
    // fetch is part of node since version 18
    let has_fetch = version.parse::<u32>().is_ok_and(|major| major >= 18);
    let ending = Ending {
        env: if script && runtime.distroless { ENV_OF_SCRIPT } else { ENV },
        env_why: "how servers are run; what the program and the previous file set",
        not_env: &["NPM_", "npm_", "YARN_", "PNPM_", "COREPACK_"],
        user_known: runtime.distroless,
        entrypoint: &fixed,
        ask: has_fetch.then_some((&ask, "node")),
        check: None,
    };
    let ending = ending.context(project, profile, &mut notes);
    let libraries = libraries::context(profile, runtime.distroless.then_some(runtime.base.as_str()));

    let builds = !profile.build.is_empty();
    // commands of the author run in the build stage, among the files of the program
    let stage = builds || profile.carried.iter().any(|carried| carried.place != Place::Image);
    let prunes = !profile.install.prune.is_empty();
    // a stage of its own keeps the pruned packages while only the sources change
    let packages_stage = if stage && prunes { "production" } else { "dependencies" };
    // the folders to write to are made at the end of the last stage before the image
    let writable_stage = if stage && !prunes { "build" } else { packages_stage };
    let everything = builds && profile.artifacts.iter().any(|artifact| artifact.path.as_str().is_empty());
    let globals: Vec<String> = profile
        .start
        .iter()
        .filter_map(|word| word.strip_prefix(GLOBALS)?.split('/').nth(1))
        .map(|name| format!("{GLOBALS}/{name}"))
        .collect();
    let public: Vec<String> = declared
        .env
        .iter()
        .filter(|told| builds && PUBLIC.iter().any(|prefix| told.value.0.starts_with(prefix)))
        .map(|told| pair(&told.value))
        .collect();
    let secrets: Vec<Value> = profile
        .install
        .secrets
        .iter()
        .map(|path| {
            let id = path.file_name().unwrap_or_default().trim_start_matches('.');
            notes.push(format!("{path} holds a token: give it to the build with `--secret id={id},src={path}`"));
            context! { id, target => format!("{}/{path}", profile.workdir) }
        })
        .collect();
    let writable = writable(declared, &profile.workdir);
    let context = context! {
        build_base,
        build_base_why => text::reason(&build_base_why),
        openssl => wants_openssl(profile).map(|native| text::reason(&format!("{} looks for it ({})", native.name, native.why))),
        install_env => profile.install.env.iter().map(pair).collect::<Vec<_>>(),
        manifests => manifests(profile),
        secrets,
        install => steps(&profile.install.steps),
        installs => !profile.install.names.is_empty() || builds,
        has_packages => !profile.install.bundled && (!profile.install.names.is_empty() || (builds && !prunes)),
        has_manifest => !profile.install.bundled || !profile.artifacts.iter().any(|artifact| artifact.dest.as_str().is_empty()),
        public,
        builds => stage,
        stage_why => if builds { "what is installed is shared" } else { "commands of the previous file run among the files of the program" },
        inputs => copies(if builds { &profile.build_inputs } else { &profile.artifacts }, ".", "a file or folder of the program"),
        build => steps(&profile.build),
        everything,
        // the numeric form, which every builder knows
        readable => if found(profile, "files are made readable").is_empty() { "" } else { "--chmod=755 " },
        prune => steps(&profile.install.prune),
        packages_stage,
        writable_stage,
        writable => writable.iter().map(|(path, line)| context! { path, why => at(project, *line) }).collect::<Vec<_>>(),
        writable_owner => ending::owner(project),
        runtime_comment => runtime.comment,
        runtime_base => runtime.base,
        runtime_base_why => text::reason(&runtime.why),
        globals,
        artifacts => if stage { built(profile, builds) } else { copies(&profile.artifacts, ".", "a file or folder of the program") },
    };
    let carried = carried::context(project, profile, Language::default());
    Ok((parts::fill(TEMPLATE, [context, ending, libraries, carried])?, notes))
}

/// COPY instructions for the artifacts of the build stage.
fn built(profile: &StackProfile, builds: bool) -> Vec<Value> {
    // without a build they are in the stage where they are in the image
    let absolute = |artifact: &Artifact| Artifact {
        path: Utf8Path::new(&profile.workdir)
            .join(if builds { &artifact.path } else { &artifact.dest })
            .as_str()
            .trim_end_matches('/')
            .into(),
        ..artifact.clone()
    };
    let all: Vec<Artifact> = profile.artifacts.iter().map(absolute).collect();
    copies(&all, ".", "what the build makes, and what the program reads beside it")
}

fn runtime(profile: &StackProfile, options: RewriteOptions, notes: &mut Vec<String>) -> Runtime {
    let version = &profile.version;
    let obstacle = if options.keep_shell {
        Some("a shell was asked for".to_owned())
    } else if let Some(native) = wants_openssl(profile) {
        Some(format!("{} finds out with a shell and the program openssl which library it is to load", native.name))
    } else if let Some(finding) = profile.found.iter().find(|finding| finding.what.ends_with(COMES_WITH_NODE)) {
        Some(finding.what.clone())
    } else if !DISTROLESS.contains(&version.as_str()) {
        Some(format!(
            "it runs on Node.js {version}; with {} the image could do without a shell and a package manager",
            DISTROLESS.join(", ")
        ))
    } else {
        None
    };
    match obstacle {
        None => Runtime {
            base: format!("gcr.io/distroless/nodejs{version}-debian13:nonroot"),
            why: format!("Node.js {version} on Debian 13, without shell and package manager"),
            comment: "the image: node, the packages and the program; no shell, no npm",
            node: "/nodejs/bin/node",
            distroless: true,
        },
        Some(obstacle) => {
            notes.push(format!("the image is based on node:{version}-slim: {obstacle}"));
            Runtime {
                base: format!("docker.io/library/node:{version}-slim"),
                why: obstacle,
                comment: "the image: node, the packages and the program",
                node: "/usr/local/bin/node",
                distroless: false,
            }
        }
    }
}
