//! A finding about the user's subject.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Fix, Rule, Severity, Span};

/// What a diagnostic is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Subject {
    /// A file of the project; spans count its bytes. A folder as a whole is the file `.`.
    File {
        /// The path, relative to where the command ran, with `/`.
        path: String,
    },
    /// An image, or a file in it. There is no source text, hence no spans.
    Image {
        /// How the user named the image.
        reference: String,
        /// The path in the image, lossily decoded for showing.
        #[serde(skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// The layer's diffID.
        #[serde(skip_serializing_if = "Option::is_none")]
        layer: Option<String>,
    },
}

impl Subject {
    /// Returns the subject for a file of the project.
    pub fn file(path: impl Into<String>) -> Self {
        Self::File { path: path.into() }
    }

    /// Returns the subject for an image as a whole.
    pub fn image(reference: impl Into<String>) -> Self {
        Self::Image { reference: reference.into(), path: None, layer: None }
    }

    /// Returns the subject for one file in an image.
    pub fn image_file(reference: impl Into<String>, path: impl Into<String>, layer: Option<String>) -> Self {
        Self::Image { reference: reference.into(), path: Some(path.into()), layer }
    }

    /// Returns the subject as one word for people: the path, or the image's name with the path in it.
    pub fn display(&self) -> String {
        match self {
            Self::File { path } => path.clone(),
            Self::Image { reference, path: None, .. } => reference.clone(),
            Self::Image { reference, path: Some(path), .. } => format!("{reference}:/{}", path.trim_start_matches('/')),
        }
    }
}

/// A place in the source with a remark on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What to say there; may be empty.
    pub message: String,
    /// Whether this is the place the diagnostic is about; the others explain it.
    pub primary: bool,
}

/// A finding: rule, message, place, explanation, perhaps a fix.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnostic {
    /// Id of the rule.
    pub rule: &'static str,
    /// How bad it is, after configuration.
    pub severity: Severity,
    /// One sentence in lower case without a full stop.
    pub message: String,
    /// What it is about.
    pub subject: Subject,
    /// The places, the primary one first by convention.
    pub labels: Vec<Label>,
    /// What to do, when no fix says it better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The change that removes the finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// Facts for programs: package, version, score, bytes wasted.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub props: BTreeMap<String, serde_json::Value>,
}

impl Diagnostic {
    /// Returns a diagnostic of the rule with the rule's own severity.
    pub fn new(rule: &Rule, subject: Subject, message: impl Into<String>) -> Self {
        Self {
            rule: rule.id,
            severity: rule.severity,
            message: message.into(),
            subject,
            labels: Vec::new(),
            help: None,
            fix: None,
            props: BTreeMap::new(),
        }
    }

    /// Sets another severity than the rule's.
    #[must_use]
    pub fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Adds the place the diagnostic is about.
    #[must_use]
    pub fn primary(mut self, span: impl Into<Span>, message: impl Into<String>) -> Self {
        self.labels.push(Label { span: span.into(), message: message.into(), primary: true });
        self
    }

    /// Adds a place that explains the finding.
    #[must_use]
    pub fn secondary(mut self, span: impl Into<Span>, message: impl Into<String>) -> Self {
        self.labels.push(Label { span: span.into(), message: message.into(), primary: false });
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the change that removes the finding.
    #[must_use]
    pub fn with_fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// Adds a fact for programs.
    #[must_use]
    pub fn with_prop(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.props.insert(name.into(), value.into());
        self
    }

    /// Returns the span of the first primary label, or of the first label when none is primary.
    pub fn span(&self) -> Option<Span> {
        self.labels.iter().find(|label| label.primary).or_else(|| self.labels.first()).map(|label| label.span)
    }
}

/// Sorts for showing: by subject, then place, then the worst first, then rule.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|a, b| {
        a.subject
            .cmp(&b.subject)
            .then_with(|| a.span().cmp(&b.span()))
            .then_with(|| b.severity.cmp(&a.severity))
            .then_with(|| a.rule.cmp(b.rule))
    });
}
