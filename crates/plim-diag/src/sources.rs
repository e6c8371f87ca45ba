//! Where the renderers get the text that diagnostics point into.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

/// The text of the files that diagnostics point into, by the path that [`Subject::File`](crate::Subject::File) names.
pub trait Sources {
    /// Returns the text of the file, or nothing if it is not known; the diagnostic is then shown without a frame.
    fn text(&self, path: &str) -> Option<&str>;
}

/// No text at all: every diagnostic is shown by its path only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoSources;

impl Sources for NoSources {
    fn text(&self, _path: &str) -> Option<&str> {
        None
    }
}

impl Sources for BTreeMap<String, String> {
    fn text(&self, path: &str) -> Option<&str> {
        self.get(path).map(String::as_str)
    }
}

impl<S: BuildHasher> Sources for HashMap<String, String, S> {
    fn text(&self, path: &str) -> Option<&str> {
        self.get(path).map(String::as_str)
    }
}

/// One file: its path and its text.
impl Sources for (&str, &str) {
    fn text(&self, path: &str) -> Option<&str> {
        (self.0 == path).then_some(self.1)
    }
}

/// A few files: their paths and texts.
impl Sources for [(&str, &str)] {
    fn text(&self, path: &str) -> Option<&str> {
        self.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
    }
}
