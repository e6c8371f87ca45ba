//! What the author's RUN steps say: how dependencies are installed, and which commands build the program.

use std::collections::{BTreeMap, BTreeSet};

use super::manager::Kind;
use super::replaced;
use crate::command::quote;
use crate::evidence::{Declared, Ecosystem, Kept, Purpose, RunCommand};

/// What the RUN steps of the author's Dockerfile do with the project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Author {
    /// The package manager that installs the dependencies, and the line.
    pub(super) manager: Option<(Kind, usize)>,
    /// The version that is asked for with corepack or `npm install --global`.
    pub(super) manager_version: Option<(Kind, String)>,
    /// Options of the installation that change what it does.
    pub(super) flags: Vec<String>,
    /// Packages that are installed beside those of the manifest.
    pub(super) extra: Vec<(String, usize)>,
    /// Packages that are installed for the whole system.
    pub(super) globals: Vec<(String, usize)>,
    /// Commands that make files, in order.
    pub(super) build: Vec<Build>,
    /// A package of Alpine or Debian without which nothing can be compiled, and the line.
    pub(super) compiler: Option<(String, usize)>,
    /// Alpine packages that the running program may need.
    pub(super) alpine: Vec<(String, usize)>,
    /// Folders of the project that are made, relative to it: the program writes there.
    pub(super) folders: Vec<(String, usize)>,
    /// Whether the stage that becomes the image installs packages.
    pub(super) installs_in_image: bool,
    /// The folder of the project in each stage.
    pub(super) roots: BTreeMap<usize, String>,
    /// What becomes of commands, by their indexes.
    pub(super) commands: BTreeMap<usize, Kept>,
    /// Stages that install or build for the project, beside those of the image.
    pub(super) stages: BTreeSet<usize>,
}

/// A command that makes files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Build {
    /// The folder it runs in, relative to the project; empty for the project itself.
    pub(super) dir: String,
    /// Assignments in front of it.
    pub(super) env: Vec<(String, String)>,
    /// Program and arguments.
    pub(super) words: Vec<String>,
    /// The line of the RUN.
    pub(super) line: usize,
}

impl Build {
    /// Writes it for a shell in the project's folder.
    pub(super) fn command(&self) -> String {
        let env = self.env.iter().map(|(name, value)| format!("{name}={} ", crate::command::quote_word(value)));
        let command = format!("{}{}", env.collect::<String>(), quote(&self.words));
        if self.dir.is_empty() { command } else { format!("cd {} && {command}", self.dir) }
    }
}

/// Scripts that look at the program and make nothing.
const CHECKS: &[&str] =
    &["test", "tests", "lint", "typecheck", "type-check", "check", "format", "prettier", "audit", "coverage", "e2e"];

/// Programs that fill in, move or copy files.
const FILE_TOOLS: &[&str] = &["cp", "mv", "ln", "touch", "sed"];

/// Programs of packages that make files.
const BUILDERS: &[&str] = &[
    "babel",
    "bower",
    "ember",
    "esbuild",
    "gatsby",
    "grunt",
    "gulp",
    "ng",
    "nuxi",
    "nuxt",
    "nx",
    "parcel",
    "prisma",
    "react-scripts",
    "rollup",
    "tsc",
    "tsup",
    "turbo",
    "vite",
    "vue-cli-service",
    "webpack",
];

/// Options of an installation that change what it does.
const FLAGS: &[&str] = &["--legacy-peer-deps", "--force", "-f", "--ignore-scripts", "--no-optional", "--omit=optional"];

