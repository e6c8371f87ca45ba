//! Java archives: what Maven and the manifest say of the libraries in them, archives inside of archives too.

use std::fs::File;

use bstr::ByteSlice;
use plim_oci::EntryHead;

use self::zip::Zip;
use super::bytes::{OnDisk, ReadAt};
use super::{Collector, Want, text};
use crate::facts::{JavaEvidence, JavaRecord, PackageFact, PackageRecord};
use crate::{LayerIndex, MAX_WHOLE, paths};

mod manifest;
mod zip;

/// How deep archives in archives are followed: an EAR holds WARs, which hold JARs, which may be packed once more.
const MAX_DEPTH: usize = 4;

/// How many libraries one file may hold; the largest applications have some thousand.
const MAX_LIBRARIES: usize = 20_000;

/// The largest manifest or properties file that is read, in bytes. Signed archives list every file in the manifest.
const MAX_TEXT: u64 = 4 * 1024 * 1024;

/// How many bytes are inflated of all archives inside of one file.
const MAX_INFLATED: u64 = 1024 * 1024 * 1024;

/// The longest name or version that is kept.
const MAX_NAME: usize = 256;

/// The longest chain of archives that is kept, as text.
const MAX_CHAIN: usize = 2048;

/// Reads Java archives.
pub(super) struct Java;

/// Says whether a name is that of a Java archive: of libraries, web and enterprise applications, Jenkins plugins.
fn is_archive(name: &[u8]) -> bool {
    let Some(dot) = name.iter().rposition(|byte| *byte == b'.') else { return false };
    let endings: [&[u8]; 8] = [b"jar", b"war", b"ear", b"par", b"sar", b"rar", b"hpi", b"jpi"];
    dot > 0 && endings.iter().any(|ending| name[dot + 1..].eq_ignore_ascii_case(ending))
}

impl Collector for Java {
    fn name(&self) -> &'static str {
        "java"
    }

    fn wants(&self, head: &EntryHead) -> Want {
        // programs may stand before an archive, so the first bytes tell nothing
        if is_archive(&head.path) { Want::Magic(b"") } else { Want::Nothing }
    }

    fn take(&self, head: &EntryHead, content: &[u8], index: &mut LayerIndex) {
        collect(head, &content, index);
    }

    fn take_file(&self, head: &EntryHead, content: &mut File, index: &mut LayerIndex) {
        collect(head, &OnDisk::new(content), index);
    }
}

fn collect(head: &EntryHead, file: &dyn ReadAt, index: &mut LayerIndex) {
    let entry = index.current();
    let mut reader = Reader { records: Vec::new(), inflated: MAX_INFLATED, memory: MAX_WHOLE as u64 };
    reader.archive(file, paths::name(head.path.as_bstr()), "", 0);
    let records = reader.records.into_iter().map(|record| PackageRecord::Java(Box::new(record)));
    index.packages.extend(records.map(|record| PackageFact { entry, record }));
}

/// Reads one file with all archives inside of it.
struct Reader {
    records: Vec<JavaRecord>,
    /// Bytes that may still be inflated.
    inflated: u64,
    /// Bytes that archives inside of archives may still take in memory at the same time.
    memory: u64,
}

