//! How the dependencies of a Python project get in: which manifest counts, and the commands.

mod lists;
mod package;

use camino::{Utf8Path, Utf8PathBuf};
use lists::{lists_runtime, requirement_files};

use super::requirements::{Package, RequirementList};
use super::version::Minor;
use super::{Context, DEPS, Pyproject, names};
use crate::command::quote_word;
use crate::error::DetectError;
use crate::project::{Finding, Install, Step};

/// Where tools that only translate lock files are installed: neither the system's Python nor the image gets them.
const TOOLS: &str = "/opt/tools";

/// Where the build stage writes the list that it makes.
const LIST: &str = "/tmp/requirements.txt";

/// How the dependencies get in.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) manifests: Vec<Utf8PathBuf>,
    pub(super) locks: Vec<Utf8PathBuf>,
    pub(super) install: Install,
    /// Direct dependencies with the place that names them.
    pub(super) named: Vec<(String, String)>,
    /// Those that come from version control.
    pub(super) from_git: Vec<String>,
    /// The dependencies are only known when the package itself is installed.
    with_package: bool,
}

impl Plan {
    /// Chooses the manifest that counts. The author's Dockerfile decides; then lock files, then requirement files, then the
    /// metadata of the package.
    pub(super) fn make(context: &Context<'_>, version: Minor, found: &mut Vec<Finding>) -> Result<Self, DetectError> {
        let mut plan = Self::choose(context, version, found)?;
        plan.install.names = plan.named.iter().map(|(name, _)| name.clone()).collect();
        plan.install.names.sort();
        plan.install.names.dedup();
        Ok(plan)
    }

    fn choose(context: &Context<'_>, version: Minor, found: &mut Vec<Finding>) -> Result<Self, DetectError> {
        let folder = context.folder;
        let list = requirement_files(context);
        let by_author = !context.declared.requirements.is_empty() && !list.is_empty();
        if !by_author && let Some(pyproject) = context.pyproject {
            if folder.has("uv.lock") {
                let export = "uv export --frozen --no-dev --no-emit-project --no-header -o";
                return Ok(Self::exported(context, found, "uv", &["uv"], export, "uv.lock", "/root/.cache/uv"));
            }
            if folder.has("poetry.lock") || pyproject.poetry.is_some() {
                let export = if folder.has("poetry.lock") {
                    "poetry export --only main -f requirements.txt -o"
                } else {
                    found.push(Finding::new("versions are chosen anew by every build", "there is no poetry.lock"));
                    "poetry lock --no-interaction && PYTHONPATH=/opt/tools python3 -m poetry export --only main -f requirements.txt -o"
                };
                let packages = ["poetry", "poetry-plugin-export"];
                return Ok(Self::exported(
                    context,
                    found,
                    "poetry",
                    &packages,
                    export,
                    "poetry.lock",
                    "/root/.cache/pypoetry",
                ));
            }
            if folder.has("pdm.lock") {
                let export = "pdm export --prod -f requirements -o";
                return Ok(Self::exported(context, found, "pdm", &["pdm"], export, "pdm.lock", "/root/.cache/pdm"));
            }
        }
        if !list.is_empty() {
            return Self::from_requirements(context, version, &list, found);
        }
        if let Some(pyproject) = context.pyproject
            && pyproject.dependencies.is_some()
        {
            found.push(Finding::new("dependencies from pyproject.toml", pyproject.at("dependencies")));
            return Ok(Self::from_pyproject(context, pyproject, version, None));
        }
        if folder.has("Pipfile") {
            let lock = if folder.has("Pipfile.lock") { "" } else { "lock && PYTHONPATH=/opt/tools python3 -m pipenv " };
            let export = format!("pipenv {lock}requirements --hash >");
            return Ok(Self::exported(
                context,
                found,
                "pipenv",
                &["pipenv"],
                &export,
                "Pipfile.lock",
                "/root/.cache/pipenv",
            ));
        }
        let mut plan = Self { with_package: true, ..Self::default() };
        for name in ["setup.py", "setup.cfg", Pyproject::FILE] {
            if folder.has(name) {
                plan.manifests.push(name.into());
            }
        }
        plan.with_package =
            folder.has("setup.py") || folder.has("setup.cfg") || context.pyproject.is_some_and(|p| p.installable);
        if plan.with_package {
            found.push(Finding::new("dependencies are those of the package", plan.manifests[0].as_str()));
        } else {
            found.push(Finding::new("no dependencies", "no manifest lists any"));
            plan.manifests.clear();
        }
        plan.add_author_packages(context);
        Ok(plan)
    }

