//! The package manager: which one, which version, and its commands.

use camino::{Utf8Path, Utf8PathBuf};

use super::author::Author;
use super::lock::NpmLock;
use super::manifest::Manifest;
use crate::error::DetectError;
use crate::folder::{Folder, line_of};
use crate::project::{Finding, Step};

/// A family of package managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// npm.
    Npm,
    /// Yarn, version 1 or later.
    Yarn,
    /// pnpm.
    Pnpm,
}

/// Yarn 2 or later, which is a file of the project or a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Berry {
    /// The file of the project that is Yarn.
    release: Option<Utf8PathBuf>,
    version: String,
    /// Whether the project's own settings install into `node_modules`.
    node_modules: bool,
    /// Whether it can install for production only.
    can_focus: bool,
}

/// How the dependencies of a project are installed.
#[derive(Debug, Clone)]
pub(super) struct Manager {
    pub(super) kind: Kind,
    pub(super) berry: Option<Berry>,
    /// The version of pnpm.
    version: Option<String>,
    /// The file that fixes versions.
    pub(super) lock: Option<Utf8PathBuf>,
    pub(super) npm_lock: Option<NpmLock>,
    /// Why npm's lock cannot be installed as it is.
    flaw: Option<String>,
    flags: Vec<String>,
}

/// The locks, and whose they are.
const LOCKS: &[(&str, Kind)] = &[
    ("pnpm-lock.yaml", Kind::Pnpm),
    ("yarn.lock", Kind::Yarn),
    ("npm-shrinkwrap.json", Kind::Npm),
    ("package-lock.json", Kind::Npm),
];

/// npm's downloads, of the user root.
const NPM_CACHE: &str = "/root/.npm";
const YARN_CACHE: &str = "/usr/local/share/.cache/yarn";
const BERRY_CACHE: &str = "/root/.yarn/berry/cache";
const PNPM_STORE: &str = "/pnpm/store";

impl Manager {
    /// Decides: the author's commands, `packageManager`, the lock that is there.
    pub(super) fn find(
        folder: &Folder,
        manifest: &Manifest,
        author: &Author,
        dockerfile: &Utf8Path,
        found: &mut Vec<Finding>,
    ) -> Result<Self, DetectError> {
        let named = manifest.package_manager.as_deref().and_then(|text| text.split_once('@'));
        let lock_of =
            |kind| LOCKS.iter().find(|(name, owner)| *owner == kind && folder.has(name)).map(|(name, _)| *name);
        let by_lock = LOCKS.iter().find(|(name, _)| folder.has(name));
        let (kind, why) = if let Some((kind, line)) = author.manager {
            (kind, format!("{dockerfile}:{line}"))
        } else if let Some(kind) = named.and_then(|(name, _)| kind_of(name)) {
            (kind, manifest.at("packageManager"))
        } else if let Some((name, kind)) = by_lock {
            (*kind, (*name).to_owned())
        } else if let Some(bun) = ["bun.lock", "bun.lockb"].into_iter().find(|name| folder.has(name)) {
            return Err(DetectError::Unsuited {
                path: bun.into(),
                message: "projects that Bun installs cannot be rewritten".to_owned(),
                hint: "keep a lock of npm, Yarn or pnpm beside it, for example with `npm install --package-lock-only`"
                    .to_owned(),
            });
        } else {
            (Kind::Npm, "no lock of another package manager".to_owned())
        };
        let lock = lock_of(kind).map(Utf8PathBuf::from);
        let version =
            author.manager_version.clone().filter(|(owner, _)| *owner == kind).map(|(_, version)| version).or_else(
                || {
                    named
                        .filter(|(name, _)| kind_of(name) == Some(kind))
                        .map(|(_, version)| version.split('+').next().unwrap_or(version).to_owned())
                },
            );
        let berry = if kind == Kind::Yarn { Berry::find(folder, version.as_deref(), lock.as_deref()) } else { None };
        let npm_lock = match &lock {
            Some(path) if kind == Kind::Npm => Some(NpmLock::read(folder, path)?),
            _ => None,
        };
        let flaw = npm_lock.as_ref().and_then(|lock| lock.flaw(manifest));
        let version = match (kind, version) {
            (Kind::Pnpm, None) => Some(pnpm_of_lock(folder.text("pnpm-lock.yaml").as_deref()).to_owned()),
            (_, version) => version,
        };
        let manager = Self { kind, berry, version, lock, npm_lock, flaw, flags: author.flags.clone() };
        found.push(Finding::new(format!("dependencies by {}", manager.name()), why));
        match (&manager.lock, &manager.flaw) {
            (None, _) => found.push(Finding::new(
                "versions of dependencies are chosen anew by every build",
                "there is no lock file; commit one",
            )),
            (Some(lock), Some(flaw)) => found.push(Finding::new(
                format!("npm install in place of npm ci, which would refuse {lock}"),
                flaw.as_str(),
            )),
            _ => {}
        }
        if let Some(berry) = manager.berry.as_ref().filter(|berry| !berry.node_modules) {
            found.push(Finding::new(
                "packages are put into node_modules, which needs no loader at run time",
                format!("Yarn {} without `nodeLinker: node-modules` in .yarnrc.yml", berry.version),
            ));
        }
        Ok(manager)
    }

