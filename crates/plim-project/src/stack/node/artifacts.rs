//! Which files the build reads, and which the running program needs.

use camino::{Utf8Path, Utf8PathBuf};
use plim_dockerfile::ignore::Patterns;

use super::Context;
use super::outputs::{self, Outputs};
use super::sources::{Sources, is_code, is_typescript};
use super::start::Start;
use crate::folder::Folder;
use crate::project::Artifact;

/// Folders that are for developers, for other machines or made by tools.
const DEV_FOLDERS: &[&str] = &[
    "test",
    "tests",
    "__tests__",
    "__mocks__",
    "e2e",
    "cypress",
    "playwright",
    "docs",
    "doc",
    "examples",
    "example",
    "benchmark",
    "benchmarks",
    "coverage",
    "deploy",
    "deployment",
    "k8s",
    "kubernetes",
    "helm",
    "charts",
    "terraform",
    "infra",
    "ci",
    "logs",
    "log",
    "tmp",
    "temp",
    "storybook-static",
    "node_modules",
    "out-tsc",
];

/// Folders that builds make.
const OUTPUT_FOLDERS: &[&str] = &["dist", "build", "out", "lib", ".next", ".output", ".nuxt"];

/// Files that are for developers or other machines.
const DEV_FILES: &[&str] = &[
    "makefile",
    "justfile",
    "procfile",
    "plim.toml",
    "jenkinsfile",
    "vagrantfile",
    "tiltfile",
    "codeowners",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "bun.lock",
    "bun.lockb",
    "package.json",
    "lerna.json",
    "renovate.json",
    "vercel.json",
    "netlify.toml",
    "fly.toml",
    "render.yaml",
    "app.json",
    "app.yaml",
    "cloudbuild.yaml",
    "skaffold.yaml",
    "codecov.yml",
    "sonar-project.properties",
    "nodemon.json",
    "requirements.txt",
    "pyproject.toml",
];

/// Beginnings of names of the same kind.
const DEV_BEGINNINGS: &[&str] = &[
    "dockerfile",
    "containerfile",
    "docker-compose",
    "compose.",
    "license",
    "licence",
    "copying",
    "changelog",
    "readme",
    "contributing",
    "jest.",
    "vitest.",
    "karma.",
    "cypress.",
    "playwright.",
    "eslint.",
    "commitlint.",
    "prettier.",
    "lint-staged.",
];

/// Beginnings of names of files that only a build reads.
const BUILD_BEGINNINGS: &[&str] = &[
    "tsconfig",
    "jsconfig",
    "webpack.",
    "vite.",
    "rollup.",
    "babel.",
    "postcss.",
    "tailwind.",
    "tsup.",
    "esbuild.",
    "gulpfile",
    "gruntfile",
    "nest-cli",
    "angular.json",
    "nx.json",
    "turbo.json",
    "svelte.config",
    "vue.config",
    "metro.",
    "rspack.",
    "swc.",
    "next-env",
    "components.json",
    "api-extractor",
    "typedoc",
    "tslint",
];

/// Hidden files that a build reads.
const BUILD_HIDDEN: &[&str] =
    &[".babelrc", ".swcrc", ".browserslistrc", ".postcssrc", ".babelrc.json", ".babelrc.js", ".sequelizerc"];

/// What is copied where.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    /// What the build reads beside the manifests.
    pub(super) inputs: Vec<Artifact>,
    /// What goes into the image; a folder with an empty path is everything that the build leaves.
    pub(super) artifacts: Vec<Artifact>,
}

