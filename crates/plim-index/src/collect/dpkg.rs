//! dpkg: `status`, the `status.d` of distroless images, and the lists of files.

use bstr::{BStr, BString, ByteSlice};
use plim_oci::EntryHead;

use super::paragraph::{Paragraph, paragraphs};
use super::{Collector, MAX_LISTED, Want};
use crate::facts::{DebRecord, FileList, ListKind, PackageFact, PackageRecord};
use crate::{LayerIndex, paths};

/// How many packages one file may describe; the whole Debian archive has fewer.
const MAX_PACKAGES: usize = 100_000;

const ROOT: &[u8] = b"var/lib/dpkg/";

/// Reads dpkg's database.
pub(super) struct Dpkg;

/// The files of the database that hold facts.
enum Part {
    Packages,
    List(ListKind),
}

fn part(path: &BStr) -> Option<Part> {
    let path = path.strip_prefix(ROOT)?;
    if path == b"status" {
        return Some(Part::Packages);
    }
    let (dir, name) = paths::split(path.as_bstr());
    let list = if name.ends_with(b".md5sums") {
        Some(Part::List(ListKind::DpkgMd5sums))
    } else if name.ends_with(b".list") {
        Some(Part::List(ListKind::DpkgList))
    } else {
        None
    };
    match dir.as_bytes() {
        b"info" => list,
        b"status.d" => list.or(Some(Part::Packages)),
        _ => None,
    }
}

impl Collector for Dpkg {
    fn name(&self) -> &'static str {
        "dpkg"
    }

    fn wants(&self, head: &EntryHead) -> Want {
        if part(head.path.as_bstr()).is_some() { Want::Whole } else { Want::Nothing }
    }

    fn take(&self, head: &EntryHead, content: &[u8], index: &mut LayerIndex) {
        let entry = index.current();
        match part(head.path.as_bstr()) {
            Some(Part::Packages) => index.packages.extend(
                paragraphs(content)
                    .filter_map(|paragraph| record(&paragraph))
                    .take(MAX_PACKAGES)
                    .map(|record| PackageFact { entry, record: PackageRecord::Deb(Box::new(record)) }),
            ),
            Some(Part::List(kind)) => {
                let paths = if kind == ListKind::DpkgList { list(content) } else { md5sums(content) };
                index.file_lists.push(FileList { entry, kind, paths });
            }
            None => {}
        }
    }
}

/// Reads one paragraph; one without a name or version is none (dpkg keeps such of packages it only heard of).
fn record(paragraph: &Paragraph<'_>) -> Option<DebRecord> {
    Some(DebRecord {
        package: paragraph.line("Package")?,
        version: paragraph.line("Version")?,
        architecture: paragraph.line("Architecture").unwrap_or_default(),
        source: paragraph.line("Source"),
        status: paragraph.line("Status"),
        maintainer: paragraph.line("Maintainer"),
        homepage: paragraph.line("Homepage"),
        section: paragraph.line("Section"),
        essential: paragraph.get("Essential").is_some_and(|value| value.eq_ignore_ascii_case(b"yes")),
        installed_size: paragraph.line("Installed-Size").and_then(|value| value.parse().ok()),
        depends: paragraph.line("Depends"),
        pre_depends: paragraph.line("Pre-Depends"),
        provides: paragraph.line("Provides"),
        summary: paragraph.first_line("Description"),
    })
}

/// Reads `NAME.list`: an absolute path a line, `/.` for the root.
fn list(content: &[u8]) -> Vec<BString> {
    content
        .lines()
        .map(|line| paths::normalise(b"".as_bstr(), line.as_bstr()))
        .filter(|path| !path.is_empty())
        .take(MAX_LISTED)
        .collect()
}

/// Reads `NAME.md5sums`: 32 hex digits, two separating bytes, a relative path.
fn md5sums(content: &[u8]) -> Vec<BString> {
    content
        .lines()
        .filter(|line| line.len() > 34 && line[..32].iter().all(u8::is_ascii_hexdigit))
        .map(|line| paths::normalise(b"".as_bstr(), line[34..].as_bstr()))
        .filter(|path| !path.is_empty())
        .take(MAX_LISTED)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_itself_is_read() {
        assert!(matches!(part(b"var/lib/dpkg/status".as_bstr()), Some(Part::Packages)));
        assert!(matches!(part(b"var/lib/dpkg/status.d/libc6".as_bstr()), Some(Part::Packages)));
        assert!(matches!(
            part(b"var/lib/dpkg/status.d/libc6.md5sums".as_bstr()),
            Some(Part::List(ListKind::DpkgMd5sums))
        ));
        assert!(matches!(part(b"var/lib/dpkg/info/libc6:amd64.list".as_bstr()), Some(Part::List(ListKind::DpkgList))));
        for other in ["var/lib/dpkg/status-old", "var/lib/dpkg/info/libc6.postinst", "x/var/lib/dpkg/status"] {
            assert!(part(other.into()).is_none(), "{other}");
        }
    }

    #[test]
    fn a_paragraph_without_a_version_is_no_package() {
        let text = b"Package: ghost\nStatus: purge ok not-installed\n\nPackage: libc6\nVersion: 2.41-12\nEssential: yes\nSource: glibc\nInstalled-Size: 13000\n";
        let records: Vec<DebRecord> = paragraphs(text).filter_map(|paragraph| record(&paragraph)).collect();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].source.as_deref(), Some("glibc"));
        assert_eq!(records[0].installed_size, Some(13000));
        assert!(records[0].essential);
    }

    #[test]
    fn lists_become_paths_below_the_root() {
        assert_eq!(list(b"/.\n/usr\n/usr/bin/x\n"), ["usr", "usr/bin/x"]);
        let sums = b"d41d8cd98f00b204e9800998ecf8427e  usr/bin/x\nshort\n";
        assert_eq!(md5sums(sums), ["usr/bin/x"]);
    }
}
