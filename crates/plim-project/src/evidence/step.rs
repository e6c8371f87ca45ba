//! RUN steps, and files that are put in place, as the author wrote them.

use super::Segment;

/// A RUN step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunStep {
    /// The number of the stage, from 0.
    pub stage: usize,
    /// Whether that stage is the last one or one that it is based on.
    pub in_image: bool,
    /// The line of the RUN, from 1.
    pub line: usize,
    /// The flags as written: `--mount=…`.
    pub flags: String,
    /// The program that reads the script, from SHELL; empty for the shell that every image has.
    pub shell: Vec<String>,
    /// Program and arguments where no shell reads them.
    pub exec: Vec<String>,
    /// The text of the script.
    pub script: String,
    /// Its parts that can be left out one by one.
    pub segments: Vec<Segment>,
    /// The directory in which it runs.
    pub cwd: String,
}

/// Files that COPY or ADD puts into the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The line, from 1.
    pub line: usize,
    /// Whether it is an ADD, which unpacks archives and fetches URLs.
    pub add: bool,
    /// The sources.
    pub sources: Vec<PlacedSource>,
    /// The absolute path in the image; ends with `/` for a folder.
    pub dest: String,
    /// The flags as written, without owner.
    pub flags: Vec<String>,
    /// The author's `--chown`.
    pub chown: Option<String>,
}

/// A source of COPY or ADD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlacedSource {
    /// A path or pattern in the project.
    Path(String),
    /// A URL.
    Url(String),
    /// A here-document: its name and its text.
    Text(String, String),
}

impl Placed {
    /// Whether ADD unpacks or fetches something, which COPY would not.
    pub fn needs_add(&self) -> bool {
        self.add
            && self.sources.iter().any(|source| match source {
                PlacedSource::Url(_) => true,
                PlacedSource::Path(path) => {
                    [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst"]
                        .iter()
                        .any(|end| path.ends_with(end))
                }
                PlacedSource::Text(..) => false,
            })
    }
}