impl Layout {
    /// Finds both. Without a build the artifacts are files of the project, with one they are files of the build stage.
    pub(super) fn find(
        context: &Context<'_>,
        start: &Start,
        sources: &Sources,
        outputs: Option<&Outputs>,
        ignored: Option<&Patterns>,
        manifests: &[Utf8PathBuf],
    ) -> Self {
        let folder = context.folder;
        let is_manifest = |path: &Utf8Path| manifests.iter().any(|manifest| manifest == path);
        let excluded = |path: &Utf8Path, is_folder: bool| {
            ignored.is_some_and(|patterns| {
                patterns.excludes(path.as_str()) && !(is_folder && patterns.may_reinclude_below(path.as_str()))
            })
        };
        let listed = |path: &Utf8Path, is_folder: bool| {
            // such as patches of packages
            let of_manifests = is_folder && folder.files().filter(|file| file.starts_with(path)).all(is_manifest);
            is_writable(path) && !is_manifest(path) && !of_manifests && !excluded(path, is_folder)
        };
        let by_author = outputs.is_none() && !context.declared.copies_everything && !context.declared.copies.is_empty();
        let top: Vec<Artifact> = if by_author {
            copied(context)
        } else {
            folder.top().map(|(path, is_folder)| same(path, is_folder)).collect()
        };
        let mut all: Vec<Artifact> = top
            .into_iter()
            .filter(|artifact| listed(&artifact.path, artifact.folder))
            .filter(|artifact| is_started(&artifact.path, start) || !is_for_developers(&artifact.path, artifact.folder))
            .collect();
        all.sort();
        all.dedup();
        match outputs {
            None => {
                let runs_typescript = start.file.as_deref().is_some_and(is_typescript);
                all.retain(|artifact| {
                    artifact.folder
                        || is_started(&artifact.path, start)
                        || runs_typescript
                        || !is_for_build(&artifact.path)
                });
                all.retain(|artifact| !artifact.path.as_str().starts_with('.'));
                Self { inputs: Vec::new(), artifacts: all }
            }
            Some(outputs) => {
                // what a build on the developer's machine left is made anew
                let made = |path: &Utf8Path| outputs.paths.iter().any(|output| output.path == path);
                let mut inputs: Vec<Artifact> = all.iter().filter(|artifact| !made(&artifact.path)).cloned().collect();
                for beside in &outputs.beside {
                    let there = |input: &Artifact| {
                        input.path == beside.path || (input.folder && beside.path.starts_with(&input.path))
                    };
                    if !is_manifest(&beside.path) && !inputs.iter().any(there) {
                        inputs.push(same(&beside.path, beside.folder));
                    }
                }
                inputs.sort();
                let artifacts = if outputs.everything {
                    vec![same(Utf8Path::new(""), true)]
                } else {
                    let mut artifacts = [outputs.paths.clone(), outputs.beside.clone()].concat();
                    if !outputs.complete {
                        artifacts.extend(data(folder, start, sources, outputs, &inputs));
                    }
                    artifacts
                };
                Self { inputs, artifacts }
            }
        }
    }

    /// Adds the script that the program is started with, if it is in the working directory and not there yet.
    pub(super) fn add_script(&mut self, path: &Utf8Path, in_image: &str, workdir: &str, builds: bool) {
        let Some(below) = outputs::below(workdir, in_image).filter(|below| !below.as_str().is_empty()) else { return };
        let script = Artifact { path: path.to_owned(), folder: false, dest: below.clone() };
        let has = |list: &[Artifact]| {
            list.iter().any(|known| known.path == path || (known.folder && path.starts_with(&known.path)))
        };
        if !builds {
            if !self.holds(path) {
                self.artifacts.push(script);
                self.artifacts.sort();
            }
            return;
        }
        if !has(&self.inputs) {
            self.inputs.push(script);
            self.inputs.sort();
        }
        if !self.holds(&below) && !self.artifacts.iter().any(|artifact| artifact.path.as_str().is_empty()) {
            self.artifacts.push(same(&below, false));
            self.artifacts.sort();
        }
    }

    /// A file or folder that goes into the image and that only its owner may read: the program runs as another user.
    pub(super) fn private<'a>(&self, folder: &'a Folder) -> Option<&'a Utf8Path> {
        let all = folder.files().chain(folder.folders());
        all.into_iter().find(|path| (*path == "package.json" || self.holds(path)) && folder.is_private(path))
    }

    /// Whether the image will have a file of the project.
    pub(super) fn holds(&self, path: &Utf8Path) -> bool {
        self.artifacts
            .iter()
            .any(|artifact| artifact.path == path || (artifact.folder && path.starts_with(&artifact.path)))
    }
}

/// A file or folder that keeps its place.
pub(super) fn same(path: &Utf8Path, folder: bool) -> Artifact {
    Artifact { path: path.to_owned(), folder, dest: path.to_owned() }
}

/// Files of the project that the program needs beside what the build makes: not the sources that were compiled.
fn data(folder: &Folder, start: &Start, sources: &Sources, outputs: &Outputs, inputs: &[Artifact]) -> Vec<Artifact> {
    let mut data = Vec::new();
    for artifact in inputs {
        let path = &artifact.path;
        if is_started(path, start) {
            data.push(artifact.clone());
        } else if !artifact.folder {
            let is_page = outputs.front_end && path == "index.html";
            let of_build = is_for_build(path) || is_typescript(path) || path.as_str().starts_with('.') || is_page;
            data.extend((!of_build).then(|| artifact.clone()));
        } else if outputs.paths.iter().any(|output| output.path != *path && output.path.starts_with(path))
            && outputs.compiled.contains(path)
        {
            // a front end that is built where it is
        } else if outputs.compiled.iter().any(|compiled| compiled == path) || holds_typescript(folder, path) {
            data.extend(beside_code(folder, sources, path));
        } else {
            data.push(artifact.clone());
        }
    }
    data
}

