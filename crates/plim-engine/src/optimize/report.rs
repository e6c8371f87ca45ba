//! What `plim optimize` tells: the terminal's table and report.json are made from it.

use camino::{Utf8Path, Utf8PathBuf};
use plim_build::StepReport;
use plim_project::{Explanation, Fact, StackProfile};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Proof, Saving, Side};
use crate::Tool;

/// The report. `schema` rises when a field changes its meaning; fields are only ever added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OptimizeReport {
    /// Version of this format.
    pub schema: u32,
    /// Who wrote it.
    pub tool: Tool,
    /// Always `optimize`.
    pub command: String,
    /// The project's folder.
    pub subject: String,
    /// What was detected.
    pub project: ProjectSummary,
    /// The image of the project's own Dockerfile; absent when it was not built.
    pub before: Option<Side>,
    /// The new image.
    pub after: Side,
    /// What saved most, largest first.
    pub saved: Vec<Saving>,
    /// Whether both behave alike.
    pub proof: Proof,
    /// What the user should know about the rewrite.
    pub notes: Vec<String>,
    /// Where the lines of the new Dockerfile come from.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub explain: Vec<Explanation>,
    /// The project's own image is as small and as safe already: nothing is put in place.
    pub already_optimal: bool,
    /// What became of each instruction and command of the project's own Dockerfile: kept, or dropped and why.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub facts: Vec<Fact>,
    /// What was written.
    pub outputs: Outputs,
    /// Where the time went.
    pub timings: Timings,
}

/// What was detected.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProjectSummary {
    /// The stack, such as `python`.
    pub stack: String,
    /// The language's version.
    pub version: String,
    /// The start command.
    pub start: Vec<String>,
    /// The port.
    pub port: Option<u16>,
    /// Path of the health check.
    pub health: Option<String>,
    /// The project's own Dockerfile.
    pub dockerfile: Option<String>,
    /// What was found, and why plim believes it.
    pub found: Vec<Found>,
}

/// One thing that was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Found {
    /// What.
    pub what: String,
    /// The evidence.
    pub why: String,
}

/// What was written.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Outputs {
    /// The new Dockerfile.
    pub dockerfile: String,
    /// The new .dockerignore.
    pub dockerignore: String,
    /// The report itself.
    pub report: String,
    /// The new image as OCI layout.
    pub image: String,
    /// Its name in the local store.
    pub name: String,
    /// Files put in place by --write.
    pub written: Vec<String>,
}

/// Where the time went, in seconds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Timings {
    /// The whole run.
    pub total: f64,
    /// Steps of the old build.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub before: Vec<StepReport>,
    /// Steps of the new build.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub after: Vec<StepReport>,
}

/// What the report is made of.
pub(super) struct Parts<'a> {
    pub(super) root: &'a Utf8Path,
    pub(super) name: String,
    pub(super) profile: &'a StackProfile,
    pub(super) own: Option<String>,
    pub(super) before: Option<Side>,
    pub(super) after: Side,
    pub(super) saved: Vec<Saving>,
    pub(super) proof: Proof,
    pub(super) notes: Vec<String>,
    pub(super) explain: Vec<Explanation>,
    pub(super) facts: Vec<Fact>,
    pub(super) already_optimal: bool,
    pub(super) written: Vec<Utf8PathBuf>,
    pub(super) steps_before: Vec<StepReport>,
    pub(super) steps_after: Vec<StepReport>,
    pub(super) seconds: f64,
}

impl OptimizeReport {
    /// Puts the parts together.
    pub(super) fn new(parts: Parts<'_>) -> Self {
        let out = parts.root.join(".plim");
        let profile = parts.profile;
        Self {
            schema: 1,
            tool: Tool::this(),
            command: "optimize".to_owned(),
            subject: parts.root.to_string(),
            project: ProjectSummary {
                stack: profile.kind.to_string(),
                version: profile.version.clone(),
                start: profile.start.clone(),
                port: profile.port,
                health: profile.health.clone(),
                dockerfile: parts.own,
                found: profile
                    .found
                    .iter()
                    .map(|found| Found { what: found.what.clone(), why: found.why.clone() })
                    .collect(),
            },
            before: parts.before,
            after: parts.after,
            saved: parts.saved,
            proof: parts.proof,
            notes: parts.notes,
            explain: parts.explain,
            facts: parts.facts,
            already_optimal: parts.already_optimal,
            outputs: Outputs {
                dockerfile: out.join("Dockerfile").to_string(),
                dockerignore: out.join(".dockerignore").to_string(),
                report: out.join("report.json").to_string(),
                image: out.join("image").to_string(),
                name: format!("{}:optimized", parts.name),
                written: parts.written.iter().map(ToString::to_string).collect(),
            },
            timings: Timings { total: parts.seconds, before: parts.steps_before, after: parts.steps_after },
        }
    }
}
