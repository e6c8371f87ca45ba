//! Shell text as the simple commands in it.
//!
//! The text is parsed by a library; this module walks its tree and writes down every simple command, wherever it stands: in
//! lists, pipes, groups, branches, loops, functions, in `$(…)`, and behind `sudo`, `env`, `sh -c` and the like. Variables
//! are replaced where their value is certain, `cd` is followed. Nothing is executed and nothing is looked up outside.
//!
//! Scripts are hostile input. Their length, the depth of their nesting, the number of steps of the walk and the length of a
//! variable's value are bounded; what goes beyond, and what the parser does not understand, makes the script `opaque`.

mod segments;
mod unwrap;
mod walk;
mod words;

use std::collections::BTreeMap;

use shuck_parser::ShellDialect;
use shuck_parser::parser::{ParseResult, ParseStatus, Parser};

pub use segments::Segment;
pub(super) use walk::absolute;

/// The longest text that is parsed, in bytes: far above what people write in a RUN, low enough to be read at once.
const MAX_TEXT: usize = 128 << 10;

/// How deep a script may be nested. The tree is walked and dropped by recursion.
const MAX_DEPTH: usize = 40;

/// The stack of the thread that reads a script: several parsers may be on it, each with its own bound below 2 MiB.
const STACK: usize = 16 << 20;

/// The most statements that are visited, those of loops once for each round.
const MAX_STEPS: usize = 5_000;

/// The most that is written down of all commands together, in bytes.
const MAX_WRITTEN: usize = 1 << 20;

/// The longest value of a variable. Longer ones count as unknown, or a few lines of `A=$A$A` would fill the memory.
const MAX_VALUE: usize = 1 << 10;

/// The most variables whose values are remembered.
const MAX_VARIABLES: usize = 250;

/// How many scripts may be inside of each other: `sh -c "sh -c …"`, `eval`.
const MAX_SCRIPTS: usize = 4;

/// What is known where a script begins.
#[derive(Debug, Clone, Default)]
pub(super) struct Setting {
    /// Variables with certain values.
    pub(super) variables: BTreeMap<String, String>,
    /// The working directory.
    pub(super) cwd: String,
}

/// A simple command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Simple {
    /// Assignments in front of it.
    pub(super) env: Vec<(String, String)>,
    /// Program and arguments, without quotes; what is not known stays as written.
    pub(super) words: Vec<String>,
    /// Files that its output is redirected to, as written.
    pub(super) writes: Vec<String>,
    /// Programs in front that only run it: `sudo`, `exec`, `gosu`.
    pub(super) wrappers: Vec<String>,
    /// Where it runs.
    pub(super) cwd: String,
    /// It stands in `$(…)` or `<(…)`: only what it prints counts.
    pub(super) nested: bool,
    /// It reads what another command prints.
    pub(super) piped: bool,
    /// Another command reads what it prints.
    pub(super) feeds: bool,
    /// The number of the segment that it belongs to.
    pub(super) segment: usize,
    /// The line in the script, from 1.
    pub(super) line: usize,
}

/// A script, read.
#[derive(Debug, Clone, Default)]
pub(super) struct Script {
    /// Its commands in order.
    pub(super) commands: Vec<Simple>,
    /// Its parts that can be left out one by one.
    pub(super) segments: Vec<Segment>,
    /// It could not be read, or not to the end: the commands are those up to there.
    pub(super) opaque: bool,
}

/// Reads a script.
pub(super) fn read(text: &str, setting: &Setting) -> Script {
    let opaque = || Script { opaque: true, ..Script::default() };
    if text.len() > MAX_TEXT {
        return opaque();
    }
    // a thread, because the stack of whoever calls may be small, and because a mistake of the parser must cost no more than
    // this script
    let read = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || walk(text, setting)).ok()?;
        thread.join().ok()
    });
    read.unwrap_or_else(opaque)
}

fn walk(text: &str, setting: &Setting) -> Script {
    let result = parse(text);
    let mut walk = walk::Walk::new(setting);
    let segments = segments::of(&result.file.body, text);
    for (index, segment) in segments.iter().enumerate() {
        walk.segment(index, segment.statements.as_slice(), text);
    }
    let opaque = walk.gave_up || result.status != ParseStatus::Clean;
    let segments = segments.into_iter().map(|cut| cut.segment).collect();
    Script { segments, opaque, commands: walk.commands }
}

/// Parses a text. The grammar is that of bash, which takes all that POSIX shells take.
fn parse(text: &str) -> ParseResult {
    let profile = shuck_parser::ShellProfile::native(ShellDialect::Bash);
    Parser::with_limits_and_profile(text, MAX_DEPTH, MAX_TEXT + text.len(), profile).parse()
}

#[cfg(test)]
mod tests;
