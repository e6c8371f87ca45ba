//! The header of a package: numbered values (<https://rpm-software-management.github.io/rpm/manual/hregions.html>).

use std::collections::BTreeSet;

use bstr::{BString, ByteSlice};

use super::super::bytes::big;
use super::super::{MAX_LISTED, text};
use crate::facts::RpmRecord;
use crate::paths;

const NAME: u64 = 1000;
const VERSION: u64 = 1001;
const RELEASE: u64 = 1002;
const EPOCH: u64 = 1003;
const SUMMARY: u64 = 1004;
const SIZE: u64 = 1009;
const VENDOR: u64 = 1011;
const LICENSE: u64 = 1014;
const URL: u64 = 1020;
const ARCH: u64 = 1022;
const FILE_FLAGS: u64 = 1037;
const SOURCE_RPM: u64 = 1044;
const PROVIDE_NAME: u64 = 1047;
const REQUIRE_NAME: u64 = 1049;
const DIR_INDEXES: u64 = 1116;
const BASE_NAMES: u64 = 1117;
const DIR_NAMES: u64 = 1118;
const LONG_SIZE: u64 = 5009;
const MODULARITY: u64 = 5096;

/// The flag of files that belong to a package without being in it.
const GHOST: u64 = 1 << 6;

/// The longest text that is kept of one value.
const MAX_TEXT: usize = 4096;

/// How many names of each relation are kept.
const MAX_RELATIONS: usize = 20_000;

/// The values of a header: an index of 16 bytes a value, and the data that it points into.
struct Header<'a> {
    index: &'a [u8],
    data: &'a [u8],
}

impl<'a> Header<'a> {
    fn parse(blob: &'a [u8]) -> Option<Self> {
        let (values, size) = (big(blob, 0, 4)?, big(blob, 4, 4)?);
        let end = usize::try_from(values.checked_mul(16)?.checked_add(8)?).ok()?;
        let index = blob.get(8..end)?;
        Some(Self { index, data: blob.get(end..end.checked_add(usize::try_from(size).ok()?)?)? })
    }

    /// Returns the data from a value on, its type and the number of its parts.
    fn find(&self, tag: u64) -> Option<(&'a [u8], u64, usize)> {
        let row = self.index.chunks_exact(16).find(|row| big(row, 0, 4) == Some(tag))?;
        let (kind, offset, count) = (big(row, 4, 4)?, big(row, 8, 4)?, big(row, 12, 4)?);
        Some((self.data.get(offset as usize..)?, kind, count as usize))
    }

    /// Returns the texts of a value; of translations the first is the untranslated one.
    fn texts(&self, tag: u64) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (data, kind, count) = self.find(tag).unwrap_or_default();
        // STRING, STRING_ARRAY, I18NSTRING; a list ends with the data at the latest, whatever count it claims
        let count = if matches!(kind, 6 | 8 | 9) { count.min(data.len()) } else { 0 };
        data.split_str(b"\0").take(count)
    }

    fn text(&self, tag: u64) -> Option<String> {
        let text = text(self.texts(tag).next()?, MAX_TEXT);
        Some(text).filter(|text| !text.is_empty() && text != "(none)")
    }

    /// Returns the numbers of a value.
    fn numbers(&self, tag: u64) -> impl Iterator<Item = u64> + use<'a> {
        let (data, kind, count) = self.find(tag).unwrap_or_default();
        let size = match kind {
            3 => 2,
            4 => 4,
            5 => 8,
            _ => 0,
        };
        data.chunks_exact(size.max(1))
            .take(if size == 0 { 0 } else { count })
            .filter_map(move |part| big(part, 0, size))
    }

    /// Returns the names of a relation, sorted, each once.
    fn names(&self, tag: u64) -> Vec<String> {
        let names = self.texts(tag).filter(|name| !name.is_empty() && !name.starts_with(b"rpmlib("));
        let names: BTreeSet<String> = names.map(|name| text(name, MAX_TEXT)).take(MAX_RELATIONS).collect();
        names.into_iter().collect()
    }
}

/// Reads a header; nothing when it has no name or version. `paths_left` is what paths may still take.
pub(super) fn record(blob: &[u8], paths_left: &mut usize) -> Option<RpmRecord> {
    let header = Header::parse(blob)?;
    Some(RpmRecord {
        name: header.text(NAME)?,
        epoch: header.numbers(EPOCH).next().and_then(|epoch| u32::try_from(epoch).ok()),
        version: header.text(VERSION)?,
        release: header.text(RELEASE).unwrap_or_default(),
        architecture: header.text(ARCH),
        source_rpm: header.text(SOURCE_RPM),
        vendor: header.text(VENDOR),
        license: header.text(LICENSE),
        homepage: header.text(URL),
        summary: header.text(SUMMARY),
        installed_size: header.numbers(LONG_SIZE).chain(header.numbers(SIZE)).next(),
        modularity: header.text(MODULARITY),
        requires: header.names(REQUIRE_NAME),
        provides: header.names(PROVIDE_NAME),
        files: files(&header, paths_left),
    })
}

