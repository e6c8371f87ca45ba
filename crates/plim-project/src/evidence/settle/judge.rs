//! What becomes of one command: left out, carried over, or not known.

use super::paths::{Realm, inside, realm};
use crate::evidence::shell::absolute;
use crate::evidence::{Declared, Ecosystem, Purpose, RunCommand, RunStep};
use crate::project::{Place, StackKind, StackProfile};

/// What becomes of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The new image does without it.
    Needless(&'static str),
    /// It matters only to the commands beside it.
    Neutral(&'static str),
    /// It is run in the build stage.
    Carry,
    /// Nobody knows whether the program needs it.
    Unknown,
}

use Verdict::{Carry, Needless, Neutral, Unknown};

const SCRATCH: &str = "what it makes is for the build only";
const OLD_IMAGE: &str = "it sets up the old image";
const OWN_TOOLS: &str = "the new build stage has tools of its own";
const CLEANED: &str = "nothing is left to clean up";
const READ_ONLY: &str = "files belong to root and are read-only";
const SERVICES: &str = "the image runs one program: services and timers run beside it";

/// Knows the project and what was carried over so far.
pub(super) struct Judge<'a> {
    pub(super) declared: &'a Declared,
    pub(super) profile: &'a StackProfile,
    /// Files and folders that carried commands make.
    pub(super) made: Vec<String>,
    /// The folder of the program in the stage that is judged, and where the new file has it.
    old: String,
    new: String,
    /// That stage is one that the new build stage takes the place of: what it makes for the build alone counts.
    for_build: bool,
}

impl<'a> Judge<'a> {
    /// Returns a judge of the image's stages.
    pub(super) fn new(declared: &'a Declared, profile: &'a StackProfile) -> Self {
        let (old, new) = (String::new(), String::new());
        let mut judge = Self { declared, profile, made: Vec::new(), old, new, for_build: false };
        judge.enter_image();
        judge
    }

    /// Turns to a stage.
    pub(super) fn enter(&mut self, stage: usize) {
        match self.profile.replaced.stages.get(&stage) {
            Some(root) => {
                root.trim_end_matches('/').clone_into(&mut self.old);
                self.new.clone_from(&self.profile.replaced.sources);
                self.for_build = true;
            }
            None => self.enter_image(),
        }
    }

    /// Turns to the stages of the image.
    pub(super) fn enter_image(&mut self) {
        let old = self.declared.workdir.as_ref().map_or("", |told| told.value.trim_end_matches('/'));
        old.clone_into(&mut self.old);
        self.new.clone_from(&self.profile.workdir);
        self.for_build = false;
    }
    /// Returns a path of the author's image in the new one: the working directory may have moved.
    pub(super) fn map(&self, path: &str) -> String {
        match path.strip_prefix(self.old.as_str()) {
            Some(rest) if !self.old.is_empty() && (rest.is_empty() || rest.starts_with('/')) => {
                format!("{}{rest}", self.new)
            }
            _ => path.to_owned(),
        }
    }

    pub(super) fn realm(&self, path: &str) -> Realm {
        realm(&self.map(path), &self.new)
    }

    fn is_made(&self, path: &str) -> bool {
        self.made.iter().any(|made| inside(path, made) || inside(made, path))
    }

    /// Whether the build stage has a path of the project.
    fn is_artifact(&self, path: &str) -> bool {
        let path = self.map(path);
        let Some(below) = path.strip_prefix(&self.profile.workdir).map(|below| below.trim_start_matches('/')) else {
            return false;
        };
        self.profile.artifacts.iter().any(|artifact| {
            artifact.dest == below
                || (artifact.folder && (artifact.dest.as_str().is_empty() || inside(below, artifact.dest.as_str())))
        })
    }

    /// Whether a path is the working directory, the script that the image starts with, or beside what the image has of it.
    fn is_own(&self, path: &str) -> bool {
        let path = self.map(path);
        let script = self.declared.entry_script.as_ref().map(|script| self.map(&script.in_image));
        let owned = self.made.iter().any(|made| inside(&path, made));
        path == self.new
            || script.as_ref() == Some(&path)
            || (self.realm(&path) == Realm::Program && !owned && !self.is_artifact(&path))
            || !path.starts_with('/')
    }

    /// Returns the paths that a command names, absolute.
    fn operands(command: &RunCommand) -> Vec<String> {
        let paths = command.words.iter().skip(1).filter(|word| !word.starts_with('-') && !word.contains('$'));
        paths.map(|path| absolute(&command.cwd, path.trim_end_matches('*'))).collect()
    }

    /// Returns what becomes of a command.
    pub(super) fn command(&self, command: &RunCommand) -> Verdict {
        if command.opaque {
            return Unknown;
        }
        match self.whatever_stage(command) {
            // what the program is built with, in a folder that is not known
            Carry if self.for_build && !self.changes_sources(command) && self.builds_own(command) => Unknown,
            // the new build stage has its tools; what the old one makes among the sources may be built from
            Carry | Unknown if self.for_build && !self.changes_sources(command) => Needless(OWN_TOOLS),
            verdict => verdict,
        }
    }