impl Reader {
    /// Reads an archive; `inside` is the chain of archives that leads to it.
    fn archive(&mut self, file: &dyn ReadAt, name: &[u8], inside: &str, depth: usize) {
        let Some(zip) = Zip::open(file) else { return };
        let mut poms = Vec::new();
        let mut manifest = manifest::Manifest::default();
        let mut nested = Vec::new();
        for member in zip.members() {
            let path = member.name.as_bstr();
            if path.eq_ignore_ascii_case(b"META-INF/MANIFEST.MF") {
                if let Some(content) = self.content(&zip, &member, MAX_TEXT) {
                    manifest = manifest::Manifest::parse(&content);
                }
            } else if path.ends_with(b"/pom.properties") && path.contains_str("META-INF/maven/") {
                if poms.len() < MAX_LIBRARIES {
                    poms.extend(self.content(&zip, &member, MAX_TEXT).and_then(|content| manifest::pom(&content)));
                }
            } else if is_archive(path) && depth + 1 < MAX_DEPTH && nested.len() < MAX_LIBRARIES {
                nested.push(member);
            }
        }
        self.libraries(name, inside, poms, &manifest);
        for member in nested {
            if self.records.len() >= MAX_LIBRARIES {
                return;
            }
            let chain = if inside.is_empty() { String::new() } else { format!("{inside}!/") };
            let chain = format!("{chain}{}", member.name.as_bstr());
            let limit = self.memory;
            if chain.len() > MAX_CHAIN {
                continue;
            }
            if let Some(content) = self.content(&zip, &member, limit) {
                let held = content.len() as u64;
                self.memory -= held;
                self.archive(&&content[..], paths::name(member.name.as_bstr()), &chain, depth + 1);
                self.memory += held;
            }
        }
    }

    /// Returns the content of an entry as long as there is room for it.
    fn content<'z>(&mut self, zip: &Zip<'z>, member: &zip::Member, limit: u64) -> Option<std::borrow::Cow<'z, [u8]>> {
        let content = zip.content(member, limit.min(self.inflated))?;
        self.inflated = self.inflated.saturating_sub(content.len() as u64);
        Some(content)
    }

    /// Writes down the libraries of one archive: those that Maven names, and the archive's own if that is none of them.
    fn libraries(&mut self, file: &[u8], inside: &str, poms: Vec<manifest::Pom>, manifest: &manifest::Manifest) {
        let stem = file.iter().rposition(|byte| *byte == b'.').map_or(file, |dot| &file[..dot]);
        let (name, version) = file_name(&text(stem, MAX_NAME));
        let own = match poms.len() {
            1 => Some(0),
            _ => poms.iter().position(|pom| pom.artifact == name || stem == pom.artifact.as_bytes()),
        };
        let base = JavaRecord { inside: inside.to_owned(), ..JavaRecord::default() };
        let from_manifest = JavaRecord {
            license: manifest.license.clone(),
            vendor: manifest.vendor.clone(),
            main: true,
            ..base.clone()
        };
        let own_exists = own.is_some();
        for (nth, pom) in poms.into_iter().enumerate() {
            let base = if own == Some(nth) { &from_manifest } else { &base };
            self.push(JavaRecord {
                group: Some(pom.group),
                artifact: pom.artifact,
                version: pom.version,
                evidence: JavaEvidence::Pom,
                ..base.clone()
            });
        }
        if own_exists {
            return;
        }
        let told = manifest.version.is_some() || manifest.group.is_some();
        self.push(JavaRecord {
            group: manifest.group.clone(),
            artifact: name,
            version: version.or_else(|| manifest.version.clone()).unwrap_or_default(),
            evidence: if told { JavaEvidence::Manifest } else { JavaEvidence::FileName },
            ..from_manifest
        });
    }

    fn push(&mut self, record: JavaRecord) {
        if self.records.len() < MAX_LIBRARIES && !record.artifact.is_empty() {
            self.records.push(record);
        }
    }
}

