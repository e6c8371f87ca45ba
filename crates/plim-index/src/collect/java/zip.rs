//! Zip files by their central directory (PKWARE, APPNOTE.TXT, sections 4.3 and 4.5.3).

use std::borrow::Cow;
use std::io::Read;

use flate2::read::DeflateDecoder;

use super::super::bytes::{ReadAt, little};

/// The end record, and the longest comment after it.
const END: usize = 22;
const MAX_COMMENT: u64 = 65_535;

/// The largest central directory that is read, in bytes: that of some hundred thousand entries.
const MAX_DIRECTORY: u64 = 32 * 1024 * 1024;

/// How many entries are looked at.
const MAX_ENTRIES: usize = 300_000;

/// An entry of the central directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    method: u16,
    packed: u64,
    /// How large it says it is.
    pub(super) size: u64,
    offset: u64,
}

/// A zip file.
pub(super) struct Zip<'a> {
    file: &'a dyn ReadAt,
    directory: Cow<'a, [u8]>,
    /// Where offsets count from: programs may stand before the archive.
    base: u64,
}

impl<'a> Zip<'a> {
    /// Finds the central directory; nothing when the file is no zip file.
    pub(super) fn open(file: &'a dyn ReadAt) -> Option<Self> {
        let length = file.length();
        let tail_size = length.min(MAX_COMMENT + END as u64);
        let tail = file.bytes(length - tail_size, tail_size as usize)?;
        let at = (0..=tail.len().checked_sub(END)?).rev().find(|at| tail[*at..].starts_with(b"PK\x05\x06"))?;
        let end = &tail[at..];
        let mut end_at = length - tail_size + at as u64;
        let (mut size, mut offset) = (little(end, 12, 4)?, little(end, 16, 4)?);
        if size == u64::from(u32::MAX) || offset == u64::from(u32::MAX) {
            let locator = file.bytes(end_at.checked_sub(20)?, 20)?;
            if !locator.starts_with(b"PK\x06\x07") {
                return None;
            }
            end_at = little(&locator, 8, 8)?;
            let end = file.bytes(end_at, 56)?;
            if !end.starts_with(b"PK\x06\x06") {
                return None;
            }
            (size, offset) = (little(&end, 40, 8)?, little(&end, 48, 8)?);
        }
        let start = end_at.checked_sub(size)?;
        let base = start.checked_sub(offset)?;
        let size = usize::try_from(Some(size).filter(|size| *size <= MAX_DIRECTORY)?).ok()?;
        Some(Self { file, directory: file.bytes(start, size)?, base })
    }

    /// Returns the entries as far as the directory makes sense.
    pub(super) fn members(&self) -> impl Iterator<Item = Member> + '_ {
        let mut rest: &[u8] = &self.directory;
        std::iter::from_fn(move || {
            let (member, after) = member(rest)?;
            rest = after;
            Some(member)
        })
        .take(MAX_ENTRIES)
    }

    /// Returns the content of an entry; nothing when it is packed otherwise than by deflate, or larger than `limit`.
    pub(super) fn content(&self, member: &Member, limit: u64) -> Option<Cow<'a, [u8]>> {
        let at = self.base.checked_add(member.offset)?;
        let head = self.file.bytes(at, 30)?;
        if !head.starts_with(b"PK\x03\x04") || member.packed > limit {
            return None;
        }
        let start = at + 30 + little(&head, 26, 2)? + little(&head, 28, 2)?;
        let packed = self.file.bytes(start, usize::try_from(member.packed).ok()?)?;
        match member.method {
            0 => Some(packed),
            8 => {
                let mut content = Vec::new();
                DeflateDecoder::new(&packed[..]).take(limit.checked_add(1)?).read_to_end(&mut content).ok()?;
                (content.len() as u64 <= limit).then_some(Cow::Owned(content))
            }
            _ => None,
        }
    }
}

