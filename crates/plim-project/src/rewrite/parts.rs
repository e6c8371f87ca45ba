//! Pieces of a template's context that every stack has.

use camino::{Utf8Path, Utf8PathBuf};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::merge_maps;
use minijinja::{Environment, Value, context};

use super::text;
use crate::project::{Artifact, Project, StackProfile, Step};

/// Where the build stage keeps manifests and what only the build needs.
pub(super) const BUILD_DIR: &str = "/build";

/// What all templates include: what lives on of the author's file, the stage of Debian packages, and the end of the last
/// stage.
const INCLUDED: [(&str, &str); 6] = [
    ("kept_stages", include_str!("templates/kept_stages.dockerfile")),
    ("carried_sources", include_str!("templates/carried_sources.dockerfile")),
    ("carried_build", include_str!("templates/carried_build.dockerfile")),
    ("carried_image", include_str!("templates/carried_image.dockerfile")),
    ("libraries", include_str!("templates/libraries.dockerfile")),
    ("ending", include_str!("templates/ending.dockerfile")),
];

/// Fills in a template from several contexts, which have no name in common.
pub(super) fn fill(template: &str, contexts: impl IntoIterator<Item = Value>) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    // names of Dockerfiles end in nothing that would switch on escaping for HTML, but the default must not decide that
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    for (name, text) in INCLUDED {
        environment.add_template(name, text)?;
    }
    environment.add_template("stack", template)?;
    environment.get_template("stack")?.render(merge_maps(contexts))
}

/// Returns `Dockerfile:LINE` for the author's file.
pub(super) fn at(project: &Project, line: usize) -> String {
    format!("{}:{line}", project.dockerfile.as_deref().unwrap_or(Utf8Path::new("Dockerfile")))
}

/// Returns the reason of the first finding that begins with the words.
pub(super) fn found(profile: &StackProfile, what: &str) -> String {
    found_or(profile, what, "")
}

/// Returns the reason of the first finding that begins with the words, or else another one.
pub(super) fn found_or(profile: &StackProfile, what: &str, otherwise: &str) -> String {
    let finding = profile.found.iter().find(|finding| finding.what.starts_with(what));
    finding.map_or_else(|| otherwise.to_owned(), |finding| finding.why.clone())
}

/// RUN instructions.
pub(super) fn steps(steps: &[Step]) -> Vec<Value> {
    steps
        .iter()
        .map(|step| {
            context! {
                command => step.command.clone(),
                caches => step.caches.clone(),
                comment => text::reason(&step.comment),
                why => text::reason(&step.why),
            }
        })
        .collect()
}

/// COPY instructions for files that keep their places in the build folder.
pub(super) fn manifests(profile: &StackProfile) -> Vec<Value> {
    let artifact = |path: &Utf8PathBuf| Artifact { path: path.clone(), folder: false, dest: path.clone() };
    let all: Vec<Artifact> = profile.manifests.iter().map(artifact).collect();
    copies(&all, ".", "named by the install command")
}

/// COPY instructions that put artifacts below a folder: files that go to one place together, each folder alone, because
/// COPY takes the contents of a folder and not the folder itself.
pub(super) fn copies(artifacts: &[Artifact], base: &str, why: &str) -> Vec<Value> {
    let mut groups: Vec<(String, Vec<&Utf8Path>)> = Vec::new();
    for artifact in artifacts.iter().filter(|artifact| !artifact.folder) {
        let parent = artifact.dest.parent().unwrap_or(Utf8Path::new(""));
        let keeps_name = artifact.dest.file_name() == artifact.path.file_name();
        let dest = match (keeps_name, parent.as_str()) {
            (false, _) => format!("{base}/{}", artifact.dest),
            (true, "") => format!("{base}/"),
            (true, parent) => format!("{base}/{parent}/"),
        };
        match groups.iter_mut().find(|(known, _)| *known == dest && keeps_name) {
            Some((_, group)) => group.push(&artifact.path),
            None => groups.push((dest, vec![&artifact.path])),
        }
    }
    for artifact in artifacts.iter().filter(|artifact| artifact.folder) {
        let dest = match artifact.dest.as_str() {
            "" => format!("{base}/"),
            dest => format!("{base}/{dest}"),
        };
        groups.push((dest, vec![&artifact.path]));
    }
    groups
        .into_iter()
        .map(|(dest, group)| context! { words => text::copy(group, &dest), why => why.to_owned() })
        .collect()
}

/// `NAME=value` as ENV and LABEL take it.
pub(super) fn pair((name, value): &(String, String)) -> String {
    format!("{}={}", text::value(name), text::value(value))
}
