//! Digests of files, kept between builds so that unchanged files are not read again.

use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::checked;
use super::content::OnHost;
use crate::snapshot::{KnownContent, Stamp};

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
    /// What earlier builds noted. Nobody waits for others who look things up in it.
    kept: Records,
    /// What this one did.
    fresh: Mutex<Records>,
    changed: AtomicBool,
}

type Records = HashMap<Stamp, Record, BuildHasherDefault<StampHasher>>;

#[derive(Debug)]
struct Record {
    digest: [u8; 32],
    /// Day since 1970 on which it was last asked for.
    used: AtomicU32,
    /// The file has no extended attributes that are copied; setting one changes its ctime.
    plain: bool,
}

impl Record {
    fn new(digest: [u8; 32], used: u32, plain: bool) -> Self {
        Self { digest, used: AtomicU32::new(used), plain }
    }
}

/// Mixes the numbers of a stamp. They are the file system's, not a stranger's, and no two files share device and inode: what
/// is needed is speed.
#[derive(Debug, Default)]
struct StampHasher(u64);

impl Hasher for StampHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_i64(&mut self, number: i64) {
        self.write_u64(number.cast_unsigned());
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }
}

impl FileDigests {
    /// Reads the digests kept in a file. An absent or damaged file is an empty one.
    pub fn load(path: &Path) -> Self {
        let kept = fs::read(path).ok().and_then(|bytes| decode(&bytes)).unwrap_or_default();
        Self { path: path.to_owned(), kept, ..Self::default() }
    }

    /// Writes the digests back if there is something new. Another process may do the same: the last wins.
    pub fn save(&self) -> io::Result<()> {
        if !self.changed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let bytes = encode(&[&self.kept, &self.fresh()], today());
        let dir = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(dir)?;
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(&bytes)?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Returns what this version of a file is known to hold, and whether it has no extended attributes that are copied.
    pub(crate) fn find(&self, stamp: &Stamp) -> Option<(KnownContent, bool)> {
        let key = Stamp { links: 0, ..*stamp };
        let fresh;
        let record = if let Some(record) = self.kept.get(&key) {
            record
        } else {
            fresh = self.fresh();
            fresh.get(&key)?
        };
        let today = today();
        if record.used.swap(today, Ordering::Relaxed) != today {
            self.changed.store(true, Ordering::Relaxed);
        }
        Some((KnownContent { sha256: record.digest, settled: true }, record.plain))
    }

    /// Returns what a file holds up to the size that it had; `plain` says that it has no extended attributes that are copied.
    pub(crate) fn digest(&self, host: &OnHost, plain: bool) -> io::Result<KnownContent> {
        let stamp = &host.stamp;
        if let Some((known, _)) = self.find(stamp) {
            return Ok(known);
        }
        let began = now();
        let mut file = checked::open(host)?.take(stamp.size);
        let mut hasher = plim_oci::Hasher::new();
        // most files are small
        let mut buffer = vec![0; (stamp.size as usize).clamp(1, 128 * 1024)];
        let mut size = 0;
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            size += count as u64;
            hasher.update(&buffer[..count]);
        }
        if size < stamp.size {
            return Err(checked::changed(&host.path));
        }
        let digest = hasher.finish_raw();
        // it is what the stamp tells of if it still has it: it may have been written to since, or meanwhile
        let settled = stamp.ctime.0 + SETTLED < began && checked::is_same(file.get_ref(), stamp)?;
        if settled {
            self.fresh().insert(Stamp { links: 0, ..*stamp }, Record::new(digest, today(), plain));
            self.changed.store(true, Ordering::Relaxed);
        }
        Ok(KnownContent { sha256: digest, settled })
    }

    /// Notes a file without attributes, however young it is.
    #[cfg(test)]
    pub(crate) fn remember(&self, stamp: &Stamp, digest: [u8; 32]) {
        self.fresh().insert(Stamp { links: 0, ..*stamp }, Record::new(digest, today(), true));
    }

