//! SARIF 2.1.0, for code scanning services and editors.
//!
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>; the section numbers below are those of that page.

mod model;

use std::collections::BTreeMap;
use std::io;

use model::{
    ArtifactChange, ArtifactLocation, Driver, FixObject, Location, Log, LogicalLocation, MultiformatText,
    PhysicalLocation, Region, Replacement, ReportingDescriptor, ResultObject, RuleConfiguration, Run, Text, Tool,
};

use crate::{Applicability, Diagnostic, Fix, LineIndex, Position, Rule, Sources, Span, Subject, find_rule};

/// Writes one SARIF log with one run. `version` is the version of plim.
pub fn sarif(
    diagnostics: &[Diagnostic],
    sources: &dyn Sources,
    rules: &[Rule],
    version: &str,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut used: Vec<&'static str> = diagnostics.iter().map(|diagnostic| diagnostic.rule).collect();
    used.sort_unstable();
    used.dedup();
    let mut seen = BTreeMap::new();
    let results =
        diagnostics.iter().map(|diagnostic| result(diagnostic, sources, &used, &mut seen)).collect::<Vec<_>>();
    let log = Log {
        schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "plim",
                    full_name: "Plimsoll",
                    semantic_version: version,
                    rules: used.iter().map(|id| descriptor(id, find_rule(rules, id))).collect(),
                },
            },
            column_kind: "utf16CodeUnits",
            results,
        }],
    };
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)
}

fn descriptor<'a>(id: &'a str, rule: Option<&'a Rule>) -> ReportingDescriptor<'a> {
    ReportingDescriptor {
        id,
        short_description: rule.map(|rule| Text { text: rule.summary.into() }),
        help: rule.map(|rule| MultiformatText { text: rule.summary, markdown: rule.docs }),
        default_configuration: rule.map(|rule| RuleConfiguration { level: rule.severity.sarif_level() }),
        properties: rule.map(|rule| BTreeMap::from([("tags".to_owned(), serde_json::json!([rule.group]))])),
    }
}

fn result<'a>(
    diagnostic: &'a Diagnostic,
    sources: &'a dyn Sources,
    used: &[&'static str],
    seen: &mut BTreeMap<u64, usize>,
) -> ResultObject<'a> {
    let path = file_path(&diagnostic.subject);
    let index = path.and_then(|path| sources.text(path)).map(LineIndex::new);
    let mut related: Vec<Location<'a>> = Vec::new();
    if let (Some(path), Some(index)) = (path, &index) {
        for label in diagnostic.labels.iter().filter(|label| !label.primary) {
            let mut location = in_file(path, Some(region(index, label.span)));
            location.message = (!label.message.is_empty()).then(|| Text { text: label.message.as_str().into() });
            related.push(location);
        }
    }
    let location = match &diagnostic.subject {
        Subject::File { path } => {
            let region = index.as_ref().zip(diagnostic.span()).map(|(index, span)| region(index, span));
            in_file(path, region)
        }
        Subject::Image { reference, path, layer } => {
            in_image(&diagnostic.subject, reference, path.as_deref(), layer.as_deref())
        }
    };
    let text = match &diagnostic.help {
        Some(help) => format!("{}\n\n{help}", diagnostic.message).into(),
        None => diagnostic.message.as_str().into(),
    };
    ResultObject {
        rule_id: diagnostic.rule,
        rule_index: used.binary_search(&diagnostic.rule).unwrap_or_default(),
        level: diagnostic.severity.sarif_level(),
        message: Text { text },
        locations: vec![location],
        related_locations: related,
        fixes: match (&diagnostic.fix, path, &index) {
            (Some(fix), Some(path), Some(index)) if fix.applicability != Applicability::DisplayOnly => {
                vec![fix_object(fix, path, index)]
            }
            _ => Vec::new(),
        },
        partial_fingerprints: BTreeMap::from([("plim/v1", fingerprint(diagnostic, index.as_ref(), seen))]),
        properties: &diagnostic.props,
    }
}

