//! Why a project folder could not be understood.

use std::io;

use camino::Utf8PathBuf;

use crate::command::NeedsShell;
use crate::project::StackKind;

/// Why a project folder could not be understood.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The folder or a file of it cannot be read.
    #[error("failed to read {path}")]
    Read {
        /// What was read.
        path: Utf8PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The folder has more files than any project that a person keeps in one.
    #[error("{root} holds more than {limit} files and folders")]
    TooLarge {
        /// The folder.
        root: Utf8PathBuf,
        /// The most that is read.
        limit: usize,
    },
    /// A manifest is broken.
    #[error("{path}:{line}: {message}")]
    Manifest {
        /// The manifest, relative to the root.
        path: Utf8PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The folder shows no project.
    #[error("no project found in {root} (looked for {})", looked_for.join(", "))]
    Nothing {
        /// The folder.
        root: Utf8PathBuf,
        /// The files that would have shown one.
        looked_for: Vec<String>,
        /// Folders below that hold projects.
        elsewhere: Vec<Utf8PathBuf>,
    },
    /// Several folders hold projects.
    #[error("several projects are in {root}: {}", candidates.join(", "))]
    SeveralProjects {
        /// The folder.
        root: Utf8PathBuf,
        /// The projects, each with its stack and what builds it.
        candidates: Vec<String>,
        /// The folder of one of them, as an example.
        example: Utf8PathBuf,
    },
    /// The Dockerfile is empty, or has no stage.
    #[error("{path} has no FROM, so it builds nothing")]
    NoStages {
        /// The Dockerfile.
        path: Utf8PathBuf,
    },
    /// The stage to be built is not in the Dockerfile.
    #[error("{path} has no stage `{target}`")]
    NoStage {
        /// The Dockerfile.
        path: Utf8PathBuf,
        /// What was asked for.
        target: String,
        /// The names of the stages that it has.
        stages: Vec<String>,
        /// One with a similar name.
        similar: Option<String>,
    },
    /// The folder chosen for the project is not below the one that is read.
    #[error("{path} is not below {root}")]
    NotBelow {
        /// The folder chosen.
        path: Utf8PathBuf,
        /// The folder that is read.
        root: Utf8PathBuf,
    },
    /// A stack that is recognised but for which no Dockerfile can be written yet.
    #[error("{stack} projects cannot be rewritten yet ({manifest} shows one)")]
    Unsupported {
        /// The stack.
        stack: StackKind,
        /// The file that shows it.
        manifest: Utf8PathBuf,
    },
    /// Several answers are equally good.
    #[error("{what} is ambiguous: {}", candidates.join(", "))]
    Ambiguous {
        /// What is to be decided: `the start command`.
        what: &'static str,
        /// The answers, each with the place that speaks for it.
        candidates: Vec<String>,
        /// The flag that decides, for example `--start`.
        flag: &'static str,
        /// The key in `plim.toml` that decides; empty when there is only the flag.
        key: &'static str,
    },
    /// The packages come from conda, whose environments have their own Python and their own libraries.
    #[error("the dependencies are installed by conda (line {line}), whose environments cannot be taken apart")]
    Conda {
        /// The line of the command or of the base image.
        line: usize,
    },
    /// Nothing says how the program is started.
    #[error("nothing in {root} says how to start the program (looked for {})", looked_for.join(", "))]
    NoStart {
        /// The folder.
        root: Utf8PathBuf,
        /// Where a start command would have been.
        looked_for: Vec<String>,
    },
    /// The start command cannot be run without a shell, which the image will not have.
    #[error("the start command `{command}` ({origin}) needs a shell: {reason}")]
    Shell {
        /// The command as written.
        command: String,
        /// Where it is written.
        origin: String,
        /// The first thing in it that needs a shell.
        reason: NeedsShell,
        /// A command that might be meant.
        suggestion: Option<String>,
    },
    /// The project needs something that is not in its folder, which is all that a build sees.
    #[error("{path}:{line}: {message}")]
    Outside {
        /// The manifest, relative to the root.
        path: Utf8PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is outside.
        message: String,
        /// What can be done about it.
        hint: String,
    },
    /// The project builds no program.
    #[error("{manifest} builds no program: {reason}")]
    NoProgram {
        /// The manifest.
        manifest: Utf8PathBuf,
        /// What it has in place of one.
        reason: String,
    },
    /// The start command names a program that the project does not build.
    #[error("the start command `{command}` ({origin}) runs `{program}`, which the project does not build")]
    NotBuilt {
        /// The command.
        command: String,
        /// Where it is written.
        origin: String,
        /// The program.
        program: String,
        /// What the project builds.
        builds: Vec<String>,
    },
    /// The start command names a program that the image will not have.
    #[error(
        "the start command `{command}` ({origin}) runs `{program}`, which is neither a module nor a script of the project"
    )]
    Program {
        /// The command.
        command: String,
        /// Where it is written.
        origin: String,
        /// The program.
        program: String,
    },
    /// Something about the project stands in the way, and only its owner can change or say it.
    #[error("{path}: {message}")]
    Unsuited {
        /// The file or folder that shows it.
        path: Utf8PathBuf,
        /// What it is.
        message: String,
        /// What can be done.
        hint: String,
    },
}

