//! The report of `plim why`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::Tool;

/// The report.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WhyReport {
    /// Version of this format; fields are only ever added.
    pub schema: u32,
    /// Who wrote it.
    pub tool: Tool,
    /// Always `why`.
    pub command: String,
    /// The image as it was named.
    pub subject: String,
    /// The path, links of its directories followed; or the pattern, or the package.
    pub path: String,
    /// A container sees it; otherwise only layers have it: see `hidden`.
    pub present: bool,
    /// What a symbolic link leads to in the end.
    pub target: Option<String>,
    /// The names that a symbolic link leads through, the last one included.
    pub links: Vec<String>,
    /// Bytes; of a directory, all files below it.
    pub bytes: u64,
    /// Files below it, when it is a directory; files that match or belong to it, when it is a pattern or a package.
    pub files: Option<u64>,
    /// Of a pattern or a package: the largest of those files.
    pub matches: Vec<Match>,
    /// The layers that brought it, lowest first: one for a file, perhaps several for a directory.
    pub layers: Vec<Brought>,
    /// Copies of it in layers, which later layers hide: downloaded, never seen.
    pub hidden: Vec<HiddenCopy>,
    /// The package that it belongs to, with its version.
    pub package: Option<String>,
    /// Packages that say that they depend on that package.
    pub package_needed_by: Vec<String>,
    /// How that package came: a package that no other needs, then each what the one before depends on, down to it.
    pub package_chain: Vec<String>,
    /// ELF files that ask for it as a library.
    pub library_of: Vec<String>,
    /// Scripts that name it as their interpreter.
    pub interpreter_of: Vec<String>,
    /// How the start command needs it: the program, then each what the one before needs, down to it.
    pub needed_by: Vec<Need>,
}

/// A layer that brought something.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Brought {
    /// Its number, from 1.
    pub layer: usize,
    /// The instruction that made it.
    pub created_by: Option<String>,
    /// The Dockerfile and the line, when plim built the image on this machine.
    pub line: Option<String>,
    /// Bytes that it brought.
    pub bytes: u64,
}

/// A copy in a layer that a later layer hides.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HiddenCopy {
    /// The layer that has it, from 1.
    pub layer: usize,
    /// The instruction that made that layer.
    pub created_by: Option<String>,
    /// The Dockerfile and the line of that layer, when plim built the image on this machine.
    pub line: Option<String>,
    /// Bytes that are still downloaded; 0 where another name has them too.
    pub bytes: u64,
    /// Files.
    pub files: u64,
    /// `deleted`, `replaced` or `rewritten` (with the same content).
    pub how: String,
    /// The layer that hides it, from 1.
    pub hidden_by: usize,
    /// The instruction that made the hiding layer.
    pub hidden_by_created: Option<String>,
    /// The Dockerfile and the line of the hiding layer, when plim built the image on this machine.
    pub hidden_by_line: Option<String>,
}

/// A file that matches a pattern or belongs to a package.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Match {
    /// The path.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
    /// The layer that brought it, from 1.
    pub layer: usize,
    /// The package that it belongs to.
    pub package: Option<String>,
}

/// A step of the way from the start command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Need {
    /// The file.
    pub path: String,
    /// What it is to the one before: `start`, `argument`, `interpreter`, `library` or `mentioned` (a library whose name is in
    /// its data: it may be loaded while the program runs).
    pub how: String,
}