    /// A lock file of a tool: the tool writes a requirements file, pip installs it, and the tool stays in the build stage.
    fn exported(
        context: &Context<'_>,
        found: &mut Vec<Finding>,
        tool: &str,
        packages: &[&str],
        export: &str,
        lock: &str,
        cache: &str,
    ) -> Self {
        let manifest = if tool == "pipenv" { "Pipfile" } else { Pyproject::FILE };
        let mut plan = Self::default();
        plan.manifests.push(manifest.into());
        if context.folder.has(lock) {
            plan.manifests.push(lock.into());
            plan.locks.push(lock.into());
        }
        let why = if plan.locks.is_empty() { manifest } else { lock }.to_owned();
        found.push(Finding::new(format!("dependencies by {tool}"), why.clone()));
        if let Some(pyproject) = context.pyproject {
            plan.named = pyproject.names().into_iter().map(|name| (name.clone(), pyproject.at(&name))).collect();
        } else if let Some(text) = context.folder.text("Pipfile") {
            plan.named = pipfile_names(&text);
        }
        let module = packages[0];
        plan.install.steps = vec![
            Step {
                command: format!("python3 -m pip install --target={TOOLS} {}", packages.join(" ")),
                caches: vec!["/root/.cache/pip".to_owned()],
                comment: format!("{module} translates its lock file for pip; it stays in this stage"),
                why: why.clone(),
            },
            Step {
                command: format!("PYTHONPATH={TOOLS} python3 -m {export} {LIST}"),
                caches: vec![cache.to_owned()],
                comment: String::new(),
                why: why.clone(),
            },
        ];
        let author = author_packages(context);
        plan.push_pip(&format!("-r {LIST}"), &author, &why);
        plan.add_author_packages(context);
        plan.install.hashed = matches!(tool, "uv" | "pipenv") || !plan.locks.is_empty();
        plan
    }

    fn from_requirements(
        context: &Context<'_>,
        version: Minor,
        files: &[Utf8PathBuf],
        found: &mut Vec<Finding>,
    ) -> Result<Self, DetectError> {
        let mut lists = Vec::new();
        for file in files {
            lists.push(RequirementList::read(context.folder, file)?);
        }
        let dev: Vec<&str> = lists.iter().flat_map(RequirementList::dev_tools).collect();
        if let ([list], [file], Some(pyproject), false) = (lists.as_slice(), files, context.pyproject, dev.is_empty())
            && lists_runtime(pyproject, list)
        {
            found.push(Finding::new(
                format!(
                    "dependencies from {}, because {file} holds developers' tools ({})",
                    Pyproject::FILE,
                    dev.join(", ")
                ),
                pyproject.at("dependencies"),
            ));
            let constraint = (list.is_valid_constraint() && list.packages.iter().any(|(_, _, package)| package.pinned))
                .then_some(list);
            return Ok(Self::from_pyproject(context, pyproject, version, constraint));
        }
        if !dev.is_empty() {
            found.push(Finding::new(
                format!("developers' tools are installed too ({})", dev.join(", ")),
                format!("{}; a requirements-prod.txt without them would keep them out", files[0]),
            ));
        }

        let mut plan = Self::default();
        let mut installs_nothing = true;
        for list in &lists {
            installs_nothing &= list.packages.is_empty();
            for file in &list.files {
                if !plan.manifests.contains(file) {
                    plan.manifests.push(file.clone());
                }
            }
            for (file, line, package) in &list.packages {
                plan.named.push((package.name.clone(), format!("{file}:{line}")));
                if package.needs_git() {
                    plan.from_git.push(package.name.clone());
                }
            }
        }
        let hashed = lists.iter().all(RequirementList::hashed);
        if hashed || lists.iter().all(|list| list.packages.iter().all(|(_, _, package)| package.pinned)) {
            plan.locks.clone_from(&plan.manifests);
        }
        for file in files {
            let name = if hashed {
                format!("dependencies from {file}, checked by hash")
            } else {
                format!("dependencies from {file}")
            };
            found.push(Finding::new(name, file.as_str()));
        }
        let author = author_packages(context);
        if installs_nothing && author.is_empty() {
            plan.manifests.clear();
            return Ok(plan);
        }
        // `-e .` would make links to a folder that the image does not have; the package itself comes later
        let has_local = lists.iter().any(|list| !list.locals.is_empty());
        let mut arguments: Vec<String> = Vec::new();
        if hashed && author.is_empty() {
            arguments.push("--require-hashes".to_owned());
        }
        if has_local {
            let names: Vec<String> = plan.manifests.iter().map(|file| quote_word(file.as_str())).collect();
            plan.install.steps.push(Step {
                command: format!("sed -i -E '/^(-e |--editable[ =]|[.]|file:)/d' {}", names.join(" ")),
                comment: "the project itself is installed later".to_owned(),
                why: lists
                    .iter()
                    .flat_map(|list| &list.locals)
                    .map(|(file, line, _)| format!("{file}:{line}"))
                    .next()
                    .unwrap_or_default(),
                caches: Vec::new(),
            });
            plan.with_package = context.pyproject.is_some_and(|p| p.installable) || context.folder.has("setup.py");
            if plan.with_package {
                for name in [Pyproject::FILE, "setup.py", "setup.cfg"] {
                    if context.folder.has(name) {
                        plan.manifests.push(name.into());
                    }
                }
            }
        }
        arguments.extend(files.iter().map(|file| format!("-r {}", quote_word(file.as_str()))));
        plan.install.hashed = hashed;
        plan.push_pip(&arguments.join(" "), &author, files[0].as_str());
        plan.add_author_packages(context);
        Ok(plan)
    }

