//! The database in RPM's own format, of SUSE: pages of slots, each of which points to a blob.

use super::super::bytes::{ReadAt, little};
use super::Budget;

const PAGE: u64 = 4096;
const SLOT: usize = 16;
const BLOCK: u64 = 16;

/// How many pages of slots are read; each tells of 256 packages.
const MAX_PAGES: u64 = 1024;

/// Hands over every package's header; nothing when the file makes no sense any more.
pub(super) fn blobs(database: &dyn ReadAt, each: &mut dyn FnMut(&[u8])) -> Option<()> {
    let start = database.bytes(0, 32)?;
    let pages = little(&start, 12, 4)?.min(MAX_PAGES);
    let mut budget = Budget::of(database);
    for page in 0..pages {
        let slots = database.bytes(page * PAGE, PAGE as usize)?;
        // the header of the file takes the place of the first two slots
        for slot in slots.chunks_exact(SLOT).skip(if page == 0 { 2 } else { 0 }) {
            let (package, block) = (little(slot, 4, 4)?, little(slot, 8, 4)?);
            if !slot.starts_with(b"Slot") || package == 0 || block == 0 {
                continue;
            }
            let head = database.bytes(block * BLOCK, 16)?;
            if !head.starts_with(b"BlbS") || little(&head, 4, 4)? != package {
                return None;
            }
            let size = budget.take(little(&head, 12, 4)?)?;
            each(&database.bytes(block * BLOCK + 16, size)?);
        }
    }
    Some(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::collect::rpm) fn database(blobs: &[Vec<u8>]) -> Vec<u8> {
        let mut file = vec![0; PAGE as usize];
        file[..4].copy_from_slice(b"RpmP");
        file[12..16].copy_from_slice(&1_u32.to_le_bytes());
        for (nth, blob) in blobs.iter().enumerate() {
            let (block, package) = ((file.len() / 16) as u32, nth as u32 + 1);
            let slot = 32 + 16 * nth;
            file[slot..slot + 4].copy_from_slice(b"Slot");
            file[slot + 4..slot + 8].copy_from_slice(&package.to_le_bytes());
            file[slot + 8..slot + 12].copy_from_slice(&block.to_le_bytes());
            file.extend_from_slice(b"BlbS");
            for word in [package, 1, blob.len() as u32] {
                file.extend_from_slice(&word.to_le_bytes());
            }
            file.extend_from_slice(blob);
            file.resize(file.len().next_multiple_of(16), 0);
        }
        file
    }

    fn read(file: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let _ = blobs(&file, &mut |blob| all.push(blob.to_vec()));
        all
    }

    #[test]
    fn every_slot_leads_to_its_blob() {
        let rows = [vec![1; 10], vec![], vec![2; 5000]];
        assert_eq!(read(&database(&rows)), rows);
    }

    #[test]
    fn damage_never_panics_and_shared_bytes_have_bounds() {
        let file = database(&[vec![1; 100], vec![2; 10]]);
        for at in (0..file.len()).filter(|at| *at < 100 || *at >= 4096) {
            let mut bad = file.clone();
            bad[at] ^= 0xff;
            let _ = read(&bad);
            let _ = read(&file[..at]);
        }
        let mut file = database(&[vec![1; 100_000]]);
        for nth in 1..100 {
            file.copy_within(32..48, 32 + 16 * nth);
        }
        assert_eq!(read(&file).len(), 1);
    }
}
