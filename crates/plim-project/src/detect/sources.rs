//! What a Dockerfile takes from its build context, and which of it gets into the image.

use std::collections::BTreeMap;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use plim_dockerfile::ignore::Patterns;
use plim_dockerfile::stages::{BaseRef, StageGraph};
use plim_dockerfile::words::Lexer;
use plim_dockerfile::{Dockerfile, Kind, Source, Spanned};

use crate::folder::Folder;

/// A path of the context that an instruction reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The path, cleaned; empty for the whole context. May be a pattern.
    pub(crate) source: Utf8PathBuf,
    /// Where it goes, absolute; ends with `/` when a file goes into it under its own name. Empty for what is only mounted.
    pub(crate) dest: String,
    /// Whether the stage is the last one or one that it is based on.
    pub(crate) in_image: bool,
    /// The line, from 1.
    pub(crate) line: usize,
}

/// What a Dockerfile takes from its context.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    pub(crate) taken: Vec<Taken>,
    /// The image that the last stage begins with, through other stages.
    pub(crate) base: Option<String>,
    /// The working directory of the last stage.
    pub(crate) workdir: Option<String>,
}

impl Sources {
    /// Reads the text of a Dockerfile whose last stage is the image.
    pub(crate) fn read(text: &str) -> Self {
        let file = plim_dockerfile::parse(text);
        let graph = StageGraph::new(&file, &[], &[]);
        let mut sources = Self::default();
        let Some(last) = graph.stages.len().checked_sub(1) else { return sources };
        let mut chain = vec![last];
        while let Some(stage) = chain.last().and_then(|number| graph.stages.get(*number)) {
            match &stage.base {
                // a stage can only be based on one above it, so this ends
                BaseRef::Stage(below) if *below < stage.index => chain.push(*below),
                BaseRef::Image(name) => {
                    sources.base = Some(name.clone());
                    break;
                }
                _ => break,
            }
        }
        let mut workdirs: BTreeMap<usize, String> = BTreeMap::new();
        for stage in &graph.stages {
            let inherited = match &stage.base {
                BaseRef::Stage(below) => workdirs.get(below).cloned(),
                _ => None,
            };
            let mut reader = Reader {
                file: &file,
                lexer: Lexer::new(file.escape),
                variables: graph.global_args.iter().cloned().collect(),
                workdir: inherited,
                in_image: chain.contains(&stage.index),
                taken: &mut sources.taken,
            };
            for index in stage.body.clone() {
                reader.hear(index);
            }
            if let Some(workdir) = reader.workdir {
                workdirs.insert(stage.index, workdir);
            }
        }
        sources.workdir = workdirs.remove(&last);
        sources
    }

    /// Whether something is taken from below a folder by name, or the folder itself.
    pub(crate) fn name(&self, below: &Utf8Path, only_image: bool) -> bool {
        self.taken.iter().any(|taken| (taken.in_image || !only_image) && taken.source.starts_with(below))
    }

    /// Whether the whole context is taken.
    pub(crate) fn everything(&self) -> bool {
        self.taken.iter().any(|taken| taken.source.as_str().is_empty())
    }

    /// How many of the named sources exist when the context is a folder below the one that was listed.
    pub(crate) fn present(&self, folder: &Folder, below: &Utf8Path) -> usize {
        let named = self.taken.iter().filter(|taken| !taken.source.as_str().is_empty());
        named.filter(|taken| !matching(folder, &below.join(&taken.source)).is_empty()).count()
    }
}

/// The files and folders that a source means.
pub(crate) fn matching(folder: &Folder, source: &Utf8Path) -> Vec<Utf8PathBuf> {
    if !source.as_str().contains(['*', '?', '[']) {
        let there = folder.has(source) || folder.has_folder(source);
        return there.then(|| source.to_owned()).into_iter().collect();
    }
    let Ok(patterns) = Patterns::new([source.as_str()]) else { return Vec::new() };
    folder
        .folders()
        .chain(folder.files())
        .filter(|path| patterns.matches(path.as_str()))
        .map(Utf8Path::to_owned)
        .collect()
}

/// Cleans a source as written; nothing if it leaves the context.
pub(crate) fn clean(written: &str) -> Option<Utf8PathBuf> {
    let mut out = Utf8PathBuf::new();
    for component in Utf8Path::new(written).components() {
        match component {
            Utf8Component::Normal(name) => out.push(name),
            Utf8Component::ParentDir if !out.pop() => return None,
            _ => {}
        }
    }
    Some(out)
}

