//! Reading a tar, one entry at a time, with bounded memory whatever the stream says.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek};

use bstr::{BString, ByteSlice};

use crate::{EntryHead, EntryKind};

use super::header::{self, Block, Format};
use super::name::{self, BadPath};
use super::{BLOCK, Limits, TarError, XATTR, pax};

/// Reads a tar stream: [`TarReader::next_entry`] gives the next head, reading gives that entry's content.
pub struct TarReader<R> {
    inner: R,
    limits: Limits,
    /// Bytes taken from the stream.
    offset: u64,
    /// Content bytes of the current entry that are still in the stream.
    content: u64,
    /// Padding after them.
    padding: u64,
    entries: u64,
    /// Bytes of paths, targets and attributes so far.
    metadata: u64,
    ended: bool,
}

/// What extended headers say about the entry that follows them.
#[derive(Default)]
struct Extended {
    path: Option<BString>,
    link: Option<BString>,
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
    mtime: Option<i64>,
    major: Option<u32>,
    minor: Option<u32>,
    xattrs: BTreeMap<BString, BString>,
    /// Bytes of headers taken so far.
    bytes: usize,
}

impl<R> std::fmt::Debug for TarReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TarReader")
            .field("offset", &self.offset)
            .field("entries", &self.entries)
            .finish_non_exhaustive()
    }
}

impl<R: Read> TarReader<R> {
    /// Returns a reader of an uncompressed stream.
    pub fn new(inner: R, limits: Limits) -> Self {
        Self { inner, limits, offset: 0, content: 0, padding: 0, entries: 0, metadata: 0, ended: false }
    }

    /// Returns the stream below, which stands where the reader does: nothing is read ahead.
    pub(crate) fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// Returns the stream below.
    pub(crate) fn into_inner(self) -> R {
        self.inner
    }