    fn fresh(&self) -> MutexGuard<'_, Records> {
        // records are inserted whole: a panic elsewhere leaves none broken
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

fn today() -> u32 {
    (now() / 86_400) as u32
}

/// The file is the magic, the records, and the SHA-256 of both: a wrong digest would build a wrong image.
fn encode(known: &[&Records], today: u32) -> Vec<u8> {
    let all = known.iter().flat_map(|records| records.iter());
    let mut records: Vec<_> = all
        .map(|(stamp, record)| (record.used.load(Ordering::Relaxed), stamp, record))
        .filter(|(used, ..)| used + KEEP_DAYS >= today)
        .collect();
    records.sort_unstable_by_key(|(used, stamp, _)| (std::cmp::Reverse(*used), stamp.device, stamp.inode));
    records.truncate(KEEP_RECORDS);
    let mut out = Vec::with_capacity(MAGIC.len() + records.len() * RECORD + 32);
    out.extend_from_slice(MAGIC);
    for (used, stamp, record) in records {
        for number in [stamp.device, stamp.inode, stamp.size] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for (seconds, nanoseconds) in [stamp.mtime, stamp.ctime] {
            out.extend_from_slice(&seconds.to_le_bytes());
            out.extend_from_slice(&nanoseconds.to_le_bytes());
        }
        let used = if record.plain { used | PLAIN } else { used };
        out.extend_from_slice(&used.to_le_bytes());
        out.extend_from_slice(&record.digest);
    }
    let sum = sum(&out);
    out.extend_from_slice(&sum);
    out
}

fn decode(bytes: &[u8]) -> Option<Records> {
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
    let record = Record::new(digest, used & !PLAIN, used & PLAIN != 0);
    Some((Stamp { device, inode, links: 0, size, mtime, ctime }, record))
}

fn sum(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = plim_oci::Hasher::new();
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

    fn on_host(path: &Path, stamp: Stamp) -> OnHost {
        OnHost { path: path.to_owned(), stamp, open: snapshot::open, foreign: true, known: None }
    }

    #[test]
    fn digests_survive_a_round_trip() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache/digests");
        let file = dir.path().join("file");
        fs::write(&file, "one").unwrap();
        let digests = FileDigests::load(&path);
        // as if the last change were long ago
        let stamp = Stamp { ctime: (7, 8), ..Stamp::of(&fs::metadata(&file).unwrap()) };
        let first = digests.digest(&on_host(&file, stamp), true).unwrap();
        assert!(!first.settled, "the file's times are others by now");
        digests.remember(&stamp, first.sha256);
        digests.changed.store(true, Ordering::Relaxed);
        digests.save().unwrap();
        // the stamp says that the file is the same, so it is not read
        fs::remove_file(&file).unwrap();
        let again = FileDigests::load(&path);
        let known = again.digest(&on_host(&file, stamp), true).unwrap();
        assert_eq!((known.sha256, known.settled), (first.sha256, true));
        let other = Stamp { inode: stamp.inode + 1, ..stamp };
        assert!(again.digest(&on_host(&file, other), true).is_err());
        assert_eq!(again.find(&stamp), Some((known, true)));
        assert_eq!(again.find(&other), None);
    }

    #[test]
    fn what_a_file_had_when_it_was_chosen_is_digested_and_nothing_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        let digests = FileDigests::load(&dir.path().join("digests"));
        for size in [0, 3] {
            fs::write(&file, &b"one"[..size]).unwrap();
            let host = on_host(&file, Stamp::of(&fs::metadata(&file).unwrap()));
            fs::write(&file, "one and more").unwrap();
            let known = digests.digest(&host, true).unwrap();
            assert_eq!(known.sha256, sum(&b"one"[..size]), "what is copied is as long");
            assert!(!known.settled);
        }
        let host = on_host(&file, Stamp::of(&fs::metadata(&file).unwrap()));
        fs::write(&file, "one").unwrap();
        let error = digests.digest(&host, true).unwrap_err();
        assert_eq!(checked::changed_file(&error), Some(&*file), "it shrank");
    }

    #[test]
    fn a_damaged_file_is_an_empty_one() {
        let known = Records::from_iter([(stamp(1), Record::new([7; 32], 100, true))]);
        let good = encode(&[&known], 100);
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
        let known = [(stamp(1), Record::new([1; 32], 100, true)), (stamp(2), Record::new([2; 32], 10, true))];
        let kept = decode(&encode(&[&Records::from_iter(known)], 100)).unwrap();
        assert!(kept.contains_key(&stamp(1)) && !kept.contains_key(&stamp(2)));
    }

    #[test]
    fn a_file_changed_just_now_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "one").unwrap();
        let digests = FileDigests::load(&dir.path().join("digests"));
        let fresh = on_host(&file, Stamp { ctime: (now(), 0), ..stamp(1) });
        let first = digests.digest(&fresh, true).unwrap();
        fs::write(&file, "two").unwrap();
        assert_ne!(digests.digest(&fresh, true).unwrap(), first);
    }
}
