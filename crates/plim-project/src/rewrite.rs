//! From facts to a Dockerfile and its `.dockerignore`. Pure: the same facts give the same bytes.

mod ending;
mod explain;
mod ignore;
mod libraries;
mod parts;
mod prefix;
mod python;
mod text;

use serde::Serialize;

use crate::evidence::Kept;
use crate::project::{Project, StackKind, StackProfile};

/// What the user wants of the rewritten files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RewriteOptions {
    /// Keep a shell and a package manager in the image: the runtime base is the language's slim image even where one
    /// without them would do.
    pub keep_shell: bool,
}

/// The rewritten files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rewrite {
    /// The Dockerfile.
    pub dockerfile: String,
    /// The `.dockerignore`: the author's lines and those that every project of the stack needs.
    pub dockerignore: String,
    /// Where each instruction comes from, in order.
    pub explain: Vec<Explanation>,
    /// What a person should know or look at: decisions with a price, instructions that were not carried over.
    pub notes: Vec<String>,
}

/// Why an instruction is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The line of the instruction in the Dockerfile, from 1.
    pub line: usize,
    /// Its first line.
    pub instruction: String,
    /// What it comes from.
    pub why: String,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    /// There is no template for the stack.
    #[error("{0} projects cannot be rewritten yet")]
    Unsupported(StackKind),
    /// The template and the facts do not fit: a mistake in plim.
    #[error("failed to fill in the template of the Dockerfile")]
    Template(#[from] minijinja::Error),
}

impl RewriteError {
    /// Returns what a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unsupported(_) => Some("write the Dockerfile by hand; `plim lint` helps".to_owned()),
            Self::Template(_) => {
                Some("this is a mistake in plim; please report it with the project's manifests".to_owned())
            }
        }
    }
}

/// Writes the Dockerfile and the `.dockerignore` for one stack of a project.
pub fn rewrite(project: &Project, profile: &StackProfile, options: &RewriteOptions) -> Result<Rewrite, RewriteError> {
    let (template, mut notes) = match profile.kind {
        StackKind::Python => python::render(project, profile, *options)?,
        other => return Err(RewriteError::Unsupported(other)),
    };
    let (dockerfile, explain) = explain::split(&prefix::prefix(&template, &project.below));
    let dockerignore = ignore::write(project, profile, &dockerfile);
    for fact in &project.evidence.facts {
        if fact.kept == Kept::Unknown {
            notes.push(format!(
                "line {} of the previous file is not carried over, look at it: {}",
                fact.line, fact.what
            ));
        }
    }
    Ok(Rewrite { dockerfile, dockerignore, explain, notes })
}
