//! Go programs: the modules that they were built from (<https://pkg.go.dev/debug/buildinfo>).
//!
//! The linker writes a header of 32 bytes, `\xff Go buildinf:` at its start, into a section of its own. Since Go 1.18 two
//! strings follow it, each after its length: Go's version, and the module list as `go version -m` prints it. Before, the
//! header held the addresses of the strings' headers instead.

use object::read::ReadRef;

use crate::facts::GoRecord;

const MAGIC: &[u8] = b"\xff Go buildinf:";
const HEADER: u64 = 32;

/// The header stands at a multiple of so many bytes.
const ALIGN: u64 = 16;

/// How far into the data of a program without a section table the header is looked for: it stands at its beginning.
const MAX_SEARCHED: u64 = 1024 * 1024;

/// The longest module list that is read, in bytes. The largest real programs have some hundred thousand.
const MAX_LIST: u64 = 4 * 1024 * 1024;

/// How many modules are kept of one program.
const MAX_MODULES: usize = 20_000;

/// The module list begins and ends with a marker of so many bytes.
const MARKER: usize = 16;

/// A part of a program's file and the address that it is loaded to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// Reads the build information that stands somewhere in a part of the file, offset and size.
pub(super) fn records<'a>(data: impl ReadRef<'a>, (offset, size): (u64, u64), loads: &[Load]) -> Vec<GoRecord> {
    strings(data, offset, size.min(MAX_SEARCHED), loads)
        .map(|(version, list)| modules(version, list))
        .unwrap_or_default()
}

/// Finds Go's version and the module list.
fn strings<'a, R: ReadRef<'a>>(data: R, offset: u64, size: u64, loads: &[Load]) -> Option<(&'a [u8], &'a [u8])> {
    let searched = data.read_bytes_at(offset, size.min(data.len().ok()?.checked_sub(offset)?)).ok()?;
    let at = searched.chunks(ALIGN as usize).position(|chunk| chunk.starts_with(MAGIC))?;
    let start = offset + at as u64 * ALIGN;
    let header = data.read_bytes_at(start, HEADER).ok()?;
    let (pointer, flags) = (header[14], header[15]);
    if flags & 2 != 0 {
        let mut at = start + HEADER;
        let version = inline(data, &mut at)?;
        return Some((version, inline(data, &mut at)?));
    }
    let reader = Pointers { pointer, big_endian: flags & 1 != 0, loads };
    let string = |nth: u64| {
        let pointer = reader.word(header, nth)?;
        let words = reader.at(data, pointer, 2 * u64::from(reader.pointer))?;
        reader.at(data, reader.word(words, 0)?, reader.word(words, 1)?)
    };
    // the addresses begin in the middle of the header
    let base = 16_u64.checked_div(pointer.into())?;
    Some((string(base)?, string(base + 1).unwrap_or_default()))
}

/// Reads a string after its length (`encoding/binary`, unsigned varint).
fn inline<'a>(data: impl ReadRef<'a>, at: &mut u64) -> Option<&'a [u8]> {
    let mut length = 0_u64;
    for shift in (0..35).step_by(7) {
        let byte = *data.read_bytes_at(*at, 1).ok()?.first()?;
        *at += 1;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let text = data.read_bytes_at(*at, Some(length).filter(|length| *length <= MAX_LIST)?).ok()?;
            *at += length;
            return Some(text);
        }
    }
    None
}

/// Follows addresses of the program.
struct Pointers<'l> {
    /// Bytes of an address.
    pointer: u8,
    big_endian: bool,
    loads: &'l [Load],
}

impl Pointers<'_> {
    /// Returns the nth address in some bytes.
    fn word(&self, bytes: &[u8], nth: u64) -> Option<u64> {
        let size = usize::from(self.pointer);
        let start = usize::try_from(nth).ok()?.checked_mul(size)?;
        let word = bytes.get(start..start.checked_add(size)?)?;
        if !matches!(size, 4 | 8) {
            return None;
        }
        let push = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if self.big_endian { word.iter().fold(0, push) } else { word.iter().rev().fold(0, push) })
    }

    /// Returns the bytes at an address.
    fn at<'a>(&self, data: impl ReadRef<'a>, address: u64, size: u64) -> Option<&'a [u8]> {
        let load = self.loads.iter().find(|load| {
            address
                .checked_sub(load.address)
                .and_then(|within| within.checked_add(size))
                .is_some_and(|end| end <= load.size)
        })?;
        let size = Some(size).filter(|size| *size <= MAX_LIST)?;
        data.read_bytes_at(load.offset.checked_add(address - load.address)?, size).ok()
    }
}

