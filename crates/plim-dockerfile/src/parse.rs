//! From text to [`Dockerfile`].
//!
//! The file is read in the steps that BuildKit's parser takes, so that both agree on every line: lines, directives
//! and continuations here, keyword and flags in `split`, the grammar of the arguments in `arguments`, here-documents
//! in `heredoc`, and what it all means in `typed`.

mod arguments;
mod directives;
mod duration;
mod flags;
mod heredoc;
mod json;
mod lines;
mod split;
#[cfg(test)]
mod tests;
mod typed;

use crate::ast::{Comment, Dockerfile, ErrorKind, Instruction, ParseError, Piece, PieceKind, Warning};
use crate::kind::{Keyword, Kind};
use crate::logical::LogicalLine;
use crate::span::{Span, span};

pub use heredoc::{HeredocWord, parse_heredoc_word};
pub use lines::MAX_LINE;

/// Reads a Dockerfile. Never fails: what BuildKit would refuse is listed in [`Dockerfile::errors`] and reading goes
/// on behind it.
pub fn parse(source: &str) -> Dockerfile {
    let mut parser = Parser::new(source);
    parser.read();
    parser.check_stages();
    parser.finish()
}

/// Reads the trigger of an `ONBUILD` as an image's configuration holds it: one instruction, no stage around it.
pub fn parse_trigger(expression: &str) -> Dockerfile {
    let mut parser = Parser::new(expression);
    parser.read();
    if parser.file.instructions.len() != 1 {
        parser.error(
            ErrorKind::Syntax,
            span(0, expression.len()),
            "an ONBUILD trigger has to be a single instruction",
            None,
        );
    }
    parser.finish()
}

/// A mistake found while an instruction is read, before it is known which kind it is.
#[derive(Debug)]
struct Mistake {
    span: Span,
    message: String,
    hint: Option<String>,
}

impl Mistake {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }

    fn of_kind(self, kind: ErrorKind) -> ParseError {
        ParseError { span: self.span, message: self.message, hint: self.hint, kind }
    }
}

struct Parser<'a> {
    source: &'a str,
    lines: Vec<lines::Line>,
    /// Index of the next line to read.
    next: usize,
    directives: directives::Reader,
    /// Texts of the comments since the last instruction.
    above: Vec<String>,
    file: Dockerfile,
}

impl<'a> Parser<'a> {
    fn new(source: &'a str) -> Self {
        let lines = lines::split(source);
        let file = Dockerfile {
            source: source.to_owned(),
            directives: Vec::new(),
            escape: '\\',
            instructions: Vec::new(),
            comments: Vec::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            pieces: Vec::new(),
            line_starts: lines::starts(source),
        };
        Self { source, lines, next: 0, directives: directives::Reader::default(), above: Vec::new(), file }
    }

    fn error(&mut self, kind: ErrorKind, span: Span, message: impl Into<String>, hint: Option<String>) {
        self.file.errors.push(ParseError { span, message: message.into(), hint, kind });
    }

    fn read(&mut self) {
        let mark = lines::byte_order_mark(self.source);
        if mark > 0 {
            self.file.pieces.push(Piece { kind: PieceKind::ByteOrderMark, span: span(0, mark) });
        }
        for line in &self.lines {
            if line.content.len() > MAX_LINE {
                let message = format!("line is longer than {MAX_LINE} bytes");
                let hint = "break it up with continuation lines, or COPY the data from a file".to_owned();
                self.file.errors.push(ParseError {
                    span: line.content_span(),
                    message,
                    hint: Some(hint),
                    kind: ErrorKind::Syntax,
                });
            }
        }
        while let Some(line) = self.lines.get(self.next).cloned() {
            let content = &self.source[line.content.clone()];
            let text = content.trim_start();
            if let Some(comment) = text.strip_prefix('#') {
                self.next += 1;
                self.comment_or_directive(&line, comment);
                continue;
            }
            self.directives.close();
            if text.is_empty() {
                self.next += 1;
                self.file.pieces.push(Piece { kind: PieceKind::Blank, span: line.whole_span() });
            } else {
                self.instruction(&line);
            }
        }
    }

    fn comment_or_directive(&mut self, line: &lines::Line, text: &str) {
        let start = line.content.end - text.len() - 1;
        let whole = span(start, line.content.end);
        let piece = match self.directives.read(text, start + 1) {
            Some(Ok(directive)) => {
                if let Some(escape) = directive.escape() {
                    self.file.escape = escape;
                }
                let directive = directive.at(whole);
                self.file.directives.push(directive);
                PieceKind::Directive
            }
            other => {
                if let Some(Err(mistake)) = other {
                    self.file.errors.push(mistake.of_kind(ErrorKind::Syntax));
                }
                let text = text.trim();
                if text.is_empty() {
                    self.above.clear();
                } else {
                    self.above.push(text.to_owned());
                }
                self.file.comments.push(Comment { text: text.to_owned(), span: whole, inside: false });
                PieceKind::Comment
            }
        };
        self.file.pieces.push(Piece { kind: piece, span: line.whole_span() });
    }