    fn name(&self) -> String {
        match (self.kind, &self.berry, &self.version) {
            (Kind::Npm, ..) => "npm".to_owned(),
            (Kind::Yarn, Some(berry), _) => format!("Yarn {}", berry.version),
            (Kind::Yarn, None, _) => "Yarn 1".to_owned(),
            (Kind::Pnpm, _, version) => format!("pnpm {}", version.as_deref().unwrap_or_default()),
        }
    }

    /// Files beside the manifest that an installation reads.
    pub(super) fn files(&self, folder: &Folder) -> Vec<Utf8PathBuf> {
        let mut files: Vec<Utf8PathBuf> = self.lock.iter().cloned().collect();
        let extra: &[&str] = match (self.kind, &self.berry) {
            (Kind::Npm, _) => &[],
            (Kind::Yarn, Some(_)) => &[".yarnrc.yml"],
            (Kind::Yarn, None) => &[".yarnrc"],
            (Kind::Pnpm, _) => &["pnpm-workspace.yaml", ".pnpmfile.cjs"],
        };
        files.extend(extra.iter().map(Utf8PathBuf::from).filter(|path| folder.has(path)));
        if self.berry.is_some() {
            let dirs = [".yarn/releases", ".yarn/plugins", ".yarn/patches"];
            files.extend(
                folder.files().filter(|path| dirs.iter().any(|dir| path.starts_with(dir))).map(Utf8Path::to_owned),
            );
        }
        files
    }

    /// The step that brings the package manager, where the image has none of the right kind.
    pub(super) fn tool(&self) -> Option<Step> {
        let package = match (self.kind, &self.berry) {
            (Kind::Pnpm, _) => format!("pnpm@{}", self.version.as_deref().unwrap_or("9")),
            (Kind::Yarn, Some(berry)) if berry.release.is_none() => format!("@yarnpkg/cli-dist@{}", berry.version),
            _ => return None,
        };
        Some(Step {
            // Yarn 1 may be in the way
            command: format!("npm install --global --force {package}"),
            caches: vec![NPM_CACHE.to_owned()],
            comment: String::new(),
            why: self.name(),
        })
    }

