//! The database as SQLite file, of Fedora 33, RHEL 9 and their kin: the second column of the table `Packages`
//! (<https://sqlite.org/fileformat2.html>). Pages that only a write-ahead log holds are not seen.

use std::borrow::Cow;
use std::collections::HashSet;

use super::super::bytes::{ReadAt, big};
use super::Budget;

/// How large a row of the schema may be, in bytes.
const MAX_SCHEMA_ROW: u64 = 64 * 1024;

/// Hands over every package's header; nothing when the file makes no sense any more.
pub(super) fn blobs(database: &dyn ReadAt, each: &mut dyn FnMut(&[u8])) -> Option<()> {
    let start = database.bytes(0, 100)?;
    let page_size = match big(&start, 16, 2)? {
        1 => 65536,
        size => size as usize,
    };
    if !page_size.is_power_of_two() || page_size < 512 {
        return None;
    }
    let usable = page_size.checked_sub(start[20].into()).filter(|usable| *usable >= 480)?;
    let file = Pages { database, page_size, usable };
    let mut root = None;
    file.rows(1, &mut Budget(4 * MAX_SCHEMA_ROW), &mut |row| {
        let columns = columns(row)?;
        let is = |nth: usize, text: &[u8]| columns.get(nth).is_some_and(|column| *column == text);
        if is(0, b"table") && is(1, b"Packages") {
            root = big(columns.get(3)?, 0, columns[3].len());
        }
        Some(())
    })?;
    file.rows(u32::try_from(root?).ok()?, &mut Budget::of(database), &mut |row| {
        each(columns(row)?.get(1)?);
        Some(())
    })
}

/// A file of pages.
struct Pages<'a> {
    database: &'a dyn ReadAt,
    page_size: usize,
    /// Bytes of a page that hold content.
    usable: usize,
}

impl<'a> Pages<'a> {
    /// Reads a page; the first has number 1.
    fn page(&self, number: u32) -> Option<Cow<'a, [u8]>> {
        self.database.bytes(u64::from(number.checked_sub(1)?) * self.page_size as u64, self.page_size)
    }

    /// Hands over the rows of a table. No page is read twice, so a tree that bites its own tail ends.
    fn rows(&self, root: u32, budget: &mut Budget, each: &mut dyn FnMut(&[u8]) -> Option<()>) -> Option<()> {
        let mut todo = vec![root];
        let mut seen = HashSet::new();
        while let Some(number) = todo.pop() {
            if !seen.insert(number) {
                return None;
            }
            let page = self.page(number)?;
            // the first page begins with the header of the file
            let at = if number == 1 { 100 } else { 0 };
            let cells = big(&page, at + 3, 2)? as usize;
            match page[at] {
                // interior page of a table
                0x05 => {
                    let children = (0..cells).map(|nth| big(&page, big(&page, at + 12 + 2 * nth, 2)? as usize, 4));
                    let last = big(&page, at + 8, 4);
                    let children: Vec<u32> =
                        children.chain([last]).map(|child| u32::try_from(child?).ok()).collect::<Option<_>>()?;
                    todo.extend(children.into_iter().rev());
                }
                // leaf page of a table
                0x0d => {
                    for nth in 0..cells {
                        let cell = page.get(big(&page, at + 8 + 2 * nth, 2)? as usize..)?;
                        each(&self.payload(cell, budget)?)?;
                    }
                }
                _ => return None,
            }
        }
        Some(())
    }

    /// Puts the content of a row together, whose end may lie on pages of its own.
    fn payload<'p>(&self, cell: &'p [u8], budget: &mut Budget) -> Option<Cow<'p, [u8]>> {
        let (size, rest) = varint(cell)?;
        let (_row, rest) = varint(rest)?;
        let size = budget.take(size)?;
        let most = self.usable - 35;
        if size <= most {
            return rest.get(..size).map(Cow::Borrowed);
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let wished = least + (size - least) % (self.usable - 4);
        let local = if wished <= most { wished } else { least };
        let mut payload = rest.get(..local)?.to_vec();
        let mut next = big(rest, local, 4)?;
        while payload.len() < size {
            let page = self.page(u32::try_from(next).ok()?)?;
            let part = (size - payload.len()).min(self.usable - 4);
            payload.extend_from_slice(page.get(4..4 + part)?);
            next = big(&page, 0, 4)?;
        }
        Some(Cow::Owned(payload))
    }
}

/// Reads a number of one to nine bytes.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (nth, byte) in bytes.iter().take(9).enumerate() {
        if nth == 8 {
            return Some((value << 8 | u64::from(*byte), &bytes[9..]));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[nth + 1..]));
        }
    }
    None
}

