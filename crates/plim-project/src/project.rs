//! What plim knows about a project.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::compose::{ComposeFacts, Need};
use crate::evidence::{Evidence, Kept};

/// What the user has decided: flags and `plim.toml`. Everything else is detected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// `--stack`, `[project] stack`.
    pub stack: Option<StackKind>,
    /// `--start`, `[project] start`: program and arguments; see [`parse_command`](crate::parse_command) for text.
    pub start: Option<Vec<String>>,
    /// Where `start` is said, when that is not the flag or `plim.toml`.
    pub start_from: Option<String>,
    /// `--port`, `[project] port`.
    pub port: Option<u16>,
    /// `--health`, `[project] health`: a path such as `/healthz`.
    pub health: Option<String>,
    /// `--project`: the folder of the project, relative to the folder that is read.
    pub project_dir: Option<Utf8PathBuf>,
    /// `--python`, `--node`, `--bases plim`: versions that are wanted instead of the author's.
    pub versions: Vec<WantedVersion>,
    /// `--file`: the author's Dockerfile, relative to the folder that is read or absolute. Without it one is looked for.
    pub dockerfile: Option<Utf8PathBuf>,
    /// `--target`, `[project] target`: the stage of the author's Dockerfile that is the image. Without it the last one.
    pub target: Option<String>,
    /// `--carry LINE=drop|build`, `[project] carry`: what becomes of commands that plim does not understand, by the lines of
    /// their instructions in the author's Dockerfile.
    pub carry: BTreeMap<usize, CarryChoice>,
}

/// What becomes of a command that plim does not understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CarryChoice {
    /// The image does without it.
    Drop,
    /// It is run in the build stage; what it makes is copied into the image.
    Build,
}

impl FromStr for CarryChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "drop" => Ok(Self::Drop),
            "build" => Ok(Self::Build),
            other => Err(format!("unknown choice `{other}` (known are drop, build)")),
        }
    }
}

impl Choices {
    /// Returns what to show as the place of `start`.
    pub(crate) fn start_origin(&self) -> &str {
        self.start_from.as_deref().unwrap_or("--start")
    }

    /// Returns the wanted version of a stack's language, and who wants it.
    pub(crate) fn version_of(&self, kind: StackKind) -> Option<&WantedVersion> {
        self.versions.iter().find(|wanted| wanted.kind == kind)
    }
}

/// A version of a language that is wanted whatever the author's files say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedVersion {
    /// The language's stack.
    pub kind: StackKind,
    /// The version, such as `3.13`.
    pub version: String,
    /// Who wants it: `--python`, `--bases plim`.
    pub why: String,
}

/// A family of languages that share manifests and build tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum StackKind {
    /// Python: pip, Poetry, uv, PDM or Pipenv.
    Python,
    /// JavaScript and TypeScript on Node.js.
    Node,
    /// Go modules.
    Go,
    /// Cargo.
    Rust,
    /// Maven or Gradle.
    Java,
}

impl StackKind {
    /// All that are recognised.
    pub const ALL: [Self; 5] = [Self::Python, Self::Node, Self::Go, Self::Rust, Self::Java];

    /// Returns the name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Go => "go",
            Self::Rust => "rust",
            Self::Java => "java",
        }
    }

    /// Returns the files that show the stack.
    pub const fn manifests(self) -> &'static [&'static str] {
        match self {
            Self::Python => &["pyproject.toml", "requirements.txt", "setup.py", "setup.cfg", "Pipfile"],
            Self::Node => &["package.json"],
            Self::Go => &["go.mod"],
            Self::Rust => &["Cargo.toml"],
            Self::Java => &["pom.xml", "build.gradle", "build.gradle.kts"],
        }
    }
}

impl fmt::Display for StackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for StackKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
            format!("unknown stack `{text}` (known are {})", known.join(", "))
        })
    }
}

