//! Why a command gave no answer, or a bad one, as plain data for whoever shows it.

use std::error::Error;

/// Whose fault it was; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The project or image failed: a RUN step, a proof, a broken Dockerfile (exit 1).
    Subject,
    /// plim could not answer: usage, configuration, network, I/O (exit 2).
    Tool,
}

/// A command's failure: a message that fits "failed to …" or states a fact, its causes, output worth
/// showing, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault it was.
    pub kind: Kind,
    /// What failed, lowercase, no full stop.
    pub message: String,
    /// The chain of causes, outermost first.
    pub causes: Vec<String>,
    /// Output of the thing that failed: a container's log, a source frame.
    pub detail: Option<String>,
    /// What a person can do.
    pub hint: Option<String>,
}

impl Failure {
    /// Returns a failure of plim itself.
    pub fn tool(message: impl Into<String>) -> Self {
        Self { kind: Kind::Tool, message: message.into(), causes: Vec::new(), detail: None, hint: None }
    }

    /// Returns a failure of the user's subject.
    pub fn subject(message: impl Into<String>) -> Self {
        Self { kind: Kind::Subject, ..Self::tool(message) }
    }

    /// Returns a failure with an error and its sources as causes.
    pub fn caused(message: impl Into<String>, error: &dyn Error) -> Self {
        Self { causes: chain(error), ..Self::tool(message) }
    }

    /// Returns a failure that an error alone describes.
    pub fn from_error(error: &dyn Error) -> Self {
        let mut causes = chain(error);
        let message = causes.remove(0);
        Self { causes, ..Self::tool(message) }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what to do where the error below knew it.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = self.hint.or(hint);
        self
    }

    /// Adds output worth showing.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// The messages of an error and its sources, outermost first; never empty.
fn chain(error: &dyn Error) -> Vec<String> {
    let mut messages = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        if messages.last() != Some(&text) {
            messages.push(text);
        }
        next = error.source();
    }
    messages
}

impl From<plim_oci::BlobError> for Failure {
    fn from(error: plim_oci::BlobError) -> Self {
        Self::from_error(&error).maybe_hint(error.hint())
    }
}
