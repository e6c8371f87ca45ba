//! Writing a tar of which every byte follows from the entries.

use std::io::{self, Read, Write};

use bstr::ByteSlice;

use crate::{EntryHead, EntryKind};

use super::header::{self, Block};
use super::{BLOCK, XATTR, pax};

/// Writes entries in the order in which they come: plain POSIX headers where everything fits, extended
/// headers where it does not. No user names, no access times, nothing from this machine.
#[derive(Debug)]
pub struct TarWriter<W: Write> {
    inner: W,
    buffer: Vec<u8>,
}

impl<W: Write> TarWriter<W> {
    /// Returns a writer of an empty archive.
    pub fn new(inner: W) -> Self {
        Self { inner, buffer: vec![0; 128 << 10] }
    }

    /// Returns what is written to.
    pub(crate) fn inner(&mut self) -> &mut W {
        &mut self.inner
    }

    /// Writes an entry. Of `content` exactly `head.size` bytes are read; fewer are an error, as of a file
    /// that shrinks while it is read. Only files have content.
    pub fn entry(&mut self, head: &EntryHead, content: &mut dyn Read) -> io::Result<()> {
        check(head)?;
        let size = if head.kind == EntryKind::File { head.size } else { 0 };
        let mut records = Vec::new();
        let block = block(head, size, &mut records);
        if !records.is_empty() {
            self.inner.write_all(&extension(head, records.len()))?;
            self.inner.write_all(&records)?;
            self.pad(records.len() as u64)?;
        }
        self.inner.write_all(&block)?;
        self.content(head, size, content)?;
        self.pad(size)
    }

    /// Ends the archive with its two blocks of zeros and returns what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.inner.write_all(&[0; 2 * BLOCK])?;
        Ok(self.inner)
    }

    fn content(&mut self, head: &EntryHead, size: u64, content: &mut dyn Read) -> io::Result<()> {
        let mut left = size;
        while left > 0 {
            let wanted = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = match content.read(&mut self.buffer[..wanted]) {
                Ok(0) => {
                    let reason = format!("`{}` ended {left} bytes before its {size} bytes", head.path);
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
                }
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.inner.write_all(&self.buffer[..count])?;
            left -= count as u64;
        }
        Ok(())
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let padding = (size.wrapping_neg() % BLOCK as u64) as usize;
        self.inner.write_all(&[0; BLOCK][..padding])
    }
}

/// Refuses what no reader would give back.
fn check(head: &EntryHead) -> io::Result<()> {
    let refuse = |reason: &str| {
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("layer entry `{}` {reason}", head.path)))
    };
    if head.path.is_empty() && head.kind != EntryKind::Dir {
        return refuse("has no name");
    }
    if head.path.contains(&0) || head.link.contains(&0) {
        return refuse("contains a NUL");
    }
    if head.xattrs.keys().any(|name| name.is_empty() || name.contains(&b'=')) {
        return refuse("has an extended attribute that a tar cannot name");
    }
    Ok(())
}

/// Fills the header block; what does not fit goes into `records`, sorted by key.
fn block(head: &EntryHead, size: u64, records: &mut Vec<u8>) -> Block {
    let mut block = [0; BLOCK];
    // one entry per record, in the order of their keys: SCHILY.* before gid, linkpath, mtime, path, size, uid
    let (major, minor) = match head.kind {
        EntryKind::Char | EntryKind::Block => head.device,
        _ => (0, 0),
    };
    for (field, key, number) in [(header::MAJOR, "SCHILY.devmajor", major), (header::MINOR, "SCHILY.devminor", minor)] {
        if !header::set_number(&mut block, field, number.into()) {
            pax::push(records, key.as_bytes(), number.to_string().as_bytes());
        }
    }
    for (name, value) in &head.xattrs {
        pax::push(records, &[XATTR, name.as_slice()].concat(), value);
    }
    if !header::set_number(&mut block, header::GID, head.gid.into()) {
        pax::push(records, b"gid", head.gid.to_string().as_bytes());
    }
    if !header::set_text(&mut block, header::LINK, &head.link) {
        pax::push(records, b"linkpath", &head.link);
    }
    if !header::set_number(&mut block, header::MTIME, head.mtime) {
        pax::push(records, b"mtime", head.mtime.to_string().as_bytes());
    }
    let path = written_path(head);
    if !set_path(&mut block, &path) {
        pax::push(records, b"path", &path);
    }
    if !i64::try_from(size).is_ok_and(|size| header::set_number(&mut block, header::SIZE, size)) {
        pax::push(records, b"size", size.to_string().as_bytes());
    }
    if !header::set_number(&mut block, header::UID, head.uid.into()) {
        pax::push(records, b"uid", head.uid.to_string().as_bytes());
    }
    header::set_number(&mut block, header::MODE, i64::from(head.mode & 0o7777));
    block[header::TYPE] = match head.kind {
        EntryKind::File => b'0',
        EntryKind::Hardlink => b'1',
        EntryKind::Symlink => b'2',
        EntryKind::Char => b'3',
        EntryKind::Block => b'4',
        EntryKind::Dir => b'5',
        EntryKind::Fifo => b'6',
    };
    magic(&mut block);
    block
}

/// Returns the header block before extended records.
fn extension(head: &EntryHead, size: usize) -> Block {
    let mut block = [0; BLOCK];
    // readers that know no extensions make a file of this name out of it
    let name = head.path.rsplit_str("/").next().unwrap_or_default();
    header::set_text(&mut block, header::NAME, &[b"PaxHeaders.0/", name].concat());
    header::set_number(&mut block, header::MODE, 0o644);
    header::set_number(&mut block, header::SIZE, size as i64);
    for field in [header::UID, header::GID, header::MTIME, header::MAJOR, header::MINOR] {
        header::set_number(&mut block, field, 0);
    }
    block[header::TYPE] = b'x';
    magic(&mut block);
    block
}

fn magic(block: &mut Block) {
    block[header::MAGIC].copy_from_slice(b"ustar\0");
    block[header::VERSION].copy_from_slice(b"00");
    header::seal(block);
}

/// Directories end in a slash; the root is `./`.
fn written_path(head: &EntryHead) -> Vec<u8> {
    let mut path = head.path.to_vec();
    if head.kind == EntryKind::Dir {
        if path.is_empty() {
            path.push(b'.');
        }
        path.push(b'/');
    }
    path
}

/// Writes a path into name, or into prefix and name parted at a slash; false if neither holds it, and then
/// name has its beginning.
fn set_path(block: &mut Block, path: &[u8]) -> bool {
    if path.len() > header::NAME.len() {
        // the name must not be empty, and a directory's last slash stays with it
        let end = path.len().saturating_sub(2).min(header::PREFIX.len());
        let start = path.len() - header::NAME.len() - 1;
        let slash = (start..=end).find(|place| path[*place] == b'/' && *place > 0);
        if let Some(slash) = slash {
            header::set_text(block, header::PREFIX, &path[..slash]);
            return header::set_text(block, header::NAME, &path[slash + 1..]);
        }
    }
    header::set_text(block, header::NAME, path)
}