fn file_path(subject: &Subject) -> Option<&str> {
    match subject {
        Subject::File { path } => Some(path),
        Subject::Image { .. } => None,
    }
}

fn in_file<'a>(path: &str, region: Option<Region>) -> Location<'a> {
    Location {
        physical_location: PhysicalLocation { artifact_location: artifact(path), region },
        logical_locations: Vec::new(),
        message: None,
    }
}

/// Code scanning services demand a physical location of every result (3.28.3), so an image stands in as a file of its own
/// name; what is really meant is the logical location beside it.
fn in_image<'a>(subject: &Subject, reference: &str, path: Option<&str>, layer: Option<&str>) -> Location<'a> {
    let place = path.unwrap_or(reference).trim_start_matches('/');
    Location {
        physical_location: PhysicalLocation {
            artifact_location: ArtifactLocation { uri: encode(place), uri_base_id: None },
            region: Some(Region { start_line: 1, start_column: 1, end_line: 1, end_column: 1 }),
        },
        logical_locations: vec![LogicalLocation {
            fully_qualified_name: subject.display(),
            decorated_name: layer.map(ToOwned::to_owned),
            kind: "resource",
        }],
        message: None,
    }
}

fn artifact(path: &str) -> ArtifactLocation {
    if path.starts_with('/') {
        return ArtifactLocation { uri: format!("file://{}", encode(path)), uri_base_id: None };
    }
    ArtifactLocation { uri: encode(path.trim_start_matches("./")), uri_base_id: Some("%SRCROOT%") }
}

fn region(index: &LineIndex<'_>, span: Span) -> Region {
    let Position { line: start_line, column: start_column } = index.position_utf16(span.start);
    let Position { line: end_line, column: end_column } = index.position_utf16(span.end.max(span.start));
    Region { start_line, start_column, end_line, end_column }
}

fn fix_object<'a>(fix: &'a Fix, path: &str, index: &LineIndex<'_>) -> FixObject<'a> {
    let replacements = fix
        .edits
        .iter()
        .map(|edit| Replacement {
            deleted_region: region(index, edit.span),
            inserted_content: Text { text: edit.text.as_str().into() },
        })
        .collect();
    FixObject {
        description: Text { text: fix.title.as_str().into() },
        artifact_changes: [ArtifactChange { artifact_location: artifact(path), replacements }],
        properties: BTreeMap::from([("applicability", fix.applicability)]),
    }
}

/// Percent-encodes a path as a relative URI reference (RFC 3986, section 3.3: pchar and `/`). A colon is encoded too, as
/// it would make the first segment a scheme.
fn encode(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            uri.extend(['%', char::from(HEX[usize::from(byte >> 4)]), char::from(HEX[usize::from(byte & 15)])]);
        }
    }
    uri
}

/// A name for the finding that survives lines being added above it (3.27.17): rule, file and the text of the line, with a
/// counter for repetitions.
fn fingerprint(diagnostic: &Diagnostic, index: Option<&LineIndex<'_>>, seen: &mut BTreeMap<u64, usize>) -> String {
    let line = index.zip(diagnostic.span()).and_then(|(index, span)| index.line(index.position(span.start).line));
    let mut hash = Fnv::new();
    hash.add(diagnostic.rule);
    hash.add(&diagnostic.subject.display());
    hash.add(line.map_or(diagnostic.message.as_str(), str::trim));
    let count = seen.entry(hash.0).or_default();
    *count += 1;
    format!("{:016x}:{count}", hash.0)
}

/// FNV-1a, 64 bits: stable over releases, which the standard library's hasher does not promise.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, text: &str) {
        for byte in text.bytes().chain([0]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uri_references() {
        assert_eq!(encode("a b/ö:1%.txt"), "a%20b/%C3%B6%3A1%25.txt");
        assert_eq!(artifact("./Dockerfile").uri, "Dockerfile");
        assert_eq!(artifact("/srv/Dockerfile").uri, "file:///srv/Dockerfile");
    }
}