/// Puts the paths of files together out of directories and names.
fn files(header: &Header<'_>, left: &mut usize) -> Vec<BString> {
    let directories: Vec<&[u8]> = header.texts(DIR_NAMES).collect();
    let flags = header.numbers(FILE_FLAGS).chain(std::iter::repeat(0));
    let rows = header.texts(BASE_NAMES).zip(header.numbers(DIR_INDEXES)).zip(flags).take(MAX_LISTED);
    let mut files = Vec::new();
    for ((name, directory), flags) in rows {
        let Some(directory) = usize::try_from(directory).ok().and_then(|at| directories.get(at)) else { continue };
        if flags & GHOST != 0 {
            continue;
        }
        let Some(rest) = left.checked_sub(directory.len() + name.len()) else { break };
        *left = rest;
        files.push(paths::normalise(b"".as_bstr(), [directory, name].concat().as_bstr()));
    }
    files
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Makes a header out of texts, lists of texts and numbers.
    pub(in crate::collect::rpm) fn header(
        name: &str,
        version: &str,
        files: &[(&str, u32)],
        directories: &[&str],
    ) -> Vec<u8> {
        let text = |value: &str| (6_u32, 1, [value.as_bytes(), b"\0"].concat());
        let texts = |values: &[&str]| {
            (8_u32, values.len(), values.iter().flat_map(|value| [value.as_bytes(), b"\0"].concat()).collect())
        };
        let numbers = |values: &[u32]| {
            (4_u32, values.len(), values.iter().flat_map(|value| value.to_be_bytes()).collect::<Vec<u8>>())
        };
        let names: Vec<&str> = files.iter().map(|file| file.0).collect();
        let indexes: Vec<u32> = files.iter().map(|file| file.1).collect();
        let rows = [
            (NAME, text(name)),
            (VERSION, text(version)),
            (RELEASE, text("1.el9")),
            (EPOCH, numbers(&[2])),
            (ARCH, text("x86_64")),
            (SOURCE_RPM, text("src-1-1.src.rpm")),
            (SIZE, numbers(&[77])),
            (REQUIRE_NAME, texts(&["rpmlib(x)", "b", "a", "b"])),
            (BASE_NAMES, texts(&names)),
            (DIR_INDEXES, numbers(&indexes)),
            (DIR_NAMES, texts(directories)),
        ];
        let (mut index, mut data) = (Vec::new(), Vec::new());
        for (tag, (kind, count, bytes)) in &rows {
            while *kind == 4 && data.len() % 4 != 0 {
                data.push(0);
            }
            for word in [*tag as u32, *kind, data.len() as u32, *count as u32] {
                index.extend_from_slice(&word.to_be_bytes());
            }
            data.extend_from_slice(bytes);
        }
        let mut blob = Vec::new();
        blob.extend_from_slice(&(rows.len() as u32).to_be_bytes());
        blob.extend_from_slice(&(data.len() as u32).to_be_bytes());
        blob.extend([index, data].concat());
        blob
    }

    #[test]
    fn values_and_files_are_read() {
        let blob = header("bash", "5.2", &[("bash", 0), ("x", 1), ("lost", 9), ("y", 1)], &["/usr/bin/", "/etc/"]);
        let record = record(&blob, &mut 1000).unwrap();
        assert_eq!((record.name.as_str(), record.full_version().as_str()), ("bash", "2:5.2-1.el9"));
        assert_eq!(record.files, ["usr/bin/bash", "etc/x", "etc/y"]);
        assert_eq!(record.requires, ["a", "b"]);
        assert_eq!((record.installed_size, record.architecture.as_deref()), (Some(77), Some("x86_64")));
    }

    #[test]
    fn cut_headers_and_huge_counts_are_harmless() {
        let blob = header("a", "1", &[("f", 0)], &["/d/"]);
        for cut in 0..blob.len() {
            assert_eq!(record(&blob[..cut], &mut 1000), None);
        }
        for at in (8..8 + 11 * 16).chain(0..8) {
            let mut bad = blob.clone();
            bad[at] = 0xff;
            let _ = record(&bad, &mut 1000);
        }
        assert!(record(&blob, &mut 3).unwrap().files.is_empty());
    }
}
