//! COPY and ADD.

use plim_dockerfile::{Add, Copy, Instruction, Source};

use super::super::step::{Placed, PlacedSource};
use super::super::{About, CopyFrom, CopyPair, Kept, Told};
use super::{Witness, instruction_flag};

impl Witness<'_> {
    /// Hears COPY.
    pub(super) fn copy(&mut self, copy: &Copy, instruction: &Instruction) -> (Kept, About) {
        let chown = copy.chown.as_ref().map(|word| self.expand(&word.value).unwrap_or_else(|| word.value.clone()));
        let unknown = (Kept::Unknown, About::Instruction);
        let Some(dest) = self.dest(&copy.dest.value, copy.sources.len()) else { return unknown };
        let Some(from) = &copy.from else {
            self.state.copies_everything |= copy.sources.iter().any(|source| match source {
                Source::Path(path) => matches!(path.value.trim_start_matches("./").trim_end_matches('/'), "" | "."),
                Source::Heredoc(_) => false,
            });
            let paths = copy.sources.iter().filter_map(|source| match source {
                Source::Path(path) => Some(clean(&self.expand(&path.value).unwrap_or_else(|| path.value.clone()))),
                Source::Heredoc(_) => None,
            });
            let paths: Vec<String> = paths.collect();
            self.declared.sources.entry(self.stage).or_default().extend(paths);
            return self.placed(&copy.sources, dest, chown, false, instruction);
        };
        let from = self.expand(&from.value).unwrap_or_else(|| from.value.clone());
        let stage = self.stages.copy_source(&from, self.stage);
        // relative paths begin at the root of the other stage
        let sources = copy.sources.iter().filter_map(|source| match source {
            Source::Path(path) => self.expand(&path.value).map(|path| format!("/{}", clean(&path))),
            Source::Heredoc(_) => None,
        });
        let value = CopyFrom {
            from,
            stage,
            sources: sources.collect(),
            dest,
            chown,
            into: self.stage,
            in_image: self.in_image,
        };
        if value.sources.len() != copy.sources.len() {
            return unknown;
        }
        self.declared.copies_from.push(Told { value, line: instruction.line });
        (Kept::Unknown, About::CopyFrom(self.declared.copies_from.len() - 1))
    }

    /// Hears ADD.
    pub(super) fn add(&mut self, add: &Add, instruction: &Instruction) -> (Kept, About) {
        let chown = add.chown.as_ref().map(|word| self.expand(&word.value).unwrap_or_else(|| word.value.clone()));
        match self.dest(&add.dest.value, add.sources.len()) {
            Some(dest) => self.placed(&add.sources, dest, chown, true, instruction),
            None => (Kept::Unknown, About::Instruction),
        }
    }

    fn placed(
        &mut self,
        sources: &[Source],
        dest: String,
        chown: Option<String>,
        add: bool,
        instruction: &Instruction,
    ) -> (Kept, About) {
        if !self.in_image {
            return (Kept::Unknown, About::Instruction);
        }
        let line = instruction.line;
        let sources: Vec<PlacedSource> = sources
            .iter()
            .filter_map(|source| match source {
                Source::Path(path) => {
                    let path = self.expand(&path.value).unwrap_or_else(|| path.value.clone());
                    let remote = ["http://", "https://", "git@", "git://"].iter().any(|start| path.starts_with(start));
                    Some(if add && remote { PlacedSource::Url(path) } else { PlacedSource::Path(path) })
                }
                Source::Heredoc(index) => {
                    let heredoc = instruction.heredocs.get(*index)?;
                    let text = heredoc.content();
                    let text = if heredoc.expand { self.expand_text(&text) } else { text };
                    Some(PlacedSource::Text(heredoc.name.clone(), text))
                }
            })
            .collect();
        let flags = instruction.flags.iter().filter(|flag| flag.name.value != "chown");
        let flags = flags.map(|flag| instruction_flag(&flag.name.value, flag.value.as_ref())).collect();
        let placed = Placed { line, add, sources, dest, flags, chown };
        if !placed.needs_add() {
            for source in &placed.sources {
                let PlacedSource::Path(path) = source else { continue };
                let path = clean(path);
                if path.is_empty() || path == "." || path.contains(['*', '?', '[', '$']) {
                    self.declared.copies_everything = true;
                } else {
                    let pair = CopyPair { source: path.into(), dest: placed.dest.clone() };
                    self.declared.copies.push(Told { value: pair, line });
                }
            }
        }
        self.declared.placed.push(placed);
        (Kept::Unknown, About::Placed(self.declared.placed.len() - 1))
    }

    /// Returns the destination of a copy made absolute.
    fn dest(&self, written: &str, sources: usize) -> Option<String> {
        let workdir = self.state.workdir.as_deref().unwrap_or("").trim_end_matches('/');
        let dest = self.expand(written)?;
        Some(match dest.trim_start_matches("./") {
            absolute if absolute.starts_with('/') => absolute.to_owned(),
            "." | "" => format!("{workdir}/"),
            relative if sources > 1 => format!("{workdir}/{}/", relative.trim_end_matches('/')),
            relative => format!("{workdir}/{relative}"),
        })
    }

    /// Expands the text of a here-document; what is not known stays.
    fn expand_text(&self, text: &str) -> String {
        let mut lexer = self.lexer;
        (lexer.raw_quotes, lexer.skip_quotes, lexer.skip_unset) = (true, true, true);
        lexer.process_word(text, &self.state.variables).map_or_else(|_| text.to_owned(), |expanded| expanded.text)
    }
}

fn clean(path: &str) -> String {
    path.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/').to_owned()
}
