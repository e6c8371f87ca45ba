//! Digests of files, kept between builds so that unchanged files are not read again.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use plim_oci::Hasher;

use super::content::Opener;
use crate::snapshot::Stamp;

const MAGIC: &[u8; 8] = b"plimdig2";
const RECORD: usize = 84;
/// Set in the day of a record whose file has no attributes.
const PLAIN: u32 = 1 << 31;
/// A file changed this recently may change again without its times showing it: the clock that marks files
/// is coarse on some file systems. Its digest is not kept.
const SETTLED: i64 = 2;
/// Records not asked for in so many days are dropped.
const KEEP_DAYS: u32 = 60;
/// Records kept at most, about 84 MB.
const KEEP_RECORDS: usize = 1_000_000;

/// Digests of the contents of files, by what tells versions of a file apart: device, inode, size and the
/// times of change in nanoseconds. Shared by threads.
#[derive(Debug, Default)]
pub struct FileDigests {
    path: PathBuf,
    known: Mutex<HashMap<Stamp, Record>>,
    changed: AtomicBool,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    digest: [u8; 32],
    /// Day since 1970 on which it was last asked for.
    used: u32,
    /// The file has no extended attributes that are copied; setting one changes its ctime.
    plain: bool,
}

impl FileDigests {
    /// Reads the digests kept in a file. An absent or damaged file is an empty one.
    pub fn load(path: &Path) -> Self {
        let known = fs::read(path).ok().and_then(|bytes| decode(&bytes)).unwrap_or_default();
        Self { path: path.to_owned(), known: Mutex::new(known), changed: AtomicBool::new(false) }
    }

    /// Writes the digests back if there is something new. Another process may do the same: the last wins.
    pub fn save(&self) -> io::Result<()> {
        if !self.changed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let bytes = encode(&self.known(), today());
        let dir = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(dir)?;
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(&bytes)?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Says whether this version of a file is known to have no extended attributes that are copied.
    pub(crate) fn is_plain(&self, stamp: &Stamp) -> bool {
        self.known().get(&Stamp { links: 0, ..*stamp }).is_some_and(|record| record.plain)
    }

    /// Returns the SHA-256 of a file's content; `plain` says that it has no extended attributes that are copied.
    pub(crate) fn digest(&self, path: &Path, stamp: &Stamp, plain: bool, open: Opener) -> io::Result<[u8; 32]> {
        let key = Stamp { links: 0, ..*stamp };
        let today = today();
        if let Some(record) = self.known().get_mut(&key) {
            if record.used != today {
                record.used = today;
                self.changed.store(true, Ordering::Relaxed);
            }
            return Ok(record.digest);
        }
        let mut file = open(path)?;
        let mut hasher = Hasher::new();
        // most files are small; one byte more shows that the file ends where it should
        let mut buffer = vec![0; (stamp.size as usize).saturating_add(1).min(128 * 1024)];
        let mut size = 0;
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            size += count as u64;
            hasher.update(&buffer[..count]);
        }
        let digest = hasher.finish_raw();
        if size == stamp.size && stamp.ctime.0 + SETTLED < now() {
            self.known().insert(key, Record { digest, used: today, plain });
            self.changed.store(true, Ordering::Relaxed);
        }
        Ok(digest)
    }