/// Reads the commands; `foreign` says which stages build another project.
pub(super) fn read(declared: &Declared, foreign: &dyn Fn(usize) -> bool) -> Author {
    let roots = roots(declared);
    let mut author = Author::default();
    for (index, command) in declared.commands.iter().enumerate() {
        if command.opaque || (!command.in_image && foreign(command.stage)) {
            continue;
        }
        let dir = roots.get(&command.stage).and_then(|root| below(root, &command.cwd));
        let before = author.build.len();
        author.hear(command, dir.as_deref());
        let kept = if author.build.len() > before { Some(Kept::Kept) } else { replaced::needless(command) };
        author.commands.extend(kept.map(|kept| (index, kept)));
        if !command.in_image
            && matches!(command.purpose(), Purpose::LanguagePackages(Ecosystem::Node) | Purpose::Build(Ecosystem::Node))
        {
            author.stages.insert(command.stage);
        }
    }
    author.roots = roots;
    author
}

/// Returns the folder of the project in each stage: where dependencies are installed, or where the first command runs.
fn roots(declared: &Declared) -> BTreeMap<usize, String> {
    let mut roots = BTreeMap::new();
    let installs = |command: &&RunCommand| {
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        !is_global(&words)
            && matches!(
                words.as_slice(),
                ["npm", "ci" | "install" | "i", ..] | ["yarn" | "pnpm", "install" | "i", ..] | ["yarn"]
            )
    };
    let usual = declared.commands.iter().find(installs).map(|command| command.cwd.clone());
    for command in declared.commands.iter().filter(installs) {
        roots.entry(command.stage).or_insert_with(|| command.cwd.clone());
    }
    for command in &declared.commands {
        let usual = usual.clone().filter(|usual| below(usual, &command.cwd).is_some());
        roots.entry(command.stage).or_insert_with(|| usual.unwrap_or_else(|| command.cwd.clone()));
    }
    roots
}

/// Returns a path relative to a folder that holds it.
fn below(root: &str, path: &str) -> Option<String> {
    let rest = path.trim_end_matches('/').strip_prefix(root.trim_end_matches('/'))?;
    if rest.is_empty() { Some(String::new()) } else { rest.strip_prefix('/').map(ToOwned::to_owned) }
}

pub(super) fn is_global(words: &[&str]) -> bool {
    words.iter().any(|word| matches!(*word, "-g" | "--global" | "--location=global")) || words.get(1) == Some(&"global")
}

fn is_check(script: &str) -> bool {
    let first = script.split([':', '-', '.']).next().unwrap_or(script);
    CHECKS.contains(&script) || CHECKS.contains(&first)
}