/// A project folder as facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// The build context: the folder that COPY reads from, in the author's Dockerfile and in the new one.
    pub context: Utf8PathBuf,
    /// The folder that holds the manifests: the context or a folder in it. Paths are relative to it, unless they say otherwise.
    pub root: Utf8PathBuf,
    /// The path from the context to the root; empty when they are the same.
    pub below: Utf8PathBuf,
    /// What can be built here, the main one first.
    pub stacks: Vec<StackProfile>,
    /// The author's Dockerfile, relative to the context; absolute when it lies outside.
    pub dockerfile: Option<Utf8PathBuf>,
    /// The stage of it that is the image; none is the last one.
    pub target: Option<String>,
    /// What that Dockerfile tells.
    pub evidence: Evidence,
    /// What the author's compose file tells, if there is one that builds the project.
    pub compose: Option<ComposeFacts>,
    /// The author's `.dockerignore`; its patterns are relative to the context.
    pub dockerignore: Option<String>,
    /// Files with a private key in them, relative to the root.
    pub private_keys: Vec<Utf8PathBuf>,
    /// Public certificates with a name that usually hides a key, relative to the root.
    pub certificates: Vec<Utf8PathBuf>,
}

impl Project {
    /// Returns the services, such as a database, that the project needs when it runs.
    pub fn needs(&self) -> &[Need] {
        self.compose.as_ref().map_or(&[], |compose| &compose.needs)
    }
}

/// Everything that is needed to build and run a project of one stack. The same for every language: how to install
/// dependencies, how to build, what to keep, how to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackProfile {
    /// Which stack.
    pub kind: StackKind,
    /// Name of the project.
    pub name: String,
    /// Version of the language, for example `3.13`.
    pub version: String,
    /// Files that decide which dependencies are installed, relative to the root; every file that one of them refers to is
    /// in the list.
    pub manifests: Vec<Utf8PathBuf>,
    /// Those of the manifests, and others beside them, that fix exact versions.
    pub locks: Vec<Utf8PathBuf>,
    /// How the dependencies get in.
    pub install: Install,
    /// What the build steps read beside manifests and artifacts.
    pub build_inputs: Vec<Artifact>,
    /// What is run after the sources are there.
    pub build: Vec<Step>,
    /// The files that the program needs when it runs.
    pub artifacts: Vec<Artifact>,
    /// Folders inside the artifacts that the program does not need: tests beside the sources.
    pub left_out: Vec<Utf8PathBuf>,
    /// Where the artifacts are in the image, absolute.
    pub workdir: String,
    /// Environment that the program needs beyond what the author's Dockerfile sets.
    pub env: Vec<(String, String)>,
    /// Program and arguments.
    pub start: Vec<String>,
    /// How many words of `start` are fixed; the others are defaults that arguments of `run` replace.
    pub entrypoint: usize,
    /// The port it listens on; nothing for a program that serves nobody.
    pub port: Option<u16>,
    /// The path to ask for to see that it is well; only with a port.
    pub health: Option<String>,
    /// Dependencies that are, or may be, more than portable code.
    pub native: Vec<Native>,
    /// Debian packages that must be in the image when the program runs.
    pub system: Vec<String>,
    /// What lives on of the author's Dockerfile as it is, in its order.
    pub carried: Vec<Carried>,
    /// Stages of the author's Dockerfile that live on as they are, because files are copied from them.
    pub kept_stages: Vec<KeptStage>,
    /// What the stack itself makes of the author's commands and copies.
    #[serde(skip)]
    pub replaced: Replaced,
    /// What the user decided about commands that are not understood.
    #[serde(skip)]
    pub carry: BTreeMap<usize, CarryChoice>,
    /// What was concluded, and from what.
    pub found: Vec<Finding>,
}

/// How the dependencies get in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Install {
    /// The commands, run after the manifests are copied and before anything else is.
    pub steps: Vec<Step>,
    /// Run on what the steps installed, once everything is built: takes away what the running program does not need.
    pub prune: Vec<Step>,
    /// Whether the artifacts hold whatever the program needs of its dependencies, so that nothing that is installed goes
    /// into the image.
    pub bundled: bool,
    /// Environment of these commands and of the build.
    pub env: Vec<(String, String)>,
    /// Files that the commands read and no layer may hold, relative to the root: they are given to the build as secrets.
    pub secrets: Vec<Utf8PathBuf>,
    /// Names of the direct dependencies, normalised as the ecosystem does.
    pub names: Vec<String>,
    /// Whether every archive is checked against a hash from a manifest.
    pub hashed: bool,
    /// Debian packages that the build stage needs beyond what its image has.
    pub system: Vec<String>,
    /// Arguments of the build that the sources read, with their defaults.
    pub args: Vec<(String, String)>,
}

