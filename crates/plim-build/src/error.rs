//! Why a build failed.

use plim_oci::BlobError;
use plim_sandbox::SandboxError;

use crate::base::BaseError;
use crate::files::FilesError;

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The Dockerfile or the context is at fault.
    Subject,
    /// The machine, the network or plim is at fault.
    Tool,
}

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The Dockerfile cannot be read as one.
    #[error("{name} has {} {}: {}", errors.len(), if errors.len() == 1 { "error" } else { "errors" }, first_message(errors))]
    Dockerfile {
        /// Name of the Dockerfile.
        name: String,
        /// All that is wrong with it, with places.
        errors: Vec<plim_dockerfile::ParseError>,
    },
    /// An instruction cannot be carried out as it is written.
    #[error("{}: {instruction}: {message}", at(*line))]
    Instruction {
        /// Line of the Dockerfile, from 1; 0 for a trigger of the base image.
        line: usize,
        /// Stage, by name or number.
        stage: String,
        /// The instruction as written.
        instruction: String,
        /// What is wrong.
        message: String,
        /// What a person can do about it.
        hint: Option<String>,
    },
    /// A RUN step ended with a failure.
    #[error("{}: {instruction}: {}", at(*line), exit_text(*code, *signal))]
    Step {
        /// Line of the Dockerfile, from 1; 0 for a trigger of the base image.
        line: usize,
        /// Stage, by name or number.
        stage: String,
        /// The instruction as written.
        instruction: String,
        /// Exit code of the command.
        code: i32,
        /// The signal that ended it.
        signal: Option<i32>,
        /// The last lines that it wrote, secrets masked.
        output: Vec<String>,
        /// What else is known of it.
        context: Box<StepContext>,
    },
    /// There is no stage of the name asked for.
    #[error("the Dockerfile has no stage `{target}`")]
    Target {
        /// The name asked for.
        target: String,
        /// The names there are.
        stages: Vec<String>,
        /// The one that was probably meant.
        similar: Option<String>,
    },
    /// The request asks for something that cannot be.
    #[error("{message}")]
    Request {
        /// What is wrong.
        message: String,
        /// What a person can do about it.
        hint: Option<String>,
    },
    /// A base image cannot be had.
    #[error("{}: failed to get the image {name}", at(*line))]
    Base {
        /// The name in the Dockerfile.
        name: String,
        /// Line of the Dockerfile, from 1.
        line: usize,
        /// Why.
        #[source]
        source: BaseError,
    },
    /// Files could not be copied, unpacked or made a layer.
    #[error("{}: {instruction}", at(*line))]
    Files {
        /// Line of the Dockerfile, from 1; 0 when it is about no line.
        line: usize,
        /// Stage, by name or number.
        stage: String,
        /// The instruction as written.
        instruction: String,
        /// Why.
        #[source]
        source: Box<FilesError>,
    },
    /// Base layers could not be unpacked, or a layer could not be written.
    #[error("failed to {action}")]
    Layers {
        /// `unpack alpine`, `write the layer of …`.
        action: String,
        /// Why.
        #[source]
        source: Box<FilesError>,
    },
    /// The sandbox of a RUN step could not be made.
    #[error("{}: {instruction}: failed to start the command", at(*line))]
    Sandbox {
        /// Line of the Dockerfile, from 1.
        line: usize,
        /// The instruction as written.
        instruction: String,
        /// Why.
        #[source]
        source: SandboxError,
    },
    /// A result that a cache promised cannot be had.
    #[error("failed to get {blob} from the cache {cache}: {reason}")]
    CacheLost {
        /// The cache.
        cache: String,
        /// The layer that was wanted.
        blob: plim_oci::Digest,
        /// Why.
        reason: String,
    },
    /// The store failed.
    #[error("failed to use the image store")]
    Store(#[source] Box<BlobError>),
    /// The system refused.
    #[error("failed to {action}")]
    Io {
        /// `write /x/y`.
        action: String,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The user stopped the build, or another stage failed first.
    #[error("the build was stopped")]
    Cancelled,
}

/// What is known of a RUN step that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepContext {
    /// Its number among the steps of the stage that touch files, from 1, and how many there are.
    pub step: (usize, usize),
    /// The program that was started, and its arguments.
    pub command: Vec<String>,
    /// What a person can do about it.
    pub hint: Option<String>,
}

