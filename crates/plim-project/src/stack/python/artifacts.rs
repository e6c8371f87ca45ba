//! Which files of a Python project the running program needs, and where they are in the image.

use camino::{Utf8Path, Utf8PathBuf};
use plim_dockerfile::ignore::Patterns;

use super::Context;
use super::sources::Sources;
use crate::folder::Folder;
use crate::project::Artifact;

/// Folders that are for developers, for other machines or made by tools.
const DEV_FOLDERS: &[&str] = &[
    "tests",
    "test",
    "docs",
    "doc",
    "examples",
    "example",
    "benchmarks",
    "bench",
    "notebooks",
    "build",
    "dist",
    "htmlcov",
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
    "coverage",
    "requirements",
];

/// Files that are for developers, for tools or for the build.
const DEV_FILES: &[&str] = &[
    "makefile",
    "justfile",
    "tox.ini",
    "noxfile.py",
    "setup.py",
    "setup.cfg",
    "pyproject.toml",
    "pipfile",
    "manifest.in",
    "procfile",
    "runtime.txt",
    "pytest.ini",
    "mypy.ini",
    "ruff.toml",
    "conftest.py",
    "plim.toml",
    "tasks.py",
    "environment.yml",
    "environment.yaml",
    "codecov.yml",
    "mkdocs.yml",
    "readthedocs.yml",
    "fly.toml",
    "render.yaml",
    "vercel.json",
    "app.json",
    "renovate.json",
    "package.json",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "tsconfig.json",
    "cloudbuild.yaml",
    "skaffold.yaml",
    "tiltfile",
    "vagrantfile",
    "jenkinsfile",
    "sonar-project.properties",
    "codeowners",
    "taskfile.yml",
    "db.sqlite3",
];

/// The files of the program, as they are in the project and as they will be in the image.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub(super) artifacts: Vec<Artifact>,
}

impl Layout {
    /// Finds the artifacts: what the author's Dockerfile copies, or else every entry of the root that is not for
    /// developers. What the author's `.dockerignore` excludes is not needed.
    pub(super) fn find(
        context: &Context<'_>,
        workdir: &str,
        ignored: Option<&Patterns>,
        manifests: &[&Utf8Path],
    ) -> Self {
        let needed = |path: &Utf8Path, folder: bool| {
            let mentioned = context.choices.start.iter().flatten().any(|word| word.starts_with(path.as_str()));
            !manifests.contains(&path)
                && is_writable(path)
                // beside the project, where its author names every path
                && !ignored.is_some_and(|patterns| !path.starts_with("..") &&
                    patterns.excludes(path.as_str()) && !(folder && patterns.may_reinclude_below(path.as_str()))
                )
                && (mentioned || is_package(context.folder, path) || !is_for_developers(path, folder))
        };
        let mut artifacts: Vec<Artifact> = if context.declared.copies_everything || context.declared.copies.is_empty() {
            context
                .folder
                .top()
                .filter(|(path, folder)| needed(path, *folder))
                .map(|(path, folder)| Artifact { path: path.to_owned(), folder, dest: path.to_owned() })
                .collect()
        } else {
            copied(context, workdir).into_iter().filter(|artifact| needed(&artifact.path, artifact.folder)).collect()
        };
        artifacts.sort();
        artifacts.dedup();
        Self { artifacts }
    }

    /// Adds the script that the program is started with, if it is in the working directory and not there yet.
    pub(super) fn add_script(&mut self, path: &Utf8Path, in_image: &str, workdir: &str) {
        let below = in_image.strip_prefix(workdir).and_then(|rest| rest.strip_prefix('/'));
        if let Some(below) = below
            && self.in_image(path).is_none()
        {
            self.artifacts.push(Artifact { path: path.to_owned(), folder: false, dest: below.into() });
            self.artifacts.sort();
        }
    }

    /// Returns where a file of the project is in the image, relative to the working directory.
    pub(super) fn in_image(&self, path: &Utf8Path) -> Option<Utf8PathBuf> {
        self.artifacts.iter().find_map(|artifact| {
            if artifact.path == path {
                return Some(artifact.dest.clone());
            }
            let inside = path.strip_prefix(&artifact.path).ok().filter(|_| artifact.folder)?;
            Some(artifact.dest.join(inside))
        })
    }

    /// Returns the file of the project that is at a path of the image.
    pub(super) fn in_project(&self, folder: &Folder, path: &Utf8Path) -> Option<Utf8PathBuf> {
        self.artifacts.iter().find_map(|artifact| {
            let candidate = match path.strip_prefix(&artifact.dest) {
                Ok(inside) if artifact.folder => artifact.path.join(inside),
                _ if artifact.dest == path => artifact.path.clone(),
                _ => return None,
            };
            folder.has(&candidate).then_some(candidate)
        })
    }