impl DetectError {
    /// Returns what a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } | Self::Manifest { .. } => None,
            Self::Unsuited { hint, .. } | Self::Outside { hint, .. } => Some(hint.clone()),
            Self::NoProgram { .. } => {
                Some("give the folder of the program, for example with `--project examples/server`".to_owned())
            }
            Self::NotBuilt { builds, .. } => Some(format!(
                "the project builds {}: say which one starts, and with which arguments, with `--start '{} …'` or with `[project] start = …` in plim.toml",
                builds.join(", "),
                builds.first().map_or("NAME", String::as_str)
            )),
            Self::TooLarge { .. } => Some("run plim in the folder of one project".to_owned()),
            Self::Nothing { elsewhere, .. } => Some(match elsewhere.first() {
                Some(first) => format!("there is a project in {first}: pass `--project {first}`"),
                None => "give the folder that holds one of these files".to_owned(),
            }),
            Self::SeveralProjects { example, .. } => {
                Some(format!("choose one with `--project {example}`, or with `[project] dir` in plim.toml"))
            }
            Self::NoStages { .. } => {
                Some("name the Dockerfile with `-f`, or remove it: plim writes one for a project without".to_owned())
            }
            Self::NoStage { stages, similar, .. } => {
                let meant = similar.as_ref().map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
                Some(match stages.as_slice() {
                    [] => "its stages have no names".to_owned(),
                    names => format!("{meant}the stages are {}", names.join(", ")),
                })
            }
            Self::NotBelow { .. } => {
                Some("`--project` names a folder inside the one that plim is given, by its path from there".to_owned())
            }
            Self::Unsupported { .. } => {
                Some("`plim lint`, `plim build` and `plim analyze` work on the project's own Dockerfile and image all the same".to_owned())
            }
            Self::Ambiguous { flag, key: "", .. } => Some(format!("choose with `{flag}`")),
            Self::Ambiguous { flag, key, .. } => Some(format!("choose with `{flag}`, or with `{key}` in plim.toml")),
            Self::Conda { .. } => Some(
                "list the packages in a requirements.txt for pip, remove conda from the Dockerfile, or choose the file without it with `--file`"
                    .to_owned(),
            ),
            Self::NoStart { .. } => Some(
                "say it with `--start 'python -m package'`, or with `[project] start = [\"python\", \"-m\", \"package\"]` in plim.toml"
                    .to_owned(),
            ),
            Self::Shell { suggestion, reason, .. } => {
                let list = matches!(reason, NeedsShell::Operator('&' | ';' | '|' | '\n'));
                let script = if list {
                    "; or put the commands into a script of the project that CMD runs, which is kept with its shell"
                } else {
                    ""
                };
                let how = suggestion.as_ref().map_or_else(
                    || "say how to start the program without a shell with `--start 'python -m …'`".to_owned(),
                    |suggestion| format!("the image starts the program directly; say how with `--start '{suggestion}'`"),
                );
                Some(format!("{how}, or with `[project] start = …` in plim.toml{script}"))
            }
            Self::Program { .. } => Some(
                "say how to start the program without a shell with `--start 'python -m …'`, or with `[project] start = …` in plim.toml"
                    .to_owned(),
            ),
        }
    }
}