impl BuildError {
    /// Says whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Dockerfile { .. } | Self::Instruction { .. } | Self::Step { .. } | Self::Target { .. } => {
                ErrorKind::Subject
            }
            Self::Files { source, .. } if source.is_subject() => ErrorKind::Subject,
            Self::Sandbox { source, .. } if source.is_subject() => ErrorKind::Subject,
            Self::Files { .. }
            | Self::Request { .. }
            | Self::Base { .. }
            | Self::Layers { .. }
            | Self::Sandbox { .. }
            | Self::CacheLost { .. }
            | Self::Store(_)
            | Self::Io { .. }
            | Self::Cancelled => ErrorKind::Tool,
        }
    }

    /// Returns what a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Dockerfile { errors, .. } => errors.iter().find_map(|error| error.hint.clone()),
            Self::Instruction { hint, .. } | Self::Request { hint, .. } => hint.clone(),
            Self::Step { context, .. } => context.hint.clone(),
            Self::Target { stages, similar, .. } => Some(match (similar, stages.is_empty()) {
                (Some(name), _) => format!("did you mean `{name}`?"),
                (None, true) => "no stage has a name: write `FROM … AS name`".to_owned(),
                (None, false) => format!("the stages are {}", stages.join(", ")),
            }),
            Self::Base { source, .. } => source.hint.clone(),
            Self::Files { source, .. } | Self::Layers { source, .. } => source.hint(),
            Self::Sandbox { source, .. } => source.hint(),
            Self::CacheLost { .. } => Some("build again: without --cache-from the steps are done here".to_owned()),
            Self::Store(_) | Self::Io { .. } | Self::Cancelled => None,
        }
    }

    /// Says whether a file of the context was written to at the wrong moment: to build again may do.
    pub(crate) fn is_changed(&self) -> bool {
        matches!(self, Self::Files { source, .. } if matches!(**source, FilesError::Changed { .. }))
    }

    /// Returns what went wrong with a step, without the step.
    pub(crate) fn outcome(&self) -> String {
        match self {
            Self::Step { code, signal, .. } => exit_text(*code, *signal),
            Self::Instruction { message, .. } => message.clone(),
            Self::Files { source, .. } => source.to_string(),
            Self::Sandbox { source, .. } => source.to_string(),
            Self::Cancelled => "stopped".to_owned(),
            _ => "failed".to_owned(),
        }
    }

    /// Returns the line of the Dockerfile that the failure is about, from 1.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Instruction { line, .. }
            | Self::Step { line, .. }
            | Self::Base { line, .. }
            | Self::Files { line, .. }
            | Self::Sandbox { line, .. } => Some(*line).filter(|line| *line > 0),
            _ => None,
        }
    }

    /// Returns an error about layers with what was tried.
    pub(crate) fn layers(action: impl Into<String>, source: FilesError) -> Self {
        match source {
            FilesError::Cancelled => Self::Cancelled,
            source => Self::Layers { action: action.into(), source: Box::new(source) },
        }
    }

    /// Returns an error of the system with what was tried.
    pub(crate) fn io(action: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { action: action.into(), source }
    }
}

impl From<BlobError> for BuildError {
    fn from(error: BlobError) -> Self {
        Self::Store(Box::new(error))
    }
}

fn first_message(errors: &[plim_dockerfile::ParseError]) -> &str {
    errors.first().map_or("unknown", |error| error.message.as_str())
}

/// Names a place in the Dockerfile.
fn at(line: usize) -> String {
    match line {
        0 => "trigger of the base image".to_owned(),
        line => format!("line {line}"),
    }
}

fn exit_text(code: i32, signal: Option<i32>) -> String {
    match signal {
        Some(signal) => format!("the command was ended by signal {signal}"),
        None => format!("the command failed with exit code {code}"),
    }
}
