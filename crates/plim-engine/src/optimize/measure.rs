//! How long a rebuild takes after one line of the source changed.
//!
//! The change is laid over the context, the project itself is not touched. A measured time is remembered for the pair
//! of images, so that a run with nothing changed does not rebuild for the sake of a number that is known.

use std::collections::BTreeMap;

use bstr::BString;
use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use plim_build::Built;
use plim_oci::{Digest, Events, Hasher};
use plim_project::{StackKind, StackProfile};
use serde::{Deserialize, Serialize};

use super::builds::{Builds, Dockerfile, Timed};
use crate::Failure;
use crate::workspace::write_whole;

/// Seconds of a rebuild, old and new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Rebuild {
    /// Of the project's own Dockerfile.
    pub(super) before: Option<f64>,
    /// Of the new one.
    pub(super) after: Option<f64>,
}

/// Measures both rebuilds, or recalls them. A project without a source file that could be changed has none.
pub(super) fn rebuild(
    builds: &Builds<'_>,
    before: Option<(&Dockerfile, &Timed)>,
    after: (&Dockerfile, &Timed),
    profile: &StackProfile,
    events: &dyn Events,
) -> Result<Rebuild, Failure> {
    let Some(file) = &source_file(&builds.project.root, profile) else { return Ok(Rebuild::default()) };
    let dir = builds.workspace.cache_dir("optimize")?;
    let record = dir.join(key(before.map(|before| &before.1.0), &after.1.0, file).hex());
    if let Some(known) = std::fs::read(&record).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return Ok(known);
    }
    let source = std::fs::read(builds.project.root.join(file))
        .map_err(|error| Failure::caused(format!("failed to read {file}"), &error))?;
    // text that no build has seen: a rebuild answered from the cache would measure nothing
    let stamp = builds.workspace.host.now.as_nanosecond();
    let changed = [source, format!("\n{} {stamp}\n", comment_sign(file)).into_bytes()].concat();
    let change: BTreeMap<BString, Vec<u8>> =
        [(BString::from(in_context(&builds.project.below, file).as_str()), changed)].into();
    events.note(&format!("measuring a rebuild after a one-line change of {file}"));
    let measured = Rebuild {
        before: match before {
            Some((dockerfile, _)) => Some(builds.run("rebuild before", dockerfile, change.clone())?.1),
            None => None,
        },
        after: Some(builds.run("rebuild after", after.0, change)?.1),
    };
    let bytes =
        serde_json::to_vec(&measured).map_err(|error| Failure::caused("failed to keep a measurement", &error))?;
    write_whole(&record, &bytes)?;
    Ok(measured)
}

/// The path of a project's file in the build context, which may begin above the project.
fn in_context(below: &Utf8Path, file: &Utf8Path) -> Utf8PathBuf {
    let mut path = Utf8PathBuf::new();
    for component in below.join(file).components() {
        match component {
            Utf8Component::ParentDir => {
                path.pop();
            }
            other => path.push(other),
        }
    }
    path
}

fn key(before: Option<&Built>, after: &Built, file: &Utf8PathBuf) -> Digest {
    let mut hasher = Hasher::new();
    for part in [
        before.map_or("", |built| built.image.descriptor.digest.as_str()),
        after.image.descriptor.digest.as_str(),
        file.as_str(),
        env!("CARGO_PKG_VERSION"),
    ] {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    }
    hasher.finish()
}

/// The source file that is changed: that of the module which the start command names, else the first one.
fn source_file(root: &Utf8Path, profile: &StackProfile) -> Option<Utf8PathBuf> {
    let extensions = match profile.kind {
        StackKind::Python => &["py"][..],
        StackKind::Node => &["ts", "js", "mjs", "cjs", "tsx", "jsx"],
        StackKind::Rust => &["rs"],
        StackKind::Go => &["go"],
        StackKind::Java => &["java", "kt"],
        _ => return None,
    };
    let mut files = Vec::new();
    // where a build makes the artifacts, what it reads is what people change
    for artifact in profile.artifacts.iter().chain(&profile.build_inputs) {
        if artifact.folder {
            collect(root, &artifact.path, extensions, 0, &mut files);
        } else if artifact.path.extension().is_some_and(|end| extensions.contains(&end)) {
            files.push(artifact.path.clone());
        }
    }
    files.sort();
    let named = profile.start.iter().find_map(|word| {
        let path = word.split(':').next()?.replace('.', "/");
        files.iter().find(|file| {
            let stem = file.with_extension("");
            !path.is_empty() && (stem.as_str() == path || stem.as_str().ends_with(&format!("/{path}")))
        })
    });
    named.or(files.first()).cloned()
}

/// Source files below a folder, hidden folders and dependencies aside; the depth is bounded.
fn collect(root: &Utf8Path, dir: &Utf8Path, extensions: &[&str], depth: usize, files: &mut Vec<Utf8PathBuf>) {
    let Ok(entries) = root.join(dir).read_dir_utf8() else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let path = if dir.as_str().is_empty() || dir == "." { name.into() } else { dir.join(name) };
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir()
            && depth < 8
            && !name.starts_with('.')
            && !matches!(name, "node_modules" | "tests" | "test" | "venv")
        {
            collect(root, &path, extensions, depth + 1, files);
        } else if kind.is_file() && path.extension().is_some_and(|end| extensions.contains(&end)) {
            files.push(path);
        }
    }
}

/// What begins a comment in a source file of that name.
fn comment_sign(file: &Utf8Path) -> &'static str {
    match file.extension() {
        Some("py" | "rb" | "sh" | "toml" | "yml" | "yaml") => "#",
        _ => "//",
    }
}