/// Goes through the instructions of one stage.
struct Reader<'a> {
    file: &'a Dockerfile,
    lexer: Lexer,
    variables: BTreeMap<String, String>,
    workdir: Option<String>,
    in_image: bool,
    taken: &'a mut Vec<Taken>,
}

impl Reader<'_> {
    /// Expands a word; nothing when a variable in it has no known value.
    fn expand(&self, word: &str) -> Option<String> {
        let expanded = self.lexer.process_word(word, &self.variables).ok()?;
        expanded.unmatched.is_empty().then_some(expanded.text)
    }

    fn hear(&mut self, index: usize) {
        let Some(instruction) = self.file.instructions.get(index) else { return };
        let line = instruction.line;
        match &instruction.kind {
            Kind::Arg(definitions) => {
                for definition in definitions {
                    if let Some(value) = definition.default.as_ref().and_then(|word| self.expand(&word.value)) {
                        self.variables.insert(definition.name.value.clone(), value);
                    }
                }
            }
            Kind::Env(pairs) => {
                for pair in pairs {
                    if let Some(value) = self.expand(&pair.value.value) {
                        self.variables.insert(pair.key.value.clone(), value);
                    }
                }
            }
            Kind::Workdir(path) => {
                if let Some(path) = self.expand(&path.value) {
                    self.workdir = Some(self.absolute(&path).trim_end_matches('/').to_owned());
                }
            }
            Kind::Copy(copy) if copy.from.is_none() => self.take(&copy.sources, &copy.dest, line),
            Kind::Add(add) => self.take(&add.sources, &add.dest, line),
            Kind::Run(run) => {
                for mount in &run.mounts {
                    let option = |key: &str| {
                        let value = mount.options.iter().find(|option| option.key == key)?.value.as_deref()?;
                        self.expand(value)
                    };
                    let bind = option("type").is_none_or(|kind| kind == "bind");
                    if bind
                        && option("from").is_none()
                        && let Some(source) = clean(&option("source").unwrap_or_default())
                    {
                        self.taken.push(Taken { source, dest: String::new(), in_image: false, line });
                    }
                }
            }
            _ => {}
        }
    }

    fn take(&mut self, sources: &[Source], dest: &Spanned, line: usize) {
        let dest = self.expand(&dest.value).map(|dest| self.absolute(&dest)).unwrap_or_default();
        for source in sources {
            let Source::Path(path) = source else { continue };
            let Some(path) = self.expand(&path.value).filter(|path| !path.contains("://")) else { continue };
            if let Some(source) = clean(&path) {
                self.taken.push(Taken { source, dest: dest.clone(), in_image: self.in_image, line });
            }
        }
    }

    /// Joins a path of the image and the working directory; keeps the `/` at the end.
    fn absolute(&self, path: &str) -> String {
        let workdir = self.workdir.as_deref().unwrap_or_default();
        match path.trim_start_matches("./") {
            absolute if absolute.starts_with('/') => absolute.to_owned(),
            "" | "." => format!("{workdir}/"),
            relative => format!("{workdir}/{relative}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_the_image_and_of_other_stages() {
        let sources = Sources::read(
            "ARG SUB=api\nFROM node AS web\nWORKDIR /w\nCOPY web/package*.json ./\nRUN --mount=type=bind,source=web/x,target=/x npm ci\n\
             FROM python:3.13 AS base\nARG SUB\nENV HOME_DIR=/srv\nWORKDIR $HOME_DIR\n\
             FROM base\nCOPY --from=web /w/dist static\nCOPY ./api/requirements.txt .\nCOPY . app\nADD https://example.org/x /x\n",
        );
        let shown: Vec<_> = sources.taken.iter().map(|t| (t.source.as_str(), t.dest.as_str(), t.in_image)).collect();
        assert_eq!(
            shown,
            [
                ("web/package*.json", "/w/", false),
                ("web/x", "", false),
                ("api/requirements.txt", "/srv/", true),
                ("", "/srv/app", true),
            ]
        );
        assert_eq!((sources.base.as_deref(), sources.workdir.as_deref()), (Some("python:3.13"), Some("/srv")));
    }
}
