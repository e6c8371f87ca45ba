//! The files that the program reads when it runs.
//!
//! An author with a last stage of its own says which: what it copies beside the binary. Where the whole project folder is in
//! the author's image, the literals of the sources tell: one that names a file or folder of the project is taken to be read,
//! unless the compiler reads it.

use camino::{Utf8Path, Utf8PathBuf};
use plim_dockerfile::ignore::Patterns;

use super::Context;
use super::author::Author;
use super::manifest::join;
use super::sources::Sources;
use crate::project::{Artifact, Finding};

/// Folders that no program reads under these names: sources, tests, what is made by tools.
const NEVER: &[&str] =
    &["src", "target", "tests", "test", "benches", "examples", "example", "docs", "doc", "ci", "scripts", "vendor"];

/// Files that frameworks read without being named by the program: file, and the crate that reads it.
const IMPLIED: &[(&str, &str)] =
    &[("Rocket.toml", "rocket"), ("templates", "rocket_dyn_templates"), ("conf", "foundation")];

/// Endings that a configuration file may have when the program leaves it out.
const SETTINGS: &[&str] = &["toml", "yaml", "yml", "json", "json5", "ini", "ron"];

/// Finds them; each finding names the file and line that speaks for it.
pub(super) fn find(
    context: &Context<'_>,
    author: &Author,
    sources: &Sources,
    names: &[String],
    ignored: Option<&Patterns>,
    found: &mut Vec<Finding>,
) -> Vec<Artifact> {
    let hidden = |path: &Utf8Path| ignored.is_some_and(|patterns| patterns.excludes(path.as_str()));
    let mut all: Vec<(Artifact, String)> = Vec::new();
    for told in &author.copied {
        let path = told.value.path.as_path();
        if is_runtime(context, path) && !hidden(path) {
            all.push((told.value.clone(), context.at(told.line)));
        }
    }
    // without a Dockerfile the program runs in the project folder, as with one that copies it all
    let whole_folder = author.everything && (author.in_image || author.placed.is_empty());
    if whole_folder || context.folder.text(context.dockerfile).is_none() {
        for mention in sources.mentions.iter().filter(|mention| !mention.is_compile_time()) {
            if let Some(artifact) = mentioned(context, &mention.literal.text, &mention.package)
                && !hidden(&artifact.path)
            {
                all.push((artifact, mention.place()));
            }
        }
        for (path, reader) in IMPLIED {
            let path = Utf8Path::new(path);
            let folder = context.folder.has_folder(path);
            if (folder || context.folder.has(path)) && names.iter().any(|name| name == reader) && !hidden(path) {
                let artifact = Artifact { path: path.to_owned(), folder, dest: path.to_owned() };
                all.push((artifact, format!("{reader} reads it")));
            }
        }
    }
    // a folder brings what is in it
    let mut kept: Vec<Artifact> = Vec::new();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    for (artifact, why) in all {
        let covered = kept.iter().any(|known| {
            known.path == artifact.path && known.dest == artifact.dest
                || known.folder
                    && artifact
                        .path
                        .strip_prefix(&known.path)
                        .is_ok_and(|below| known.dest.join(below) == artifact.dest)
        });
        if !covered {
            found.push(Finding::new(format!("{} is needed when it runs", artifact.path), why));
            kept.push(artifact);
        }
    }
    kept
}

/// Whether something that the author's image gets can be of use to the running program.
fn is_runtime(context: &Context<'_>, path: &Utf8Path) -> bool {
    let first = path.components().next().map_or("", |first| first.as_str());
    let name = path.file_name().unwrap_or_default();
    let is_source = matches!(name, "Cargo.toml" | "Cargo.lock" | "build.rs" | "rust-toolchain" | "rust-toolchain.toml")
        || path.extension() == Some("rs")
        || matches!(first, ".cargo" | ".sqlx" | "src" | "target")
        || name.starts_with(".env");
    let holds_sources = || {
        context.folder.files().any(|file| {
            file.starts_with(path) && (file.extension() == Some("rs") || file.file_name() == Some("Cargo.toml"))
        })
    };
    is_writable(path) && !is_source && !(context.folder.has_folder(path) && holds_sources())
}

/// The file or folder of the project that a literal names.
fn mentioned(context: &Context<'_>, literal: &str, package: &Utf8Path) -> Option<Artifact> {
    let written = literal.strip_prefix("./").unwrap_or(literal);
    if written.is_empty() || written.starts_with(['/', '.', '-']) || written.contains(|c: char| c.is_whitespace()) {
        return None;
    }
    // a pattern or a name that is put together is known up to there
    let mut plain = Utf8PathBuf::new();
    let mut cut = false;
    for part in written.trim_end_matches('/').split('/') {
        if part.contains(['*', '{', '?', '[', '\\', ':', '%', '"', '$']) {
            cut = true;
            break;
        }
        plain.push(part);
    }
    if plain.as_str().is_empty() {
        return None;
    }
    // the program runs in the root of the project, or in the folder of its package
    [Utf8Path::new(""), package].into_iter().find_map(|base| {
        let path = join(base, plain.as_str())?;
        let first = plain.components().next()?.as_str();
        let exists = context.folder.has(&path) || context.folder.has_folder(&path);
        let path = if exists { path } else { settings(context, &path).filter(|_| !cut)? };
        let unit = unit(context, base, &path);
        let folder = context.folder.has_folder(&unit);
        // one plain word that names a folder of developers' things is a word
        let fits = !NEVER.contains(&first) && is_runtime(context, &unit);
        let dest = unit.strip_prefix(base).unwrap_or(&unit).to_owned();
        (fits && !unit.as_str().is_empty()).then_some(Artifact { path: unit, folder, dest })
    })
}

/// A configuration file that is named without its ending.
fn settings(context: &Context<'_>, path: &Utf8Path) -> Option<Utf8PathBuf> {
    SETTINGS.iter().map(|ending| Utf8PathBuf::from(format!("{path}.{ending}"))).find(|path| context.folder.has(path))
}

/// The outermost folder with the file that holds no sources: whoever reads one file of it reads the others too.
fn unit(context: &Context<'_>, base: &Utf8Path, path: &Utf8Path) -> Utf8PathBuf {
    let mut above: Vec<&Utf8Path> =
        path.ancestors().take_while(|dir| *dir != base && !dir.as_str().is_empty()).collect();
    above.reverse();
    let outermost = above.into_iter().find(|dir| *dir == path || is_runtime(context, dir));
    outermost.unwrap_or(path).to_owned()
}

/// Whether a name can stand in a Dockerfile as it is.
fn is_writable(path: &Utf8Path) -> bool {
    !path.as_str().starts_with(['-', '#', '<'])
        && !path.as_str().contains(|c: char| c.is_control() || "*?[]$\"'\\`".contains(c))
}
