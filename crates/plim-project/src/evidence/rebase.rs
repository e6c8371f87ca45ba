//! The author's COPY instructions as they are seen from a project below the folder that they copy from.

use camino::{Utf8Path, Utf8PathBuf};

use super::{CopyPair, Declared, Told};
use crate::detect::sources::{Sources, Taken, matching};
use crate::folder::{Folder, from_below};

/// Rewrites what is copied from the context into paths of the project, which lies `below` it. Returns what is copied
/// from beside the project: those paths begin with `../` from now on.
pub(crate) fn rebase(
    declared: &mut Declared,
    sources: &Sources,
    context: &Folder,
    below: &Utf8Path,
) -> Vec<Utf8PathBuf> {
    let in_image: Vec<&Taken> = sources.taken.iter().filter(|taken| taken.in_image && !taken.dest.is_empty()).collect();
    // in a file of several stages another one may take the program and give its result
    let taken = if in_image.iter().any(|taken| reaches(&taken.source, below)) {
        in_image
    } else {
        sources.taken.iter().filter(|taken| !taken.dest.is_empty() && reaches(&taken.source, below)).collect()
    };
    let workdir = declared.workdir.as_ref().map_or("", |told| told.value.trim_end_matches('/'));
    let mut copies: Vec<Told<CopyPair>> = Vec::new();
    let mut outside: Vec<Utf8PathBuf> = Vec::new();
    let mut whole = false;
    for taken in taken {
        for path in
            if taken.source.as_str().is_empty() { vec![Utf8PathBuf::new()] } else { matching(context, &taken.source) }
        {
            let mut push = |source: Utf8PathBuf, dest: String| {
                copies.push(Told { value: CopyPair { source, dest }, line: taken.line });
            };
            if let Ok(rest) = below.strip_prefix(&path) {
                // a folder that holds the project, or is it: COPY takes the contents
                let dest = join(&taken.dest, rest.as_str());
                whole |= dest == workdir;
                for (entry, is_folder) in entries(context, below) {
                    let source = from_below(below, &entry);
                    let dest = if is_folder { join(&dest, source.as_str()) } else { format!("{dest}/") };
                    push(source, dest);
                }
                for (entry, is_folder) in
                    entries(context, &path).into_iter().filter(|(entry, _)| !below.starts_with(entry))
                {
                    if !rest.as_str().is_empty() {
                        let name = entry.file_name().unwrap_or_default();
                        let dest = join(&taken.dest, "");
                        push(from_below(below, &entry), if is_folder { join(&dest, name) } else { format!("{dest}/") });
                        outside.push(entry);
                    }
                }
            } else {
                push(from_below(below, &path), taken.dest.clone());
                if !path.starts_with(below) {
                    outside.push(path);
                }
            }
        }
    }
    let reached =
        copies.iter().any(|told| told.value.dest.starts_with(workdir) && !told.value.source.starts_with(".."));
    declared.copies_everything = outside.is_empty() && whole || !reached;
    declared.copies = copies;
    outside
}

/// Whether a source is in the project, or the project in it.
fn reaches(source: &Utf8Path, below: &Utf8Path) -> bool {
    source.starts_with(below) || below.starts_with(source)
}

fn join(dest: &str, name: &str) -> String {
    let dest = dest.trim_end_matches('/');
    if name.is_empty() { dest.to_owned() } else { format!("{dest}/{name}") }
}

/// The entries of a folder, and whether they are folders.
fn entries(context: &Folder, folder: &Utf8Path) -> Vec<(Utf8PathBuf, bool)> {
    let inside = |path: &&Utf8Path| path.parent() == Some(folder);
    let folders = context.folders().filter(inside).map(|path| (path.to_owned(), true));
    folders.chain(context.files().filter(inside).map(|path| (path.to_owned(), false))).collect()
}
