//! What a COPY or ADD asks for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bstr::BString;
use plim_dockerfile::ignore::Patterns;

use super::FileDigests;
use crate::snapshot::View;

/// Where the sources of a step are looked for.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// The build context.
    Context {
        /// The directory.
        root: &'a Path,
        /// What the ignore file excludes.
        ignore: Option<&'a Patterns>,
        /// Contents that stand in for those on disk, by path relative to the root.
        overrides: &'a BTreeMap<BString, Vec<u8>>,
        /// What earlier builds learnt of the files; it saves looks at the disk.
        known: Option<&'a FileDigests>,
    },
    /// A stage or an image.
    View(&'a View),
}

/// Whether archives are unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unpack {
    /// Copied like any file.
    #[default]
    Never,
    /// A source that is a tar archive by its content, compressed or not, is unpacked; inline files are not.
    Auto,
    /// Every source must be an archive.
    Always,
}

/// A file that does not come from the source: a heredoc or a download.
#[derive(Debug, Clone)]
pub struct Inline {
    /// Its name in a destination directory.
    pub name: BString,
    /// Its bytes.
    pub content: InlineContent,
    /// Permission bits.
    pub mode: u32,
    /// Seconds since 1970; the epoch of the step if absent.
    pub mtime: Option<i64>,
}

/// The bytes of an inline file.
#[derive(Debug, Clone)]
pub enum InlineContent {
    /// In memory.
    Bytes(Vec<u8>),
    /// In a file of this machine.
    File(PathBuf),
}

/// A COPY or ADD with all variables expanded.
///
/// `--link` is the caller's: it applies the step to an empty destination.
#[derive(Debug, Clone)]
pub struct CopyOp {
    /// The sources as written.
    pub sources: Vec<BString>,
    /// Files that come after the sources.
    pub inline: Vec<Inline>,
    /// The destination, absolute; a trailing slash makes it a directory.
    pub dest: BString,
    /// Owner of all that is copied or created; absent keeps it, or root where files come from the context.
    pub owner: Option<(u32, u32)>,
    /// `--chmod`, octal or symbolic.
    pub chmod: Option<String>,
    /// `--parents`: keep the directories of the sources.
    pub parents: bool,
    /// `--exclude`: patterns relative to each source.
    pub exclude: Vec<String>,
    /// Whether archives are unpacked.
    pub unpack: Unpack,
    /// The source is the context: owners on disk are accidents of the machine and do not count, nor do times
    /// before the epoch. Times after it are kept for later steps; the layer has the epoch instead.
    pub from_context: bool,
    /// What the source has that is as new as this or newer, in seconds since 1970, has the time of a build: that
    /// of this machine, or in what came out of a layer the latest one that a layer has. It is given the epoch at
    /// least, so that the layer, which has nothing newer, is the same everywhere. Absent where all times are part of
    /// the source, as in images.
    pub made_after: Option<i64>,
    /// Time of what is created, and the earliest of what comes from the context, seconds since 1970.
    pub epoch: i64,
}
