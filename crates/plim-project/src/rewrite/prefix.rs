//! COPY sources of a project that lies below its build context.
//!
//! Profiles and templates name files from the project's folder. This is the one place where the names become what
//! the builder looks for.

use camino::Utf8Path;
use plim_diag::Edit;
use plim_dockerfile::{Instruction, Kind, Source, edit};

use super::text;

/// Returns the Dockerfile with the sources of every COPY, and of every mount of the context, as paths of the context.
pub(super) fn prefix(dockerfile: &str, below: &Utf8Path) -> String {
    if below.as_str().is_empty() {
        return dockerfile.to_owned();
    }
    let file = plim_dockerfile::parse(dockerfile);
    let mut edits = Vec::new();
    for instruction in &file.instructions {
        match &instruction.kind {
            Kind::Copy(copy) if copy.from.is_none() => {
                let written = |span: plim_dockerfile::Span| dockerfile.get(span.start..span.end).unwrap_or_default();
                let flags = instruction.flags.iter().map(|flag| written(flag.span).to_owned());
                let words = words(instruction, &copy.sources, &copy.dest.value, below);
                let parts = std::iter::once("COPY".to_owned()).chain(flags).chain([words]);
                let text = parts.collect::<Vec<_>>().join(" ");
                edits.push(edit::replace(&file, instruction, &text));
            }
            Kind::Run(run) => {
                for mount in &run.mounts {
                    let option = |key: &str| mount.options.iter().find(|option| option.key == key);
                    let is_bind = option("type").is_none_or(|kind| kind.value.as_deref() == Some("bind"));
                    if !is_bind || option("from").is_some() {
                        continue;
                    }
                    edits.push(match option("source") {
                        Some(source) => {
                            let path = join(below, source.value.as_deref().unwrap_or_default());
                            Edit::replace(source.span, format!("source={path}"))
                        }
                        None => Edit::insert(mount.text.span.end, format!(",source={below}")),
                    });
                }
            }
            _ => {}
        }
    }
    // edits of different instructions do not overlap
    edit::apply(dockerfile, &edits).unwrap_or_else(|_| dockerfile.to_owned())
}

fn words(instruction: &Instruction, sources: &[Source], dest: &str, below: &Utf8Path) -> String {
    let mut words: Vec<String> = sources
        .iter()
        .filter_map(|source| match source {
            Source::Path(path) => Some(join(below, &path.value)),
            Source::Heredoc(_) => None,
        })
        .collect();
    words.push(dest.to_owned());
    let quoted = instruction.json || words.iter().any(|word| word.contains(char::is_whitespace));
    if quoted { text::exec(&words) } else { words.join(" ") }
}

/// Joins the project's folder and a path as a template wrote it.
fn join(below: &Utf8Path, written: &str) -> String {
    let mut parts: Vec<String> = below.as_str().split('/').map(|part| part.replace('$', "\\$")).collect();
    for part in written.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name.to_owned()),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_become_paths_of_the_context() {
        let text = "FROM a AS b\nCOPY requirements.txt conf/x.ini ./\nCOPY . /app/\nCOPY [\"a b\", \"./\"]\nCOPY ../shared /app/shared\n\
                    RUN --mount=type=cache,target=/c --mount=type=bind,src=lock,target=lock x\nRUN --mount=target=/src y\n\
                    FROM c\nCOPY --chown=1 --link z /z\nCOPY --from=b /x /x\n";
        assert_eq!(
            prefix(text, "services/api".into()),
            "FROM a AS b\nCOPY services/api/requirements.txt services/api/conf/x.ini ./\nCOPY services/api /app/\n\
             COPY [\"services/api/a b\", \"./\"]\nCOPY services/shared /app/shared\n\
             RUN --mount=type=cache,target=/c --mount=type=bind,source=services/api/lock,target=lock x\n\
             RUN --mount=target=/src,source=services/api y\n\
             FROM c\nCOPY --chown=1 --link services/api/z /z\nCOPY --from=b /x /x\n"
        );
        assert_eq!(prefix("FROM a\nCOPY x ./\n", "a b".into()), "FROM a\nCOPY [\"a b/x\", \"./\"]\n");
        assert_eq!(prefix(text, "".into()), text);
    }
}
