//! What people see of a report. Nothing here prints, asks the environment or knows a flag: a report goes in, text comes out.
//!
//! Names in a report come from images, and images from strangers. Whatever is shown passes through [`names`] (no control
//! characters, bounded length) and then through the escaping of its format: [`markdown`] or the template engine of [`html`].

pub(crate) mod analyze;
pub(crate) mod html;
pub(crate) mod instruction;
pub(crate) mod markdown;
pub(crate) mod names;
pub(crate) mod optimize;
pub(crate) mod steps;

/// How a report is laid out on a terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Rows of each table; `usize::MAX` for all.
    pub(crate) rows: usize,
    /// Levels of the directory tree; 0 leaves it out.
    pub(crate) depth: usize,
    /// The terminal shows UTF-8.
    pub(crate) unicode: bool,
}

impl Look {
    /// Returns the sign for "something is left out".
    pub(crate) fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }
}
