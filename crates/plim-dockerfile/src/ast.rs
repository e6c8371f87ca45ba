//! The parsed file: instructions, comments, directives and what was wrong.

use std::collections::BTreeSet;
use std::fmt;

use crate::kind::{Keyword, Kind};
use crate::logical::LogicalLine;
use crate::span::{Span, Spanned, span};

/// A parsed Dockerfile. Holds the source; every byte of it belongs to exactly one of [`Dockerfile::pieces`].
#[derive(Debug, Clone, PartialEq)]
pub struct Dockerfile {
    /// The text as given, with byte-order mark and line ends as they were.
    pub source: String,
    /// The parser directives at the top (`# syntax=`, `# escape=`, `# check=`).
    pub directives: Vec<Directive>,
    /// The escape and continuation character: a backslash, or a backtick when a directive says so.
    pub escape: char,
    /// The instructions in order, those with mistakes included.
    pub instructions: Vec<Instruction>,
    /// All comments in order, those between the lines of an instruction included, directives not.
    pub comments: Vec<Comment>,
    /// What BuildKit would refuse, in order of the file. BuildKit stops at the first of a [`ErrorKind`].
    pub errors: Vec<ParseError>,
    /// What BuildKit accepts with a warning from its parser.
    pub warnings: Vec<Warning>,
    /// The whole file cut into whole lines by what they are.
    pub pieces: Vec<Piece>,
    /// Byte offset at which each line begins.
    pub(crate) line_starts: Vec<usize>,
}

/// A parser directive, `# key=value` before anything else in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// The key in lower case: `syntax`, `escape` or `check`.
    pub name: String,
    /// The value without surrounding blanks.
    pub value: Spanned,
    /// The line, without its line end.
    pub span: Span,
}

/// A comment line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The text after the `#`, without surrounding blanks.
    pub text: String,
    /// From the `#` to the end of the line, without the line end.
    pub span: Span,
    /// Whether it stands between the lines of a continued instruction.
    pub inside: bool,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq)]
pub struct Instruction {
    /// From the first byte of the keyword to the end of the last line that belongs to it (continuation lines and
    /// heredoc terminators included), without the line end.
    pub span: Span,
    /// Number of the line where it begins, from 1.
    pub line: usize,
    /// Number of its last line, from 1.
    pub last_line: usize,
    /// The keyword as written. Empty when the line holds nothing but a continuation character.
    pub name: Spanned,
    /// What it says.
    pub kind: Kind,
    /// The `--flags` in order, known or not.
    pub flags: Vec<Flag>,
    /// The arguments as the grammar of the instruction cuts them, quotes and variables untouched: the words of COPY,
    /// name and value of each ENV pair in turn, the whole command of a shell-form RUN, the strings of a JSON form.
    pub args: Vec<Spanned>,
    /// Whether the arguments were a JSON array of strings.
    pub json: bool,
    /// The here-documents in order.
    pub heredocs: Vec<Heredoc>,
    /// The text of the comments since the previous instruction, oldest first; an empty comment starts afresh.
    pub comments: Vec<String>,
    /// The instruction on one line, without heredoc bodies. Its text, trimmed, is what the history shows.
    pub logical: LogicalLine,
    /// Where keyword and flags end and the arguments begin and end, in [`Instruction::logical`].
    pub rest: std::ops::Range<usize>,
}

/// A flag such as `--from=build`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The name without dashes.
    pub name: Spanned,
    /// The text after `=`, quotes and escapes removed; `None` without `=`.
    pub value: Option<Spanned>,
    /// The whole flag.
    pub span: Span,
}

/// A here-document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// The delimiter without quotes.
    pub name: String,
    /// The number before `<<`, 0 without one.
    pub fd: u32,
    /// Whether variables in it are expanded: the delimiter was not quoted.
    pub expand: bool,
    /// Whether leading tabs are to be removed (`<<-`).
    pub chomp: bool,
    /// The lines as they stand in the file, tabs and line ends included.
    pub raw: String,
    /// Where [`Heredoc::raw`] stands.
    pub body: Span,
    /// The line with the delimiter, without its line end; empty at the end of the file when it is missing.
    pub terminator: Span,
}