/// Takes an entry off the central directory.
fn member(directory: &[u8]) -> Option<(Member, &[u8])> {
    if !directory.starts_with(b"PK\x01\x02") {
        return None;
    }
    let number = |at, size| little(directory, at, size);
    let length = |at| number(at, 2).map(|length| length as usize);
    let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
    let rest = directory.get(46..)?;
    let mut found = Member {
        name: rest.get(..name)?.to_vec(),
        method: number(10, 2)? as u16,
        packed: number(20, 4)?,
        size: number(24, 4)?,
        offset: number(42, 4)?,
    };
    let mut fields = rest.get(name..name + extra)?;
    while let (Some(kind), Some(size)) = (little(fields, 0, 2), little(fields, 2, 2)) {
        let Some(field) = fields.get(4..4 + size as usize) else { break };
        if kind == 1 {
            // only the numbers that did not fit are here, in this order
            let mut at = 0;
            for value in [&mut found.size, &mut found.packed, &mut found.offset] {
                if *value == u64::from(u32::MAX) {
                    *value = little(field, at, 8)?;
                    at += 8;
                }
            }
        }
        fields = &fields[4 + size as usize..];
    }
    Some((found, rest.get(name + extra + comment..)?))
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use super::*;

    /// Makes a zip file; names that end in `.jar` are stored, all else is deflated.
    pub(in crate::collect::java) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        for (name, content) in files {
            let stored = name.contains(".jar");
            let packed = if stored {
                content.to_vec()
            } else {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            };
            let method: u16 = if stored { 0 } else { 8 };
            let sizes = [packed.len() as u32, content.len() as u32].map(u32::to_le_bytes).concat();
            let lengths = [name.len() as u16, 0].map(u16::to_le_bytes).concat();
            directory.extend(
                [&b"PK\x01\x02\0\0\0\0\0\0"[..], &method.to_le_bytes(), &[0; 8], &sizes, &lengths, &[0; 10]].concat(),
            );
            directory.extend((file.len() as u32).to_le_bytes());
            directory.extend(name.as_bytes());
            file.extend(
                [
                    &b"PK\x03\x04\0\0\0\0"[..],
                    &method.to_le_bytes(),
                    &[0; 8],
                    &sizes,
                    &lengths,
                    name.as_bytes(),
                    &packed,
                ]
                .concat(),
            );
        }
        let start = file.len() as u32;
        file.extend_from_slice(&directory);
        file.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        file.extend([files.len() as u16; 2].map(u16::to_le_bytes).concat());
        file.extend([directory.len() as u32, start].map(u32::to_le_bytes).concat());
        file.extend([0, 0]);
        file
    }

    fn contents(file: &[u8], limit: u64) -> Vec<(String, Option<Vec<u8>>)> {
        let Some(zip) = Zip::open(&file) else { return Vec::new() };
        let members: Vec<Member> = zip.members().collect();
        let name = |member: &Member| String::from_utf8_lossy(&member.name).into_owned();
        members.iter().map(|member| (name(member), zip.content(member, limit).map(Cow::into_owned))).collect()
    }

    #[test]
    fn stored_and_deflated_entries_come_back_whatever_stands_before_them() {
        let file = zip(&[("a.txt", b"aaaaaaaaaaaaaaaa"), ("b.jar", b"bb")]);
        let expected =
            vec![("a.txt".to_owned(), Some(b"aaaaaaaaaaaaaaaa".to_vec())), ("b.jar".to_owned(), Some(b"bb".to_vec()))];
        assert_eq!(contents(&file, 100), expected);
        assert_eq!(contents(&[b"#!/bin/sh\n", &file[..]].concat(), 100), expected);
        assert_eq!(contents(&[&file[..], b""].concat(), 10)[0].1, None);
    }

    #[test]
    fn a_bomb_is_not_inflated_beyond_the_limit() {
        let mut file = zip(&[("bomb", &vec![0; 10_000_000])]);
        assert_eq!(contents(&file, 1_000_000), [("bomb".to_owned(), None)]);
        // a size that lies changes nothing
        let at = file.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        file[at + 24..at + 28].copy_from_slice(&1_u32.to_le_bytes());
        assert_eq!(contents(&file, 1_000_000), [("bomb".to_owned(), None)]);
    }

    #[test]
    fn damage_never_panics() {
        let file = zip(&[("a", b"1"), ("b.jar", b"2")]);
        for at in 0..file.len() {
            for value in [0xff, 0, 1] {
                let mut bad = file.clone();
                bad[at] = value;
                let _ = contents(&bad, 100);
            }
            let _ = contents(&file[..at], 100);
        }
    }
}
