//! COPY and ADD.

use super::super::flags::Shape;
use super::super::heredoc::parse_heredoc_word;
use super::{Mistake, Reader};
use crate::kind::{Add, Copy, Source};
use crate::span::Spanned;

impl Reader<'_> {
    pub(super) fn copy(&mut self) -> Option<Copy> {
        let flags = self.flags(&[
            ("from", Shape::Text),
            ("chown", Shape::Text),
            ("chmod", Shape::Text),
            ("link", Shape::Bool),
            ("parents", Shape::Bool),
            ("exclude", Shape::Texts),
        ]);
        let (sources, dest) = self.sources_and_dest()?;
        Some(Copy {
            sources,
            dest,
            from: flags.text("from").filter(|from| !from.is_empty()),
            chown: flags.text("chown").filter(|owner| !owner.is_empty()),
            chmod: flags.text("chmod").filter(|mode| !mode.is_empty()),
            link: flags.switch("link").unwrap_or(false),
            parents: flags.switch("parents").unwrap_or(false),
            exclude: flags.texts("exclude").collect(),
        })
    }

    pub(super) fn add(&mut self) -> Option<Add> {
        let flags = self.flags(&[
            ("chown", Shape::Text),
            ("chmod", Shape::Text),
            ("link", Shape::Bool),
            ("keep-git-dir", Shape::Bool),
            ("checksum", Shape::Text),
            ("unpack", Shape::Bool),
            ("exclude", Shape::Texts),
        ]);
        let (sources, dest) = self.sources_and_dest()?;
        Some(Add {
            sources,
            dest,
            chown: flags.text("chown").filter(|owner| !owner.is_empty()),
            chmod: flags.text("chmod").filter(|mode| !mode.is_empty()),
            link: flags.switch("link").unwrap_or(false),
            keep_git_dir: flags.switch("keep-git-dir"),
            checksum: flags.text("checksum").filter(|checksum| !checksum.is_empty()),
            unpack: flags.switch("unpack"),
            exclude: flags.texts("exclude").collect(),
        })
    }

    fn sources_and_dest(&mut self) -> Option<(Vec<Source>, Spanned)> {
        let name = self.keyword.name();
        let (dest, sources) = match self.args().split_last() {
            Some((dest, sources)) if !sources.is_empty() => (dest, sources),
            _ => {
                let message = format!("{name} needs a source and a destination");
                self.wrong_with_hint(message, format!("write `{name} source destination`"));
                return None;
            }
        };
        if parse_heredoc_word(dest).is_some() {
            self.mistakes.push(Mistake::new(dest.span, format!("the destination of {name} cannot be a heredoc")));
            return None;
        }
        let sources = sources.iter().map(|source| self.source(source)).collect();
        Some((sources, dest.clone()))
    }

    /// Of several heredocs with one name the last is meant.
    fn source(&self, word: &Spanned) -> Source {
        let heredoc = parse_heredoc_word(word)
            .and_then(|word| self.heredocs().iter().rposition(|heredoc| heredoc.name == word.name));
        heredoc.map_or_else(|| Source::Path(word.clone()), Source::Heredoc)
    }
}
