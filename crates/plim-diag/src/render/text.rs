//! For people: a frame of the source, the remarks, the fix as a patch. The only file that knows annotate-snippets.

use std::io;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Patch, Renderer, Snippet};

use crate::plain::{lines, one_line};
use crate::{Applicability, Diagnostic, Edit, Fix, Rule, Severity, Sources, Span, Subject};

/// How the text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextOptions {
    /// Colours by ANSI escape sequences.
    pub color: bool,
    /// Box-drawing characters instead of ASCII.
    pub unicode: bool,
    /// Columns of the terminal; longer source lines are cut.
    pub width: usize,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self { color: false, unicode: false, width: 140 }
    }
}

/// Writes each diagnostic with its source frame, its help and its fix, separated by empty lines.
pub fn text(
    diagnostics: &[Diagnostic],
    sources: &dyn Sources,
    _rules: &[Rule],
    options: &TextOptions,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let decor = if options.unicode { DecorStyle::Unicode } else { DecorStyle::Ascii };
    let renderer = if options.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(decor).term_width(options.width);
    for diagnostic in diagnostics {
        writeln!(out, "{}\n", renderer.render(&groups(diagnostic, sources)))?;
    }
    Ok(())
}

fn groups<'a>(diagnostic: &'a Diagnostic, sources: &'a dyn Sources) -> Vec<Group<'a>> {
    let title = level(diagnostic.severity).primary_title(one_line(&diagnostic.message)).id(diagnostic.rule);
    let path = one_line(&diagnostic.subject.display()).into_owned();
    let source = match &diagnostic.subject {
        Subject::File { path } => sources.text(path),
        Subject::Image { .. } => None,
    };
    let mut group = match source.filter(|_| !diagnostic.labels.is_empty()) {
        None => title.element(Origin::path(path)),
        Some(source) => {
            let annotations = diagnostic.labels.iter().map(|label| {
                let kind = if label.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
                let message = (!label.message.is_empty()).then(|| one_line(&label.message).into_owned());
                kind.span(shown(label.span, source)).label(message)
            });
            title.element(Snippet::source(source).path(path).annotations(annotations))
        }
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(lines(help).into_owned()));
    }
    let mut groups = vec![group];
    if let (Some(fix), Some(source)) = (&diagnostic.fix, source) {
        groups.push(patch(fix, source));
    }
    groups
}

fn patch<'a>(fix: &'a Fix, source: &'a str) -> Group<'a> {
    let remark = match fix.applicability {
        Applicability::Safe => "",
        Applicability::Unsafe => " (look at it first: it may change what the image does)",
        Applicability::DisplayOnly => " (for example)",
    };
    let title = Level::HELP.secondary_title(format!("{}{remark}", one_line(&fix.title)));
    // edits that overlap or lie outside of the text cannot be applied, so there is nothing to show but what they are for
    if crate::apply(source, &[fix]).is_err() {
        return Group::with_title(title);
    }
    let mut edits: Vec<&Edit> = fix.edits.iter().collect();
    edits.sort_by_key(|edit| edit.span);
    let patches = edits.into_iter().map(|edit| Patch::new(edit.span.range(), lines(&edit.text).into_owned()));
    title.element(Snippet::source(source).patches(patches))
}

/// The span as it is underlined: inside the text, and not over the line break that ends it.
fn shown(span: Span, source: &str) -> std::ops::Range<usize> {
    let span = span.within(source);
    let trimmed = span.text(source).map_or(0, |text| text.trim_end_matches(['\n', '\r']).len());
    span.start..span.start + trimmed
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
        Severity::Hint => Level::NOTE.with_name(Some("hint")),
    }
}
