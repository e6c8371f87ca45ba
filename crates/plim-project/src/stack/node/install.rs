//! How the dependencies get in: which files decide, the commands, and what goes again before the image is made.

use camino::{Utf8Path, Utf8PathBuf};

use super::build;
use super::manager::Kind;
use super::outputs::Outputs;
use super::start::{Scope, Start};
use crate::folder::Folder;
use crate::project::{Finding, Install, Step};

/// Removes packages that are for musl. Without a pipe, because a shell may hide that its first command fails; that grep finds
/// nothing is no failure.
const WITHOUT_MUSL: &str = r#"{ grep -rlPz --include=package.json '"libc":\s*\[\s*"musl"\s*\]' node_modules || true; } > /tmp/manifests && \
    xargs -r dirname < /tmp/manifests > /tmp/packages && \
    xargs -r rm -rf < /tmp/packages"#;

/// The plan of the installation.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) manifests: Vec<Utf8PathBuf>,
    pub(super) install: Install,
    /// Whether what development needs is installed as well.
    pub(super) all: bool,
}

impl Plan {
    /// Makes the plan; `outputs` is what is made from the sources, if something is.
    pub(super) fn make(scope: &Scope<'_>, start: &Start, outputs: Option<&Outputs>, found: &mut Vec<Finding>) -> Self {
        let context = scope.context;
        let (folder, manifest, manager) = (context.folder, context.manifest, scope.manager);
        let mut plan = Self { manifests: vec!["package.json".into()], ..Self::default() };
        plan.manifests.extend(manager.files(folder));
        plan.install.env = manager.environment();
        match npmrc(folder) {
            Npmrc::None => {}
            Npmrc::Plain => plan.manifests.push(".npmrc".into()),
            Npmrc::Secret => {
                found.push(Finding::new("npm's settings are a secret of the build", ".npmrc, which holds a token"));
                plan.install.secrets.push(".npmrc".into());
            }
        }
        // what scripts of the installation read
        let script = manifest.install_script();
        let texts: String = ["preinstall", "install", "postinstall", "prepare"]
            .iter()
            .filter_map(|name| manifest.scripts.get(*name))
            .cloned()
            .collect::<Vec<_>>()
            .join(" ");
        if texts.contains("husky") {
            // hooks of version control, which is not in the build
            plan.install.env.push(("HUSKY".to_owned(), "0".to_owned()));
        }
        if texts.contains("patch-package") {
            plan.manifests.extend(folder.files().filter(|path| path.starts_with("patches")).map(Utf8Path::to_owned));
        }
        plan.manifests
            .extend(texts.split_whitespace().filter_map(|word| scope.relative(word)).filter(|path| folder.has(path)));

        let generate = generate(scope);
        if let Some((step, schemas)) = &generate {
            found.push(Finding::new("the client of Prisma is made from the schema", step.why.clone()));
            plan.manifests.extend(schemas.iter().cloned());
        }
        plan.manifests.sort();
        plan.manifests.dedup();
        // the manifest first, for readers
        plan.manifests.sort_by_key(|path| path != "package.json");

        let kept = start.packages.iter().find(|package| manifest.is_dev(package));
        plan.all = outputs.is_some() || script.is_some() || generate.is_some() || kept.is_some();
        plan.install.steps.extend(manager.tool());
        let mut install = manager.install(plan.all);
        if build::install_build(scope).is_some() && manager.berry.is_none() {
            // the scripts of the dependencies run all the same
            let rebuild = if manager.kind == Kind::Pnpm { "pnpm rebuild" } else { "npm rebuild" };
            install.command = format!("{} --ignore-scripts && {rebuild}", install.command);
        }
        plan.install.steps.push(install);
        for (package, line) in &scope.author.extra {
            found.push(Finding::new(format!("{package} is installed beside package.json"), context.at(*line)));
            let add = match manager.kind {
                Kind::Npm => "npm install",
                Kind::Yarn => "yarn add",
                Kind::Pnpm => "pnpm add",
            };
            let why = context.at(*line);
            plan.install.steps.push(Step { command: format!("{add} {package}"), why, ..Step::default() });
        }
        let needed = |spec: &str| start.global.as_deref() == Some(spec);
        let for_build = |spec: &str| {
            let name = spec.trim_start_matches('@').split('@').next().unwrap_or(spec);
            scope.author.build.iter().any(|build| {
                build.words.iter().any(|word| {
                    word == name || (name == "typescript" && word == "tsc") || (name == "nestjs/cli" && word == "nest")
                })
            })
        };
        for (spec, line) in scope.author.globals.iter().filter(|(spec, _)| needed(spec) || for_build(spec)) {
            let command = format!("npm install --global {spec}");
            plan.install.steps.push(Step {
                command,
                caches: vec!["/root/.npm".to_owned()],
                comment: String::new(),
                why: context.at(*line),
            });
        }
        plan.install.steps.extend(generate.map(|(step, _)| step));

        if outputs.is_some_and(|outputs| outputs.complete && !outputs.packages) {
            plan.install.bundled = true;
            found.push(Finding::new(
                "the build holds the packages that the program needs",
                "the previous file copies no others",
            ));
        } else if let Some(kept) = kept {
            found.push(Finding::new(
                format!("packages for developers stay: the program is started with {kept}"),
                manifest.at(kept),
            ));
        } else if plan.all && !manifest.dev_dependencies.is_empty() {
            match manager.prune() {
                Some(step) => plan.install.prune.push(step),
                None => found.push(Finding::new(
                    "packages for developers stay: this version of Yarn cannot take them away",
                    "the plugin workspace-tools is missing",
                )),
            }
        }
        if let Some(why) = manager.foreign(folder).filter(|_| !plan.install.bundled) {
            plan.install.prune.push(Step {
                command: WITHOUT_MUSL.to_owned(),
                caches: Vec::new(),
                comment:
                    "ready-made parts for another C library, which some versions of the package manager install as well"
                        .to_owned(),
                why,
            });
        }
        plan.install.hashed = manager.lock.is_some();
        let names = manifest.dependencies.keys().chain(manifest.optional_dependencies.keys());
        plan.install.names = names.cloned().collect();
        plan
    }
}

/// What the project's settings for npm hold.
enum Npmrc {
    None,
    Plain,
    Secret,
}

fn npmrc(folder: &Folder) -> Npmrc {
    let Some(text) = folder.text(".npmrc") else { return Npmrc::None };
    let secret = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])).any(|line| {
        let key = line.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
        ["_authtoken", "_auth", "_password", "username"].iter().any(|word| key.ends_with(word))
    });
    if secret { Npmrc::Secret } else { Npmrc::Plain }
}

/// The step that makes the client of Prisma, and the files that it reads.
fn generate(scope: &Scope<'_>) -> Option<(Step, Vec<Utf8PathBuf>)> {
    let context = scope.context;
    let manifest = context.manifest;
    if !manifest.has("@prisma/client") || !manifest.has("prisma") {
        return None;
    }
    let schemas: Vec<Utf8PathBuf> = context
        .folder
        .files()
        .filter(|path| path.extension() == Some("prisma") || path.as_str().starts_with("prisma.config."))
        .map(Utf8Path::to_owned)
        .collect();
    let first = schemas.first()?;
    let by_author = scope.author.build.iter().find(|build| build::is_generate(&build.words));
    let (command, why) = match by_author {
        Some(build) => (build.command(), context.at(build.line)),
        None => ("npx prisma generate".to_owned(), first.to_string()),
    };
    Some((Step { command, why, ..Step::default() }, schemas))
}