    /// Settings of the package manager, for the build stages.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let pairs: &[(&str, &str)] = match (self.kind, &self.berry) {
            (Kind::Npm, _) => {
                &[("NPM_CONFIG_AUDIT", "false"), ("NPM_CONFIG_FUND", "false"), ("NPM_CONFIG_UPDATE_NOTIFIER", "false")]
            }
            (Kind::Yarn, None) => &[],
            (Kind::Yarn, Some(berry)) if berry.node_modules => {
                &[("YARN_ENABLE_GLOBAL_CACHE", "true"), ("YARN_ENABLE_TELEMETRY", "false")]
            }
            (Kind::Yarn, Some(_)) => &[
                ("YARN_ENABLE_GLOBAL_CACHE", "true"),
                ("YARN_ENABLE_TELEMETRY", "false"),
                ("YARN_NODE_LINKER", "node-modules"),
            ],
            // it must not ask whether it may replace node_modules
            (Kind::Pnpm, _) => &[("CI", "true")],
        };
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// The step that installs the dependencies: all of them, or those of the running program.
    pub(super) fn install(&self, all: bool) -> Step {
        let flags = self.flags.iter().fold(String::new(), |all, flag| all + " " + flag);
        let (command, cache) = match (self.kind, &self.berry) {
            (Kind::Npm, _) => {
                let verb = if self.lock.is_none() || self.flaw.is_some() { "install" } else { "ci" };
                (format!("npm {verb}{}{flags}", if all { "" } else { " --omit=dev" }), NPM_CACHE)
            }
            (Kind::Yarn, None) => {
                let frozen = if self.lock.is_some() { " --frozen-lockfile" } else { "" };
                (
                    format!(
                        "yarn install{frozen}{}{}",
                        if all { "" } else { " --production" },
                        without(&flags, "--legacy-peer-deps")
                    ),
                    YARN_CACHE,
                )
            }
            (Kind::Yarn, Some(berry)) if !all && berry.can_focus => {
                (format!("{} workspaces focus --production", berry.run()), BERRY_CACHE)
            }
            (Kind::Yarn, Some(berry)) => {
                let immutable = if self.lock.is_some() { " --immutable" } else { "" };
                (format!("{} install{immutable}", berry.run()), BERRY_CACHE)
            }
            (Kind::Pnpm, _) => {
                let frozen = if self.lock.is_some() { " --frozen-lockfile" } else { "" };
                let prod = if all { "" } else { " --prod" };
                let scripts = if flags.contains("--ignore-scripts") { " --ignore-scripts" } else { "" };
                (format!("pnpm install{frozen}{prod}{scripts} --store-dir={PNPM_STORE}"), PNPM_STORE)
            }
        };
        Step { command, caches: vec![cache.to_owned()], comment: String::new(), why: self.why() }
    }

    /// The step that takes away what only development needs; nothing where the package manager cannot.
    pub(super) fn prune(&self) -> Option<Step> {
        let (command, cache) = match (self.kind, &self.berry) {
            (Kind::Npm, _) => {
                let peers =
                    if self.flags.iter().any(|flag| flag == "--legacy-peer-deps") { " --legacy-peer-deps" } else { "" };
                (format!("npm prune --omit=dev{peers}"), NPM_CACHE)
            }
            (Kind::Yarn, None) => {
                let frozen = if self.lock.is_some() { " --frozen-lockfile" } else { "" };
                // what was built when everything was installed stays
                (format!("yarn install{frozen} --production --ignore-scripts --prefer-offline"), YARN_CACHE)
            }
            (Kind::Yarn, Some(berry)) if berry.can_focus => {
                (format!("{} workspaces focus --production", berry.run()), BERRY_CACHE)
            }
            (Kind::Yarn, Some(_)) => return None,
            (Kind::Pnpm, _) => {
                (format!("pnpm prune --prod --config.ignore-scripts=true --config.store-dir={PNPM_STORE}"), PNPM_STORE)
            }
        };
        Some(Step {
            command,
            caches: vec![cache.to_owned()],
            comment: String::new(),
            why: "the program runs without them".to_owned(),
        })
    }

    /// Writes a command that runs a script of the manifest.
    pub(super) fn run_script(&self, name: &str) -> String {
        match (self.kind, &self.berry) {
            (Kind::Npm, _) => format!("npm run {name}"),
            (Kind::Yarn, None) => format!("yarn run {name}"),
            (Kind::Yarn, Some(berry)) => format!("{} run {name}", berry.run()),
            (Kind::Pnpm, _) => format!("pnpm run {name}"),
        }
    }

    /// Rewrites the author's `yarn …` for a Yarn that is a file of the project.
    pub(super) fn own_yarn(&self, words: &mut Vec<String>) {
        if let Some(berry) = self.berry.as_ref().filter(|berry| berry.release.is_some())
            && words.first().is_some_and(|word| word == "yarn")
        {
            words.splice(0..1, berry.run().split(' ').map(ToOwned::to_owned));
        }
    }

    /// Whether programs in `node_modules/.bin` are links to JavaScript, which node can run.
    pub(super) fn links_programs(&self) -> bool {
        self.kind != Kind::Pnpm
    }

    /// Whether some versions of the package manager install packages for another C library as well, with the reason.
    pub(super) fn foreign(&self, folder: &Folder) -> Option<String> {
        match (self.kind, &self.berry, &self.npm_lock) {
            (Kind::Npm, _, Some(lock)) => lock.foreign().map(|name| format!("{name} in {}", lock.path)),
            (Kind::Yarn, None, _) => {
                let text = folder.text("yarn.lock")?;
                text.contains("musl@").then(|| format!("yarn.lock:{}", line_of(&text, "musl@")))
            }
            _ => None,
        }
    }

    fn why(&self) -> String {
        self.lock.as_ref().map_or_else(|| "package.json".to_owned(), ToString::to_string)
    }
}