    /// Notes a file without attributes, however young it is.
    #[cfg(test)]
    pub(crate) fn remember(&self, stamp: &Stamp, digest: [u8; 32]) {
        self.known().insert(Stamp { links: 0, ..*stamp }, Record { digest, used: today(), plain: true });
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Stamp, Record>> {
        // records are inserted whole: a panic elsewhere leaves none broken
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

fn today() -> u32 {
    (now() / 86_400) as u32
}

/// The file is the magic, the records, and the SHA-256 of both: a wrong digest would build a wrong image.
fn encode(known: &HashMap<Stamp, Record>, today: u32) -> Vec<u8> {
    let mut records: Vec<_> = known.iter().filter(|(_, record)| record.used + KEEP_DAYS >= today).collect();
    records.sort_unstable_by_key(|(stamp, record)| (std::cmp::Reverse(record.used), stamp.device, stamp.inode));
    records.truncate(KEEP_RECORDS);
    let mut out = Vec::with_capacity(MAGIC.len() + records.len() * RECORD + 32);
    out.extend_from_slice(MAGIC);
    for (stamp, record) in records {
        for number in [stamp.device, stamp.inode, stamp.size] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for (seconds, nanoseconds) in [stamp.mtime, stamp.ctime] {
            out.extend_from_slice(&seconds.to_le_bytes());
            out.extend_from_slice(&nanoseconds.to_le_bytes());
        }
        let used = if record.plain { record.used | PLAIN } else { record.used };
        out.extend_from_slice(&used.to_le_bytes());
        out.extend_from_slice(&record.digest);
    }
    let sum = sum(&out);
    out.extend_from_slice(&sum);
    out
}

fn decode(bytes: &[u8]) -> Option<HashMap<Stamp, Record>> {
    let (body, stored) = bytes.split_last_chunk::<32>()?;
    let records = body.strip_prefix(MAGIC)?;
    if sum(body) != *stored || records.len() % RECORD != 0 {
        return None;
    }
    Some(records.chunks_exact(RECORD).filter_map(decode_record).collect())
}

fn decode_record(mut bytes: &[u8]) -> Option<(Stamp, Record)> {
    fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
        let (first, rest) = bytes.split_first_chunk::<N>()?;
        *bytes = rest;
        Some(*first)
    }
    let bytes = &mut bytes;
    let mut number = || take(bytes).map(u64::from_le_bytes);
    let (device, inode, size) = (number()?, number()?, number()?);
    let mut time = || Some((take(bytes).map(i64::from_le_bytes)?, take(bytes).map(u32::from_le_bytes)?));
    let (mtime, ctime) = (time()?, time()?);
    let used = take(bytes).map(u32::from_le_bytes)?;
    let digest = take(bytes)?;
    let record = Record { digest, used: used & !PLAIN, plain: used & PLAIN != 0 };
    Some((Stamp { device, inode, links: 0, size, mtime, ctime }, record))
}

fn sum(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finish_raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot;

    fn stamp(inode: u64) -> Stamp {
        Stamp { device: 1, inode, links: 0, size: 3, mtime: (-5, 999_999_999), ctime: (7, 8) }
    }

    #[test]
    fn digests_survive_a_round_trip() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache/digests");
        let file = dir.path().join("file");
        fs::write(&file, "one").unwrap();
        let digests = FileDigests::load(&path);
        let first = digests.digest(&file, &stamp(1), true, snapshot::open).unwrap();
        digests.save().unwrap();
        // the stamp says that the file is the same, so it is not read
        fs::remove_file(&file).unwrap();
        let again = FileDigests::load(&path);
        assert_eq!(again.digest(&file, &stamp(1), true, snapshot::open).unwrap(), first);
        assert!(again.digest(&file, &stamp(2), true, snapshot::open).is_err());
        assert!(again.is_plain(&stamp(1)) && !again.is_plain(&stamp(2)));
    }

    #[test]
    fn a_damaged_file_is_an_empty_one() {
        let known = HashMap::from([(stamp(1), Record { digest: [7; 32], used: 100, plain: true })]);
        let good = encode(&known, 100);
        assert_eq!(decode(&good).unwrap().len(), 1);
        assert_eq!(good.len(), 8 + RECORD + 32);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(decode(&bad).is_none(), "flipped byte {at}");
            assert!(decode(&good[..at]).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn records_nobody_asks_for_are_dropped() {
        let known = HashMap::from([
            (stamp(1), Record { digest: [1; 32], used: 100, plain: true }),
            (stamp(2), Record { digest: [2; 32], used: 10, plain: true }),
        ]);
        let kept = decode(&encode(&known, 100)).unwrap();
        assert!(kept.contains_key(&stamp(1)) && !kept.contains_key(&stamp(2)));
    }

    #[test]
    fn a_file_changed_just_now_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "one").unwrap();
        let digests = FileDigests::load(&dir.path().join("digests"));
        let fresh = Stamp { ctime: (now(), 0), ..stamp(1) };
        let first = digests.digest(&file, &fresh, true, snapshot::open).unwrap();
        fs::write(&file, "two").unwrap();
        assert_ne!(digests.digest(&file, &fresh, true, snapshot::open).unwrap(), first);
    }
}