    /// Joins the lines of the instruction that begins at `first`. Comment and blank lines between them do not count.
    fn join(&mut self, first: &lines::Line) -> LogicalLine {
        let escape = self.file.escape;
        let content = &self.source[first.content.clone()];
        let text = content.trim_start();
        let mut logical = LogicalLine::default();
        let (text, mut more) = lines::strip_continuation(text, escape);
        logical.push(text, first.content.end - content.trim_start().len());
        let mut blank = Vec::new();
        self.next += 1;
        while more && let Some(line) = self.lines.get(self.next).cloned() {
            self.next += 1;
            let content = &self.source[line.content.clone()];
            let text = content.trim_start();
            if let Some(comment) = text.strip_prefix('#') {
                let at = span(line.content.end - text.len(), line.content.end);
                self.file.comments.push(Comment { text: comment.trim().to_owned(), span: at, inside: true });
            } else if text.is_empty() {
                blank.push(line.whole_span());
            } else {
                let (text, continued) = lines::strip_continuation(content, escape);
                logical.push(text, line.content.start);
                more = continued;
            }
        }
        if !blank.is_empty() {
            let instruction = self.file.instructions.len();
            self.file.warnings.push(Warning::EmptyContinuation { spans: blank, instruction });
        }
        logical
    }

    fn instruction(&mut self, first: &lines::Line) {
        let first_index = self.next;
        let logical = self.join(first);
        let start = logical.offset(0);
        let mut parts = split::read(&logical, self.file.escape);
        let mut heredocs = Vec::new();
        match heredoc::announced(&parts, logical.text()) {
            Ok(words) => {
                for word in words {
                    let (heredoc, mistake) = heredoc::take(word, self.source, &self.lines, &mut self.next);
                    heredocs.push(heredoc);
                    parts
                        .mistakes
                        .extend(mistake.map(|message| Mistake::new(logical.span(0..logical.text().len()), message)));
                }
            }
            Err(mistake) => parts.mistakes.push(Mistake::new(logical.span(0..logical.text().len()), mistake)),
        }
        let last_index = self.next - 1;
        let last = &self.lines[last_index];
        let whole = span(start, last.content.end.max(start));
        let comments = std::mem::take(&mut self.above);
        let frame = split::Frame { span: whole, line: first_index + 1, last_line: last_index + 1, comments, heredocs };
        let end = last.end;
        let instruction = typed::instruction(logical, parts, frame, &mut self.file.errors);
        let index = self.file.instructions.len();
        self.file.pieces.push(Piece { kind: PieceKind::Instruction(index), span: span(first.start, end) });
        self.file.instructions.push(instruction);
    }

    /// Checks what needs the whole file: every instruction but ARG belongs to a stage, and there is one.
    fn check_stages(&mut self) {
        if self.file.instructions.is_empty() {
            let hint = "a Dockerfile begins with `FROM image`".to_owned();
            self.error(ErrorKind::Syntax, span(0, 0), "the file has no instructions", Some(hint));
            return;
        }
        let is_from = |i: &Instruction| i.keyword() == Some(Keyword::From);
        let from = self.file.instructions.iter().position(is_from);
        let before = &self.file.instructions[..from.unwrap_or(self.file.instructions.len())];
        let stray: Vec<(Span, &'static str)> = before
            .iter()
            .filter(|i| !matches!(i.kind, Kind::Arg(_) | Kind::Unknown | Kind::Invalid(_)))
            .filter_map(|i| Some((i.name.span, i.keyword()?.name())))
            .collect();
        for (at, name) in stray {
            let hint = "only ARG may stand before the first FROM".to_owned();
            self.error(ErrorKind::Instruction, at, format!("{name} does not belong to a stage"), Some(hint));
        }
        if from.is_none() {
            let at = self.file.instructions.first().map_or(span(0, 0), |i| i.name.span);
            let hint = "a stage begins with `FROM image`".to_owned();
            self.error(ErrorKind::Instruction, at, "the file has no stage to build", Some(hint));
        }
    }

    fn finish(mut self) -> Dockerfile {
        self.file.errors.sort_by_key(|error| error.span.start);
        self.file
    }
}
