//! Python: `*.dist-info` (Python packaging "Recording installed projects") and `*.egg-info` of setuptools.

use bstr::{BStr, BString, ByteSlice};
use plim_oci::EntryHead;

use super::paragraph::{Paragraph, paragraphs};
use super::{Collector, MAX_LISTED, Want, text};
use crate::facts::{FileList, InstallerFact, ListKind, PackageFact, PackageRecord, PythonRecord};
use crate::{LayerIndex, paths};

/// Reads installed Python distributions.
pub(super) struct Python;

/// The files of a distribution's metadata that hold facts.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Metadata,
    List(ListKind),
    Installer,
}

fn part(path: &BStr) -> Option<Part> {
    let (parent, name) = paths::split(path);
    let parent = paths::name(parent);
    if parent.ends_with(b".dist-info") {
        return match name.as_bytes() {
            b"METADATA" => Some(Part::Metadata),
            b"RECORD" => Some(Part::List(ListKind::Record)),
            b"top_level.txt" => Some(Part::List(ListKind::TopLevel)),
            b"INSTALLER" => Some(Part::Installer),
            _ => None,
        };
    }
    if parent.ends_with(b".egg-info") || parent == "EGG-INFO" {
        return match name.as_bytes() {
            b"PKG-INFO" => Some(Part::Metadata),
            b"installed-files.txt" => Some(Part::List(ListKind::InstalledFiles)),
            b"top_level.txt" => Some(Part::List(ListKind::TopLevel)),
            _ => None,
        };
    }
    // distutils wrote the metadata as a single file
    name.ends_with(b".egg-info").then_some(Part::Metadata)
}

impl Collector for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn wants(&self, head: &EntryHead) -> Want {
        if part(head.path.as_bstr()).is_some() { Want::Whole } else { Want::Nothing }
    }

    fn take(&self, head: &EntryHead, content: &[u8], index: &mut LayerIndex) {
        let entry = index.current();
        match part(head.path.as_bstr()) {
            Some(Part::Metadata) => {
                let record = paragraphs(content).next().and_then(|headers| record(&headers));
                index.packages.extend(
                    record.map(|record| PackageFact { entry, record: PackageRecord::Python(Box::new(record)) }),
                );
            }
            Some(Part::List(kind)) => {
                index.file_lists.push(FileList { entry, kind, paths: list(kind, head.path.as_bstr(), content) });
            }
            Some(Part::Installer) => {
                let name = text(content.lines().next().unwrap_or_default().trim(), 64);
                if !name.is_empty() {
                    index.installers.push(InstallerFact { entry, name });
                }
            }
            None => {}
        }
    }
}

/// Reads the headers of core metadata.
fn record(headers: &Paragraph<'_>) -> Option<PythonRecord> {
    let project_url = |label: &str| {
        headers.all("Project-URL").find_map(|value| {
            let value = value.to_str_lossy();
            let (name, url) = value.split_once(',')?;
            name.trim().eq_ignore_ascii_case(label).then(|| url.trim().to_owned())
        })
    };
    let known = |value: String| (value != "UNKNOWN").then_some(value);
    Some(PythonRecord {
        name: headers.line("Name").and_then(known)?,
        version: headers.line("Version")?,
        summary: headers.line("Summary").and_then(known),
        homepage: headers.line("Home-page").and_then(known).or_else(|| project_url("Homepage")),
        author: headers.line("Author").and_then(known).or_else(|| headers.line("Author-email")),
        license: headers.line("License-Expression").or_else(|| headers.first_line("License")).and_then(known),
        license_classifiers: headers
            .all("Classifier")
            .filter(|value| value.starts_with(b"License ::"))
            .map(|value| value.to_str_lossy().into_owned())
            .collect(),
        requires: headers.all("Requires-Dist").map(|value| value.to_str_lossy().into_owned()).collect(),
        requires_python: headers.line("Requires-Python"),
    })
}

/// Reads a list of files; `path` is where it lies, which its paths are relative to.
fn list(kind: ListKind, path: &BStr, content: &[u8]) -> Vec<BString> {
    let info = paths::split(path).0;
    let site = paths::split(info).0;
    let lines = content.lines().filter(|line| !line.trim().is_empty()).take(MAX_LISTED);
    let mut paths: Vec<BString> = match kind {
        ListKind::Record => lines.map(|line| paths::normalise(site, first_csv_field(line).as_bstr())).collect(),
        ListKind::InstalledFiles => lines.map(|line| paths::normalise(info, line.trim().as_bstr())).collect(),
        _ => lines.map(|line| paths::normalise(site, line.trim().as_bstr())).collect(),
    };
    paths.retain(|path| !path.is_empty() && *path != site);
    paths
}

/// Returns the first field of a line of comma-separated values, unquoted (RFC 4180, section 2).
fn first_csv_field(line: &[u8]) -> BString {
    let Some(quoted) = line.strip_prefix(b"\"") else {
        return line.split_str(",").next().unwrap_or_default().into();
    };
    let mut field = BString::default();
    let mut rest = quoted;
    while let Some(quote) = rest.find_byte(b'"') {
        field.extend_from_slice(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix(b"\"") {
            Some(after) => {
                field.push(b'"');
                rest = after;
            }
            None => return field,
        }
    }
    field.extend_from_slice(rest);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_found_in_all_its_shapes() {
        let site = "usr/lib/python3/dist-packages";
        let part_of = |name: &str| part(format!("{site}/{name}").as_bytes().as_bstr());
        assert_eq!(part_of("a-1.dist-info/METADATA"), Some(Part::Metadata));
        assert_eq!(part_of("a-1.egg-info/PKG-INFO"), Some(Part::Metadata));
        assert_eq!(part_of("a-1.egg-info"), Some(Part::Metadata));
        assert_eq!(part_of("a-1-py3.egg/EGG-INFO/PKG-INFO"), Some(Part::Metadata));
        assert_eq!(part_of("a-1.dist-info/LICENSE"), None);
        assert_eq!(part_of("a/METADATA"), None);
    }

    #[test]
    fn the_body_after_the_headers_is_not_read() {
        let text = b"Metadata-Version: 2.4\nName: Flask\nVersion: 3.1\nHome-page: UNKNOWN\nProject-URL: homepage, https://flask.example\nLicense-Expression: BSD-3-Clause\nRequires-Dist: werkzeug>=3\nRequires-Dist: click\n\nName: not this\n";
        let record = paragraphs(text).next().and_then(|headers| record(&headers)).unwrap();
        assert_eq!(record.name, "Flask");
        assert_eq!(record.homepage.as_deref(), Some("https://flask.example"));
        assert_eq!(record.license.as_deref(), Some("BSD-3-Clause"));
        assert_eq!(record.requires, ["werkzeug>=3", "click"]);
    }

    #[test]
    fn record_paths_are_relative_to_the_site_and_may_be_quoted() {
        let path = b"usr/lib/site/a-1.dist-info/RECORD".as_bstr();
        let text = b"a/__init__.py,sha256=x,1\n../../bin/a,,\n\"odd \"\",name.py\",,\n../../../../../../etc/x,,\n";
        assert_eq!(
            list(ListKind::Record, path, text),
            ["usr/lib/site/a/__init__.py", "usr/bin/a", "usr/lib/site/odd \",name.py", "etc/x"]
        );
    }
}
