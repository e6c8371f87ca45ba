//! The commands of the build stage.
//!
//! The dependencies are compiled in a layer of their own, against stand-ins for the sources. A cache mount for `target`
//! would save as much on one machine, but nothing on the next one: a layer is shared through a registry, a mount is not,
//! and what is in a layer is known.

use camino::{Utf8Path, Utf8PathBuf};

use super::manifest::{Bin, Features, Package};
use super::workspace::Workspace;
use crate::command::quote_word;
use crate::project::Step;

/// Where the build stage puts what goes into the image.
pub(crate) const OUT: &str = "/out";

/// Asks the compiler for the target that it makes programs for anyway. Not by a pipe, which would hide that it fails.
const ASK_HOST: &str = "rustc -vV > /tmp/rustc";
/// Its answer.
const HOST: &str = "\"$(sed -n 's/^host: //p' /tmp/rustc)\"";

/// What cargo is asked to make.
#[derive(Debug, Clone)]
pub(super) struct Order<'a> {
    pub(super) workspace: &'a Workspace,
    /// Packages, binaries and their places in the image, the program first.
    pub(super) programs: Vec<(&'a Package, &'a Bin, String)>,
    pub(super) features: Features,
    /// `release`, or a profile of the project.
    pub(super) profile: String,
    pub(super) locked: bool,
    /// Dependencies come from folders of the project, not from a registry.
    pub(super) vendored: bool,
    pub(super) git: bool,
    /// The project keeps what it compiles elsewhere than in `target`.
    pub(super) moved_target: bool,
}

impl Order<'_> {
    /// The files that decide which dependencies there are.
    pub(super) fn manifests(&self, extra: &[Utf8PathBuf]) -> Vec<Utf8PathBuf> {
        let packages = self.workspace.packages.iter().map(|package| package.manifest.path.clone());
        let mut all: Vec<Utf8PathBuf> =
            [self.workspace.root.path.clone()].into_iter().chain(packages).chain(extra.iter().cloned()).collect();
        // a package that stands in for a published one comes with its sources
        all.retain(|path| !self.workspace.patches.iter().any(|dir| path.starts_with(dir)));
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|path| seen.insert(path.clone()));
        all
    }

    /// Compiles the dependencies.
    pub(super) fn dependencies(&self) -> Vec<Step> {
        vec![
            Step {
                command: self.stand_ins(),
                caches: Vec::new(),
                comment: "stand-ins for the sources, which come later: cargo wants every target to be there".to_owned(),
                why: "dependencies are a layer of their own".to_owned(),
            },
            Step {
                command: self.cargo(),
                caches: self.caches(),
                comment: "downloads are kept in cache mounts; what is compiled stays in the layer, which every machine can share"
                    .to_owned(),
                why: "dependencies are a layer of their own".to_owned(),
            },
        ]
    }

    /// Compiles the program and puts its binaries in place.
    pub(super) fn program(&self) -> Step {
        let [mains, libraries, _] = self.files();
        // stand-ins are newer than sources that were checked out before, and cargo compares times
        let touch = format!("touch {}", words(mains.iter().chain(&libraries).copied()));
        let install = self.programs.iter().map(|(_, bin, dest)| {
            let built = format!("target/*/{}/{}", self.profile, quote_word(&bin.name));
            format!("install -D {built} {}", quote_word(&format!("{OUT}{dest}")))
        });
        let commands: Vec<String> = [wrap(&touch), self.cargo()].into_iter().chain(install).collect();
        Step {
            command: commands.join(" && \\\n    "),
            caches: self.caches(),
            comment: "the sources are touched, because cargo would take the stand-ins, which are newer, for what it has to build"
                .to_owned(),
            why: "the program".to_owned(),
        }
    }

    fn caches(&self) -> Vec<String> {
        let mut caches = Vec::new();
        if !self.vendored {
            caches.push("/usr/local/cargo/registry".to_owned());
        }
        if self.git {
            caches.push("/usr/local/cargo/git/db".to_owned());
        }
        caches
    }

    /// The files of every package whose sources come later, as [`Targets::files`](super::manifest::Targets::files) sorts them.
    fn files(&self) -> [Vec<&Utf8Path>; 3] {
        let mut files = [const { Vec::new() }; 3];
        for package in &self.workspace.packages {
            if self.workspace.patches.contains(&package.dir) {
                continue;
            }
            for (all, own) in files.iter_mut().zip(package.targets.files()) {
                all.extend(own);
            }
        }
        files
    }

    fn stand_ins(&self) -> String {
        let [mut mains, libraries, others] = self.files();
        mains.extend(others);
        let all = mains.iter().chain(&libraries).copied();
        let mut dirs: Vec<&Utf8Path> =
            all.filter_map(Utf8Path::parent).filter(|dir| !dir.as_str().is_empty()).collect();
        dirs.sort_unstable();
        dirs.dedup();
        let mut commands = Vec::new();
        if !dirs.is_empty() {
            commands.push(wrap(&format!("mkdir -p {}", words(dirs))));
        }
        match mains.as_slice() {
            [] => {}
            [one] => commands.push(format!("echo 'fn main() {{}}' > {}", words([*one]))),
            several => commands.push(wrap(&format!(
                "for file in {}; do echo 'fn main() {{}}' > \"$file\"; done",
                words(several.iter().copied())
            ))),
        }
        if !libraries.is_empty() {
            commands.push(wrap(&format!("touch {}", words(libraries))));
        }
        commands.join(" && \\\n    ")
    }

    /// The command that compiles: the same for the dependencies and for the program, so that cargo knows its own work again.
    fn cargo(&self) -> String {
        let mut command = format!("{ASK_HOST} && \\\n    cargo build");
        match self.profile.as_str() {
            "release" => command.push_str(" --release"),
            other => command.push_str(&format!(" --profile {}", quote_word(other))),
        }
        if self.locked {
            command.push_str(" --locked");
        }
        let mut packages: Vec<&str> = Vec::new();
        if self.workspace.packages.len() > 1 {
            for (package, ..) in &self.programs {
                if !packages.contains(&package.name.as_str()) {
                    packages.push(&package.name);
                }
            }
        }
        for package in packages {
            command.push_str(&format!(" -p {}", quote_word(package)));
        }
        for (_, bin, _) in &self.programs {
            command.push_str(&format!(" --bin {}", quote_word(&bin.name)));
        }
        if self.features.all {
            command.push_str(" --all-features");
        }
        if self.features.no_default {
            command.push_str(" --no-default-features");
        }
        if !self.features.names.is_empty() {
            command.push_str(&format!(" --features {}", quote_word(&self.features.names.join(","))));
        }
        // named, so that flags for the program are not those of build scripts and macros, which the compiler loads
        command.push_str(&format!(" --target {HOST}"));
        if self.moved_target {
            command.push_str(" --target-dir target");
        }
        command
    }
}

/// Paths as words of a command.
fn words<'a>(paths: impl IntoIterator<Item = &'a Utf8Path>) -> String {
    let quoted: Vec<String> = paths.into_iter().map(|path| quote_word(path.as_str())).collect();
    quoted.join(" ")
}

/// Breaks a long command between words.
fn wrap(command: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in command.split(' ') {
        if column > 0 && column + word.len() > 100 {
            out.push_str(" \\\n        ");
            column = 8;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.len();
    }
    out
}