    fn builds_own(&self, command: &RunCommand) -> bool {
        command.purpose() == Purpose::Build(ecosystem(self.profile.kind))
    }

    /// Where a step runs: what the author runs before the program is built may be read by the build.
    pub(super) fn place_of(&self, step: &RunStep) -> Place {
        let own = ecosystem(self.profile.kind);
        let builds = |command: &&RunCommand| {
            command.in_image && !command.nested && command.purpose() == Purpose::Build(own) && command.line > step.line
        };
        let before = !self.profile.replaced.sources.is_empty()
            && !self.profile.build.is_empty()
            && self.declared.commands.iter().any(|command| builds(&command));
        if self.for_build || before { Place::Sources } else { Place::Build }
    }

    /// Whether a command makes something in the folder of the project.
    fn changes_sources(&self, command: &RunCommand) -> bool {
        let outputs = command.outputs();
        let anywhere = outputs.more
            || matches!(command.purpose(), Purpose::Build(_) | Purpose::Script(_) | Purpose::LanguagePackages(_));
        outputs.paths.iter().any(|path| self.realm(path) == Realm::Program)
            || (anywhere && self.realm(&command.cwd) == Realm::Program)
    }

    fn whatever_stage(&self, command: &RunCommand) -> Verdict {
        let own = ecosystem(self.profile.kind);
        match command.purpose() {
            Purpose::SystemPackages => Needless("the packages are of use in a build only"),
            Purpose::PackageIndex => Needless("the base image is current"),
            Purpose::Users => Needless("the image names its user by number"),
            Purpose::Check => Needless("it only checks, and leaves nothing"),
            Purpose::Harmless => Neutral("it leaves nothing"),
            Purpose::Cleanup if Self::operands(command).iter().any(|path| path.len() > 1 && self.is_made(path)) => {
                Carry
            }
            Purpose::Cleanup if Self::operands(command).iter().all(|path| self.realm(path) == Realm::OldImage) => {
                Needless(CLEANED)
            }
            Purpose::Cleanup => Neutral(CLEANED),
            Purpose::Permissions => self.permissions(command),
            Purpose::MakeDirs | Purpose::Files => self.files(command),
            Purpose::Download => self.download(command),
            Purpose::Configuration => self.configuration(command),
            Purpose::LanguagePackages(ecosystem) if ecosystem == own => {
                Needless("dependencies are installed from the manifests")
            }
            Purpose::LanguagePackages(ecosystem) => self.packages(command, ecosystem),
            Purpose::Build(ecosystem) if ecosystem == own && own == Ecosystem::Rust => {
                Needless("the new build stage builds the program")
            }
            Purpose::Build(Ecosystem::Python) if command.words.iter().any(|word| word == "compileall") => {
                Needless("byte code is made in any case")
            }
            // a plain name comes from a package; what a variable holds nobody knows
            Purpose::Unknown if command.words.first().is_some_and(|word| word.contains(['$', '`', '*'])) => Unknown,
            Purpose::Build(_) | Purpose::Script(_) | Purpose::Unknown => Carry,
        }
    }

    fn permissions(&self, command: &RunCommand) -> Verdict {
        if command.program() == "chmod" {
            let writable = command.words.iter().skip(1).any(|word| is_open_mode(word));
            let paths = Self::operands(command);
            if !self.profile.replaced.sources.is_empty() && paths.iter().all(|path| self.is_own(path)) {
                return Needless(READ_ONLY);
            }
            let of_program = |path: &String| self.is_artifact(path) || (writable && self.realm(path) == Realm::Program);
            if paths.iter().any(|path| self.made.iter().any(|made| inside(path, made)) || of_program(path)) {
                return Carry;
            }
        }
        if command.program() == "setcap" {
            return if Self::operands(command).iter().any(|path| self.is_made(path)) { Carry } else { Unknown };
        }
        Needless(READ_ONLY)
    }