    /// The list in `pyproject.toml`, read by Python in the build, so that a change of it needs no new Dockerfile.
    fn from_pyproject(
        context: &Context<'_>,
        pyproject: &Pyproject,
        version: Minor,
        constraint: Option<&RequirementList>,
    ) -> Self {
        let mut plan = Self { manifests: vec![Pyproject::FILE.into()], ..Self::default() };
        // the keys as pyproject.toml writes them; a key that Python source cannot quote plainly is nobody's extra
        let extras: Vec<&str> = pyproject
            .optional
            .keys()
            .filter(|key| {
                let wanted = names::normalize(key);
                key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
                    && context.declared.extras.iter().any(|told| names::normalize(&told.value) == wanted)
            })
            .map(String::as_str)
            .collect();
        let requirements = pyproject.with_extras(&extras).unwrap_or_default();
        for package in requirements.iter().filter_map(|text| Package::parse(text)) {
            plan.named.push((package.name.clone(), pyproject.at(&package.name)));
            if package.needs_git() {
                plan.from_git.push(package.name.clone());
            }
        }
        let author = author_packages(context);
        if requirements.is_empty() {
            plan.manifests.clear();
            if !author.is_empty() {
                plan.push_pip("", &author, Pyproject::FILE);
                plan.add_author_packages(context);
            }
            return plan;
        }
        // tomllib is part of Python since 3.11; pip has always carried a copy
        let import = if version < Minor(11) { "from pip._vendor import tomli as tomllib" } else { "import tomllib" };
        let mut lists = vec!["*p['dependencies']".to_owned()];
        lists.extend(extras.iter().map(|extra| format!("*p['optional-dependencies']['{extra}']")));
        let lists = lists.join(", ");
        plan.install.steps.push(Step {
            command: format!(
                "python3 -c \"{import}; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print({lists}, sep='\\n')\" \\\n    > {LIST}"
            ),
            caches: Vec::new(),
            comment: "the list in pyproject.toml, without the project itself".to_owned(),
            why: pyproject.at("dependencies"),
        });
        let mut arguments = format!("-r {LIST}");
        if let Some(list) = constraint {
            plan.manifests.extend(list.files.iter().cloned());
            plan.locks.extend(list.files.iter().cloned());
            arguments.push_str(" -c ");
            arguments.push_str(&quote_word(list.files[0].as_str()));
        }
        plan.push_pip(&arguments, &author, &pyproject.at("dependencies"));
        plan.add_author_packages(context);
        plan
    }

    fn push_pip(&mut self, arguments: &str, packages: &[String], why: &str) {
        let mut words = vec![format!("python3 -m pip install --no-compile --target={DEPS}")];
        words.extend((!arguments.is_empty()).then(|| arguments.to_owned()));
        words.extend(packages.iter().map(|package| quote_word(package)));
        self.install.steps.push(Step {
            command: words.join(" "),
            caches: vec!["/root/.cache/pip".to_owned()],
            comment: "installed beside Python, not into it: only this folder goes into the image".to_owned(),
            why: why.to_owned(),
        });
    }

    /// Names the packages that the author's Dockerfile installs by name.
    fn add_author_packages(&mut self, context: &Context<'_>) {
        for told in &context.declared.python_packages {
            if let Some(package) = Package::parse(&told.value) {
                self.named.push((package.name, context.at(told.line)));
            }
        }
    }

    /// Whether a dependency is installed.
    pub(super) fn has(&self, name: &str) -> bool {
        self.install.names.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
    }

    /// All files that only the installation needs.
    pub(super) fn files(&self) -> Vec<&Utf8Path> {
        self.manifests.iter().chain(&self.locks).map(Utf8PathBuf::as_path).collect()
    }
}

/// Packages that the author installs by name, without developers' tools.
fn author_packages(context: &Context<'_>) -> Vec<String> {
    context
        .declared
        .python_packages
        .iter()
        .map(|told| told.value.clone())
        .filter(|text| Package::parse(text).is_some_and(|package| !names::is_dev_tool(&package.name)))
        .collect()
}

/// The names in the `[packages]` table of a Pipfile.
fn pipfile_names(text: &str) -> Vec<(String, String)> {
    let Ok(table) = toml::from_str::<toml::Table>(text) else { return Vec::new() };
    let packages = table.get("packages").and_then(toml::Value::as_table);
    packages
        .into_iter()
        .flat_map(toml::Table::keys)
        .map(|name| (names::normalize(name), format!("Pipfile:{}", crate::folder::line_of(text, name))))
        .collect()
}
