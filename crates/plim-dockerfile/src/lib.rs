//! Dockerfiles as data: a lossless, recovering parser with byte spans, the shell words of the language, the
//! graph of stages, `.dockerignore` patterns, and edits that leave all other bytes alone.
//!
//! Everything here is pure: text in, data out. The semantics are those of BuildKit's Dockerfile frontend;
//! where it fails at the first mistake, [`parse`] notes the mistake and goes on.

mod ast;
pub mod dump;
pub mod edit;
pub mod ignore;
mod kind;
mod logical;
pub mod mount;
mod parse;
pub mod ports;
pub mod shell_split;
mod span;
pub mod stages;
mod suggest;
pub mod words;

pub use ast::{
    Comment, Directive, Dockerfile, ErrorKind, Flag, Heredoc, Instruction, ParseError, Piece, PieceKind, Warning,
};
pub use kind::{
    Add, ArgDefinition, Command, Copy, Device, From, Healthcheck, HealthcheckTest, KeyValue, Keyword, Kind, Network,
    Onbuild, Run, RunScript, Security, Source,
};
pub use logical::LogicalLine;
pub use parse::{HeredocWord, MAX_LINE, parse, parse_heredoc_word, parse_trigger};
pub use span::{Span, Spanned};
pub use suggest::closest;