fn holds_typescript(folder: &Folder, path: &Utf8Path) -> bool {
    folder.files().any(|file| file.starts_with(path) && is_typescript(file))
}

/// Files beside compiled sources that the program reads by the path of the source folder, such as templates in `src/views`.
fn beside_code(folder: &Folder, sources: &Sources, path: &Utf8Path) -> Vec<Artifact> {
    let written = ["'", "\"", "`", "./", "/"];
    let named = sources.find(|line| {
        let imports = line.starts_with("import") || line.contains("require(") || line.contains(" from ");
        !imports
            && written.iter().any(|before| {
                ['/', '\'', '"', '`'].iter().any(|after| line.contains(&format!("{before}{path}{after}")))
            })
    });
    if named.is_none() {
        return Vec::new();
    }
    let is_data = |file: &Utf8Path| {
        let of_build = matches!(file.extension(), Some("md" | "scss" | "sass" | "less" | "snap" | "map"));
        file.starts_with(path) && !is_code(file) && !of_build && is_writable(file)
    };
    let mut found: Vec<Artifact> = Vec::new();
    for file in folder.files().filter(|file| is_data(file)) {
        // the folder right below the sources, or the file that lies there
        let below = file.strip_prefix(path).unwrap_or(file);
        let first = below.components().next().map(|part| path.join(part.as_str()));
        let artifact = match first {
            Some(first) if first != file => same(&first, true),
            _ => same(file, false),
        };
        if !found.contains(&artifact) {
            found.push(artifact);
        }
    }
    found
}

/// What the author's COPY instructions bring below the working directory.
fn copied(context: &Context<'_>) -> Vec<Artifact> {
    let mut artifacts = Vec::new();
    for told in &context.declared.copies {
        let pair = &told.value;
        let Some(below) = outputs::below(&context.workdir, &pair.dest) else { continue };
        if context.folder.has_folder(&pair.source) {
            artifacts.push(Artifact { path: pair.source.clone(), folder: true, dest: below });
        } else if context.folder.has(&pair.source) {
            let into = pair.dest.ends_with('/') || below.as_str().is_empty();
            let dest = if into { below.join(pair.source.file_name().unwrap_or_default()) } else { below };
            artifacts.push(Artifact { path: pair.source.clone(), folder: false, dest });
        }
    }
    artifacts
}

/// Whether an entry is, or holds, the file that is started.
fn is_started(path: &Utf8Path, start: &Start) -> bool {
    start.file.as_ref().is_some_and(|file| {
        file.starts_with(path) || file.as_str().starts_with(&format!("{path}.")) || path.with_extension("") == *file
    })
}

/// Whether a name can stand in a Dockerfile as it is; one that means something there is nobody's program.
fn is_writable(path: &Utf8Path) -> bool {
    !path.as_str().starts_with(['-', '#', '<'])
        && !path.as_str().contains(|c: char| c.is_control() || "*?[]$\"'\\`".contains(c))
}

fn is_for_developers(path: &Utf8Path, folder: bool) -> bool {
    let name = path.file_name().unwrap_or_default().to_lowercase();
    if name.starts_with('.') {
        return folder || !BUILD_HIDDEN.contains(&name.as_str());
    }
    if folder {
        return DEV_FOLDERS.contains(&name.as_str());
    }
    let extension = path.extension().unwrap_or_default().to_lowercase();
    DEV_FILES.contains(&name.as_str())
        || DEV_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || name.contains(".test.")
        || name.contains(".spec.")
        || matches!(
            extension.as_str(),
            "md" | "rst" | "log" | "key" | "tar" | "gz" | "tgz" | "zip" | "sh" | "ps1" | "bat" | "code-workspace"
        )
}

/// Whether a file at the top is only read by builds.
fn is_for_build(path: &Utf8Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_lowercase();
    name.starts_with('.')
        || BUILD_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || name.ends_with(".d.ts")
}

/// Whether a folder's name is one that builds give to what they make.
pub(super) fn is_output_name(name: &str) -> bool {
    OUTPUT_FOLDERS.contains(&name)
}