    /// Whether the sources are in `src/` and that is no package itself.
    pub(super) fn is_src(&self) -> bool {
        self.artifacts.iter().any(|artifact| artifact.dest == "src")
    }

    /// The folders with the project's own packages.
    pub(super) fn packages(&self, folder: &Folder) -> Vec<Utf8PathBuf> {
        self.artifacts
            .iter()
            .filter(|artifact| {
                artifact.path == "src" || (artifact.folder && folder.has(artifact.path.join("__init__.py")))
            })
            .map(|artifact| artifact.path.clone())
            .collect()
    }

    /// Leaves out what an installed package brings along.
    pub(super) fn drop_installed(&mut self, folder: &Folder) {
        let is_src_layout = self.is_src() && !folder.has("src/__init__.py");
        self.artifacts.retain(|artifact| !(is_src_layout && artifact.path == "src"));
    }
}

/// Returns the folders with nothing but tests inside the artifacts, which no other source imports.
pub(super) fn nested_tests(folder: &Folder, layout: &Layout, sources: &Sources) -> Vec<Utf8PathBuf> {
    let has_tests = |path: &Utf8Path| {
        folder.files().any(|file| {
            file.parent() == Some(path)
                && file.file_name().is_some_and(|name| name == "conftest.py" || name.starts_with("test_"))
                && file.extension() == Some("py")
        })
    };
    let imported = sources.find(".tests").or_else(|| sources.find("from tests"));
    if imported.is_some() {
        return Vec::new();
    }
    folder
        .folders()
        .filter(|path| path.components().count() > 1 && matches!(path.file_name(), Some("tests" | "test")))
        .filter(|path| is_writable(path) && layout.in_image(path).is_some() && has_tests(path))
        .map(Utf8Path::to_owned)
        .collect()
}

/// What the author's COPY instructions bring below the working directory.
fn copied(context: &Context<'_>, workdir: &str) -> Vec<Artifact> {
    let mut artifacts = Vec::new();
    for told in &context.declared.copies {
        let pair = &told.value;
        let below = match pair.dest.trim_end_matches('/').strip_prefix(workdir.trim_end_matches('/')) {
            Some("") => Utf8PathBuf::new(),
            Some(rest) if rest.starts_with('/') => Utf8PathBuf::from(rest.trim_start_matches('/')),
            _ => continue,
        };
        if context.folder.has_folder(&pair.source) {
            artifacts.push(Artifact { path: pair.source.clone(), folder: true, dest: below });
        } else if context.folder.has(&pair.source) {
            let into = pair.dest.ends_with('/') || below.as_str().is_empty();
            let name = pair.source.file_name().unwrap_or_default();
            let dest = if into { below.join(name) } else { below };
            artifacts.push(Artifact { path: pair.source.clone(), folder: false, dest });
        }
    }
    artifacts
}

/// Whether a name can stand in a Dockerfile as it is; one that means something there is nobody's program.
fn is_writable(path: &Utf8Path) -> bool {
    !path.as_str().starts_with(['-', '#', '<'])
        && !path.as_str().contains(|c: char| c.is_control() || "*?[]$\"'\\`".contains(c))
}

/// Whether a folder is a package of the program, whatever its name.
fn is_package(folder: &Folder, path: &Utf8Path) -> bool {
    const NEVER: &[&str] = &["tests", "test", "docs", "doc", "examples", "benchmarks"];
    folder.has(path.join("__init__.py")) && !NEVER.contains(&path.as_str())
}

fn is_for_developers(path: &Utf8Path, folder: bool) -> bool {
    let name = path.file_name().unwrap_or_default().to_lowercase();
    if name.starts_with('.') || name.ends_with(".egg-info") {
        return true;
    }
    if folder {
        return DEV_FOLDERS.contains(&name.as_str());
    }
    let extension = path.extension().unwrap_or_default().to_lowercase();
    let begins = [
        "dockerfile",
        "containerfile",
        "docker-compose",
        "compose.",
        "license",
        "copying",
        "changelog",
        "readme",
        "requirements",
    ];
    DEV_FILES.contains(&name.as_str())
        || begins.iter().any(|prefix| name.starts_with(prefix))
        || matches!(
            extension.as_str(),
            "md" | "rst" | "lock" | "ipynb" | "log" | "key" | "pyc" | "tar" | "gz" | "zip" | "whl"
        )
}