impl Berry {
    fn find(folder: &Folder, version: Option<&str>, lock: Option<&Utf8Path>) -> Option<Self> {
        let settings = folder.text(".yarnrc.yml");
        let lock_text = lock.and_then(|path| folder.text(path)).unwrap_or_default();
        let by_version = version.is_some_and(|version| !version.starts_with("1.") && version != "1");
        if settings.is_none() && !lock_text.contains("__metadata:") && !by_version {
            return None;
        }
        let settings = settings.unwrap_or_default();
        let setting = |key: &str| {
            let value = settings.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':'))?;
            Some(value.trim().trim_matches(['"', '\'']).to_owned())
        };
        let release = setting("yarnPath").map(Utf8PathBuf::from).filter(|path| folder.has(path));
        let of_release =
            release.as_ref().and_then(|path| path.file_stem()?.strip_prefix("yarn-")).map(ToOwned::to_owned);
        let version = of_release.or_else(|| version.map(ToOwned::to_owned)).unwrap_or_else(|| "4".to_owned());
        let modern =
            version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 4);
        let plugin = folder.files().any(|path| path.as_str().contains("plugin-workspace-tools"));
        Some(Self {
            release,
            version,
            node_modules: setting("nodeLinker").as_deref() == Some("node-modules"),
            can_focus: modern || plugin,
        })
    }

    fn run(&self) -> String {
        self.release.as_ref().map_or_else(|| "yarn".to_owned(), |path| format!("node {path}"))
    }
}

fn kind_of(name: &str) -> Option<Kind> {
    match name {
        "npm" => Some(Kind::Npm),
        "yarn" => Some(Kind::Yarn),
        "pnpm" => Some(Kind::Pnpm),
        _ => None,
    }
}

fn without(flags: &str, flag: &str) -> String {
    flags.replace(&format!(" {flag}"), "")
}

/// Returns the major version of pnpm that wrote a lock.
fn pnpm_of_lock(lock: Option<&str>) -> &'static str {
    let version = lock.and_then(|text| text.lines().find_map(|line| line.strip_prefix("lockfileVersion:")));
    match version.map(|version| version.trim().trim_matches(['"', '\''])) {
        Some(version) if version.starts_with("5.") => "7",
        Some(version) if version.starts_with("6.") => "8",
        // 9 runs the scripts of native packages, as the author's did when nothing was said
        _ => "9",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_of_a_lock_tells_which_pnpm_wrote_it() {
        assert_eq!(pnpm_of_lock(Some("lockfileVersion: 5.4\n")), "7");
        assert_eq!(pnpm_of_lock(Some("lockfileVersion: '6.0'\n")), "8");
        assert_eq!(pnpm_of_lock(Some("lockfileVersion: '9.0'\n")), "9");
        assert_eq!(pnpm_of_lock(None), "9");
    }
}
