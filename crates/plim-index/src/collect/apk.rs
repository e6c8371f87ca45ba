//! Alpine: apk's database of installed packages (<https://wiki.alpinelinux.org/wiki/Apk_spec>, "Installed Database").

use bstr::{BStr, BString, ByteSlice};
use plim_oci::EntryHead;

use super::{Collector, MAX_LISTED, Want, text};
use crate::facts::{ApkRecord, PackageFact, PackageRecord};
use crate::{LayerIndex, paths};

/// How many packages one database may have; the largest of Alpine's repositories has some ten thousand.
const MAX_PACKAGES: usize = 100_000;

/// The longest value that is kept of one field.
const MAX_TEXT: usize = 64 * 1024;

/// How many bytes the paths of all files of one database may take: a long directory counts for each of its files.
const MAX_PATHS: usize = 64 * 1024 * 1024;

/// Reads apk's database.
pub(super) struct Apk;

impl Collector for Apk {
    fn name(&self) -> &'static str {
        "apk"
    }

    fn wants(&self, head: &EntryHead) -> Want {
        match head.path.as_bytes() {
            b"lib/apk/db/installed" | b"usr/lib/apk/db/installed" => Want::Whole,
            _ => Want::Nothing,
        }
    }

    fn take(&self, _head: &EntryHead, content: &[u8], index: &mut LayerIndex) {
        let entry = index.current();
        let facts = records(content).into_iter().map(|record| PackageRecord::Apk(Box::new(record)));
        index.packages.extend(facts.map(|record| PackageFact { entry, record }));
    }
}

/// Reads the records: a line for each field, its name one letter whose case matters, a blank line after each package.
fn records(content: &[u8]) -> Vec<ApkRecord> {
    let mut all = Vec::new();
    let mut record = ApkRecord::default();
    let mut directory: &BStr = b"".as_bstr();
    let (mut files, mut bytes) = (0, 0);
    for line in content.lines().chain([&b""[..]]) {
        let [field, b':', value @ ..] = line else {
            if line.trim().is_empty() {
                let done = std::mem::take(&mut record);
                directory = b"".as_bstr();
                if !done.name.is_empty() && !done.version.is_empty() && all.len() < MAX_PACKAGES {
                    all.push(done);
                }
            }
            continue;
        };
        let one = || text(value, MAX_TEXT);
        let some = || Some(one()).filter(|text| !text.is_empty());
        let words = || one().split_whitespace().map(str::to_owned).collect();
        match field {
            b'P' => record.name = one(),
            b'V' => record.version = one(),
            b'A' => record.architecture = one(),
            b'o' => record.origin = some(),
            b'm' => record.maintainer = some(),
            b'U' => record.homepage = some(),
            b'T' => record.summary = some(),
            b'L' => record.license = some(),
            b'I' => record.installed_size = one().parse().ok(),
            b'D' => record.depends = words(),
            b'p' => record.provides = words(),
            b'F' => directory = value.as_bstr(),
            b'R' => {
                files += 1;
                bytes += directory.len() + value.len() + 1;
                if files <= MAX_LISTED && bytes <= MAX_PATHS {
                    let path: BString =
                        paths::normalise(b"".as_bstr(), paths::join(directory, value.as_bstr()).as_bstr());
                    record.files.push(path);
                }
            }
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATABASE: &[u8] = b"C:Q1abc=\nP:musl\nV:1.2.5-r9\nA:x86_64\nS:383459\nI:622592\nT:the musl c library (libc) implementation\n\
        U:https://musl.libc.org/\nL:MIT\no:musl\nm:Natanael Copa <n@example.org>\nt:1734\nc:abc\np:so:libc.musl-x86_64.so.1=1 x\nF:lib\n\
        R:ld-musl-x86_64.so.1\na:0:0:755\nZ:Q1x=\nR:libc.musl-x86_64.so.1\nF:../../etc\nR:../x\n\nP:ghost\n\nP:busybox\nV:1.37.0-r12\nD:so:libc.musl-x86_64.so.1 !x\n";

    #[test]
    fn packages_have_their_fields_and_files() {
        let all = records(DATABASE);
        let names: Vec<&str> = all.iter().map(|record| record.name.as_str()).collect();
        assert_eq!(names, ["musl", "busybox"]);
        assert_eq!((all[0].installed_size, all[0].license.as_deref()), (Some(622_592), Some("MIT")));
        assert_eq!(all[0].files, ["lib/ld-musl-x86_64.so.1", "lib/libc.musl-x86_64.so.1", "x"]);
        assert_eq!(all[0].provides, ["so:libc.musl-x86_64.so.1=1", "x"]);
        assert_eq!(all[1].depends, ["so:libc.musl-x86_64.so.1", "!x"]);
        assert!(all[1].files.is_empty());
    }

    #[test]
    fn a_directory_that_is_repeated_for_each_of_many_files_has_bounds() {
        let mut text = b"P:x\nV:1\nF:".to_vec();
        text.resize(text.len() + 1_000_000, b'd');
        text.extend(b"\nR:f".repeat(1000));
        let files = &records(&text)[0].files;
        assert_eq!(files.len(), MAX_PATHS / 1_000_002);
    }

    #[test]
    fn cut_or_odd_databases_never_panic() {
        for cut in 0..DATABASE.len() {
            let _ = records(&DATABASE[..cut]);
        }
        assert!(records(b"R:x\nF:\nP:\nV:\n\n\n:\nP").is_empty());
    }
}
