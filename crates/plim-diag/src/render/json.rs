//! For programs: one object per run, versioned, with lines and columns resolved.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use serde_json::Value;

use crate::{Diagnostic, LineIndex, Position, Rule, Severity, Sources, Span, Subject, Summary, find_rule};

/// The name and version of the envelope. Fields are only ever added under the same number.
pub const SCHEMA: &str = "plim/report/1";

/// What surrounds the diagnostics in the JSON of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope<'a> {
    /// The version of plim.
    pub version: &'a str,
    /// The command, for example `lint`.
    pub command: &'a str,
    /// What it was run on, as the user wrote it.
    pub subject: &'a str,
    /// What the command answers beside its diagnostics; `Null` when nothing.
    pub data: Value,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    tool: Tool<'a>,
    command: &'a str,
    subject: &'a str,
    summary: Summary,
    diagnostics: Vec<Entry<'a>>,
    data: &'a Value,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'static str,
    version: &'a str,
}

#[derive(Serialize)]
struct Entry<'a> {
    rule: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    severity: Severity,
    message: &'a str,
    subject: &'a Subject,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Location>,
    labels: Vec<LabelEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<FixEntry<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    props: &'a BTreeMap<String, Value>,
}

/// A span with its ends in lines and columns (columns in characters); both are missing when the text is not known.
#[derive(Serialize)]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Position>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<Position>,
    bytes: Span,
}

#[derive(Serialize)]
struct LabelEntry<'a> {
    primary: bool,
    message: &'a str,
    location: Location,
}

#[derive(Serialize)]
struct FixEntry<'a> {
    title: &'a str,
    applicability: crate::Applicability,
    edits: Vec<EditEntry<'a>>,
}

#[derive(Serialize)]
struct EditEntry<'a> {
    location: Location,
    text: &'a str,
}

/// Writes the envelope with all diagnostics as indented JSON and a final line break.
pub fn json(
    diagnostics: &[Diagnostic],
    sources: &dyn Sources,
    rules: &[Rule],
    envelope: &Envelope<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let document = Document {
        schema: SCHEMA,
        tool: Tool { name: "plim", version: envelope.version },
        command: envelope.command,
        subject: envelope.subject,
        summary: Summary::of(diagnostics),
        diagnostics: diagnostics.iter().map(|diagnostic| entry(diagnostic, sources, rules)).collect(),
        data: &envelope.data,
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn entry<'a>(diagnostic: &'a Diagnostic, sources: &dyn Sources, rules: &[Rule]) -> Entry<'a> {
    let index = match &diagnostic.subject {
        Subject::File { path } => sources.text(path).map(LineIndex::new),
        Subject::Image { .. } => None,
    };
    let locate = |span: Span| Location {
        start: index.as_ref().map(|index| index.position(span.start)),
        end: index.as_ref().map(|index| index.position(span.end)),
        bytes: span,
    };
    Entry {
        rule: diagnostic.rule,
        group: find_rule(rules, diagnostic.rule).map(|rule| rule.group),
        severity: diagnostic.severity,
        message: &diagnostic.message,
        subject: &diagnostic.subject,
        location: diagnostic.span().map(locate),
        labels: diagnostic
            .labels
            .iter()
            .map(|label| LabelEntry { primary: label.primary, message: &label.message, location: locate(label.span) })
            .collect(),
        help: diagnostic.help.as_deref(),
        fix: diagnostic.fix.as_ref().map(|fix| FixEntry {
            title: &fix.title,
            applicability: fix.applicability,
            edits: fix.edits.iter().map(|edit| EditEntry { location: locate(edit.span), text: &edit.text }).collect(),
        }),
        props: &diagnostic.props,
    }
}