/// Reads the module list: a line each, fields separated by tabs.
fn modules(version: &[u8], list: &[u8]) -> Vec<GoRecord> {
    let version = String::from_utf8_lossy(version);
    let Some(version) = version.split_whitespace().find_map(|word| word.strip_prefix("go")) else {
        return Vec::new();
    };
    let mut all = vec![GoRecord { path: "stdlib".to_owned(), version: version.to_owned(), ..GoRecord::default() }];
    let marked = list.len() >= 2 * MARKER && list[list.len() - MARKER - 1] == b'\n';
    let list = if marked { &list[MARKER..list.len() - MARKER] } else { &[][..] };
    for line in String::from_utf8_lossy(list).lines().take(MAX_MODULES) {
        let mut fields = line.split('\t');
        let (kind, path, version) =
            (fields.next(), fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let (path, version) = (path.to_owned(), version.to_owned());
        match kind {
            Some("mod" | "dep") if !path.is_empty() => {
                all.push(GoRecord { path, version, replaced_by: None, main: kind == Some("mod") });
            }
            Some("=>") => {
                if let Some(last) = all.last_mut() {
                    last.replaced_by = Some((path, version));
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

    const LIST: &str = "0123456789abcdefpath\texample.org/app\nmod\texample.org/app\t(devel)\t\ndep\tgithub.com/a/b\tv1.2.3\th1:x=\n\
                        dep\tgolang.org/x/c\tv0.1.0\n=>\t../c\t\nbuild\tGOOS=linux\n0123456789abcdef";

    type Row = (String, String, Option<(String, String)>, bool);

    fn expected() -> Vec<Row> {
        let row = |path: &str, version: &str, by: Option<(&str, &str)>, main| {
            (path.to_owned(), version.to_owned(), by.map(|by| (by.0.to_owned(), by.1.to_owned())), main)
        };
        vec![
            row("stdlib", "1.24.1", None, false),
            row("example.org/app", "(devel)", None, true),
            row("github.com/a/b", "v1.2.3", None, false),
            row("golang.org/x/c", "v0.1.0", Some(("../c", "")), false),
        ]
    }

    fn seen(records: Vec<GoRecord>) -> Vec<Row> {
        records.into_iter().map(|record| (record.path, record.version, record.replaced_by, record.main)).collect()
    }

    fn inline_file() -> Vec<u8> {
        let mut file = vec![0; 48];
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&[8, 2]);
        file.extend_from_slice(&[0; 16]);
        file.push(8);
        file.extend_from_slice(b"go1.24.1");
        let length = LIST.len();
        file.extend_from_slice(&[(length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
        file.extend_from_slice(LIST.as_bytes());
        file
    }

    /// The format before Go 1.18, loaded at 0x1000.
    fn pointer_file(big_endian: bool) -> Vec<u8> {
        let word = |value: u64| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut file = Vec::from(MAGIC);
        file.extend_from_slice(&[8, u8::from(big_endian)]);
        // after the header two string headers, after them the strings
        let texts = 32 + 32;
        for value in [0x1000 + 32, 0x1000 + 48, 0x1000 + texts, 8, 0x1000 + texts + 8, LIST.len() as u64] {
            file.extend_from_slice(&word(value));
        }
        file.extend_from_slice(b"go1.24.1");
        file.extend_from_slice(LIST.as_bytes());
        file
    }

    #[test]
    fn both_formats_say_the_same() {
        let file = inline_file();
        assert_eq!(seen(records(&file[..], (0, file.len() as u64), &[])), expected());
        for big_endian in [false, true] {
            let file = pointer_file(big_endian);
            let load = Load { address: 0x1000, offset: 0, size: file.len() as u64 };
            assert_eq!(seen(records(&file[..], (0, 32), &[load])), expected());
            assert!(records(&file[..], (0, 32), &[]).is_empty());
        }
    }

    #[test]
    fn what_is_cut_or_out_of_range_is_no_program_of_go() {
        let file = inline_file();
        for cut in 0..file.len() {
            let _ = records(&file[..cut], (0, file.len() as u64), &[]);
        }
        let mut huge = file;
        huge.truncate(80);
        huge.extend_from_slice(&[0xff; 9]);
        assert!(records(&huge[..], (0, huge.len() as u64), &[]).is_empty());
        assert!(records(&huge[..], (u64::MAX, 5), &[]).is_empty());
        let mut pointers = pointer_file(false);
        pointers[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
        let load = Load { address: 0x1000, offset: u64::MAX, size: u64::MAX };
        assert!(records(&pointers[..], (0, 32), &[load]).is_empty());
    }
}