impl Author {
    fn hear(&mut self, command: &RunCommand, dir: Option<&str>) {
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        let words = match words.as_slice() {
            ["sudo", rest @ ..] => rest,
            all => all,
        };
        let line = command.line;
        match words {
            ["corepack", "prepare" | "use" | "install", rest @ ..] => {
                for word in rest {
                    self.version(word);
                }
            }
            ["npm" | "yarn" | "pnpm", ..] if is_global(words) => {
                let names = words.iter().skip(2).filter(|word| !word.starts_with('-') && **word != "add");
                for name in names {
                    if !self.version(name) && !is_manager(name) {
                        self.globals.push(((*name).to_owned(), line));
                    }
                }
            }
            ["npm", "ci" | "clean-install" | "install" | "i" | "add", rest @ ..] => {
                self.install(Kind::Npm, rest, command, dir);
            }
            ["yarn"] => self.install(Kind::Yarn, &[], command, dir),
            ["yarn", "install" | "add", rest @ ..] => self.install(Kind::Yarn, rest, command, dir),
            ["yarn", option, ..] if option.starts_with("--") => self.install(Kind::Yarn, &words[1..], command, dir),
            ["pnpm", "install" | "i" | "ci" | "add" | "fetch", rest @ ..] => {
                self.install(Kind::Pnpm, rest, command, dir);
            }
            ["npm" | "yarn" | "pnpm", "run" | "run-script", script, ..] if is_check(script) => {}
            ["npm", "run" | "run-script" | "exec", ..]
            | ["npx" | "node" | "tsc" | "nest" | "next" | "vite" | "ng", ..] => {
                self.build(command, words, dir);
            }
            ["npm" | "yarn" | "pnpm", verb, ..]
                if is_check(verb)
                    || matches!(
                        *verb,
                        "cache"
                            | "config"
                            | "set"
                            | "prune"
                            | "store"
                            | "version"
                            | "rebuild"
                            | "link"
                            | "dedupe"
                            | "pkg"
                            | "login"
                            | "t"
                            | "-v"
                            | "autoclean"
                            | "workspaces"
                            | "policies"
                            | "get"
                            | "fund"
                    ) => {}
            ["yarn" | "pnpm", _, ..] => self.build(command, words, dir),
            ["apk", rest @ ..] => self.alpine(rest, line),
            ["apt-get" | "apt", rest @ ..] => {
                for name in rest.iter().filter(|word| is_compiler(word)) {
                    self.compiler.get_or_insert_with(|| ((*name).to_owned(), line));
                }
            }
            ["mkdir", rest @ ..] => {
                for path in rest.iter().filter(|word| !word.starts_with('-')) {
                    let inside = if path.starts_with('/') { Some(*path) } else { None };
                    let relative = match (inside, dir) {
                        (Some(path), _) => path.to_owned(),
                        (None, Some(dir)) if !dir.is_empty() => format!("{dir}/{path}"),
                        (None, _) => path.trim_start_matches("./").to_owned(),
                    };
                    if command.in_image {
                        self.folders.push((relative, line));
                    }
                }
            }
            // before there is something built there is nothing worth moving
            [tool, rest @ ..]
                if FILE_TOOLS.contains(tool)
                    && rest.iter().all(|word| !word.starts_with('/'))
                    && !self.build.is_empty() =>
            {
                self.build(command, words, dir);
            }
            _ if BUILDERS.contains(&command.program()) => self.build(command, words, dir),
            _ => {}
        }
    }

    fn build(&mut self, command: &RunCommand, words: &[&str], dir: Option<&str>) {
        let Some(dir) = dir else { return };
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        self.build.push(Build { dir: dir.to_owned(), env: command.env.clone(), words, line: command.line });
    }

    fn install(&mut self, kind: Kind, rest: &[&str], command: &RunCommand, dir: Option<&str>) {
        // a project inside the project, such as a front end, is part of the build
        if dir.is_some_and(|dir| !dir.is_empty()) {
            let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
            self.build(command, &words, dir);
            return;
        }
        self.manager.get_or_insert((kind, command.line));
        self.installs_in_image |= command.in_image;
        let mut after_value = false;
        for word in rest {
            let is_value = std::mem::replace(
                &mut after_value,
                matches!(
                    *word,
                    "--filter"
                        | "-F"
                        | "-w"
                        | "--workspace"
                        | "--registry"
                        | "--cache"
                        | "--prefix"
                        | "--network-timeout"
                        | "--loglevel"
                ),
            );
            if is_value {
                continue;
            }
            if let Some(flag) = FLAGS.iter().find(|flag| **flag == *word) {
                if !self.flags.iter().any(|known| known == flag) {
                    self.flags.push((*flag).to_owned());
                }
            } else if !word.starts_with('-') && !word.starts_with('.') && !word.starts_with('/') {
                self.extra.push(((*word).to_owned(), command.line));
            }
        }
    }

    /// Takes note of `pnpm@9`; says whether the word is one of that kind.
    fn version(&mut self, word: &str) -> bool {
        let Some((name, version)) = word.split_once('@') else { return false };
        let kind = match name {
            "pnpm" => Kind::Pnpm,
            "yarn" => Kind::Yarn,
            "npm" => return true,
            _ => return false,
        };
        if version.starts_with(|c: char| c.is_ascii_digit()) {
            self.manager_version = Some((kind, version.to_owned()));
        }
        true
    }

