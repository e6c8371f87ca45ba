//! The commands that make what is started.

use super::artifacts::is_output_name;
use super::author::Build;
use super::programs;
use super::start::{Scope, Start};
use crate::project::{Finding, Step};

/// Returns the build steps: the author's, what the start command would do first, or else the script `build` where what is
/// started is not in the project.
pub(super) fn steps(scope: &Scope<'_>, start: &Start, found: &mut Vec<Finding>) -> Vec<Step> {
    let context = scope.context;
    let manifest = context.manifest;
    let mut steps: Vec<Step> = Vec::new();
    for build in scope.author.build.iter().filter(|build| !is_generate(&build.words)) {
        let mut build = build.clone();
        scope.manager.own_yarn(&mut build.words);
        let why = context.at(build.line);
        found.push(Finding::new(format!("build with {}", build.command()), why.clone()));
        steps.push(step(scope, &build, why));
    }
    for build in start.build.iter().filter(|build| !is_generate(&build.words)) {
        let cleans = matches!(
            build.words.iter().map(String::as_str).collect::<Vec<_>>().as_slice(),
            ["npx", "rimraf", ..] | ["rm" | "echo", ..]
        );
        let step = step(scope, build, start.origin.clone());
        if !cleans && !steps.iter().any(|known| known.command == step.command) {
            found.push(Finding::new(format!("build with {}", step.command), start.origin.clone()));
            steps.push(step);
        }
    }
    if !steps.is_empty() {
        return steps;
    }
    // the script that the installation would run, which wants the sources
    if let Some(name) = install_build(scope) {
        let why = manifest.at(name);
        found.push(Finding::new(format!("build with the script {name}, once the sources are there"), why.clone()));
        steps.push(Step { command: scope.manager.run_script(name), why, ..Step::default() });
        return steps;
    }
    let missing = match &start.file {
        Some(file) => {
            scope.source(file.as_str()).is_none()
                || (is_ignored(scope, file.as_str()) && manifest.scripts.contains_key("build"))
        }
        None => matches!(
            start.program.as_deref(),
            Some("next" | "nuxt" | "remix-serve" | "react-router-serve" | "strapi" | "astro")
        ),
    };
    let front_end = context.declared.base.is_none()
        && ["vite", "react-scripts", "@vue/cli-service"].iter().any(|tool| manifest.has(tool));
    if missing || front_end {
        if manifest.scripts.contains_key("build") {
            let why = manifest.at("build");
            found.push(Finding::new("build with the script build", why.clone()));
            steps.push(cached(scope, Step { command: scope.manager.run_script("build"), why, ..Step::default() }));
        } else if start.program.as_deref() == Some("next") {
            let why = "what next start serves".to_owned();
            steps.push(cached(scope, Step { command: "npx next build".to_owned(), why, ..Step::default() }));
        }
    }
    steps
}

/// The script of an installation that is a build, if there is one: it cannot run before the sources are there.
pub(super) fn install_build(scope: &Scope<'_>) -> Option<&'static str> {
    let manifest = scope.context.manifest;
    let name = ["postinstall", "prepare"].into_iter().find(|name| {
        manifest.scripts.get(*name).is_some_and(|text| {
            text.split("&&").any(|command| {
                let words: Vec<&str> = command.split_whitespace().collect();
                programs::is_builder(&words)
                    && !matches!(words.as_slice(), ["prisma" | "echo" | "rimraf" | "rm" | "mkdir", ..])
            })
        })
    })?;
    Some(name)
}

/// Whether a command makes the client of Prisma, which belongs to the dependencies.
pub(super) fn is_generate(words: &[String]) -> bool {
    words.iter().any(|word| word == "prisma")
        && words.last().is_some_and(|word| word == "generate" || word.starts_with("--schema"))
}

fn is_ignored(scope: &Scope<'_>, file: &str) -> bool {
    let Some((first, _)) = file.split_once('/') else { return false };
    let text = scope.context.folder.text(".gitignore").unwrap_or_default();
    is_output_name(first) && text.lines().any(|line| line.trim().trim_matches('/') == first)
}

fn step(scope: &Scope<'_>, build: &Build, why: String) -> Step {
    cached(scope, Step { command: build.command(), why, ..Step::default() })
}

/// Keeps the cache of Next.js between builds; it does not belong into an image either.
fn cached(scope: &Scope<'_>, mut step: Step) -> Step {
    if scope.context.manifest.has("next") && step.command.contains("build") {
        step.caches.push(format!("{}/.next/cache", scope.workdir));
    }
    step
}
