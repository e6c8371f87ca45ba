//! The database as a hash file of Berkeley DB, of RHEL 8 and older: keys are numbers, values headers.

use std::borrow::Cow;

use super::super::bytes::{ReadAt, big, little};
use super::Budget;

const MAGIC: u64 = 0x0006_1561;

/// Type of the page that describes a hash file, and of the pages that hold its pairs, sorted or not.
const META: u8 = 8;
const HASH: [u8; 2] = [13, 2];
const OVERFLOW: u8 = 7;

/// Kinds of items: the bytes themselves, or the page on which they begin.
const INLINE: u8 = 1;
const OFF_PAGE: u8 = 3;

/// Bytes before the offsets of a page's items.
const PAGE_HEADER: usize = 26;

/// Hands over every package's header; nothing when the file makes no sense any more.
pub(super) fn blobs(database: &dyn ReadAt, each: &mut dyn FnMut(&[u8])) -> Option<()> {
    let meta = database.bytes(0, 512)?;
    let number = if little(&meta, 12, 4)? == MAGIC {
        little
    } else if big(&meta, 12, 4)? == MAGIC {
        big
    } else {
        return None;
    };
    let page_size = number(&meta, 20, 4)? as usize;
    if meta[25] != META || !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
        return None;
    }
    let file = Pages { database, page_size, number };
    let mut budget = Budget::of(database);
    let last = number(&meta, 32, 4)?.min(database.length() / page_size as u64);
    for page in 1..=last {
        let Some(page) = file.page(page) else { break };
        if !HASH.contains(&page[25]) {
            continue;
        }
        let items = number(&page, 20, 2)? as usize;
        // keys and values take turns
        for nth in (1..items).step_by(2) {
            let at = number(&page, PAGE_HEADER + 2 * nth, 2)? as usize;
            let item = page.get(at..)?;
            match item.first() {
                // an item reaches to the one before it; small ones are bookkeeping
                Some(&INLINE) => {
                    let end = number(&page, PAGE_HEADER + 2 * (nth - 1), 2)? as usize;
                    let value = page.get(at + 1..end.max(at + 1))?;
                    budget.take(value.len() as u64)?;
                    each(value);
                }
                Some(&OFF_PAGE) => {
                    let size = budget.take(number(item, 8, 4)?)?;
                    each(&file.chain(number(item, 4, 4)?, size)?);
                }
                _ => {}
            }
        }
    }
    Some(())
}

/// A file of pages, whose numbers have the byte order of the machine that made it.
struct Pages<'a> {
    database: &'a dyn ReadAt,
    page_size: usize,
    number: fn(&[u8], usize, usize) -> Option<u64>,
}

impl<'a> Pages<'a> {
    fn page(&self, number: u64) -> Option<Cow<'a, [u8]>> {
        self.database.bytes(number.checked_mul(self.page_size as u64)?, self.page_size)
    }

    /// Puts a value together that lies on pages of its own. Each adds something, so a chain in a ring ends too.
    fn chain(&self, first: u64, size: usize) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        let mut next = first;
        while value.len() < size {
            let page = self.page(next)?;
            let length = (self.number)(&page, 22, 2)? as usize;
            if page[25] != OVERFLOW || length == 0 {
                return None;
            }
            value.extend_from_slice(page.get(PAGE_HEADER..PAGE_HEADER + length)?);
            next = (self.number)(&page, 16, 4)?;
        }
        value.truncate(size);
        Some(value)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const PAGE: usize = 512;

    /// Makes a hash file with one page of pairs for each two values, short ones inline, long ones on pages of their own.
    pub(in crate::collect::rpm) fn database(blobs: &[Vec<u8>]) -> Vec<u8> {
        let mut pages = vec![vec![0_u8; PAGE]];
        for pair in blobs.chunks(2) {
            let hash = pages.len();
            pages.push(vec![0; PAGE]);
            let (mut end, mut items) = (PAGE, Vec::new());
            for blob in pair {
                let key = [&[INLINE][..], &[1, 0, 0, 0]].concat();
                let value = if blob.len() < 100 {
                    [&[INLINE][..], blob].concat()
                } else {
                    let first = pages.len() as u32;
                    let parts: Vec<&[u8]> = blob.chunks(PAGE - PAGE_HEADER).collect();
                    for (nth, part) in parts.iter().enumerate() {
                        let mut page = vec![0; PAGE];
                        let next = if nth + 1 == parts.len() { 0 } else { pages.len() as u32 + 1 };
                        page[16..20].copy_from_slice(&next.to_le_bytes());
                        page[22..24].copy_from_slice(&(part.len() as u16).to_le_bytes());
                        page[25] = OVERFLOW;
                        page[PAGE_HEADER..PAGE_HEADER + part.len()].copy_from_slice(part);
                        pages.push(page);
                    }
                    [&[OFF_PAGE, 0, 0, 0][..], &first.to_le_bytes(), &(blob.len() as u32).to_le_bytes()].concat()
                };
                for item in [key, value] {
                    end -= item.len();
                    pages[hash][end..end + item.len()].copy_from_slice(&item);
                    items.push(end as u16);
                }
            }
            pages[hash][20..22].copy_from_slice(&(items.len() as u16).to_le_bytes());
            pages[hash][25] = HASH[0];
            for (nth, item) in items.iter().enumerate() {
                pages[hash][PAGE_HEADER + 2 * nth..PAGE_HEADER + 2 * nth + 2].copy_from_slice(&item.to_le_bytes());
            }
        }
        let last = pages.len() as u32 - 1;
        pages[0][12..16].copy_from_slice(&(MAGIC as u32).to_le_bytes());
        pages[0][20..24].copy_from_slice(&(PAGE as u32).to_le_bytes());
        pages[0][25] = META;
        pages[0][32..36].copy_from_slice(&last.to_le_bytes());
        pages.concat()
    }

    fn read(file: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let _ = blobs(&file, &mut |blob| all.push(blob.to_vec()));
        all
    }

    #[test]
    fn values_come_back_however_long_they_are() {
        let rows = [vec![1; 10], vec![2; 500], vec![3; 5000]];
        assert_eq!(read(&database(&rows)), rows);
    }

    #[test]
    fn damage_and_rings_of_pages_are_harmless() {
        let file = database(&[vec![1; 700], vec![2; 10]]);
        for at in 0..file.len() {
            let mut bad = file.clone();
            bad[at] ^= 0xff;
            let _ = read(&bad);
            let _ = read(&file[..at]);
        }
        let mut ring = database(&[vec![1; 1400]]);
        for page in [2, 3, 4] {
            ring[page * PAGE + 16..page * PAGE + 20].copy_from_slice(&2_u32.to_le_bytes());
        }
        assert_eq!(read(&ring)[0].len(), 1400);
    }
}
