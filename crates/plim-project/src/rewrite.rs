//! From facts to a Dockerfile and its `.dockerignore`. Pure: the same facts give the same bytes.

pub(crate) mod carried;
mod ending;
mod explain;
mod ignore;
mod libraries;
mod node;
mod parts;
mod prefix;
mod python;
mod rust;
pub(crate) mod text;

use camino::Utf8PathBuf;
use serde::Serialize;

use crate::evidence::{Fact, Kept, settle};
pub use ending::INIT;

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
    /// What a person should know: decisions with a price.
    pub notes: Vec<String>,
    /// What became of each instruction and command of the author's Dockerfile.
    pub facts: Vec<Fact>,
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
    /// Instructions or commands of the author's Dockerfile are not understood, and the program may need what they make.
    #[error("{}", not_carried(dockerfile, lines))]
    NotCarried {
        /// The author's Dockerfile.
        dockerfile: Utf8PathBuf,
        /// Line and text of each.
        lines: Vec<(usize, String)>,
    },
    /// The template and the facts do not fit: a mistake in plim.
    #[error("failed to fill in the template of the Dockerfile")]
    Template(#[from] minijinja::Error),
}

impl RewriteError {
    /// Returns what a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unsupported(_) => Some("write the Dockerfile by hand; `plim lint` helps".to_owned()),
            Self::NotCarried { lines, .. } => {
                let line = lines.first().map_or(1, |(line, _)| *line);
                Some(format!(
                    "say for each line what becomes of it with `--carry {line}=drop` or `--carry {line}=build` (run it in the build stage and keep what it makes), or with `[project] carry = {{ \"{line}\" = \"drop\" }}` in plim.toml"
                ))
            }
            Self::Template(_) => {
                Some("this is a mistake in plim; please report it with the project's manifests".to_owned())
            }
        }
    }
}

fn not_carried(dockerfile: &Utf8PathBuf, lines: &[(usize, String)]) -> String {
    let shown: Vec<String> = lines.iter().map(|(line, what)| format!("{dockerfile}:{line} `{what}`")).collect();
    format!("what the program needs of these lines is not clear: {}", shown.join(", "))
}

/// Writes the Dockerfile and the `.dockerignore` for one stack of a project.
pub fn rewrite(project: &Project, profile: &StackProfile, options: &RewriteOptions) -> Result<Rewrite, RewriteError> {
    let facts = settle(&project.evidence, profile);
    let lines: Vec<(usize, String)> =
        facts.iter().filter(|fact| fact.kept == Kept::Unknown).map(|fact| (fact.line, fact.what.clone())).collect();
    if !lines.is_empty() {
        let dockerfile = project.dockerfile.clone().unwrap_or_else(|| "Dockerfile".into());
        return Err(RewriteError::NotCarried { dockerfile, lines });
    }
    let (template, notes) = match profile.kind {
        StackKind::Python => python::render(project, profile, *options)?,
        StackKind::Node => node::render(project, profile, *options)?,
        StackKind::Rust => rust::render(project, profile, *options)?,
        other => return Err(RewriteError::Unsupported(other)),
    };
    let (dockerfile, explain) = explain::split(&prefix::prefix(&template, &project.below));
    let dockerignore = ignore::write(project, profile, &dockerfile);
    Ok(Rewrite { dockerfile, dockerignore, explain, notes, facts })
}
