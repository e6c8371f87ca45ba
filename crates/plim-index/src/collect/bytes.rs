//! Files that are read at any place, whether in memory or on disk.

use std::borrow::Cow;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// A file of known length.
pub(super) trait ReadAt {
    /// Returns its length in bytes.
    fn length(&self) -> u64;

    /// Returns so many bytes from an offset on; nothing when the file ends before or cannot be read.
    fn bytes(&self, offset: u64, size: usize) -> Option<Cow<'_, [u8]>>;
}

impl ReadAt for &[u8] {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn bytes(&self, offset: u64, size: usize) -> Option<Cow<'_, [u8]>> {
        let start = usize::try_from(offset).ok()?;
        self.get(start..start.checked_add(size)?).map(Cow::Borrowed)
    }
}

/// A file on disk.
pub(super) struct OnDisk<'f> {
    file: &'f File,
    length: u64,
}

impl<'f> OnDisk<'f> {
    /// Returns a file of which nothing has been read.
    pub(super) fn new(file: &'f File) -> Self {
        Self { file, length: file.metadata().map_or(0, |metadata| metadata.len()) }
    }
}

impl ReadAt for OnDisk<'_> {
    fn length(&self) -> u64 {
        self.length
    }

    fn bytes(&self, offset: u64, size: usize) -> Option<Cow<'_, [u8]>> {
        if offset.checked_add(size as u64)? > self.length {
            return None;
        }
        let mut buffer = vec![0; size];
        self.file.read_exact_at(&mut buffer, offset).ok()?;
        Some(Cow::Owned(buffer))
    }
}

/// Returns an unsigned number of up to eight bytes, least significant first.
pub(super) fn little(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// Returns an unsigned number of up to eight bytes, most significant first.
pub(super) fn big(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}