/// Takes a row apart into the bytes of its columns, at most five.
fn columns(row: &[u8]) -> Option<Vec<&[u8]>> {
    let (header, mut types) = varint(row)?;
    let header = usize::try_from(header).ok()?;
    types = types.get(..header.checked_sub(row.len() - types.len())?)?;
    let mut content = row.get(header..)?;
    let mut columns = Vec::new();
    while !types.is_empty() && columns.len() < 5 {
        let (kind, rest) = varint(types)?;
        types = rest;
        let size = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => (kind - 12) / 2,
        };
        let (column, rest) = content.split_at_checked(usize::try_from(size).ok()?)?;
        content = rest;
        columns.push(column);
    }
    Some(columns)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const PAGE: usize = 512;

    /// Makes a database of pages of 512 bytes: the schema, an interior page, one leaf for each row, overflow pages.
    pub(in crate::collect::rpm) fn database(blobs: &[Vec<u8>]) -> Vec<u8> {
        let mut pages = vec![vec![0; PAGE]; 2];
        pages[0][..16].copy_from_slice(b"SQLite format 3\0");
        pages[0][16..18].copy_from_slice(&(PAGE as u16).to_be_bytes());
        let schema = [&[6, 23, 29, 29, 1, 13][..], b"tablePackagesPackages\x02"].concat();
        let cell = [&[schema.len() as u8, 1][..], &schema].concat();
        put_leaf(&mut pages[0], 100, &cell);
        let mut children = Vec::new();
        for (row, blob) in blobs.iter().enumerate() {
            let mut record = vec![0, 0];
            put_varint(&mut record, 12 + 2 * blob.len() as u64);
            record[0] = record.len() as u8;
            record.extend_from_slice(blob);
            let mut cell = Vec::new();
            put_varint(&mut cell, record.len() as u64);
            put_varint(&mut cell, row as u64 + 1);
            let (most, least) = (PAGE - 35, (PAGE - 12) * 32 / 255 - 23);
            let leaf = pages.len();
            pages.push(vec![0; PAGE]);
            if record.len() <= most {
                cell.extend_from_slice(&record);
            } else {
                let wished = least + (record.len() - least) % (PAGE - 4);
                let local = if wished <= most { wished } else { least };
                cell.extend_from_slice(&record[..local]);
                cell.extend_from_slice(&(pages.len() as u32 + 1).to_be_bytes());
                let parts: Vec<&[u8]> = record[local..].chunks(PAGE - 4).collect();
                for (nth, part) in parts.iter().enumerate() {
                    let next = if nth + 1 == parts.len() { 0 } else { pages.len() as u32 + 2 };
                    let mut page = [&next.to_be_bytes()[..], part].concat();
                    page.resize(PAGE, 0);
                    pages.push(page);
                }
            }
            put_leaf(&mut pages[leaf], 0, &cell);
            children.push(leaf as u32 + 1);
        }
        let last = children.pop().unwrap_or(0);
        pages[1][0] = 0x05;
        pages[1][3..5].copy_from_slice(&(children.len() as u16).to_be_bytes());
        pages[1][8..12].copy_from_slice(&last.to_be_bytes());
        for (nth, child) in children.iter().enumerate() {
            let at = PAGE - 8 * (nth + 1);
            pages[1][12 + 2 * nth..14 + 2 * nth].copy_from_slice(&(at as u16).to_be_bytes());
            pages[1][at..at + 4].copy_from_slice(&child.to_be_bytes());
        }
        pages.concat()
    }

    fn put_leaf(page: &mut [u8], at: usize, cell: &[u8]) {
        let start = page.len() - cell.len();
        page[start..].copy_from_slice(cell);
        page[at] = 0x0d;
        page[at + 3..at + 5].copy_from_slice(&1_u16.to_be_bytes());
        page[at + 8..at + 10].copy_from_slice(&(start as u16).to_be_bytes());
    }

    fn put_varint(bytes: &mut Vec<u8>, value: u64) {
        for shift in [14, 7] {
            if value >> shift != 0 {
                bytes.push((value >> shift) as u8 | 0x80);
            }
        }
        bytes.push(value as u8 & 0x7f);
    }

    fn read(file: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let _ = blobs(&file, &mut |blob| all.push(blob.to_vec()));
        all
    }

    #[test]
    fn rows_come_back_however_long_they_are() {
        let rows: Vec<Vec<u8>> = [0, 1, 440, 480, 600, 5000].iter().map(|size| vec![*size as u8; *size]).collect();
        assert_eq!(read(&database(&rows)), rows);
    }

    #[test]
    fn a_tree_that_bites_its_tail_ends() {
        let mut file = database(&[vec![1; 10], vec![2; 10]]);
        // the last child of the interior page is the page itself
        file[PAGE + 8..PAGE + 12].copy_from_slice(&2_u32.to_be_bytes());
        assert_eq!(read(&file).len(), 1);
        let mut file = database(&[vec![1; 5000]]);
        let overflow = 3 * PAGE;
        file[overflow..overflow + 4].copy_from_slice(&4_u32.to_be_bytes());
        let _ = read(&file);
    }

    #[test]
    fn damage_never_panics() {
        let file = database(&[vec![1; 700], vec![2; 10]]);
        for cut in (0..file.len()).step_by(7) {
            let _ = read(&file[..cut]);
        }
        for at in 0..file.len() {
            let mut bad = file.clone();
            bad[at] ^= 0xff;
            let _ = read(&bad);
        }
    }
}