/// Splits the name of a file at the first number after a dash: `commons-lang3-3.12.0`.
fn file_name(stem: &str) -> (String, Option<String>) {
    let dashes = stem.match_indices('-').map(|(at, _)| at);
    let mut versions = dashes.filter(|at| *at > 0 && stem[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    match versions.next() {
        Some(at) => (stem[..at].to_owned(), Some(stem[at + 1..].to_owned())),
        None => (stem.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use plim_oci::EntryKind;

    use super::zip::tests::zip;
    use super::*;

    fn read(path: &str, content: &[u8]) -> Vec<(String, String, JavaEvidence, bool)> {
        let mut index = LayerIndex::empty();
        let head = EntryHead::new(path, EntryKind::File, 0o644);
        assert_eq!(Java.wants(&head), Want::Magic(b""));
        Java.take(&head, content, &mut index);
        let mut on_disk = LayerIndex::empty();
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, content).unwrap();
        Java.take_file(&head, &mut file, &mut on_disk);
        assert_eq!(index.packages, on_disk.packages);
        let records = index.packages.into_iter().map(|fact| match fact.record {
            PackageRecord::Java(record) => record,
            other => panic!("{other:?}"),
        });
        records
            .map(|java| {
                let name = format!("{}:{}:{}", java.group.unwrap_or_default(), java.artifact, java.version);
                (java.inside, name, java.evidence, java.main)
            })
            .collect()
    }

    fn pom(group: &str, artifact: &str, version: &str) -> Vec<u8> {
        format!("#Generated\nversion={version}\ngroupId = {group}\nartifactId={artifact}\n").into_bytes()
    }

    fn row(inside: &str, name: &str, evidence: JavaEvidence, main: bool) -> (String, String, JavaEvidence, bool) {
        (inside.to_owned(), name.to_owned(), evidence, main)
    }

    #[test]
    fn maven_names_the_archive_and_what_was_put_into_it() {
        let (own, other) = (pom("org.x", "app", "1.0"), pom("org.y", "lib", "2.0"));
        let jar = zip(&[
            ("META-INF/maven/org.x/app/pom.properties", &own),
            ("META-INF/maven/org.y/lib/pom.properties", &other),
        ]);
        assert_eq!(
            read("opt/app-1.0.jar", &jar),
            [row("", "org.x:app:1.0", JavaEvidence::Pom, true), row("", "org.y:lib:2.0", JavaEvidence::Pom, false)]
        );
        assert_eq!(read("opt/fat.jar", &jar)[2], row("", ":fat:", JavaEvidence::FileName, true));
    }

    #[test]
    fn without_maven_the_manifest_and_the_file_name_count() {
        let manifest = b"Manifest-Version: 1.0\r\nImplementation-Vendor-Id: org.z\r\nImplementation-Version: 3.1-lo\r\n ng\r\n\r\nName: x\r\nImplementation-Version: 9\r\n";
        let jar = zip(&[("META-INF/MANIFEST.MF", manifest)]);
        assert_eq!(read("tool.jar", &jar), [row("", "org.z:tool:3.1-long", JavaEvidence::Manifest, true)]);
        assert_eq!(
            read("log4j-api-2.17.1.jar", &zip(&[])),
            [row("", ":log4j-api:2.17.1", JavaEvidence::FileName, true)]
        );
        assert!(read("x.jar", b"no archive").is_empty());
    }

    #[test]
    fn archives_in_archives_are_followed_to_a_depth() {
        let mut inner = zip(&[("META-INF/maven/g/deep/pom.properties", &pom("g", "deep", "1"))]);
        for _ in 0..6 {
            inner = zip(&[("BOOT-INF/lib/n.jar", &inner), ("BOOT-INF/lib/deflated.war", &inner)]);
        }
        let found = read("app.jar", &inner);
        assert!(found.iter().all(|row| row.0.matches("!/").count() < MAX_DEPTH - 1));
        assert_eq!(found.iter().filter(|row| row.0.matches("!/").count() == MAX_DEPTH - 2).count(), 8);
        let jar = zip(&[("META-INF/maven/g/a/pom.properties", &pom("g", "a", "1"))]);
        let war = zip(&[("WEB-INF/lib/a-1.jar", &jar)]);
        assert_eq!(
            read("shop.war", &war),
            [
                row("", ":shop:", JavaEvidence::FileName, true),
                row("WEB-INF/lib/a-1.jar", "g:a:1", JavaEvidence::Pom, true)
            ]
        );
    }

    #[test]
    fn the_first_number_after_a_dash_begins_the_version() {
        assert_eq!(file_name("commons-lang3-3.12.0"), ("commons-lang3".to_owned(), Some("3.12.0".to_owned())));
        assert_eq!(file_name("h2-2.1.214-sources"), ("h2".to_owned(), Some("2.1.214-sources".to_owned())));
        assert_eq!(file_name("-1"), ("-1".to_owned(), None));
    }
}