    fn alpine(&mut self, rest: &[&str], line: usize) {
        if !rest.contains(&"add") {
            return;
        }
        for name in rest.iter().filter(|word| !word.starts_with('-') && !word.starts_with('.') && **word != "add") {
            if is_compiler(name) {
                self.compiler.get_or_insert_with(|| ((*name).to_owned(), line));
            } else if ["ffmpeg", "chromium", "imagemagick", "graphicsmagick", "ghostscript", "postgresql-client"]
                .contains(name)
            {
                // these have the same name in Debian
                self.alpine.push(((*name).to_owned(), line));
            }
        }
    }
}

fn is_manager(name: &str) -> bool {
    matches!(name, "npm" | "pnpm" | "yarn" | "corepack" | "n" | "node-gyp" | "rimraf")
}

fn is_compiler(name: &str) -> bool {
    matches!(
        name,
        "g++"
            | "gcc"
            | "make"
            | "build-essential"
            | "build-base"
            | "python3"
            | "python"
            | "alpine-sdk"
            | "cmake"
            | "git"
    ) || (name.ends_with("-dev") && !name.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(commands: &[&str]) -> Author {
        let commands = commands
            .iter()
            .enumerate()
            .map(|(index, text)| {
                let (cwd, text) = text.split_once(": ").unwrap_or(("/app", text));
                RunCommand {
                    in_image: true,
                    line: index + 1,
                    cwd: cwd.to_owned(),
                    words: text.split(' ').map(ToOwned::to_owned).collect(),
                    ..RunCommand::default()
                }
            })
            .collect();
        read(&Declared { commands, ..Declared::default() }, &|_| false)
    }

    fn built(author: &Author) -> Vec<String> {
        author.build.iter().map(Build::command).collect()
    }

    #[test]
    fn installing_and_building_are_told_apart() {
        let author = heard(&[
            "npm install -g npm@10 pnpm@9 pm2",
            "npm ci --legacy-peer-deps",
            "npm run lint",
            "npm run build",
            "npx prisma generate",
            "cp -r src/views dist/views",
            "npm prune --production",
            "npm cache clean --force",
        ]);
        assert_eq!(author.manager, Some((Kind::Npm, 2)));
        assert_eq!(author.manager_version, Some((Kind::Pnpm, "9".to_owned())));
        assert_eq!(author.flags, ["--legacy-peer-deps"]);
        assert_eq!(author.globals, [("pm2".to_owned(), 1)]);
        assert_eq!(built(&author), ["npm run build", "npx prisma generate", "cp -r src/views dist/views"]);
        assert!(author.extra.is_empty());
    }

    #[test]
    fn a_project_inside_the_project_is_part_of_the_build() {
        let author = heard(&["npm ci", "/app/client: npm ci", "/app/client: npm run build", "mkdir -p data /srv/x"]);
        assert_eq!(built(&author), ["cd client && npm ci", "cd client && npm run build"]);
        assert_eq!(author.folders, [("data".to_owned(), 4), ("/srv/x".to_owned(), 4)]);
    }

    #[test]
    fn the_words_of_yarn_and_pnpm_are_known() {
        let author =
            heard(&["corepack prepare pnpm@8.6.0 --activate", "pnpm i --frozen-lockfile", "pnpm build", "pnpm test"]);
        assert_eq!(author.manager_version, Some((Kind::Pnpm, "8.6.0".to_owned())));
        assert_eq!(built(&author), ["pnpm build"]);
        let author = heard(&["yarn --frozen-lockfile", "yarn build", "yarn cache clean"]);
        assert_eq!(author.manager, Some((Kind::Yarn, 1)));
        assert_eq!(built(&author), ["yarn build"]);
    }

    #[test]
    fn packages_of_the_system_tell_what_is_compiled_and_what_runs() {
        let author = heard(&["apk add --no-cache python3 make g++ ffmpeg tini"]);
        assert_eq!(author.compiler, Some(("python3".to_owned(), 1)));
        assert_eq!(author.alpine, [("ffmpeg".to_owned(), 1)]);
    }
}