/// A command of the build, for `sh -c` in the folder of the manifests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The command; line breaks are for readers and preceded by a backslash.
    pub command: String,
    /// Directories that should be kept between builds.
    pub caches: Vec<String>,
    /// Why it is there, as a comment.
    pub comment: String,
    /// Where it comes from.
    pub why: String,
}

/// A command or a copy of the author's Dockerfile that lives on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// Its line in the author's Dockerfile.
    pub line: usize,
    /// The stage in which it stands.
    pub place: Place,
    /// The stage of the author's Dockerfile that it is from, by its number.
    #[serde(skip)]
    pub stage: usize,
    /// The whole instruction; empty where `command` is run.
    pub instruction: String,
    /// The command, for a shell.
    pub command: String,
    /// The shell that reads it, as SHELL names it; empty for the usual one.
    pub shell: Vec<String>,
    /// Flags of the RUN: its mounts.
    pub flags: String,
    /// The directory in which it runs.
    pub cwd: String,
    /// It runs Python, which must find the dependencies.
    pub python: bool,
    /// It may read any of the author's variables, not only those that it names.
    pub reads_everything: bool,
    /// Debian packages that it needs in the build stage.
    pub packages: Vec<String>,
    /// What it makes outside of the working directory, or for the program to write to.
    pub outputs: Vec<Output>,
    /// It may make more than that: what is new in the folders of programs and data is collected.
    pub collects: bool,
}

/// What a stack itself makes of the author's commands and copies, beside what every stack does without.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replaced {
    /// What becomes of commands, by their indexes in [`Declared::commands`](crate::Declared::commands).
    pub commands: BTreeMap<usize, Kept>,
    /// What becomes of copies from other stages, by their indexes in [`Declared::copies_from`](crate::Declared::copies_from).
    pub copies: BTreeMap<usize, Kept>,
    /// The stages beside those of the image that the new build stage takes the place of, by their numbers, each with the
    /// folder of the project in it.
    pub stages: BTreeMap<usize, String>,
    /// Where the new build stage has the sources.
    pub sources: String,
    /// The image gets files of the working directory one by one, not the folder as the build stage leaves it.
    pub apart: bool,
}

/// The stage in which something stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// The build stage, with the sources and before the program is built.
    Sources,
    /// The build stage, after the sources.
    #[default]
    Build,
    /// The last stage.
    Image,
}

/// A file or folder that a carried command makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Output {
    /// Where it is, absolute.
    pub path: String,
    /// Whether the program's user owns it, and so may write to it.
    pub owned: bool,
}

/// A stage of the author's Dockerfile that lives on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptStage {
    /// Its name.
    pub name: String,
    /// Its line.
    pub line: usize,
    /// Its instructions.
    pub text: String,
}

/// A file or folder that the running program needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Artifact {
    /// Where it is in the project, relative to the root; begins with `../` where the author copies it from beside the root.
    pub path: Utf8PathBuf,
    /// Whether it is a folder.
    pub folder: bool,
    /// Where it goes, relative to the working directory of the image or absolute; empty for a folder whose contents go
    /// there.
    pub dest: Utf8PathBuf,
}

/// A dependency that is more than portable code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Native {
    /// Its normalised name.
    pub name: String,
    /// Whether installing it compiles, because no ready-made archives exist.
    pub compiles: bool,
    /// Debian packages that it loads when it runs.
    pub libraries: Vec<String>,
    /// The manifest and line that name it.
    pub why: String,
}

/// A conclusion and what it was drawn from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The conclusion, for example `port 8080`.
    pub what: String,
    /// The evidence: a file with line, a flag, or `default of uvicorn`.
    pub why: String,
}

impl Finding {
    /// Returns a finding.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}