/// Whether the file cannot be read as a Dockerfile, or an instruction does not make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// The syntax tree cannot be made; BuildKit fails before it looks at any instruction.
    Syntax,
    /// An instruction has wrong arguments or flags, or stands where it may not.
    Instruction,
}

/// Why BuildKit would refuse the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The bytes that are to blame.
    pub span: Span,
    /// What is wrong, lowercase, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Which step would fail.
    pub kind: ErrorKind,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ParseError {}

impl ParseError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// What the parser accepts but nobody should write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Empty lines between the lines of a continued instruction.
    EmptyContinuation {
        /// The empty lines, without the last line end.
        spans: Vec<Span>,
        /// Index of the instruction.
        instruction: usize,
    },
}

/// What a run of whole lines is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PieceKind {
    /// The byte-order mark before the first line.
    ByteOrderMark,
    /// A parser directive.
    Directive,
    /// A comment between instructions.
    Comment,
    /// A line without text.
    Blank,
    /// An instruction with everything that belongs to it; the number is its index.
    Instruction(usize),
}

/// A run of whole lines, line ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: PieceKind,
    /// Where it is.
    pub span: Span,
}

impl Dockerfile {
    /// Returns the bytes that `span` covers; empty where it does not lie on characters of the source.
    pub fn text(&self, span: Span) -> &str {
        self.source.get(span.start..span.end).unwrap_or_default()
    }

    /// Returns the number of the line that holds byte `offset`, from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset).max(1)
    }

    /// Returns the span of line `number` (from 1) with its line end, if the file has it.
    pub fn line_span(&self, number: usize) -> Option<Span> {
        let start = *self.line_starts.get(number.checked_sub(1)?)?;
        let end = self.line_starts.get(number).copied().unwrap_or(self.source.len());
        Some(span(start, end))
    }

    /// Returns the value of the directive `name` (lower case).
    pub fn directive(&self, name: &str) -> Option<&Directive> {
        self.directives.iter().find(|directive| directive.name == name)
    }

    /// Returns the error that BuildKit would stop at: the first that breaks the syntax, else the first of all.
    pub fn first_error(&self) -> Option<&ParseError> {
        self.errors.iter().min_by_key(|error| (error.kind, error.span.start))
    }

    /// Returns the names of all arguments that `ARG` instructions declare, before any stage or in one.
    pub fn declared_args(&self) -> BTreeSet<&str> {
        self.instructions
            .iter()
            .filter_map(|instruction| match &instruction.kind {
                Kind::Arg(args) => Some(args),
                _ => None,
            })
            .flatten()
            .map(|arg| arg.name.value.as_str())
            .collect()
    }
}

/// Prints the file again, byte for byte, from its pieces.
impl fmt::Display for Dockerfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| f.write_str(self.text(piece.span)))
    }
}

impl Instruction {
    /// Returns the keyword; `None` when it is unknown.
    pub fn keyword(&self) -> Option<Keyword> {
        Keyword::of(&self.name)
    }

    /// Returns the first flag called `name`.
    pub fn flag(&self, name: &str) -> Option<&Flag> {
        self.flags.iter().find(|flag| flag.name.value == name)
    }

    /// Returns the instruction as one line without heredoc bodies, as histories and progress show it.
    pub fn one_line(&self) -> &str {
        self.logical.text().trim()
    }

    /// Returns the arguments after keyword and flags as one text with a map to the source.
    pub fn rest(&self) -> LogicalLine {
        self.logical.slice(self.rest.clone())
    }

    /// Returns the description that the comments above give to `name`: the rest of the line `# name …`.
    pub fn description_of(&self, name: &str) -> Option<&str> {
        if name.is_empty() {
            return None;
        }
        self.comments.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
    }
}

impl Heredoc {
    /// Returns the text that the heredoc stands for: the lines, without leading tabs where `<<-` asked for it.
    pub fn content(&self) -> String {
        if self.chomp {
            self.raw.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
        } else {
            self.raw.clone()
        }
    }
}