    fn files(&self, command: &RunCommand) -> Verdict {
        let outputs = command.outputs();
        if command.program() == "sed" || command.program() == "perl" || command.program() == "patch" {
            let foreign = |path: &String| {
                matches!(self.realm(path), Realm::System | Realm::Data)
                    && !self.made.iter().any(|made| inside(path, made))
            };
            if outputs.paths.iter().any(foreign) {
                return Unknown;
            }
        }
        if command.feeds && outputs.paths.is_empty() {
            return Neutral("it leaves nothing");
        }
        let python_names = ["python", "python3", "pip", "pip3"];
        let renames = |path: &String| {
            command.program() == "ln" && path.rsplit('/').next().is_some_and(|name| python_names.contains(&name))
        };
        if outputs.paths.iter().any(renames) {
            return Needless("the image has its own names for the interpreter");
        }
        let mut verdict = outputs.more.then(|| self.somewhere(command));
        for path in &outputs.paths {
            let one = match self.realm(path) {
                Realm::Around => Needless("WORKDIR makes it"),
                Realm::Program if self.map(path) == self.new => match command.program() {
                    // the program itself, which no folder of the project is
                    "git" => Unknown,
                    _ if command.purpose() == Purpose::MakeDirs => Needless("WORKDIR makes it"),
                    _ => Carry,
                },
                Realm::Scratch => Neutral(SCRATCH),
                Realm::OldImage => Needless(OLD_IMAGE),
                Realm::Program | Realm::System | Realm::Data => Carry,
            };
            verdict = Some(verdict.map_or_else(|| one.clone(), |known| stronger(known, one.clone())));
        }
        verdict.unwrap_or(Needless(OLD_IMAGE))
    }

    /// The verdict for a command that makes files in its working directory.
    fn somewhere(&self, command: &RunCommand) -> Verdict {
        match self.realm(&command.cwd) {
            Realm::Scratch | Realm::Around | Realm::OldImage => Neutral(SCRATCH),
            Realm::Program | Realm::System | Realm::Data => Carry,
        }
    }

    fn download(&self, command: &RunCommand) -> Verdict {
        let reads_script = matches!(command.program(), "sh" | "bash" | "ash" | "dash" | "zsh");
        if reads_script {
            return Carry;
        }
        let outputs = command.outputs();
        if outputs.paths.is_empty() && !outputs.more {
            return Neutral("it leaves nothing");
        }
        self.files(command)
    }

    fn configuration(&self, command: &RunCommand) -> Verdict {
        let certificates = self.declared.placed.iter().any(|placed| placed.dest.contains("ca-certificates"));
        match command.program() {
            "update-ca-certificates" if certificates => Carry,
            "openssl" | "ssh-keygen" | "keytool" | "htpasswd" | "fc-cache" | "update-mime-database" | "sqlite3" => {
                Carry
            }
            "locale-gen" | "localedef" | "update-locale" | "locale" => {
                Needless("the image knows the locale C.UTF-8; programs that ask for another one fall back to it")
            }
            "ldconfig" => Neutral("it leaves nothing"),
            "git" | "npm" | "yarn" | "pnpm" | "pip" | "poetry" | "uv" | "conda" | "go" | "composer" | "gem"
            | "bundle" => Needless("it sets up a tool of the build"),
            "systemctl" | "service" | "crontab" | "rc-update" | "supervisorctl" | "mysqld" | "mysql" | "psql"
            | "initdb" => Needless(SERVICES),
            "a2enmod" | "a2ensite" | "phpenmod" | "nginx" | "postmap" | "sysctl" => Unknown,
            _ => Needless(OLD_IMAGE),
        }
    }

    /// Packages of another language: those of the project are for files that the build makes, others are not known.
    fn packages(&self, command: &RunCommand, ecosystem: Ecosystem) -> Verdict {
        let global = command.words.iter().any(|word| matches!(word.as_str(), "-g" | "--global" | "global"));
        let of_project = matches!(ecosystem, Ecosystem::Node | Ecosystem::Php | Ecosystem::Ruby);
        let for_build = self
            .declared
            .commands
            .iter()
            .any(|other| other.stage == command.stage && other.purpose() == Purpose::Build(ecosystem));
        if of_project && (for_build || (!global && self.realm(&command.cwd) == Realm::Program)) {
            Carry
        } else {
            Unknown
        }
    }
}

/// The stronger of two verdicts wins: what must be carried over takes along what need not.
fn stronger(a: Verdict, b: Verdict) -> Verdict {
    let rank = |verdict: &Verdict| match verdict {
        Needless(_) => 0,
        Neutral(_) => 1,
        Carry => 2,
        Unknown => 3,
    };
    if rank(&b) > rank(&a) { b } else { a }
}

/// Whether a mode lets everybody write.
fn is_open_mode(mode: &str) -> bool {
    let octal = mode.len() >= 3 && mode.chars().all(|c| c.is_digit(8));
    if octal {
        return mode.ends_with(['2', '3', '6', '7']);
    }
    mode.split(',').any(|part| {
        part.split_once(['+', '='])
            .is_some_and(|(who, what)| (who.contains(['a', 'o']) || who.is_empty()) && what.contains('w'))
    })
}

/// Returns the family of a stack's tools.
pub(super) fn ecosystem(kind: StackKind) -> Ecosystem {
    match kind {
        StackKind::Python => Ecosystem::Python,
        StackKind::Node => Ecosystem::Node,
        StackKind::Go => Ecosystem::Go,
        StackKind::Rust => Ecosystem::Rust,
        StackKind::Java => Ecosystem::Java,
    }
}