    /// Returns where in the stream the content of the current entry begins or goes on, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Skips what is left of the current entry and returns the next one; `None` at the end.
    pub fn next_entry(&mut self) -> Result<Option<EntryHead>, TarError> {
        let mut extended = Extended::default();
        loop {
            self.skip(self.content.saturating_add(self.padding))?;
            (self.content, self.padding) = (0, 0);
            let start = self.offset;
            let Some(block) = self.header()? else {
                if extended.bytes > 0 {
                    return Err(malformed(start, "an extended header without its entry"));
                }
                return Ok(None);
            };
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(TarError::TooMany { what: "entries", limit: self.limits.entries });
            }
            let stated = header::number(&block, header::SIZE).and_then(|size| u64::try_from(size).ok());
            let Some(size) = stated else { return Err(malformed(start, "the size is no number")) };
            match block[header::TYPE] {
                b'x' => {
                    let records = self.extension(size, &mut extended)?;
                    apply(&records, &mut extended, start)?;
                }
                // GNU's long names end with a NUL
                b'L' => extended.path = Some(until_nul(self.extension(size, &mut extended)?)),
                b'K' => extended.link = Some(until_nul(self.extension(size, &mut extended)?)),
                // a global header holds comments of git and no facts about entries; `V` is a tape's label
                b'g' | b'V' => self.expect(size),
                _ => return self.entry(&block, size, extended, start).map(Some),
            }
        }
    }

    /// Returns the next header; `None` after the two blocks of zeros, or where the stream just stops.
    fn header(&mut self) -> Result<Option<Block>, TarError> {
        let start = self.offset;
        let Some(block) = self.block()? else { return Ok(None) };
        if block.iter().all(|byte| *byte == 0) {
            // one such block ends an archive only with a second; some writers leave that one out
            return match self.block()? {
                Some(second) if second.iter().any(|byte| *byte != 0) => {
                    Err(malformed(start, "a block of zeros between entries"))
                }
                _ => {
                    self.ended = true;
                    Ok(None)
                }
            };
        }
        if !header::is_sealed(&block) {
            let reason = if start == 0 { "this is no tar" } else { "the header's checksum is wrong" };
            return Err(malformed(start, reason));
        }
        Ok(Some(block))
    }

    fn block(&mut self) -> Result<Option<Block>, TarError> {
        if self.ended {
            return Ok(None);
        }
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.inner.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => {
                    self.ended = true;
                    return Ok(None);
                }
                Ok(0) => return Err(malformed(self.offset, "it ends within a header")),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.offset += BLOCK as u64;
        Ok(Some(block))
    }

    /// Makes the next bytes of the stream the current content.
    fn expect(&mut self, size: u64) {
        self.content = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    /// Reads the content of an extension header whole.
    fn extension(&mut self, size: u64, extended: &mut Extended) -> Result<Vec<u8>, TarError> {
        let limit = self.limits.header;
        let total = usize::try_from(size).ok().and_then(|size| extended.bytes.checked_add(size).map(|sum| sum + BLOCK));
        extended.bytes = total
            .filter(|total| *total <= limit)
            .ok_or(TarError::TooMany { what: "bytes of extended headers on one entry", limit: limit as u64 })?;
        self.expect(size);
        let mut bytes = Vec::with_capacity(size as usize);
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn entry(&mut self, block: &Block, size: u64, extended: Extended, start: u64) -> Result<EntryHead, TarError> {
        let format = Format::of(block);
        let raw_path = extended.path.unwrap_or_else(|| {
            let name = header::text(block, header::NAME);
            match format.prefix().map(|field| header::text(block, field)).filter(|prefix| !prefix.is_empty()) {
                Some(prefix) => [prefix, b"/", name].concat().into(),
                None => name.into(),
            }
        });
        let refuse = |reason: String| TarError::Entry { path: raw_path.clone(), reason };
        if raw_path.len() > self.limits.path {
            return Err(TarError::TooMany { what: "bytes in a path", limit: self.limits.path as u64 });
        }
        let kind = match block[header::TYPE] {
            // the oldest tars mark a directory by its slash alone
            0 if raw_path.ends_with(b"/") => EntryKind::Dir,
            0 | b'0' | b'7' => EntryKind::File,
            b'1' => EntryKind::Hardlink,
            b'2' => EntryKind::Symlink,
            b'3' => EntryKind::Char,
            b'4' => EntryKind::Block,
            b'5' => EntryKind::Dir,
            b'6' => EntryKind::Fifo,
            b'S' => return Err(refuse("is a sparse file, which images do not use".to_owned())),
            other => return Err(refuse(format!("has the unknown type `{}`", other.escape_ascii()))),
        };
        let normalise = |raw: &[u8], what: &str| {
            name::normalise(raw, self.limits.depth).map_err(|bad| {
                refuse(match bad {
                    BadPath::Outside => format!("{what} contains `..`"),
                    BadPath::Nul => format!("{what} contains a NUL"),
                    BadPath::Deep => format!("{what} is deeper than {} directories", self.limits.depth),
                })
            })
        };
        let path = normalise(&raw_path, "has a path that")?;
        // some tars name the root with an empty file entry; whatever it is said to be, the root is a directory
        let kind = match kind {
            EntryKind::File if path.is_empty() && raw_path.is_empty() => EntryKind::Dir,
            _ if path.is_empty() && kind != EntryKind::Dir => return Err(refuse("has no name".to_owned())),
            kind => kind,
        };
        let raw_link = extended.link.unwrap_or_else(|| header::text(block, header::LINK).into());
        if raw_link.len() > self.limits.path {
            return Err(TarError::TooMany { what: "bytes in a link's target", limit: self.limits.path as u64 });
        }
        let link = match kind {
            EntryKind::Hardlink => normalise(&raw_link, "is a hard link to a path that")?,
            EntryKind::Symlink if raw_link.contains(&0) => return Err(refuse("links to a path with a NUL".to_owned())),
            EntryKind::Symlink => raw_link,
            _ => BString::default(),
        };
        let field = |field, what: &str| {
            header::number(block, field).ok_or_else(|| malformed(start, &format!("the {what} is no number")))
        };
        let owner = |known: Option<u32>, at, what: &str| match known {
            Some(id) => Ok(id),
            None => u32::try_from(field(at, what)?).map_err(|_| malformed(start, &format!("the {what} is too large"))),
        };
        let device = match kind {
            EntryKind::Char | EntryKind::Block if format != Format::V7 => (
                owner(extended.major, header::MAJOR, "major device number")?,
                owner(extended.minor, header::MINOR, "minor device number")?,
            ),
            _ => (0, 0),
        };
        let head = EntryHead {
            path,
            kind,
            mode: field(header::MODE, "mode")? as u32 & 0o7777,
            uid: owner(extended.uid, header::UID, "owner")?,
            gid: owner(extended.gid, header::GID, "group")?,
            // only files have content; writers may state the target's size on links
            size: if kind == EntryKind::File { extended.size.unwrap_or(size) } else { 0 },
            mtime: extended.mtime.map_or_else(|| field(header::MTIME, "time"), Ok)?,
            link,
            device,
            xattrs: extended.xattrs,
        };
        let xattrs = head.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        self.metadata += (head.path.len() + head.link.len() + xattrs) as u64;
        if self.metadata > self.limits.metadata {
            let what = "bytes of paths, links and attributes";
            return Err(TarError::TooMany { what, limit: self.limits.metadata });
        }
        self.expect(head.size);
        Ok(head)
    }

    fn skip(&mut self, mut count: u64) -> Result<(), TarError> {
        let mut scratch = [0; 8192];
        while count > 0 {
            let wanted = scratch.len().min(usize::try_from(count).unwrap_or(usize::MAX));
            match self.inner.read(&mut scratch[..wanted]) {
                Ok(0) => return Err(truncated().into()),
                Ok(read) => {
                    self.offset += read as u64;
                    count -= read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl<R: Read + Seek> TarReader<R> {
    /// Passes over the rest of the current entry's content without reading it. Whether the stream has so many
    /// bytes does not show.
    pub fn seek_past(&mut self) -> Result<(), TarError> {
        let step = i64::try_from(self.content).map_err(|_| truncated())?;
        self.inner.seek_relative(step)?;
        self.offset += self.content;
        self.content = 0;
        Ok(())
    }
}

/// Reads the content of the current entry.
impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.content).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.inner.read(&mut buffer[..wanted])?;
        if count == 0 {
            return Err(truncated());
        }
        self.offset += count as u64;
        self.content -= count as u64;
        Ok(count)
    }
}

/// Takes in the records of an extended header; unknown keys mean nothing to us.
fn apply(records: &[u8], extended: &mut Extended, start: u64) -> Result<(), TarError> {
    for record in pax::Records::new(records) {
        let Some((key, value)) = record else { return Err(malformed(start, "an extended header's record is broken")) };
        let number = || std::str::from_utf8(value).ok().and_then(|text| text.parse::<u64>().ok());
        let small = || number().and_then(|number| u32::try_from(number).ok());
        let good = match key {
            // an empty value takes back what an earlier header said
            _ if value.is_empty() && !key.starts_with(XATTR) => {
                match key {
                    b"path" => extended.path = None,
                    b"linkpath" => extended.link = None,
                    b"size" => extended.size = None,
                    _ => {}
                }
                true
            }
            b"path" => set(&mut extended.path, Some(value.into())),
            b"linkpath" => set(&mut extended.link, Some(value.into())),
            b"size" => set(&mut extended.size, number()),
            b"uid" => set(&mut extended.uid, small()),
            b"gid" => set(&mut extended.gid, small()),
            b"mtime" => set(&mut extended.mtime, pax::seconds(value)),
            b"SCHILY.devmajor" => set(&mut extended.major, small()),
            b"SCHILY.devminor" => set(&mut extended.minor, small()),
            _ if key.starts_with(b"GNU.sparse.") => {
                let path = extended.path.clone().unwrap_or_default();
                return Err(TarError::Entry { path, reason: "is a sparse file, which images do not use".to_owned() });
            }
            _ => {
                if let Some(name) = key.strip_prefix(XATTR).filter(|name| !name.is_empty()) {
                    extended.xattrs.insert(name.into(), value.into());
                }
                true
            }
        };
        if !good {
            let reason = format!("the extended header's {} is no number that fits", key.as_bstr());
            return Err(malformed(start, &reason));
        }
    }
    Ok(())
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) -> bool {
    *slot = value;
    slot.is_some()
}

fn until_nul(mut bytes: Vec<u8>) -> BString {
    if let Some(end) = bytes.find_byte(0) {
        bytes.truncate(end);
    }
    bytes.into()
}

fn malformed(offset: u64, reason: &str) -> TarError {
    TarError::Malformed { offset, reason: reason.to_owned() }
}

fn truncated() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the tar ends within an entry")
}
